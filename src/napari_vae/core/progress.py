"""What long work reports while it runs, and running it for its result alone."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Event = TypeVar("Event")
Result = TypeVar("Result")


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


@dataclass(frozen=True)
class Stage:
    """Where longer work is: what it does, how much of that is done, and a remark for the user."""

    name: str
    fraction: float = 0.0
    message: str = ""


def drain(job: Generator[Event, None, Result], on_event: Callable[[Event], object] | None = None) -> Result:
    """Run a generator to its end, handing on what it yields, and return what it returns.

    Raises
    ------
    InputError
        If `on_event` is no function; and whatever the generator raises.
    """
    if on_event is not None and not callable(on_event):
        raise InputError(f"The callback is a function that is called with what happens, not {on_event!r:.80}.")
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            result: Result = end.value
            return result
        if on_event is not None:
            on_event(event)


class Stopped(Exception):
    """The user ended the work, in the midst of something that is of no use by half."""


def never() -> bool:
    """The answer to "stop now?" where nobody can ask for it."""
    return False
