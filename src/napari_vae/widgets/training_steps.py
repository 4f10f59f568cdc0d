"""The steps of the training job, run in its thread: nothing here touches a layer or a widget."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..layers import LayerData
from ..models.config import ModelConfig, TrainConfig
from ..patches import Patches, extract_patches
from .data_form import MINIMUM, Source
from .jobs import Step
from .torch_loading import import_torch

if TYPE_CHECKING:
    import pandas as pd

    from ..run import Run


@dataclass(frozen=True)
class Described:
    """A trained model and what it says about the atoms of a source."""

    run: Run
    patches: Patches
    latents: pd.DataFrame
    classes: pd.Series | None
    layers: list[LayerData]
    source: Source


def train_steps(
    stop: Callable[[], bool], source: Source, window: int, model: ModelConfig, train: TrainConfig
) -> Generator[Any, None, Described]:
    """Cut windows, train, and describe the atoms; yields `Step` and the events of the training."""
    yield Step("Starting …")
    with spare_core():
        from ..training import iter_fit

        patches = extract_patches(source.micrographs, source.atoms, window=window)
        if len(patches) < MINIMUM:
            raise InputError(
                f"Only {len(patches)} of {len(source.atoms)} atoms are far enough from the border for a "
                f"{window} × {window} px window; make the window smaller."
            )
        run = yield from iter_fit(patches, model, train, stop=stop)
        return (yield from _describe(run, patches, source))


def apply_steps(stop: Callable[[], bool], run: Run, source: Source) -> Generator[Any, None, Described]:
    """Describe the atoms of a source with a model trained before, in the limits of its own intensities."""
    yield Step("Cutting windows …")
    with spare_core():
        patches = extract_patches(source.micrographs, source.atoms, window=run.window)
        return (yield from _describe(run, patches, source))


def load_steps(stop: Callable[[], bool], folder: str) -> Generator[Step, None, Run]:
    """Read a saved model; in a thread because torch takes its time to be imported."""
    yield Step("Loading …")
    import_torch()
    from ..run import load_run

    return load_run(folder)


def _describe(run: Run, patches: Patches, source: Source) -> Generator[Step, None, Described]:
    from ..analysis.clusters import cluster
    from ..results import result_layers

    yield Step("Reading the latents of every atom …", 1.0)
    latents = run.encode(patches)
    yield Step("Grouping the atoms …", 1.0)
    classes = cluster(latents)
    yield Step("Drawing the layers …", 1.0)
    layers = result_layers(run, patches, latents, classes, source.shape, source.placement)
    return Described(run, patches, latents, classes, layers, source)


@contextmanager
def spare_core() -> Iterator[None]:
    """Let torch use all cores but one in this thread, so that the window breathes."""
    import_torch()
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 2) - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
