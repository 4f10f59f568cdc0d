"""One exploration under way: what is suggested and measured, and what the window shows of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...layers.learning import Candidates, results_table
from ...layers.targets import Target
from .target_form import CLASS, EVERYWHERE, NEAR, Purpose

if TYPE_CHECKING:
    from ...learning.explore.exploration import Exploration
    from ...learning.explore.suggestion import Suggestion

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

NO_VALUE = "The target has no value there."


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What is known after a step, for the window to show; also the event of a running job.

    Attributes
    ----------
    session : Session
    table : DataFrame
        As `results_table`.
    measured, upcoming : array of int
        Candidates in order.
    values : array (n,)
        What was measured.
    line : array (m, 2)
        Learning curve: number of measurements, height.
    line_words : str
        What the line is.
    score : array (N,), optional
        Acquisition of the candidates.
    message : str
    fraction : float
    seconds_left : float, optional
    """

    session: Session
    table: pd.DataFrame
    measured: Rows
    upcoming: Rows
    values: Floats
    line: Floats
    line_words: str
    score: Floats | None
    message: str
    fraction: float = 1.0
    seconds_left: float | None = None


class Session:
    """An exploration with its target and its places.

    In a job only that job touches it; else the main thread.

    Parameters
    ----------
    exploration : Exploration
    candidates : Candidates
    purpose : Purpose
    target : Target, optional
        Of every candidate; ``None`` if the user measures.
    """

    def __init__(
        self, exploration: Exploration, candidates: Candidates, purpose: Purpose, target: Target | None = None
    ) -> None:
        self.exploration, self.candidates, self.purpose, self.target = exploration, candidates, purpose, target
        self.suggestion: Suggestion | None = None
        self._embedding: Floats | None = None
        self._errors: dict[int, float] = {}

    @property
    def tried(self) -> int:
        """Measurements, failed ones included."""
        return len(self.exploration.measured) + len(self.exploration.failed)

    @property
    def upcoming(self) -> Rows:
        """Suggested candidates that are still to be measured, in order."""
        if self.suggestion is None:
            return np.zeros(0, dtype=np.int64)
        closed = [*self.exploration.measured, *self.exploration.failed]
        return self.suggestion.indices[~np.isin(self.suggestion.indices, closed)]

    @property
    def stale(self) -> bool:
        """Whether something was measured since the last suggestion, so that there is nothing to be measured now."""
        return not self.finished and not len(self.upcoming)

    @property
    def finished(self) -> bool:
        """Whether no candidate is left."""
        return self.suggestion is not None and self.suggestion.phase == "end"

    def suggest(self, stop: Callable[[], bool]) -> bool:
        """Fit and choose what is next; false if that was stopped, and everything is as it was."""
        from ...learning.explore.surrogate import Stopped

        try:
            suggestion = self.exploration.suggest(stop=stop)
        except Stopped:
            return False
        self.suggestion = suggestion
        self._embedding = None if suggestion.mean is None else self.exploration.embed()
        self._errors[len(self.exploration.measured)] = self._error()
        return True

    def measure(self, at_most: int) -> None:
        """Look up the target of what is suggested, at most so many of it."""
        assert self.target is not None
        began = time.perf_counter()
        rows = self.upcoming[:at_most]
        known, values = self.target.known[rows], self.target.values[rows]
        results = {int(row): value if ok else NO_VALUE for row, value, ok in zip(rows, values, known, strict=True)}
        self.exploration.report(results, seconds=time.perf_counter() - began)

    def undo(self) -> None:
        """Take back what was measured last; what was suggested then is suggested again."""
        rows, suggestion = self.exploration.undo(), self.suggestion
        batch = np.zeros(0, dtype=np.int64) if suggestion is None else suggestion.indices
        if np.isin(rows, batch).all() and len(self.upcoming) < len(batch):
            return  # within a batch, the rest of which is still to be measured
        self.suggestion = self._embedding = None
        n = len(self.exploration.measured)
        self._errors = {number: error for number, error in self._errors.items() if number < n}

    def snapshot(self, message: str, fraction: float = 1.0, seconds_left: float | None = None) -> Snapshot:
        """What is known now, by the last suggestion."""
        exploration, suggestion = self.exploration, self.suggestion
        mean, sd, score = (None,) * 3 if suggestion is None else (suggestion.mean, suggestion.sd, suggestion.score)
        table = results_table(
            len(self.candidates.atoms),
            exploration.measured,
            exploration.values,
            mean,
            sd,
            self._embedding,
            () if self.target is None else self.target.classes,
        )
        line, words = self._line()
        return Snapshot(
            self,
            table,
            exploration.measured,
            self.upcoming,
            exploration.values,
            line,
            words,
            score,
            message,
            fraction,
            seconds_left,
        )

    def describe(self) -> str:
        """How many were measured, and the best of them."""
        exploration, failed = self.exploration, len(self.exploration.failed)
        n, total = len(exploration.measured), len(self.candidates.atoms)
        words = f"{n} of {total} {self.candidates.noun} measured"
        words += f", {failed} failed" if failed else ""
        if n and self.purpose.kind == CLASS:
            words += f"; {exploration.curve[-1]:.0f} “{self.purpose.sought}” found"
        elif n and self.purpose.kind != EVERYWHERE:
            words += f"; {'closest' if self.purpose.kind == NEAR else 'best'} {exploration.curve[-1]:.4g}"
        return f"{words}."

    def _line(self) -> tuple[Floats, str]:
        """Points of the learning curve and what it shows."""
        n = len(self.exploration.measured)
        if self.purpose.kind != EVERYWHERE:
            words = {NEAR: "closest so far", CLASS: f"“{self.purpose.sought}” found"}.get(
                self.purpose.kind, "best so far"
            )
            steps = np.column_stack([np.repeat(np.arange(1, n + 1), 2)[1:], np.repeat(self.exploration.curve, 2)[:-1]])
            return steps.astype(float), words
        points = [(number, error) for number, error in sorted(self._errors.items()) if np.isfinite(error)]
        return np.array(points, dtype=float).reshape(-1, 2), self._error_words()

    def _error_words(self) -> str:
        if not self._knows_truth:
            return "mean uncertainty"
        assert self.target is not None
        return "share of wrong classes" if self.target.classes else "error (RMS) elsewhere"

    @property
    def _knows_truth(self) -> bool:
        """Whether the target is known at every place, so that predictions can be judged."""
        return self.target is not None and bool(self.target.known.all())

    def _error(self) -> float:
        """Of the prediction at places not measured; without the truth, what the model expects of it."""
        suggestion = self.suggestion
        if suggestion is None or suggestion.mean is None or suggestion.sd is None or self.purpose.kind != EVERYWHERE:
            return float("nan")
        rows = np.delete(np.arange(len(suggestion.mean)), self.exploration.measured)
        if not len(rows):
            return float("nan")
        mean, sd = suggestion.mean[rows], suggestion.sd[rows]
        if not self._knows_truth:
            return float(sd.mean())
        assert self.target is not None
        off = self.target.off(rows, mean)
        return float(off.mean() if self.target.classes else np.sqrt((off**2).mean()))
