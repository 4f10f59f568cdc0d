"""How many steps a training takes, how large they are, and when each phase of the curriculum is; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..models.components import has_auxiliary_strain, may_lie_off_centre
from ..models.config import ModelConfig, Ramp, TrainConfig

WARMUP = 0.05
COOLDOWN = 0.6  # share of a training in which the steps shrink; without a curriculum it may be less
FLOOR = 0.01  # the last steps, relative to the largest
SHORTEST_WARMUP = 20
# A training of unknown length: how much of it is done when the loss gains no more, in its warm-up and without one.
PLATEAU_HELD, PLATEAU_FREE = 1 / 3, 2 / 3
PATIENCE = 0.2  # the last steps, as a share of those until then, that must have gained something
GAIN = 1e-2  # what counts as gain, relative to all that was gained since before the first step
SHORTEST, LONGEST = 600, 6000  # steps of such a training
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
    """Warm-up, full speed, cooldown; of how many steps is given, or follows when the held-out loss stops improving.

    Parameters
    ----------
    peak : float
        Largest learning rate.
    total : int or None
        Steps in all; ``None``: found out by watching the held-out loss.
    held : bool
        Whether a curriculum holds something at first. A plateau is then one of its warm-up, which is to go on.
    """

    peak: float
    total: int | None
    held: bool = False
    cooldown_from: int | None = None
    n_steps: int = 0

    @classmethod
    def of(cls, model: ModelConfig, train: TrainConfig, steps_per_epoch: int, *, goes_on: bool = False) -> Schedule:
        """That of a training; one that `goes_on` holds nothing."""
        total = None if train.epochs == "auto" else train.epochs * steps_per_epoch
        held = has_auxiliary_strain(model) or model.infers_classes
        return cls(train.learning_rate, total, held and not goes_on)

    def __post_init__(self) -> None:
        if not self.n_steps:
            self.n_steps = LONGEST if self.total is None else self.total
            if self.total is not None:
                self.cooldown_from = round(self.total * (1 - COOLDOWN))

    @property
    def is_open(self) -> bool:
        """Whether the end is still sought."""
        return self.cooldown_from is None

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
        if not self.is_open:
            return self.n_steps
        return min(LONGEST, max(SHORTEST, round(step / self._plateau)))

    def foresees(self, step: int) -> bool:
        """Whether the end is known, or a guess of it still holds."""
        return not self.is_open or self.expected(step) == self.expected(0)

    def watch(self, step: int, losses: dict[int, float], start: float) -> None:
        """Set the end if the held-out `losses`, by the step after which they were measured, are on a plateau.

        What counts as gain is measured against all that was gained since the loss `start` before the first step. From
        then on the training goes as one of known length.
        """
        if not self.is_open or step < self._plateau * SHORTEST:
            return
        recent = (1 - PATIENCE) * step
        lately = min(loss for at, loss in losses.items() if at > recent)
        before = min((loss for at, loss in losses.items() if at <= recent), default=math.inf)
        if before - lately < GAIN * (start - lately) or step >= self._plateau * LONGEST:
            self.n_steps = round(step / self._plateau)
            self.cooldown_from = max(step, round(self.n_steps * (1 - COOLDOWN)))

    @property
    def _plateau(self) -> float:
        return PLATEAU_HELD if self.held else PLATEAU_FREE


@dataclass(frozen=True)
class Curriculum:
    """When each phase is, and what changes from step to step.

    Parameters
    ----------
    model, train : ModelConfig, TrainConfig
    steps_per_epoch : int
    schedule : Schedule
        Says how many steps there are, as soon as that is known.
    goes_on : bool
        Whether the model was trained before: then all is free.
    """

    model: ModelConfig
    train: TrainConfig
    steps_per_epoch: int
    schedule: Schedule
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
        if self.phase(step) != "warm-up" or self.schedule.is_open:
            return 1.0
        end = self._end(WARM_UP)
        left = (end - step) / max(1.0, SLOWER * end)  # 1 … 0
        return SLOWEST + (1 - SLOWEST) * 0.5 * (1 - math.cos(math.pi * min(1.0, left)))

    @property
    def free_from(self) -> float:
        """The first step of the last phase."""
        return self._end(DISTILLATION) if self.schedule.held else 0

    def weights(self, step: int) -> tuple[float, float]:
        """Weights of the KL divergence of the latents and of the class."""
        epoch = step / self.steps_per_epoch
        return _ramp(self.train.beta, epoch), _ramp(self.train.beta_discrete, epoch)

    def _end(self, of: tuple[float, int]) -> float:
        share, at_most = of
        if self.schedule.total is None:  # a plateau says how long it takes
            return math.inf if self.schedule.is_open else round(share * self.schedule.n_steps)
        return min(at_most, round(share * self.schedule.n_steps))


def _ramp(ramp: Ramp, epoch: float) -> float:
    if not isinstance(ramp, tuple):
        return float(ramp)
    start, end, epochs = ramp
    return start + (end - start) * min(1.0, epoch / epochs if epochs else 1.0)
