"""One step of an exploration, as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from ...core.settings import Number, Whole, about

Candidate = Annotated[Whole, about(ge=0)]


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

    indices: tuple[Candidate, ...]
    values: tuple[tuple[Number, ...] | None, ...]
    suggested: tuple[Candidate, ...] = ()
    phase: str = ""
    failures: Mapping[int, str] = field(default_factory=dict)
    score: tuple[Number | None, ...] | None = None
    mean: tuple[tuple[Number, ...], ...] | None = None
    sd: tuple[tuple[Number, ...], ...] | None = None
    seconds: Mapping[str, Number] = field(default_factory=dict)

    def is_whole(self) -> bool:
        """Whether there is something for each candidate, or for none."""
        told = [told for told in (self.values, self.score, self.mean, self.sd) if told is not None]
        failed = {i for i, values in zip(self.indices, self.values, strict=False) if values is None}
        return {len(self.indices)} == {len(one) for one in told} and failed == set(self.failures)
