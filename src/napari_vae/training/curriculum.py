"""What changes in the course of a training besides the size of its steps.

Angles, classes and latents found at once, from nothing, end in traps. A model of rotation aligns a sheared motif by its
elongation, which jumps by 90° with the sign of the shear; classes fall together, because the first one that draws
anything draws everything. So a training has up to three phases:

open
    The model is lent a strain, with which it aligns the motif itself, and has one class for all images.
taught
    A copy of the model of the first phase says how each image is turned, and images start in the classes that its
    latents fall into (`sorting.py`); the strain is taken away, the latents take it over. Models with classes or a
    condition are told the strain too, for their first latents.
free
    Nothing is held any more. What the model has found by now it keeps.

After Jiang et al. 2017, "Variational deep embedding", arXiv 1611.05148, which starts from clusters too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..models.components import lends, may_lie_off_centre
from ..models.config import ModelConfig, Ramp, TrainConfig

CENTRING = 80  # first steps in which a model of rotation and translation learns the translation alone
OPEN, TAUGHT = (0.45, 400), (0.75, 650)  # ends of the first two phases: share of all steps, and steps at most
CALM, CALMEST = 0.4, 0.05  # share of the first phase in which the steps become small, and the last of them

Phase = Literal["open", "taught", "free"]


@dataclass(frozen=True)
class Curriculum:
    """What a step learns.

    Parameters
    ----------
    model, train : ModelConfig, TrainConfig
    steps_per_epoch : int
    n_steps : int or None
        Steps in all, if they are known.
    goes_on : bool
        Whether the model was trained before: then it has no beginnings.
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
        if step >= self.settled:
            return "free"
        return "open" if step < self._at(OPEN) else "taught"

    def pace(self, step: int) -> float:
        """Factor of the learning rate: the first phase ends with small steps, so that the guide is a good one."""
        if self.phase(step) != "open":
            return 1.0
        end = self._at(OPEN)
        left = (end - step) / max(1.0, CALM * end)  # 1 … 0
        return CALMEST + (1 - CALMEST) * 0.5 * (1 - math.cos(math.pi * min(1.0, left)))

    @property
    def settled(self) -> int:
        """The first step of the last phase."""
        held = lends(self.model) or self.model.sorts
        return self._at(TAUGHT) if held and not self.goes_on else 0

    def weights(self, step: int) -> tuple[float, float]:
        """Weights of the KL divergence of the latents and of the class."""
        epoch = step / self.steps_per_epoch
        return _ramp(self.train.beta, epoch), _ramp(self.train.beta_discrete, epoch)

    def _at(self, when: tuple[float, int]) -> int:
        share, at_most = when
        return at_most if self.n_steps is None else min(at_most, round(share * self.n_steps))


def _ramp(ramp: Ramp, epoch: float) -> float:
    if not isinstance(ramp, tuple):
        return float(ramp)
    start, end, epochs = ramp
    return start + (end - start) * min(1.0, epoch / epochs if epochs else 1.0)
