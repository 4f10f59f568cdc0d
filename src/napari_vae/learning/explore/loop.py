"""The active-learning loop: suggest and measure, until a budget or a stopping rule ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.arguments import checks_arguments
from ...core.arrays import as_numbers, check_size
from ...core.errors import InputError
from ...core.folders import check_replaceable, user_path
from ...core.progress import drain, never
from ...core.settings import Count
from ..config import FEWEST, Acquisition, ExplorationConfig
from .exploration import Exploration, ExplorationRecord
from .record import MARKER, Step
from .stopping import Stopping
from .suggestion import Suggestion, check_start, number_of
from .surrogate import target_kind

#: From the number of a candidate to its targets (T,), or to why there are none.
Oracle = Callable[[int], npt.NDArray[np.float64] | str]


@dataclass(frozen=True)
class ExplorationStep:
    """One event of a running exploration.

    Attributes
    ----------
    step : Step
        What was measured.
    suggestion : Suggestion
        What had been suggested, with predictions of all candidates.
    number, measured, budget : int
        Steps so far, measurements so far (failed ones included), and measurements in all.
    best : int or None
        The measured candidate nearest to the goal.
    message : str
        What happened, in words.
    """

    step: Step
    suggestion: Suggestion
    number: int
    measured: int
    budget: int
    best: int | None
    message: str

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, 0 … 1."""
        return min(1.0, self.measured / max(1, self.budget))


@checks_arguments
def explore(
    x: Any,
    oracle: Any,
    acquisition: Acquisition = "ei",
    *,
    budget: Count = 50,
    until: Stopping | None = None,
    record: ExplorationRecord | str | PathLike[str] | None = None,
    callback: Callable[[ExplorationStep], None] | None = None,
    **settings: Any,
) -> ExplorationRecord:
    """Let a model choose what is measured, until the budget is spent or a rule says that it is enough.

    Parameters
    ----------
    x : Patches, array (N, H, W), (N, C, H, W) or (N, F)
        The candidates.
    oracle : callable, or array or Series (N,) or (N, T)
        What measures: a function that is given the number of one candidate and returns its value (or T values), or the
        values of all candidates (a column, a layer's values under each atom). A measurement that raises or is NaN
        counts as failed; its candidate is not measured again.
    acquisition : str
        As in `Exploration`.
    budget : int
        Measurements in all, seeds and failed ones included.
    until : Stopping, optional
        When to end before that.
    record : ExplorationRecord or path, optional
        A record to go on from. A folder: it is written after every step, and gone on from if it holds a record.
    callback : callable, optional
        Called with an `ExplorationStep` after each step.
    **settings
        Those of `Exploration`: model, goal, target, kappa, start, spread, batch, refit_every, seed.

    Returns
    -------
    ExplorationRecord
        Its ``reason`` says why it ended.

    Raises
    ------
    InputError
        If candidates, oracle or settings cannot be used; before any work.
    TrainingError
        If the model cannot be fitted.

    Examples
    --------
    >>> record = explore(patches, atoms["strain"], "ei", budget=40, record="exploration")  # doctest: +SKIP
    >>> record.best, record.curve[-1]  # doctest: +SKIP
    """
    job = iter_explore(x, oracle, acquisition, budget=budget, until=until, record=record, **settings)
    return drain(job, callback)


@checks_arguments
def iter_explore(
    x: Any,
    oracle: Any,
    acquisition: Acquisition = "ei",
    *,
    budget: Count = 50,
    until: Stopping | None = None,
    record: ExplorationRecord | str | PathLike[str] | None = None,
    stop: Callable[[], bool] | None = None,
    **settings: Any,
) -> Generator[ExplorationStep, None, ExplorationRecord]:
    """Explore as `explore` does, as a generator of steps that returns the record.

    Parameters
    ----------
    x, oracle, acquisition, budget, until, record, **settings
        As in `explore`.
    stop : callable, optional
        Called before every measurement; when it returns True, the exploration ends and keeps what it has.

    Yields
    ------
    ExplorationStep
        After every step.

    Raises
    ------
    InputError, TrainingError
        As in `explore`.
    """
    n, (before, folder) = number_of(x), _load_or_new(record)
    measure = as_oracle(oracle, n, target_kind(settings.get("model")))
    seeds = check_start(settings.get("start", ExplorationConfig.start), n)
    if budget < seeds:
        raise InputError(f"The budget of {budget} measurements is less than the {seeds} to start with; raise it.")
    exploration = Exploration(x, acquisition=acquisition, record=before, **settings)
    if not len(exploration.open):
        raise InputError("All candidates of the record are measured; there is nothing left to explore.")
    until, stop = until or Stopping(), stop or never
    until.check(exploration.record)
    if not callable(oracle):
        exploration.record.goal.check(len(measure(0)))
    if folder is not None:
        exploration.record.save(folder)
    while not (reason := _end(exploration, budget, until, stop)):
        suggestion = exploration.suggest()
        if reason := until.foreseen(exploration.record, suggestion) or (
            "" if len(suggestion.indices) else suggestion.message
        ):
            break
        _measure(exploration, measure, budget, stop)
        if folder is not None:
            exploration.record.save(folder)
        yield _event(exploration, suggestion, budget)
    ended = exploration.end(reason)
    if folder is not None:
        ended.save(folder)
    return ended


