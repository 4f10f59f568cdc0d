"""The active-learning loop: suggest, measure, tell, until a budget or a rule ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...core.progress import drain, never
from ...core.settings import Count, checked
from .exploration import START, Exploration
from .oracles import Oracle, as_oracle
from .record import ExplorationRecord
from .record_files import load_or_new
from .seeding import check_start, number_of
from .steps import Step
from .stopping import Stopping
from .suggesting import Suggestion


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


def explore(
    x: Any,
    oracle: Any,
    acquisition: str = "ei",
    *,
    budget: int = 50,
    until: Stopping | None = None,
    record: ExplorationRecord | str | Path | None = None,
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
        counts as failed; its candidate is not asked again.
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


def iter_explore(
    x: Any,
    oracle: Any,
    acquisition: str = "ei",
    *,
    budget: int = 50,
    until: Stopping | None = None,
    record: ExplorationRecord | str | Path | None = None,
    stop: Callable[[], bool] | None = None,
    **settings: Any,
) -> Generator[ExplorationStep, None, ExplorationRecord]:
    """Explore as `explore` does, as a generator of steps that returns the record.

    Parameters
    ----------
    x, oracle, acquisition, budget, until, record, **settings
        As in `explore`.
    stop : callable, optional
        Asked before every measurement; when it says True, the exploration ends and keeps what it has.

    Yields
    ------
    ExplorationStep
        After every step.

    Raises
    ------
    InputError, TrainingError
        As in `explore`.
    """
    kind = getattr(settings.get("model"), "target", "real")
    measure, (before, folder) = as_oracle(oracle, number_of(x), kind), load_or_new(record)
    _check_budget(budget, check_start(settings.get("start", START), number_of(x)))
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
        if reason := until.foreseen(exploration) or ("" if len(suggestion.indices) else suggestion.message):
            break
        _measure(exploration, measure, budget, stop)
        if folder is not None:
            exploration.record.save(folder)
        yield _event(exploration, suggestion, budget)
    ended = exploration.end(reason)
    if folder is not None:
        ended.save(folder)
    return ended


def replay(record: ExplorationRecord, x: Any, *, model: Any = None) -> ExplorationRecord:
    """Go through the steps of a record again; see `ExplorationRecord.replay`."""
    names = ("acquisition", "goal", "target", "kappa", "start", "batch", "refit_every", "seed")
    again = Exploration(x, model=model, **{name: record.settings[name] for name in names})
    record.check_same(again.record)
    for step in record.steps:
        if step.phase:
            again.suggest()
        told = {i: step.failures[i] if row is None else row for i, row in zip(step.indices, step.values, strict=True)}
        again.report(told, seconds=step.seconds.get("measure", 0.0))
    return again.end(record.reason)


def _measure(exploration: Exploration, measure: Oracle, budget: int, stop: Callable[[], bool]) -> None:
    """Measure what is suggested, seeds no more than a batch at a time, and tell it as one step."""
    began = time.perf_counter()
    left = min(exploration.record.settings["batch"], budget - exploration.record.tried)
    told: dict[int, Any] = {}
    for i in exploration.suggest().indices[:left].tolist():
        if told and stop():
            break
        told[i] = measure(i)
    exploration.report(told, seconds=time.perf_counter() - began)


def _end(exploration: Exploration, budget: int, until: Stopping, stop: Callable[[], bool]) -> str:
    """Why to end now; empty to go on."""
    if stop():
        return "It was stopped."
    if exploration.record.tried >= budget:
        return f"The budget of {budget} measurements is spent."
    return until.reached(exploration.record)


def _check_budget(budget: int, seeds: int) -> None:
    checked("budget", budget, Count)
    if budget < seeds:
        raise InputError(f"The budget of {budget} measurements is less than the {seeds} to start with; raise it.")


def _event(exploration: Exploration, suggestion: Suggestion, budget: int) -> ExplorationStep:
    record = exploration.record
    step = record.steps[-1]
    failed = "; ".join(f"candidate {i} failed: {reason}" for i, reason in step.failures.items())
    message = failed or suggestion.message
    return ExplorationStep(step, suggestion, len(record.steps), record.tried, budget, record.best, message)
