"""Active learning step by step: which candidate to measure next, given what was measured so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ...core.arguments import checks_arguments
from ...core.arrays import as_array
from ...core.errors import InputError
from ...core.fields import quoted
from ...core.progress import never
from ...core.provenance import data_hash, describe_versions
from ...core.settings import documented_by
from ..config import ExplorationConfig
from ..gp.candidates import Prepared
from ..gp.deep_kernel import DeepKernelGP
from .acquisition import Goal
from .record import KEPT, Record, Step, problem
from .suggestion import Suggester, Suggestion, candidates, check_start, number_of, seed_order
from .surrogate import Surrogate, describe_model, encoder_hash, learnable, target_kind

T = TypeVar("T")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ExplorationRecord(Record):
    """Everything that an exploration did.

    Attributes
    ----------
    settings : dict
        What was explored and how: arguments of `Exploration`, the seeds as candidates, the model in words.
    provenance : dict
        Hash of the candidates, versions, date.
    steps : tuple of Step
    reason : str
        Why it ended, in a sentence; empty while it can go on.

    Examples
    --------
    >>> record = ExplorationRecord({"kind": "real", "goal": "max", "target": 0}, {})
    >>> record = record.followed_by(Step((7, 2), ((0.5,), (1.5,))))
    >>> record.best, record.curve.tolist()
    (2, [0.5, 1.5])
    """

    def replay(self, x: Any, *, model: Any = None) -> ExplorationRecord:
        """Go through the same steps again: what is suggested, given what was measured before each of them.

        With the same candidates, model, seed and device every ``suggested`` is that of this record.

        Raises
        ------
        InputError
            If candidates or model are other ones.
        """
        again = Exploration(x, model=model, **self.options)
        self.check_same(again.record)
        for step in self.steps:
            if step.phase:
                again.suggest()
            rows = zip(step.indices, step.values, strict=True)
            results = {i: step.failures[i] if row is None else row for i, row in rows}
            again.report(results, seconds=step.seconds.get("measure", 0.0))
        return again.end(self.reason)


@documented_by(ExplorationConfig)
class Exploration:
    """Active learning one step at a time: it suggests, you measure.

    What is suggested depends on the settings and on what was measured so far, and on nothing else: undoing a
    measurement, continuing a record, and replaying it lead to the same suggestions.

    Parameters
    ----------
    x : Patches, array (N, H, W), (N, C, H, W) or (N, F)
        The candidates: everything that could be measured, as images or rows of numbers.
    model : DeepKernelGP, optional
        What predicts the target; anything with its methods will do. It is copied, never changed.
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

    @checks_arguments
    def __init__(self, x: Any, *, model: Any = None, record: ExplorationRecord | None = None, **settings: Any) -> None:
        config = ExplorationConfig(**settings)
        model = DeepKernelGP(seed=config.seed) if model is None else model
        if not hasattr(model, "prepare"):
            raise InputError(
                f"The model of an exploration is a DeepKernelGP, or one with its methods, not {quoted(model)}."
            )
        Goal.of(target_kind(model), config.goal, config.target, config.acquisition)
        self.n_candidates = number_of(x)
        n_seeds = check_start(config.start, self.n_candidates)
        prepared = model.prepare(x)
        order = seed_order(prepared, config.start, config.spread, config.seed)
        self._record = _begin(x, config, order[:n_seeds].tolist(), model)
        if record is not None:
            record.check_same(self._record)
            self._record = replace(record, reason="")
        self._surrogate = Surrogate(model, prepared, n_seeds, config.refit_every)
        self._suggester = Suggester(self._surrogate, order, n_seeds)
        self._suggestion: Suggestion | None = None

    @property
    def record(self) -> ExplorationRecord:
        """Everything measured so far, with what is needed to go on or to replay it."""
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
        return self._record.untried(self.n_candidates)

    @property
    def model(self) -> Any:
        """The model fitted to what was measured; ``None`` while it cannot be fitted."""
        return self._of_model(self._surrogate.model)

    def predict(self) -> tuple[Floats, Floats] | None:
        """Mean and sd of every candidate in units of the target; ``None`` while no model can be fitted."""
        return self._of_model(self._surrogate.predict)

    def embed(self) -> Floats | None:
        """Every candidate in the model's embedding (N, d); ``None`` while no model can be fitted."""
        return self._of_model(self._surrogate.embed)

    def _of_model(self, method: Callable[[Rows, Floats], T]) -> T | None:
        targets = self._record.targets
        return method(self.measured, targets) if learnable(targets) else None

    def suggest(self, *, stop: Callable[[], bool] = never) -> Suggestion:
        """The candidates to measure next; the same until something is measured.

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
            self._surrogate.stop = stop
            try:
                suggestion = self._suggester.after(self._record)
            finally:
                self._surrogate.stop = never
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
        rows, table = _numbers(indices), _as_table(values)
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
        self.report(dict.fromkeys(_numbers(indices), reason), seconds=seconds)

    @checks_arguments
    def report(self, results: Mapping[int, npt.ArrayLike | str], *, seconds: float = 0.0) -> None:
        """Take in several measurements as one step of the record: the targets (T,) of each, or why it failed.

        Raises
        ------
        InputError
            As in `tell`.
        """
        results = {int(i): given for i, given in results.items()}  # also those of NumPy, which JSON does not know
        self._check_open(list(results))
        values, failures = _read(results, self._record)
        step, last = Step(tuple(results), values, failures=failures), self._suggestion
        if last is not None:
            step = last.noted(step)
        took = {"suggest": 0.0 if last is None else last.seconds, "measure": float(seconds)}
        self._record, self._suggestion = self._record.followed_by(replace(step, seconds=took)), None

    def undo(self) -> Rows:
        """Forget the last `tell` or `fail`; returns its candidates, which may be suggested again.

        Raises
        ------
        InputError
            If nothing was measured.
        """
        if not self._record.steps:
            raise InputError("Nothing was measured yet, so there is nothing to undo.")
        last = self._record.steps[-1]
        self._record, self._suggestion = self._record.without_last(), None
        return np.array(last.indices, np.int64)

    @checks_arguments
    def end(self, reason: str) -> ExplorationRecord:
        """Note in the record why it ends, and return it."""
        self._record = replace(self._record, reason=reason)
        return self._record

    def _check_open(self, rows: list[int]) -> None:
        if not rows or min(rows) < 0 or max(rows) >= self.n_candidates:
            raise InputError(f"Candidates are named by their numbers, from 0 to {self.n_candidates - 1}.")
        again = sorted({*rows} & {*self.measured.tolist()})
        if again:
            raise InputError(f"Candidate {again[0]} is measured already; undo that first.")


def _begin(x: Any, config: ExplorationConfig, start: list[int], model: Any) -> ExplorationRecord:
    """An empty record: settings, the model in words, and where the candidates come from."""
    data = as_array(x.data if hasattr(x, "atoms") else x.values if isinstance(x, Prepared) else x, "candidates")
    settings = {"kind": target_kind(model), "model": describe_model(model)}
    settings |= {name: getattr(config, name) for name in KEPT} | {"start": start}
    provenance = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "data_sha256": data_hash(data),
        "encoder_sha256": encoder_hash(model),
        "n_candidates": len(data),
        "versions": describe_versions(),
    }
    return ExplorationRecord(settings, provenance)


def _numbers(indices: npt.ArrayLike) -> list[int]:
    """Numbers of candidates, one or several."""
    rows = np.atleast_1d(np.asarray(indices))
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or len(np.unique(rows)) < len(rows):
        raise InputError("Candidates are named by their numbers, each once.")
    return [int(i) for i in rows]


def _as_table(values: npt.ArrayLike) -> Floats:
    """Values (n,) or (n, T); a single one as (1,)."""
    try:
        return np.atleast_1d(np.asarray(values, np.float64))
    except (TypeError, ValueError) as error:
        raise InputError("Values are numbers; give classes as numbers from 0.") from error


def _read(
    results: Mapping[int, npt.ArrayLike | str], record: Record
) -> tuple[tuple[tuple[float, ...] | None, ...], dict[int, str]]:
    """Targets of each candidate, ``None`` where there are none, and why."""
    goal, n_targets = record.goal, record.targets.shape[1] if len(record.measured) else 0
    values: list[tuple[float, ...] | None] = []
    failures = {}
    for i, given in results.items():
        if isinstance(given, str):  # bytes that an instrument sent in no encoding are spelt out
            failures[i] = given.encode("utf-8", "backslashreplace").decode("utf-8")
        else:
            row = _as_table(given).reshape(-1)
            if not n_targets and len(row) and np.isfinite(row).all():  # a failure does not say how many there are
                n_targets = len(row)
                goal.check(n_targets)
            if failure := problem(row, goal, n_targets):
                failures[i] = failure
        values.append(None if i in failures else tuple(row.tolist()))
    return tuple(values), failures