def _measure(exploration: Exploration, measure: Oracle, budget: int, stop: Callable[[], bool]) -> None:
    """Measure what is suggested, seeds no more than a batch at a time, as one step."""
    began = time.perf_counter()
    left = min(exploration.record.settings["batch"], budget - exploration.record.tried)
    results: dict[int, Any] = {}
    for i in exploration.suggest().indices[:left].tolist():
        if results and stop():
            break
        results[i] = measure(i)
    exploration.report(results, seconds=time.perf_counter() - began)


def _end(exploration: Exploration, budget: int, until: Stopping, stop: Callable[[], bool]) -> str:
    """Why to end now; empty to go on."""
    if stop():
        return "It was stopped."
    if exploration.record.tried >= budget:
        return f"The budget of {budget} measurements is spent."
    return until.reached(exploration.record)


def _event(exploration: Exploration, suggestion: Suggestion, budget: int) -> ExplorationStep:
    record = exploration.record
    step = record.steps[-1]
    failed = "; ".join(f"candidate {i} failed: {reason}" for i, reason in step.failures.items())
    message = failed or suggestion.message
    return ExplorationStep(step, suggestion, len(record.steps), record.tried, budget, record.best, message)


def _load_or_new(
    record: ExplorationRecord | str | PathLike[str] | None,
) -> tuple[ExplorationRecord | None, Path | None]:
    """The record to go on from, and the folder to keep it in; either may be missing."""
    if record is None or isinstance(record, ExplorationRecord):
        return record, None
    folder = user_path(record)
    check_replaceable(folder, MARKER)
    return (ExplorationRecord.load(folder) if (folder / MARKER).is_file() else None), folder


def as_oracle(oracle: Any, n: int, kind: str = "real") -> Oracle:
    """A function from the number of a candidate to its targets, which never raises.

    Parameters
    ----------
    oracle : callable, or array or Series (N,) or (N, T)
        A function that is given a number and returns a value, or T values; or the values themselves, NaN where a
        measurement will fail.
    n : int
        Number of candidates.
    kind : "real", "angle" or "class"
        Of the target.

    Raises
    ------
    InputError
        If it is neither, has another length, or nothing can be learned from it.

    Examples
    --------
    >>> as_oracle([1.0, 2.0, float("nan"), 4.0], 4)(1).tolist()
    [2.0]
    """
    return _measured_by(oracle) if callable(oracle) else _looked_up(oracle, n, kind)


def _measured_by(function: Callable[[int], Any]) -> Oracle:
    def measure(i: int) -> npt.NDArray[np.float64] | str:
        try:
            value = np.asarray(function(i), np.float64)
        except Exception as error:  # an instrument may raise anything; the exploration goes on
            return f"{type(error).__name__}: {error}"
        return np.atleast_1d(value) if value.ndim < 2 else f"The oracle returned an array of shape {value.shape}."

    return measure


def _looked_up(column: Any, n: int, kind: str) -> Oracle:
    try:
        values = as_numbers(column, "values of the oracle")
    except InputError as error:
        raise InputError(
            "The oracle is a function of a candidate's number, or a column of numbers; give classes as numbers from 0."
        ) from error
    if values.ndim not in (1, 2) or len(values) != n:
        raise InputError(f"There are {n} candidates, but values of shape {values.shape}; give one row for each.")
    table = values.reshape(n, -1)
    known = table[np.isfinite(table).all(axis=1)]
    if len(known) < FEWEST:
        raise InputError(f"Only {len(known)} candidates have a value; at least {FEWEST} are needed.")
    if (np.ptp(known, axis=0) == 0).any():
        raise InputError("All values are the same, so there is nothing to learn; choose another column.")
    check_size(known)
    if kind == "class" and (wrong := known[(known < 0) | (known % 1 != 0)]).size:
        raise InputError(f"Classes are whole numbers from 0, and the column holds {wrong[0]:g}; number them, or round.")
    return lambda i: table[i]
