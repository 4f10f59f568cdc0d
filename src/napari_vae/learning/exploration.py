"""Ask and tell: which candidate to measure next, given what was measured so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .record import ExplorationRecord


@dataclass(frozen=True)
class Suggestion:
    """What to measure next, and why.

    Attributes
    ----------
    indices : array (B,) of int
        Candidates to measure, the most promising first; empty when none is left.
    phase : str
        ``"seeds"``: first measurements, no model yet; ``"even"``: all values so far are equal, so the candidate farthest
        from those measured; ``"model"``: chosen by the acquisition; ``"end"``: no candidate is left.
    message : str
        The same in a sentence.
    score : array (N,) or None
        The acquisition of every candidate, NaN where it was measured or failed; ``None`` without a model.
    mean, sd : array (N,), (N, T), or (N, K) of classes, or None
        Prediction of every candidate and its standard deviation, in units of the target; ``None`` without a model.
    seconds : float
        Time it took, refit included.
    """

    indices: npt.NDArray[np.int64]
    phase: str
    message: str
    score: npt.NDArray[np.float64] | None = None
    mean: npt.NDArray[np.float64] | None = None
    sd: npt.NDArray[np.float64] | None = None
    seconds: float = 0.0


class Exploration:
    """Active learning one step at a time: it suggests, you measure and tell.

    What is suggested depends on the settings and on what was told so far, and on nothing else: undoing a measurement,
    continuing a record, and replaying it lead to the same suggestions.

    Parameters
    ----------
    x : Patches, array (N, H, W), (N, C, H, W) or (N, F)
        The candidates: everything that could be measured, as images or rows of numbers.
    model : DeepKernelGP, optional
        What predicts the target; anything with its methods will do. It is copied, never changed.
    acquisition : str
        ``"ei"``, ``"ucb"``, ``"pi"``, ``"variance"``, ``"thompson"``, ``"information"``; see `acquisition.ACQUISITIONS`.
    goal : "max", "min" or float
        Whether large or small values are looked for, or values near a number; of angles the wanted one in degrees, of
        classes the number of the wanted class.
    target : int or sequence of float
        Of several targets the one that is looked at, or a weight for each of them (in their own units).
    kappa : float
        Standard deviations that ``"ucb"`` adds to the mean.
    start : int, "spread" or sequence of int
        First measurements: this many at random; ``"spread"``, ten far from each other; or these candidates.
    batch : int
        How many candidates are suggested at a time.
    refit_every : int
        Measurements between two fits of the model.
    seed : int
    record : ExplorationRecord, optional
        An exploration to go on from, of the same candidates and settings.

    Raises
    ------
    InputError
        If the candidates or settings cannot be used, or the record is of other ones; before any work.
    """

    def __init__(
        self,
        x: Any,
        *,
        model: Any = None,
        acquisition: str = "ei",
        goal: str | float = "max",
        target: int | Sequence[float] = 0,
        kappa: float = 2.0,
        start: int | str | Sequence[int] = 10,
        batch: int = 1,
        refit_every: int = 1,
        seed: int = 0,
        record: ExplorationRecord | None = None,
    ) -> None:
        raise NotImplementedError

    def suggest(self) -> Suggestion:
        """The candidates to measure next; the same until something is told.

        While seeding, all seeds that are still open. Fits the model when there is something new.

        Raises
        ------
        TrainingError
            If the model cannot be fitted.
        """
        raise NotImplementedError

    def tell(self, indices: npt.ArrayLike, values: npt.ArrayLike, *, seconds: float = 0.0) -> None:
        """Take in what was measured; of suggested candidates or of any others. One step of the record.

        Parameters
        ----------
        indices : int or array (B,) of int
        values : float or array (B,) or (B, T)
            NaN: the measurement failed.
        seconds : float
            How long the measurement took, for the record.

        Raises
        ------
        InputError
            If an index is no candidate or measured already, or the values are not as many.
        """
        raise NotImplementedError

    def fail(self, indices: npt.ArrayLike, reason: str, *, seconds: float = 0.0) -> None:
        """Take note that measuring these candidates failed; they are not suggested again. One step of the record."""
        raise NotImplementedError

    def undo(self) -> npt.NDArray[np.int64]:
        """Forget the last `tell` or `fail`; returns its candidates, which may be suggested again.

        Raises
        ------
        InputError
            If nothing was told.
        """
        raise NotImplementedError

    @property
    def measured(self) -> npt.NDArray[np.int64]:
        """Measured candidates (n,), in order."""
        raise NotImplementedError

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """What was measured, (n,) or (n, T), in order."""
        raise NotImplementedError

    @property
    def failed(self) -> dict[int, str]:
        """Candidates whose measurement failed, with the reason."""
        raise NotImplementedError

    @property
    def best(self) -> int | None:
        """The measured candidate nearest to the goal; ``None`` before the first and where there is no goal."""
        raise NotImplementedError

    @property
    def curve(self) -> npt.NDArray[np.float64]:
        """The learning curve (n,): the best value of the looked-at target after each measurement."""
        raise NotImplementedError

    @property
    def model(self) -> Any:
        """The model fitted to what was told; ``None`` while it cannot be fitted."""
        raise NotImplementedError

    def predict(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
        """Mean and sd of every candidate in units of the target; ``None`` while no model can be fitted."""
        raise NotImplementedError

    def embed(self) -> npt.NDArray[np.float64] | None:
        """Every candidate in the model's embedding (N, d); ``None`` while no model can be fitted."""
        raise NotImplementedError

    @property
    def record(self) -> ExplorationRecord:
        """Everything told so far, with what is needed to go on or to replay it."""
        raise NotImplementedError
