"""What is damaged: for each kind, how whole samples are made, and what opening one to its end means."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import napari.layers
import numpy as np

import napari_vae as nv
from napari_vae.batch.parts import Parts
from napari_vae.batch.summary import check_summary, write_summary
from napari_vae.core.normalization import Normalization
from napari_vae.io.json_files import read_json
from napari_vae.io.vendors import READERS
from napari_vae.layers.analysis import analysis_layers
from napari_vae.layers.reader import read_layers
from napari_vae.models.given import Scale

from . import samples
from .samples import (
    ANSWERS,
    EXPLORATION,
    FRAME,
    IMAGES,
    JOB,
    KERNEL_SETTINGS,
    ROWS,
    SIDE,
    STOPPING,
    one_step,
    small_config,
    small_kernel,
    small_run,
)


class Kind(NamedTuple):
    """How samples are made in a folder, and how one is opened."""

    make: Callable[[Path], list[Path]]
    open: Callable[[Path, random.Random], None]


# ---- opening --------------------------------------------------------------------------------------------------------


def open_image(path: Path, rng: random.Random) -> None:
    """Read it as a script and as napari does, and what only we read now and then in two threads at once."""
    if rng.random() < 0.4:
        _show(path)
    elif rng.random() < 0.8 or path.suffix in READERS:  # Dask, within these, changes the warning filters
        _read_all(path)
    else:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(_read_all, [path, path]))


def _read_all(path: Path) -> None:
    names = nv.list_datasets(path) if path.suffix in (".tif", ".dm3") else [None]
    for name in names[:3]:
        image = nv.read(path, dataset=name)
        _touch(image.data)
        repr([image, image.pixel_size, image.units])


def _show(path: Path) -> None:
    for layer in read_layers(str(path)):
        _touch(layer[0])
        napari.layers.Layer.create(*layer)


def _touch(data: Any) -> None:
    """Every pixel of an image, the first, middle and last of many."""
    parts = [data] if np.ndim(data) < 3 else [data[i] for i in {0, len(data) // 2, len(data) - 1} if len(data)]
    for part in parts:
        np.asarray(part).tobytes()


USES: list[Callable[[Any], Any]] = [
    lambda table: nv.extract_patches(FRAME, table, window=SIDE),
    lambda table: nv.assign_sublattices(table, FRAME),
    lambda table: nv.crystal.voronoi_intensities(FRAME, table),
    lambda table: nv.cluster(table, "kmeans", 2),
    lambda table: nv.describe_crystal(table, FRAME),
    nv.link_atoms,
    nv.crystal.measure_lattice,
]


def open_table(path: Path, rng: random.Random) -> None:
    """Read it; show it as points, write it again, or do with it what is done with atoms."""
    if rng.random() < 0.3:
        _show(path)
        return
    table = nv.read_table(path)
    if rng.random() < 0.3:
        nv.write_table(table, path.with_name(f"again{rng.choice(['.csv', '.parquet', '.h5ad'])}"))
    rng.choice(USES)(table)


def open_stack(path: Path, rng: random.Random) -> None:
    """Encode the images, batch by batch."""
    stack = nv.io.open_stack(path)
    _encoder().encode(stack)


@cache
def _encoder() -> nv.Run:
    return small_run()


def open_run(path: Path, rng: random.Random) -> None:
    """Load it; encode, draw, list or show; now and then train on."""
    nv.list_runs(path.parent)
    if rng.random() < 0.2:
        _show(path.parent)
        return
    run = nv.load_run(path.parent, device="cpu")
    images = np.random.default_rng(0).uniform(0, 1, (20, run.n_channels, *run.window)).astype(np.float32)
    given: dict[str, Any] = {"condition": np.zeros(20, int)} if run.model_config.kind == "conditional" else {}
    run.encode(images, **given)
    run.manifold(3)
    if rng.random() < 0.25:
        one_step(images, start=run)


def open_deep_kernel(path: Path, rng: random.Random) -> None:
    """Load it; predict, embed, draw."""
    model = nv.load_deep_kernel(path.parent, device="cpu")
    x = IMAGES if model.encoder is not None else ROWS
    model.predict(x)
    model.embed(x)
    if rng.random() < 0.3:
        model.sample(x[:5], 2)


def open_exploration(path: Path, rng: random.Random) -> None:
    """Load it, look at all that it tells, and go on by one suggestion."""
    record = nv.ExplorationRecord.load(path.parent)
    repr([record.table, record.best, record.curve, record.failed])
    if rng.random() < 0.3:
        nv.explore(ROWS, ANSWERS, budget=record.tried + 1, record=path.parent, model=small_kernel(), start=4)
        return
    exploration = nv.learning.Exploration(ROWS, model=small_kernel(), start=4, record=record)
    exploration.suggest()
    exploration.predict()


def open_checkpoint(path: Path, rng: random.Random) -> None:
    """Go on by one step with the training whose state it is."""
    one_step(IMAGES, small_config(), checkpoint=path.parent)


def open_analysis(path: Path, rng: random.Random) -> None:
    """Load it and make its layers."""
    nv.list_runs(path.parent.parent)
    if rng.random() < 0.4:
        _show(path.parent)
        return
    analysis = nv.load_analysis(path.parent)
    for layer in analysis_layers(analysis):
        _touch(layer[0])
    repr([analysis, analysis.reconstruction, analysis.classes])


def open_settings(path: Path, rng: random.Random) -> None:
    """Make every configuration that the file has values for."""
    told = read_json(path, dict)
    made: dict[str, Callable[[dict[str, Any]], Any]] = {
        "model": nv.ModelConfig.from_dict,
        "train": nv.TrainConfig.from_dict,
        "normalization": Normalization.from_dict,
        "scale": Scale.from_dict,
        "kernel": lambda values: nv.DeepKernelGP(device="cpu", **_known(values, KERNEL_SETTINGS)),
        "exploration": lambda values: nv.learning.Exploration(
            ROWS, model=small_kernel(), **_known(values, EXPLORATION)
        ),
        "stopping": lambda values: nv.learning.Stopping(**_known(values, STOPPING)),
    }
    for name, make in made.items():
        if isinstance(told.get(name), dict):
            make(told[name])


def _known(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Without names that are no arguments: who writes Python is told of those by Python."""
    return {name: value for name, value in values.items() if name in defaults}


