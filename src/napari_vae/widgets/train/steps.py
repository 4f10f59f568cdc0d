"""The steps of the training job, run in its thread: nothing here touches a layer or a widget."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.errors import InputError, TrainingError
from ...core.progress import Stopped, never
from ...layers.points import LayerData
from ...models.config import ModelConfig, TrainConfig
from ...patches.patches import Patches, extract_patches
from ...workflow.advice import Advice, WindowScan
from ..common import run_loading
from ..common.data_form import MINIMUM, Source
from ..common.jobs import Step, spare_core

if TYPE_CHECKING:
    from ...runs.run import Run

LIVE_GRID = 7  # tiles along each side of the manifold in the panel
AT_ONCE, PIXELS = 1000, 2**24  # windows, and their pixels, that are described between two looks at Stop
NOTHING = (
    "The model has learnt nothing: it redraws the atoms no better than their mean does, so no layers were made. "
    "Continue trains it longer; or take a smaller window, or let atoms be turned or shifted."
)


@dataclass(frozen=True)
class Described:
    """A trained model and what it says about the atoms of a source."""

    run: Run
    patches: Patches
    latents: pd.DataFrame
    classes: pd.Series
    points: LayerData
    pictures: list[LayerData]  # of a regular grid
    source: Source
    names: tuple[str, ...] = ()  # of the classes
    condition: npt.NDArray[Any] | None = None  # what the model was given of each window
    trained: bool = False  # from the beginning, for this
    stopped: bool = False
    warning: str = ""


@dataclass(frozen=True)
class Nothing:
    """Why there is nothing to show, and the model, if there is one."""

    words: str
    run: Run | None = None


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
) -> Generator[Any, None, Described | Nothing]:
    """Cut windows, train (on from a run, whose model it then is), and describe; yields `Step` and training events."""
    yield Step("Starting …")
    with spare_core():
        from ...runs.doubts import describe_doubts
        from ...training.fit import iter_fit

        level = source.level if start is None else start.level
        patches = extract_patches(source.micrographs, source.atoms, window=window, level=level, partial=True)
        if len(patches.whole) < MINIMUM:
            raise InputError(
                f"Only {len(patches.whole)} of {len(source.atoms)} {source.noun} are far enough from the border and "
                f"gaps for a {patches.window[0]} × {patches.window[1]} px window; make the window smaller."
            )
        begin = partial(iter_fit, patches, model, train, **_given(source, patches), start=start)
        run = yield from _unless_stopped_at_once(lambda ask: begin(stop=ask), stop, learnt=start is not None)
        if run is None:
            return Nothing("Stopped before anything was learnt; nothing was changed.")
        described = yield from _describe(run, patches, source, learnt=True)
        if isinstance(described, Nothing):
            return described
        warning = " ".join(filter(None, [run.note, describe_doubts(run.model_config, described.latents, patches)]))
        return replace(described, trained=start is None, stopped=run.stopped, warning=warning)


def apply_steps(stop: Callable[[], bool], run: Run, source: Source) -> Generator[Any, None, Described | Nothing]:
    """Describe the atoms of a source with a model trained before, its intensities spread as in the training."""
    yield Step("Cutting windows …")
    with spare_core():
        from ...runs.likeness import compare

        patches = extract_patches(source.micrographs, source.atoms, levels=run.levels, **run.cutting, partial=True)
        described = yield from _describe(run, patches, source, stop)
        if isinstance(described, Nothing):
            return described
        return replace(described, warning=compare(run, patches, described.latents).sentence or "")


def advise_steps(stop: Callable[[], bool], source: Source, train: TrainConfig) -> Generator[Any, None, Advice]:
    """Find out which model suits the atoms of a source; yields `Step` and the events of small trainings."""
    yield Step("Starting …")
    with spare_core():
        from ...workflow.advise import iter_advise

        return (yield from iter_advise(source.micrographs, source.atoms, train=train, stop=stop))


def window_steps(stop: Callable[[], bool], source: Source, train: TrainConfig) -> Generator[Any, None, WindowScan]:
    """Find out how large windows should be; yields `Step` and the events of small trainings."""
    yield Step("Starting …")
    with spare_core():
        from ...workflow.window_scan import iter_scan_windows

        return (yield from iter_scan_windows(source.micrographs, source.atoms, train=train, stop=stop))


def load_steps(stop: Callable[[], bool], folder: str) -> Generator[Step, None, Loaded]:
    """Read a saved model, and draw the plane of its latents."""
    run = yield from run_loading.load_steps(stop, folder)
    return Loaded(run, run.manifold(LIVE_GRID))


def _given(source: Source, patches: Patches) -> dict[str, Any]:
    """What is given of the atoms that have a window, as arguments of `iter_fit`."""
    positions = source.atoms.index.get_indexer(patches.atoms.index)
    return source.given.map(lambda values: values[positions]).named()


def _unless_stopped_at_once(
    begin: Callable[[Callable[[], bool]], Generator[Any, None, Run]], stop: Callable[[], bool], *, learnt: bool
) -> Generator[Any, None, Run | None]:
    """Go through a training; ``None`` if it is stopped before its first evaluation, which would take its time."""

    def ask() -> bool:
        if stop() and not learnt:
            raise Stopped
        return stop()

    job = begin(ask)
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            return end.value
        except (Stopped, TrainingError):
            if learnt or not stop():
                raise
            return None
        learnt = learnt or bool(event.history)
        yield event


def _describe(
    run: Run, patches: Patches, source: Source, stop: Callable[[], bool] = never, *, learnt: bool = False
) -> Generator[Step, None, Described | Nothing]:
    """What a model says about windows; nothing if it has just `learnt`, but no more than their mean."""
    from ...core.clusters import cluster
    from ...layers.pictures import grid_layers
    from ...layers.results import result_points

    condition = _given(source, patches).get("condition")
    tables, pictures = [], []
    at_once = max(1, min(AT_ONCE, PIXELS // patches.data[0].size))
    for first in range(0, len(patches), at_once):
        if stop():
            return Nothing("Stopped; nothing was changed.")
        yield Step(f"Reading the latents of {len(patches)} {source.noun} …", first / len(patches))
        rows = np.arange(first, min(first + at_once, len(patches)))
        table, picture = run.describe(patches.rows(rows), condition=None if condition is None else condition[rows])
        tables.append(table)
        pictures.append(picture)
    latents, rebuilt = pd.concat(tables), np.concatenate(pictures)
    if learnt and explained(patches, rebuilt) <= 0:
        return Nothing(NOTHING, run)
    yield Step(f"Grouping the {source.noun} …", 1.0)
    infers_classes = run.model_config.infers_classes
    classes = latents.pop("class").astype(int) if infers_classes else cluster(latents)
    names = run.scale.names if infers_classes else ()
    points = result_points(run, patches, latents, classes, source.placement, names)
    pictures = grid_layers(points, patches, source.placement)
    return Described(run, patches, latents, classes, points, pictures, source, names, condition)


def explained(patches: Patches, rebuilt: npt.NDArray[np.float32]) -> float:
    """Share of the variance of whole windows about their mean that a model redraws; 0 or less if it is no better."""
    mean, missed, varied = patches.data[patches.whole].mean(axis=0), 0.0, 0.0
    for first in range(0, len(patches.whole), AT_ONCE):
        rows = patches.whole[first : first + AT_ONCE]
        missed += float(((patches.data[rows] - rebuilt[rows]) ** 2).sum())
        varied += float(((patches.data[rows] - mean) ** 2).sum())
    return 1 - missed / varied if varied else 0.0
