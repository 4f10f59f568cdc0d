"""How many steps a training takes, how large they are, and when each phase of the curriculum is; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..models.components import has_auxiliary_strain, may_lie_off_centre
from ..models.config import ModelConfig, Ramp, TrainConfig

WARMUP = 0.05
COOLDOWN = 0.6  # share of a training of known length in which the steps shrink
AUTO_COOLDOWN = 0.5  # length of the cooldown after a plateau, as a share of the steps before it
FLOOR = 0.01  # the last steps, relative to the largest
SHORTEST_WARMUP = 20
PATIENCE = 4  # evaluations without gain
GAIN = 3e-3  # what counts as gain, relative to all that was gained since before the first step
TYPICAL_PLATEAU = 600  # step at which it is found
MIN_STEPS, MAX_STEPS = 300, 4000  # bounds of the search for a plateau
CENTRING = 80  # first steps in which a model of rotation and translation learns the translation alone
# Ends of the first two phases: share of all steps, and steps at most.
WARM_UP, DISTILLATION = (0.45, 400), (0.75, 650)
SLOWER, SLOWEST = 0.4, 0.05  # share of the warm-up in which the steps become small, and the last of them
Phase = Literal["warm-up", "distillation", "free"]


def automatic_batch(n: int, *, on_gpu: bool = False) -> int:
    """Images in a batch of `n` to learn from: about 20 steps an epoch, of 20 … 100 images, on a GPU 40, of up to 1000.

    Few images need many small steps. On a CPU a larger batch saves no time. On an NVIDIA H200 batches of 100 and 1000
    took 1.4 and 2.6 ms; 12 000 cards, until they gained no more, 3.7, 2.6, 2.9, 3.7 and 5.3 s with batches of 100, 250,
    500, 1000 and 2000, with the same errors. So of 12 000 images a batch is 270, from 40 000 on it is 1000.
    """
    batch = min(100, max(20, n // 20))
    return max(batch, min(1000, n // 40)) if on_gpu else batch


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
        """Steps in all; before a plateau is found a guess, which grows with `step`: that it is found now."""
        if self.cooldown_from is not None:
            return self.n_steps
        plateau = max(step, TYPICAL_PLATEAU, MIN_STEPS + self.earliest)
        return min(self.n_steps, round((1 + AUTO_COOLDOWN) * plateau))

    def foresees(self, step: int) -> bool:
        """Whether the end is known, or a guess of it still holds."""
        return self.cooldown_from is not None or self.expected(step) == self.expected(0)

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


@dataclass(frozen=True)
class Curriculum:
    """When each phase is, and what changes from step to step.

    Parameters
    ----------
    model, train : ModelConfig, TrainConfig
    steps_per_epoch : int
    n_steps : int or None
        Steps in all, if they are known.
    goes_on : bool
        Whether the model was trained before: then all is free.
    """

    model: ModelConfig
    train: TrainConfig
    steps_per_epoch: int
    n_steps: int | None
    goes_on: bool = False

    def centring(self, step: int) -> bool:
        """Whether to learn the translation alone."""
        return not self.goes_on and step < CENTRING and may_lie_off_centre(self.model)

    def phase(self, step: int) -> Phase:
        """The phase of a step."""
        if step >= self.free_from:
            return "free"
        return "warm-up" if step < self._end(WARM_UP) else "distillation"

    def pace(self, step: int) -> float:
        """Factor of the learning rate: the warm-up ends with small steps, so that its end is a good teacher."""
        if self.phase(step) != "warm-up":
            return 1.0
        end = self._end(WARM_UP)
        left = (end - step) / max(1.0, SLOWER * end)  # 1 … 0
        return SLOWEST + (1 - SLOWEST) * 0.5 * (1 - math.cos(math.pi * min(1.0, left)))

    @property
    def free_from(self) -> int:
        """The first step of the last phase."""
        held = has_auxiliary_strain(self.model) or self.model.infers_classes
        return self._end(DISTILLATION) if held and not self.goes_on else 0

    def weights(self, step: int) -> tuple[float, float]:
        """Weights of the KL divergence of the latents and of the class."""
        epoch = step / self.steps_per_epoch
        return _ramp(self.train.beta, epoch), _ramp(self.train.beta_discrete, epoch)

    def _end(self, of: tuple[float, int]) -> int:
        share, at_most = of
        return at_most if self.n_steps is None else min(at_most, round(share * self.n_steps))


def _ramp(ramp: Ramp, epoch: float) -> float:
    if not isinstance(ramp, tuple):
        return float(ramp)
    start, end, epochs = ramp
    return start + (end - start) * min(1.0, epoch / epochs if epochs else 1.0)
