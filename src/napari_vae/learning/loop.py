"""The active-learning loop: suggest, measure, tell, until a budget or a rule ends it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .exploration import Suggestion
from .record import ExplorationRecord, Step

if TYPE_CHECKING:
    from .stopping import Stopping


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
        Those of `Exploration`: model, goal, target, kappa, start, batch, refit_every, seed.

    Returns
    -------
    ExplorationRecord

    Raises
    ------
    InputError
        If candidates, oracle or settings cannot be used; before any work.
    TrainingError
        If the model cannot be fitted.
    """
    raise NotImplementedError


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
    stop : callable, optional
        Asked before every measurement; when it says True, the exploration ends and keeps what it has.
    """
    raise NotImplementedError
    yield
