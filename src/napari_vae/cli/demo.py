"""The main job on a built-in sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..models.config import TrainConfig

if TYPE_CHECKING:
    from ..workflow.analyze import Analysis, Stage

SAMPLES = ("graphene", "perovskite")
SIZE = 512  # pixels, which hold about a thousand atoms of graphene
EPOCHS = 14  # enough to tell dopants and neighbours of vacancies apart, in a minute on two cores


def analyze_sample(
    kind: str = "graphene", *, progress: Callable[[Stage], None] | None = None, **training: Any
) -> Analysis:
    """Simulate a micrograph and analyse it with the rotationally invariant model; `training` is for `TrainConfig`.

    Raises
    ------
    InputError
        If there is no sample of that kind.
    """
    from ..samples import micrograph
    from ..workflow.analyze import analyze

    if kind not in SAMPLES:
        raise InputError(f"There is no sample {kind!r}; choose {' or '.join(SAMPLES)}.")
    train = TrainConfig(epochs=EPOCHS, **training)
    image, _ = micrograph(kind, size=SIZE, seed=train.seed)
    return analyze(image, model="rvae", train=train, progress=progress)
