"""Ask and tell: which candidate to measure next, given what was measured so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ...core.progress import never
from ...core.settings import Count, NotNegative, Seed, Whole, about, checked
from .batches import JOINT
from .goals import Goal
from .record import ExplorationRecord, begin
from .refitting import Refits, learnable
from .seeding import check_start, number_of, seed_order
from .steps import Step
from .suggesting import Suggesting, Suggestion, after, candidates, open_candidates
from .telling import as_table, numbers, read_told

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

START = 10  # measurements before there is a model


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
        ``"ei"``, ``"ucb"``, ``"pi"``, ``"variance"``, ``"thompson"`` or ``"information"``; see `goals.ACQUISITIONS`.
    goal : "max", "min" or float
        Whether large or small values are looked for, or values near a number; of angles the wanted one in degrees, of
        classes the number of the wanted class.
    target : int or sequence of float
        Of several targets the one that is looked at, or a weight for each of them (in their own units).
    kappa : float
        Standard deviations that ``"ucb"`` adds to the mean.
    start : int or sequence of int
        How many to measure first, or which.
    spread : bool
        Whether the first are far from each other in what the model sees, and not drawn at random.
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

    Examples
    --------
    >>> exploration = Exploration(patches, acquisition="ucb", start=5)  # doctest: +SKIP
    >>> suggestion = exploration.suggest()  # doctest: +SKIP
    >>> exploration.tell(suggestion.indices, measure(suggestion.indices))  # doctest: +SKIP
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
        start: int | Sequence[int] = START,
        spread: bool = False,
        batch: int = 1,
        refit_every: int = 1,
        seed: int = 0,
        record: ExplorationRecord | None = None,
    ) -> None:
        seed = checked("seed", seed, Seed)
        kappa = checked("kappa", kappa, NotNegative)
        batch = checked("batch", batch, Annotated[Whole, about(ge=1, le=JOINT)])
        refit_every = checked("refit_every", refit_every, Count)
        if model is None:
            from ..gp.deep_kernel import DeepKernelGP

            model = DeepKernelGP(seed=seed)
        sought = Goal.of(getattr(model, "target", "real"), goal, target, acquisition)
        self.n_candidates = number_of(x)
        n_seeds = check_start(start, self.n_candidates)
        prepared = model.prepare(x)
        order = seed_order(prepared, start, spread, seed)
        settings = {
            "acquisition": acquisition,
            "goal": sought.wanted,
            "target": sought.target,
            "kappa": kappa,
            "start": order[:n_seeds].tolist(),
            "batch": batch,
            "refit_every": refit_every,
            "seed": seed,
        }
        self._record = begin(x, settings, model)
        if record is not None:
            record.check_same(self._record)
            self._record = replace(record, reason="")
        self._refits = Refits(model, prepared, n_seeds, refit_every)
        self._suggesting = Suggesting(self._refits, order, n_seeds)
        self._suggestion: Suggestion | None = None

    @property
    def record(self) -> ExplorationRecord:
        """Everything told so far, with what is needed to go on or to replay it."""
        return self._record

    @property
    def measured(self) -> Rows:
        """Measured candidates (n,), in order."""
        return self._record.measured

    @property
    def values(self) -> Floats:
        """What was measured, (n,), or (n, T) of several targets, in order."""
        return self._record.values

    @property
    def failed(self) -> dict[int, str]:
        """Candidates whose measurement failed, with the reason."""
        return self._record.failed

    @property
    def best(self) -> int | None:
        """The measured candidate nearest to the goal; ``None`` before the first, and where there is no goal."""
        return self._record.best

    @property
    def curve(self) -> Floats:
        """Learning curve (n,): see `ExplorationRecord.curve`."""
        return self._record.curve

    @property
    def open(self) -> Rows:
        """Candidates that were not tried yet, by number."""
        return open_candidates(self._record, self.n_candidates)

    @property
    def model(self) -> Any:
        """The model fitted to what was told; ``None`` while it cannot be fitted."""
        return self._refits.model(self.measured, self._record.targets) if learnable(self._record.targets) else None

    def predict(self) -> tuple[Floats, Floats] | None:
        """Mean and sd of every candidate in units of the target; ``None`` while no model can be fitted."""
        if not learnable(self._record.targets):
            return None
        return self._refits.predict(self.measured, self._record.targets)

    def embed(self) -> Floats | None:
        """Every candidate in the model's embedding (N, d); ``None`` while no model can be fitted."""
        if not learnable(self._record.targets):
            return None
        return self._refits.embed(self.measured, self._record.targets)

    def suggest(self, *, stop: Callable[[], bool] = never) -> Suggestion:
        """The candidates to measure next; the same until something is told.

        While seeding, all seeds that are still open. Fits the model when there is something new.

        Parameters
        ----------
        stop : callable
            Asked all the while; when it says yes, it is given up and everything is as it was.

        Raises
        ------
        TrainingError
            If the model cannot be fitted.
        Stopped
            If it was stopped.
        """
        if self._suggestion is None:
            began = time.perf_counter()
            self._refits.stop = stop
            try:
                suggestion = self._suggesting.after(self._record)
            finally:
                self._refits.stop = never
            self._suggestion = replace(suggestion, seconds=time.perf_counter() - began)
        return self._suggestion

    def tell(self, indices: npt.ArrayLike, values: npt.ArrayLike, *, seconds: float = 0.0) -> None:
        """Take in what was measured, of suggested candidates or of any others. One step of the record.

        Parameters
        ----------
        indices : int or array (B,) of int
        values : float or array (B,) or (B, T)
            NaN or infinite: the measurement failed.
        seconds : float
            How long the measurement took, for the record.

        Raises
        ------
        InputError
            If an index is no candidate or measured already, or the values are not as many.
        """
        rows, table = numbers(indices), as_table(values)
        if table.shape[0] != len(rows) and len(rows) == 1:
            table = table.reshape(1, -1)
        if len(table) != len(rows):
            raise InputError(f"{candidates(len(rows))}, but {len(table)} values; give one, or one row, for each.")
        self.report(dict(zip(rows, table, strict=True)), seconds=seconds)

    def fail(self, indices: npt.ArrayLike, reason: str, *, seconds: float = 0.0) -> None:
        """Take note that measuring these candidates failed; they are not suggested again. One step of the record.

        Raises
        ------
        InputError
            If an index is no candidate or measured already.
        """
        self.report(dict.fromkeys(numbers(indices), reason), seconds=seconds)

    def report(self, told: Mapping[int, npt.ArrayLike | str], *, seconds: float = 0.0) -> None:
        """Take in several measurements as one step of the record: the targets (T,) of each, or why it failed.

        Raises
        ------
        InputError
            As in `tell`.
        """
        self._check_open(list(told))
        n_targets = self._record.targets.shape[1] if len(self.measured) else 0
        values, failures = read_told(told, self._record.goal, n_targets)
        self._follow(Step(tuple(told), values, failures=failures), seconds)

    def undo(self) -> Rows:
        """Forget the last `tell` or `fail`; returns its candidates, which may be suggested again.

        Raises
        ------
        InputError
            If nothing was told.
        """
        if not self._record.steps:
            raise InputError("Nothing was measured yet, so there is nothing to undo.")
        last = self._record.steps[-1]
        self._record, self._suggestion = self._record.without_last(), None
        return np.array(last.indices, np.int64)

    def end(self, reason: str) -> ExplorationRecord:
        """Note in the record why it ends, and return it."""
        self._record = replace(self._record, reason=reason)
        return self._record

    def _check_open(self, rows: list[int]) -> None:
        if not rows or min(rows) < 0 or max(rows) >= self.n_candidates:
            raise InputError(f"Candidates are told by their numbers, from 0 to {self.n_candidates - 1}.")
        again = sorted({*rows} & {*self.measured.tolist()})
        if again:
            raise InputError(f"Candidate {again[0]} is measured already; undo that first.")

    def _follow(self, step: Step, seconds: float) -> None:
        """Add a step, with what was known of its candidates before."""
        asked = self._suggestion
        if asked is not None:
            step = after(step, asked)
        told = {"suggest": 0.0 if asked is None else asked.seconds, "measure": float(seconds)}
        self._record, self._suggestion = self._record.followed_by(replace(step, seconds=told)), None
