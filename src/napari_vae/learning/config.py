"""Settings of a deep kernel, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .checks import check_seed, check_whole, is_number, is_whole

TARGETS = ("real", "angle", "class")
NETWORKS = ("auto", "linear", "mlp", "conv")
KERNELS = ("matern", "rbf")


@dataclass(frozen=True)
class DeepKernelConfig:
    """Settings of a `DeepKernelGP`; see there."""

    target: str = "real"
    embedding_dim: int = 3
    network: str = "auto"
    hidden: tuple[int, ...] = (16,)
    kernel: str = "matern"
    ensemble: int = 4
    fine_tune: bool = False
    steps: int = 300
    warm_steps: int = 30
    weight_decay: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        widths = tuple(np.atleast_1d(np.asarray(self.hidden, object)).tolist())
        if not widths or not all(is_whole(width) and width > 0 for width in widths):
            raise InputError(f"hidden are whole numbers from 1, not {self.hidden!r}.")
        object.__setattr__(self, "hidden", tuple(int(width) for width in widths))
        for name, allowed in (("target", TARGETS), ("network", NETWORKS), ("kernel", KERNELS)):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}.")
        if not is_whole(self.embedding_dim) or not 1 <= self.embedding_dim <= 3:
            raise InputError(
                f"An embedding has 1 to 3 dimensions, so that it can be looked at; not {self.embedding_dim!r}."
            )
        for name in ("ensemble", "steps", "warm_steps"):
            check_whole(name, getattr(self, name), 1)
        check_seed(self.seed)
        if not is_number(self.weight_decay) or self.weight_decay < 0:
            raise InputError(f"weight_decay is a number from 0, not {self.weight_decay!r}.")
