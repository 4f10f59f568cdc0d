"""What a training tells while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Progress:
    """One event of a running training.

    Attributes
    ----------
    epoch, n_epochs : int
        Passes over the data done, and in all (with ``epochs="auto"`` a guess until a plateau is found).
    step, n_steps : int
        Optimiser steps done, and in all, as for the epochs.
    seconds_left : float or None
        Estimate; ``None`` until there is one.
    device : str
        What is computed on, in words.
    message : str
        What is being done, in words.
    history : tuple of dict
        One row per evaluation: ``epoch``, ``step``, ``loss``, ``reconstruction``, ``kl``, ``kl_pose``, ``kl_z1`` …,
        ``held_out``, ``learning_rate``, ``seconds``. Losses are in nats per image, above the floor of the likelihood.
    manifold : array (n, n, H, W) or (n, n, C, H, W), or None
        Freshly decoded images over the first two latents.
    """

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    seconds_left: float | None
    device: str
    message: str
    history: tuple[dict[str, Any], ...] = ()
    manifold: npt.NDArray[np.float32] | None = None

    @property
    def fraction(self) -> float:
        """Share of the work done, 0 … 1."""
        return min(1.0, self.step / max(1, self.n_steps))
