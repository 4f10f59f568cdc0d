"""How long to train and how large the steps are."""

from __future__ import annotations

import math
from dataclasses import dataclass

WARMUP = 0.05
COOLDOWN = 0.6  # share of a training of known length in which the steps shrink
AUTO_COOLDOWN = 0.5  # length of the cooldown after a plateau, as a share of the steps before it
FLOOR = 0.01  # the last steps, relative to the largest
SHORTEST_WARMUP = 20
PATIENCE = 4  # evaluations without gain
GAIN = 3e-3  # what counts as gain, relative to all that was gained since before the first step
TYPICAL_STEPS = 900
MIN_STEPS, MAX_STEPS = 300, 4000  # bounds of the search for a plateau


@dataclass
class Schedule:
    """Warm-up, full speed, cooldown; the cooldown starts at a given step or when the held-out loss stops improving.

    Parameters
    ----------
    peak : float
        Largest learning rate.
    total : int or None
        Steps in all; ``None``: found out by watching the held-out loss.
    earliest : int
        Step before which a plateau does not count.
    """

    peak: float
    total: int | None
    earliest: int = 0
    cooldown_from: int | None = None
    n_steps: int = 0

    def __post_init__(self) -> None:
        if not self.n_steps:
            if self.total is None:
                self.n_steps = round(MAX_STEPS * (1 + AUTO_COOLDOWN))
            else:
                self.n_steps = self.total
                self.cooldown_from = round(self.total * (1 - COOLDOWN))

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warmup = max(1, round(WARMUP * self.total)) if self.total else SHORTEST_WARMUP
        rate = self.peak * min(1.0, (step + 1) / warmup)
        if self.cooldown_from is not None and step > self.cooldown_from:
            done = (step - self.cooldown_from) / max(1, self.n_steps - self.cooldown_from)
            rate *= FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return rate

    def expected(self, step: int) -> int:
        """Steps in all; before a plateau is found a guess, which grows with `step`."""
        if self.cooldown_from is not None:
            return self.n_steps
        return min(self.n_steps, max(TYPICAL_STEPS, round(1.25 * (1 + AUTO_COOLDOWN) * step)))

    def watch(self, step: int, losses: list[float], start: float) -> None:
        """Begin the cooldown if the held-out `losses`, one per evaluation, have reached a plateau.

        What counts as gain is measured against all that was gained since the loss `start` before the first step.
        """
        if self.cooldown_from is not None or step < MIN_STEPS + self.earliest or len(losses) <= PATIENCE:
            return
        before, lately = min(losses[:-PATIENCE]), min(losses[-PATIENCE:])
        if before - lately < GAIN * (start - lately) or step >= MAX_STEPS:
            self.cooldown_from = step
            self.n_steps = step + max(MIN_STEPS // 2, round(AUTO_COOLDOWN * step))
