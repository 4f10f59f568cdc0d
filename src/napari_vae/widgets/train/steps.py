"""The steps of the training job, run in its thread: nothing here touches a layer or a widget."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.errors import InputError
from ...layers.points import LayerData
from ...models.config import ModelConfig, TrainConfig
from ...patches.patches import Patches, extract_patches
from ...workflow.advice import Advice
from ..common import run_loading
from ..common.data_form import MINIMUM, Source
from ..common.jobs import Step, spare_core

if TYPE_CHECKING:
    from ...runs.run import Run

LIVE_GRID = 7  # tiles along each side of the manifold in the panel


@dataclass(frozen=True)
class Described:
    """A trained model and what it says about the atoms of a source."""

    run: Run
    patches: Patches
    latents: pd.DataFrame
    classes: pd.Series
    layers: list[LayerData]
    source: Source
    names: tuple[str, ...] = ()  # of the classes
    condition: npt.NDArray[Any] | None = None  # what the model was given of each window
    stopped: bool = False
    warning: str = ""


@dataclass(frozen=True)
class Loaded:
    """A saved model, and the plane of its latents as tiles (n, n, H, W) or (n, n, C, H, W)."""

    run: Run
    manifold: npt.NDArray[np.float32]


def train_steps(
    stop: Callable[[], bool],
    source: Source,
    window: int | tuple[int, int],
    model: ModelConfig | None,
    train: TrainConfig,
    start: Run | None = None,
) -> Generator[Any, None, Described]:
    """Cut windows, train (on from a run, whose model it then is), and describe; yields `Step` and training events."""
    yield Step("Starting …")
    with spare_core():
        from ...runs.followers import describe_followers
        from ...training.fit import iter_fit

        level = source.level if start is None else start.level
        patches = extract_patches(source.micrographs, source.atoms, window=window, level=level, partial=True)
        if len(patches.whole) < MINIMUM:
            raise InputError(
                f"Only {len(patches.whole)} of {len(source.atoms)} {source.noun} are far enough from the border and "
                f"gaps for a {patches.window[0]} × {patches.window[1]} px window; make the window smaller."
            )
        run = yield from iter_fit(patches, model, train, **_given(source, patches), start=start, stop=stop)
        described = yield from _describe(run, patches, source)
        warning = " ".join(filter(None, [run.note, describe_followers(described.latents, patches)]))
        return replace(described, stopped=run.stopped, warning=warning)


def apply_steps(stop: Callable[[], bool], run: Run, source: Source) -> Generator[Any, None, Described]:
    """Describe the atoms of a source with a model trained before, its intensities spread as in the training."""
    yield Step("Cutting windows …")
    with spare_core():
        from ...runs.likeness import compare

        patches = extract_patches(source.micrographs, source.atoms, levels=run.levels, **run.cutting, partial=True)
        described = yield from _describe(run, patches, source)
        return replace(described, warning=compare(run, patches, described.latents).sentence or "")


def advise_steps(stop: Callable[[], bool], source: Source, train: TrainConfig) -> Generator[Any, None, Advice]:
    """Find out which model suits the atoms of a source; yields `Step` and the events of small trainings."""
    yield Step("Starting …")
    with spare_core():
        from ...workflow.advise import iter_advise

        return (yield from iter_advise(source.micrographs, source.atoms, train=train, stop=stop))


def load_steps(stop: Callable[[], bool], folder: str) -> Generator[Step, None, Loaded]:
    """Read a saved model, and draw the plane of its latents."""
    run = yield from run_loading.load_steps(stop, folder)
    return Loaded(run, run.manifold(LIVE_GRID))


def _given(source: Source, patches: Patches) -> dict[str, Any]:
    """What is given of the atoms that have a window, as arguments of `iter_fit`."""
    positions = source.atoms.index.get_indexer(patches.atoms.index)
    return source.given.map(lambda values: values[positions]).named()


def _describe(run: Run, patches: Patches, source: Source) -> Generator[Step, None, Described]:
    from ...core.clusters import cluster
    from ...layers.results import result_layers

    yield Step(f"Reading the latents of {len(patches)} {source.noun} …", 1.0)
    condition = _given(source, patches).get("condition")
    latents, rebuilt = run.describe(patches, condition=condition)
    yield Step(f"Grouping the {source.noun} …", 1.0)
    infers_classes = run.model_config.infers_classes
    classes = latents.pop("class").astype(int) if infers_classes else cluster(latents)
    names = run.scale.names if infers_classes else ()
    yield Step("Drawing the layers …", 1.0)
    layers = result_layers(run, patches, latents, classes, source.shape, source.placement, rebuilt, names)
    return Described(run, patches, latents, classes, layers, source, names, condition)
