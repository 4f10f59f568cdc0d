"""One step of an exploration, as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
        What had been suggested; empty if nothing was asked.
    phase : str
        As `Suggestion.phase`; empty if nothing was asked.
    failures : dict of int to str
        Candidates that failed, with the reason.
    score : tuple of float, or None
        Acquisition of each before it was measured; ``None`` where there was none.
    mean, sd : tuple of tuple of float, or None
        Its prediction: of each target, or the probability of each class.
    seconds : dict of str to float
        ``"suggest"`` and ``"measure"``.
    """

    indices: tuple[int, ...]
    values: tuple[tuple[float, ...] | None, ...]
    suggested: tuple[int, ...] = ()
    phase: str = ""
    failures: Mapping[int, str] = field(default_factory=dict)
    score: tuple[float | None, ...] | None = None
    mean: tuple[tuple[float, ...], ...] | None = None
    sd: tuple[tuple[float, ...], ...] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Step:
        """What ``dataclasses.asdict`` and JSON made of a step."""
        step = cls(
            indices=tuple(int(i) for i in told["indices"]),
            values=_rows(told["values"]),
            suggested=tuple(int(i) for i in told["suggested"]),
            phase=str(told["phase"]),
            failures={int(i): str(reason) for i, reason in told["failures"].items()},
            score=None if told["score"] is None else tuple(told["score"]),
            seconds={str(name): float(value) for name, value in told["seconds"].items()},
            mean=None if told["mean"] is None else _rows(told["mean"]),
            sd=None if told["sd"] is None else _rows(told["sd"]),
        )
        if len(step.values) != len(step.indices):
            raise ValueError("values are missing")
        return step


def _rows(rows: Any) -> tuple[Any, ...]:
    return tuple(None if row is None else tuple(float(value) for value in row) for row in rows)
