"""When an exploration has seen enough."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...core.errors import InputError
from ...core.settings import Count, Number, Positive, about, settings
from .acquisition import expected_gain
from .record import Record
from .suggestion import Suggestion


@settings
class Stopping:
    """Rules that end an exploration before its budget is spent; each is off while it is ``None``.

    Raises
    ------
    InputError
        If a rule can never be applied.

    Examples
    --------
    >>> Stopping(value=0.9, patience=20)
    Stopping(value=0.9, patience=20, sd=None, gain=None)
    """

    value: Annotated[
        Number | None,
        about(
            "Value",
            "The best measurement reaches this; for a goal that is a number: comes within this distance of it; for a "
            "class: so many of it are found.",
        ),
    ] = None
    patience: Annotated[
        Count | None,
        about(
            "Patience",
            "So many measurements since the seeds without a better one; for a class: without another of it.",
        ),
    ] = None
    sd: Annotated[
        Positive | None,
        about(
            "Largest uncertainty",
            "The largest predicted standard deviation of an open candidate is below this, in units of the target; of "
            "classes that of a probability.",
        ),
    ] = None
    gain: Annotated[
        Positive | None,
        about(
            "Largest gain",
            "The largest expected improvement of an open candidate is below this, in units of the target.",
        ),
    ] = None

    def check(self, record: Record) -> None:
        """Refuse rules that need a goal where there is none.

        Raises
        ------
        InputError
        """
        goal = record.goal
        if not goal.sought and not (self.value is self.patience is self.gain is None):
            raise InputError(
                "Without a goal nothing is better than another; stop at an sd, or at the end of the budget."
            )
        if goal.kind == "class" and self.gain is not None:
            raise InputError("A class cannot be improved on; leave out the least gain.")

    def reached(self, record: Record) -> str:
        """Why the measurements so far are enough; empty if they are not."""
        if not len(record.measured) or not record.goal.sought:
            return ""
        goal, merit = record.goal, record.goal.merit(record.targets)
        height = np.cumsum(merit) if goal.kind == "class" else merit  # each one more of a class is better
        if self.value is not None:
            wanted = -abs(self.value) if goal.near else -self.value if goal.wanted == "min" else self.value
            if height.max() >= wanted:
                return "The target is reached."
        seeds = len(record.settings["start"])
        since = len(height) - 1 - max(int(np.argmax(height)), min(seeds, len(height)) - 1)
        if self.patience is not None and since >= self.patience:
            return f"{since} measurements brought nothing better."
        return ""

    def foreseen(self, record: Record, suggestion: Suggestion) -> str:
        """Why what the model expects of the next measurements is not worth them; empty if it is."""
        if suggestion.mean is None or suggestion.sd is None or not len(suggestion.indices):
            return ""
        goal, rows = record.goal, record.untried(len(suggestion.mean))
        mean, sd = suggestion.mean[rows], suggestion.sd[rows]
        if self.sd is not None:
            spread = sd.max(axis=1) if goal.kind == "class" else goal.expected(mean, sd)[1]
            if float(spread.max()) < self.sd:
                return f"Every candidate is known to within {self.sd:g}."
        if self.gain is not None:
            best = float(goal.merit(record.targets).max())
            if float(expected_gain(mean, sd, goal, best).max()) < self.gain:
                return f"No candidate is expected to improve by {self.gain:g}."
        return ""
