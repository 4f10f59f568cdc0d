"""The main job on a built-in sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.errors import InputError

if TYPE_CHECKING:
    from ..workflow.analyze import Analysis, Stage

SAMPLES = ("graphene", "perovskite")
SIZE = 512  # pixels, which hold about a thousand atoms of graphene
EPOCHS = 14  # enough to tell dopants and neighbours of vacancies apart, in a minute on two cores


def analyze_sample(
    kind: str = "graphene", *, seed: int = 0, progress: Callable[[Stage], None] | None = None
) -> Analysis:
    """Simulate a micrograph and analyse it with the rotationally invariant model.

    Raises
    ------
    InputError
        If there is no sample of that kind.
    """
    from ..models.config import TrainConfig
    from ..samples import micrograph
    from ..workflow.analyze import analyze

    if kind not in SAMPLES:
        raise InputError(f"There is no sample {kind!r}; choose {' or '.join(SAMPLES)}.")
    image, _ = micrograph(kind, size=SIZE, seed=seed)
    return analyze(image, model="rvae", train=TrainConfig(epochs=EPOCHS, seed=seed), progress=progress)
