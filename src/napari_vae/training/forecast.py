"""How long a training will take on a CPU, and how much memory, by its shapes; without torch.

The numbers were fitted to models of all kinds on windows of 12 to 176 pixels, on one core that takes `REFERENCE`
seconds for 100 000 exponentials; another machine is as much quicker or slower as its exponentials are.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from ..models.components import components_of
from ..models.config import ModelConfig, TrainConfig
from .schedule import Curriculum, Schedule, automatic_batch

REFERENCE = 83e-6
START = 4.0  # seconds until the first step, the first time
STEP, STEP_POSED = 3e-3, 6e-3  # seconds of a step, whatever is in it
WEIGHT = 1.1e-6  # for each pixel of a window, of the weights that draw it
IMAGE, COPY = 2.3e-5, 1.5e-5  # for each image, and each coarse pose in which it is looked at
PIXEL, PIXEL_POSED = 2.5e-8, 8e-8  # for each pixel of a batch
CUT = 6e-8  # for each pixel of all windows, once
LOOK = 0.6  # share of the time of a step in which an image is only described
LIBRARIES = 0.45e9  # bytes
COPIES, GRADIENTS = 5.5, 90  # times that all windows, and those of a batch, are in memory
DRAWN = 1000  # times a window is, by the weights that draw it and what Adam knows of them


@dataclass(frozen=True)
class Forecast:
    """What a training will take: seconds on a CPU, seconds of each step, and bytes."""

    seconds: float
    of_a_step: float
    bytes: float


def forecast(
    n: int, pixels: int, model: ModelConfig, train: TrainConfig, *, described: int = 0, slowness: float = 1.0
) -> Forecast:
    """What training on `n` windows of so many `pixels` (of all channels) will take.

    Parameters
    ----------
    described : int
        Windows that are described afterwards, where they are more: those at the border too.
    slowness : float
        As `measure_slowness` says, or as a training has shown.
    """
    learnt = max(1, round(0.9 * n))
    batch = min(learnt, automatic_batch(learnt) if train.batch_size == "auto" else int(train.batch_size))
    steps_per_epoch = math.ceil(learnt / batch)
    total = None if train.epochs == "auto" else int(train.epochs) * steps_per_epoch
    curriculum = Curriculum(model, train, steps_per_epoch, total)
    steps = Schedule(train.learning_rate, total, earliest=curriculum.free_from).expected(0)
    posed = bool(model.invariances)
    copies = math.prod(part.copies(model) for part in components_of(model))
    an_image = IMAGE + COPY * copies + (PIXEL_POSED if posed else PIXEL) * pixels
    a_step = (STEP_POSED if posed else STEP) + WEIGHT * (1 + posed) * pixels + batch * an_image
    described = max(n, described)
    seconds = START + slowness * (steps * a_step + described * (CUT * pixels + LOOK * an_image))
    memory = LIBRARIES + 4 * pixels * (COPIES * described + GRADIENTS * batch + DRAWN * (1 + posed))
    return Forecast(seconds, slowness * a_step, memory)


def measure_slowness() -> float:
    """How much slower this machine is than the one that the numbers are of; takes some milliseconds."""
    numbers, times = np.linspace(0, 1, 100_000), []
    for _ in range(5):
        began = time.perf_counter()
        np.exp(numbers)
        times.append(time.perf_counter() - began)
    return min(times) / REFERENCE
