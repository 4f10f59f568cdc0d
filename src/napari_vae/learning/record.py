"""The record of an exploration: settings, every step, and what is needed to go on or to replay it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Step:
    """One step: what was suggested, what was measured, and what came out.

    Attributes
    ----------
    indices : tuple of int
        Candidates that were measured.
    values : tuple of tuple of float, or None
        The targets of each; ``None`` where the measurement failed.
    suggested : tuple of int
        What had been suggested.
    phase : str
        As `Suggestion.phase`.
    failures : dict of int to str
        Candidates that failed, with the reason.
    score, mean, sd : tuple, optional
        Acquisition (B,) and prediction (B, T) of the measured candidates before they were; ``None`` without a model.
    seconds : dict of str to float
        ``"suggest"`` and ``"measure"``.
    """

    indices: tuple[int, ...]
    values: tuple[tuple[float, ...] | None, ...]
    suggested: tuple[int, ...] = ()
    phase: str = ""
    failures: dict[int, str] = field(default_factory=dict)
    score: tuple[float, ...] | None = None
    mean: tuple[tuple[float, ...], ...] | None = None
    sd: tuple[tuple[float, ...], ...] | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ExplorationRecord:
    """Everything that an exploration did.

    Attributes
    ----------
    settings : dict
        Arguments of `Exploration`, the seeds as candidates, the model in words.
    provenance : dict
        Hash of the candidates, versions, date.
    steps : tuple of Step
    reason : str
        Why it ended, in a sentence; empty while it can go on.
    """

    settings: dict[str, Any]
    provenance: dict[str, Any]
    steps: tuple[Step, ...] = ()
    reason: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """One row per measured candidate, in order: step, phase, candidate, value(s), score, mean, sd, failure."""
        raise NotImplementedError

    def save(self, folder: str | Path) -> Path:
        """Write ``exploration.json`` and ``measurements.csv``; a former record there is replaced when all is written.

        Raises
        ------
        InputError
            If the folder holds something else.
        """
        raise NotImplementedError

    @classmethod
    def load(cls, folder: str | Path) -> ExplorationRecord:
        """Read a record that `save` wrote. Nothing in it is executed.

        Raises
        ------
        ReadError
            If the folder holds no record, a damaged one, or one of a newer version.
        """
        raise NotImplementedError

    def replay(self, x: Any, *, model: Any = None) -> ExplorationRecord:
        """Go through the same steps again: what is suggested, given what was told before each of them.

        With the same candidates, model, seed and device every ``suggested`` is that of this record.
        """
        raise NotImplementedError
