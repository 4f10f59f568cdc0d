"""Whole samples, small, copies of which are damaged: as our own writers make them, and real ones if there are any."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as imageio
import numpy as np
import pandas as pd
import tifffile

import napari_vae as nv
from napari_vae.batch.parts import Parts
from napari_vae.learning.config import DeepKernelConfig
from napari_vae.samples import micrograph
from napari_vae.workflow.records import Record, write_record

from . import instruments

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("NAPARI_VAE_DATA", ROOT.parent / "shared" / "data"))
FORMATS = DATA / "formats", DATA / "unseen" / "formats"
OLD = ROOT / "tests" / "old_folders"
LARGEST = 340_000  # bytes of a real file: of larger ones most changes only touch pixels
SIDE = 8
IMAGES = np.random.default_rng(0).uniform(0, 1, (40, SIDE, SIDE)).astype(np.float32)
FRAME = IMAGES[0].repeat(5, 0).repeat(5, 1)
ROWS = np.random.default_rng(1).normal(size=(30, 3))
ANSWERS = ROWS @ [1.0, -0.5, 0.2]
KERNEL: dict[str, Any] = {"network": "linear", "ensemble": 2, "steps": 5, "warm_steps": 2, "device": "cpu"}
KERNEL_SETTINGS = asdict(DeepKernelConfig())
EXPLORATION = {"acquisition": "ei", "goal": "max", "target": 0, "kappa": 2.0, "start": 4, "spread": False, "batch": 1}
EXPLORATION |= {"refit_every": 1, "seed": 0}
JOB = {"stamp": [["a.tif", 1, 2]], "settings": {}}
STOPPING = {"value": 1.5, "patience": 5, "sd": 0.1, "gain": 0.1}


def small_config() -> Any:
    return nv.ModelConfig.preset("rvae", hidden=(8,), rotations=4)


def small_run(name: str = "rvae", n_classes: int | None = None, **given: Any) -> Any:
    config = nv.ModelConfig.preset(name, hidden=(8,), rotations=4, n_classes=n_classes)
    return nv.fit(IMAGES, config, nv.TrainConfig(epochs=1, device="cpu"), **given)


def small_kernel(**changes: Any) -> Any:
    return nv.DeepKernelGP(**(KERNEL | changes))


def one_step(images: Any, config: Any = None, *, start: Any = None, checkpoint: Path | None = None) -> None:
    train = nv.TrainConfig(epochs=200, device="cpu", checkpoint=checkpoint)
    for _ in nv.iter_fit(images, config, train, start=start, stop=lambda: True):
        pass


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (24, 32)).astype(np.uint16)


def make_images(suffix: str, folder: Path) -> list[Path]:
    """Small files of a format, ours and real ones, each in a folder of its own with the files that it leads to."""
    targets = []
    for number, write in enumerate(WRITERS.get(suffix, ())):
        target = folder / f"own{number}" / f"image{suffix}"
        target.parent.mkdir(parents=True)
        write(target)
        targets.append(target)
    found = sorted(path for folder in FORMATS for path in folder.rglob(f"*{suffix}"))
    real = [path for path in found if path.stat().st_size <= LARGEST]
    for number, path in enumerate(real):
        target = folder / f"real{number}" / path.name
        target.parent.mkdir(parents=True)
        beside = path.parent.glob(f"{path.stem}*.ser") if suffix == ".emi" else []
        for source in (path, *beside):
            shutil.copyfile(source, target.parent / source.name)
        targets.append(target)
    return targets


def _tiff(path: Path, **options: Any) -> None:
    tifffile.imwrite(path, _pixels(), **options)


def _movie(path: Path) -> None:
    nv.write_image(np.stack([_pixels()] * 3), path, pixel_size=(0.1, 0.1), units="nm")


def _npy(path: Path) -> None:
    np.save(path, _pixels())
    view = {"field_of_view_x": 8, "field_of_view_y": 6, "field_of_view_units": "nm"}
    path.with_suffix(".json").write_text(json.dumps({"spatial_info": view}))


def _dat(path: Path) -> None:
    path.write_bytes(struct.pack("<2I", 24, 32) + _pixels().astype("<f8").tobytes())


def _sxm(path: Path) -> None:
    path.write_bytes(
        b":SCANIT_TYPE:\nFLOAT MSBFIRST\n:SCAN_PIXELS:\n32 24\n:SCAN_RANGE:\n1E-9 1E-9\n:DATA_INFO:\n"
        b"\tName\tUnit\tDirection\n\tZ\tm\tboth\n:SCANIT_END:\n\x1a\x04"
        + np.stack([_pixels()] * 2).astype(">f4").tobytes()
    )


def _mrc(path: Path) -> None:
    header = bytearray(1024)
    header[:16], header[208:212] = struct.pack("<4i", 32, 24, 1, 6), b"MAP "
    path.write_bytes(bytes(header) + _pixels().tobytes())


PROPERTIES = {"datum_dimension_count": 2, "dimensional_calibrations": [{"scale": 1, "units": "nm", "offset": 0}] * 2}


def _ndata(path: Path) -> None:
    np.save(path.with_suffix(".npy"), _pixels())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("data.npy"), path.with_suffix(".npy").read_bytes())
        archive.writestr(zipfile.ZipInfo("metadata.json"), json.dumps(PROPERTIES))
    path.with_suffix(".npy").unlink()


def _nion(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=_pixels()).attrs["properties"] = json.dumps(PROPERTIES)


def _emd(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/image")
        group.attrs["emd_group_type"] = 1
        group["data"], group["dim1"], group["dim2"] = _pixels(), np.arange(24.0), np.arange(32.0)


def _of_instruments(write: Callable[[Path, np.ndarray], None]) -> Callable[[Path], None]:
    return lambda path: write(path, _pixels())


WRITERS: dict[str, tuple[Callable[[Path], None], ...]] = {
    **{suffix: (_of_instruments(write),) for suffix, write in instruments.WRITERS.items()},
    ".tif": (_movie, partial(_tiff, compression="zlib"), partial(_tiff, ome=True, metadata={"PhysicalSizeX": 0.1})),
    ".png": (lambda path: imageio.imwrite(path, _pixels().astype(np.uint8)),),
    ".jpg": (lambda path: imageio.imwrite(path, _pixels().astype(np.uint8)),),
    ".npy": (_npy,),
    ".dat": (_dat, _of_instruments(instruments.createc)),
    ".gwy": (_of_instruments(instruments.gwy), _of_instruments(instruments.gwy_1)),
    ".sxm": (_sxm,),
    ".mrc": (_mrc,),
    ".ndata": (_ndata,),
    **dict.fromkeys((".h5", ".nhdf", ".hdf5"), (_nion,)),
    ".emd": (_emd,),
}


def make_table(suffix: str, folder: Path) -> list[Path]:
    """Atoms and latents as `write_table` writes them."""
    rng, n = np.random.default_rng(0), 25
    places = np.stack(np.mgrid[5:36:7, 5:36:7], -1).reshape(-1, 2) + rng.normal(0, 0.1, (n, 2))
    atoms = pd.DataFrame({"frame": 0, "y": places[:, 0], "x": places[:, 1]})
    latents = atoms.assign(z1=rng.normal(size=n), z2=rng.normal(size=n), kind=np.where(np.arange(n) % 2, "a", "b"))
    latents["class"] = np.arange(n) % 3
    folder.mkdir()
    for number, table in enumerate((atoms, latents)):
        nv.write_table(table, folder / str(number) / f"table{suffix}", pixel_size=(0.1, 0.1), units="nm")
    return sorted(folder.glob("*/table*"))


def make_stack(suffix: str, folder: Path) -> list[Path]:
    """Images in parts."""
    return [nv.io.write_stack([IMAGES[:20], IMAGES[20:]], folder / "0" / f"stack{suffix}", length=len(IMAGES))]


def make_runs(folder: Path) -> list[Path]:
    """Models of several kinds, and one of an older version."""
    labels = np.arange(40) % 2
    runs = [
        small_run(),
        small_run("crvae", condition=labels),
        small_run("ss-trvae", labels=labels),
        small_run("j-strain-rvae", n_classes=2),
    ]
    for number, run in enumerate(runs):
        run.save(folder / str(number) / "run")
    shutil.copytree(OLD / "analysis-1" / "run", folder / "old" / "run")
    return sorted(folder.glob("*/run/run.json"))


def make_deep_kernels(folder: Path) -> list[Path]:
    """Of numbers, angles and classes; of rows, and of images through a run."""
    small_kernel().fit(ROWS[:12], ANSWERS[:12]).save(folder / "0" / "model")
    small_kernel(target="angle").fit(ROWS[:12], 100 * ANSWERS[:12]).save(folder / "1" / "model")
    small_kernel(target="class").fit(ROWS[:12], (ANSWERS[:12] > 0).astype(int)).save(folder / "2" / "model")
    small_kernel(features=small_run()).fit(IMAGES[:12], ANSWERS[:12]).save(folder / "3" / "model")
    return sorted(folder.glob("*/model/deep_kernel.json"))


def make_exploration(folder: Path) -> list[Path]:
    """Eight measurements, one of which failed."""
    answers = np.where(np.arange(30) == 7, np.nan, ANSWERS)
    nv.explore(ROWS, answers, budget=8, record=folder / "0" / "record", model=small_kernel(), start=4)
    return [folder / "0" / "record" / "exploration.json"]


def make_checkpoint(folder: Path) -> list[Path]:
    """Of a training that was stopped."""
    one_step(IMAGES, small_config(), checkpoint=folder / "0" / "checkpoint")
    return [folder / "0" / "checkpoint" / "checkpoint.json"]


def make_analyses(folder: Path) -> list[Path]:
    """One of today with classes, and one of an older version."""
    image, truth = micrograph("graphene", size=96)
    atoms = truth[["y", "x"]].assign(frame=0, mine=1.5)
    train = nv.TrainConfig(epochs=1, device="cpu")
    nv.analyze(image, model=small_config(), train=train, atoms=atoms, window=SIDE, n_classes=2).save(
        folder / "0" / "analysis"
    )
    shutil.copytree(OLD / "analysis-1", folder / "1" / "analysis")
    return sorted(folder.glob("*/analysis/analysis.json"))


def make_settings(folder: Path) -> list[Path]:
    """Every configuration with its defaults."""
    path = folder / "0" / "settings.json"
    path.parent.mkdir(parents=True)
    model = nv.ModelConfig.preset("strain-rvae")
    told = {
        "model": model.to_dict(),
        "train": nv.TrainConfig().to_dict(),
        "normalization": {"low": [0.0], "high": [1.0]},
    }
    told |= {"kernel": KERNEL_SETTINGS, "exploration": EXPLORATION, "stopping": STOPPING}
    told["scale"] = asdict(small_run("crvae", condition=np.linspace(0, 1, len(IMAGES))).scale)
    path.write_text(json.dumps(told))
    return [path]


def make_batch(folder: Path) -> list[Path]:
    """Records beside results, and the frames of a job."""
    for number in range(2):
        facts = {"atoms": 12 + number, "spacing": 8.5}
        write_record(
            folder / "0" / f"{number}.csv",
            Record("a.tif", "detect", "done", "key", "12 atoms", facts, "", [["a", 1, 2]]),
        )
    recipe = {"method": "matched", "sigma": 1.5, "spacing": 7.0, "sign": 1, "threshold": 5.0, "periodic": True}
    parts = Parts(folder / "1" / "job", JOB)
    parts.begin({"recipe": recipe, "limits": {"low": [0.0], "high": [1.0]}})
    for frame in range(2):
        parts.add(frame, pd.DataFrame({"frame": frame, "y": ROWS[:, 0], "x": ROWS[:, 1]}))
    (folder / "0" / "summary.csv").write_text("")
    return [folder / "0" / "summary.csv", folder / "1" / "job" / "job.json"]