def open_batch(path: Path, rng: random.Random) -> None:
    """What is known of a batch, as its summary; the frames of a long job."""
    if path.name == "job.json":
        parts = Parts(path.parent, JOB)
        parts.join([frame for frame in range(2) if parts.basis is not None and parts.has(frame)])
        return
    check_summary(path.parent)
    write_summary(path.parent, "detect", [])


IMAGE_SUFFIXES = [*samples.WRITERS, ".dm3", ".dm4", ".dm5", ".ser", ".emi", ".hspy", ".bcf"]
KINDS = {suffix[1:]: Kind(partial(samples.make_images, suffix), open_image) for suffix in IMAGE_SUFFIXES}
KINDS |= {f"table{s}": Kind(partial(samples.make_table, s), open_table) for s in (".csv", ".parquet", ".h5ad", ".xyz")}
KINDS |= {f"stack{s}": Kind(partial(samples.make_stack, s), open_stack) for s in (".parquet", ".zarr")}
KINDS |= {
    "run": Kind(samples.make_runs, open_run),
    "deep kernel": Kind(samples.make_deep_kernels, open_deep_kernel),
    "exploration": Kind(samples.make_exploration, open_exploration),
    "checkpoint": Kind(samples.make_checkpoint, open_checkpoint),
    "analysis": Kind(samples.make_analyses, open_analysis),
    "settings": Kind(samples.make_settings, open_settings),
    "batch": Kind(samples.make_batch, open_batch),
}
