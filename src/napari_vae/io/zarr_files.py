"""Images in zarr: folders of arrays (``.zarr``, also OME-Zarr), and what is asked of any such folder first."""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import ReadError
from .calibration import Calibration, calibrate
from .dataset import Dataset, array_axes, fits, is_large, lazy_frames, no_image
from .json_files import MOST_BYTES
from .regular import regular_file
from .vendors import missing_extra, signal_dataset

METADATA = ("zarr.json", ".zarray", ".zmetadata")


def zarr_datasets(path: Path) -> list[Dataset]:
    """The arrays of a folder that may be images or movies; of OME-Zarr the one of full size, with its calibration."""
    arrays = checked_arrays(path)
    import zarr  # which that has found

    datasets = []
    for name, array in sorted(arrays.items()):
        scales = _multiscales(zarr.open_group(path, path=name.rpartition("/")[0], mode="r")) if name else {}
        level = name.rpartition("/")[2]
        if scales and level != scales["datasets"][0]["path"]:
            continue
        axes = "".join(axis["name"][0].upper() for axis in scales["axes"]) if scales else array_axes(array.shape)
        if axes and len(axes) == array.ndim and array.dtype.kind in "iufcb":
            load = partial(load_array, path, name)
            calibration = _calibration(scales) if scales else Calibration()
            datasets.append(Dataset(name or path.stem, axes, array.shape, load, calibration))
    if not datasets:
        raise ReadError(f"{path.name} holds no image; choose a folder of (rows, columns) or (frames, rows, columns).")
    return datasets


def zspy_datasets(path: Path) -> list[Dataset]:
    """Images and movies in a folder of HyperSpy; spectra and diffraction maps are passed over."""
    arrays = checked_arrays(path)
    import zarr

    datasets: list[Dataset | None] = []
    for name in sorted(arrays):
        group, _, last = name.rpartition("/")
        if group.startswith("Experiments/") and last == "data" and group.count("/") == 1:
            signal = zarr.open_group(path, path=group, mode="r")
            axes = [dict(signal[f"axis-{number}"].attrs) for number in range(signal["data"].ndim)]
            metadata = {kind: dict(signal[f"metadata/{kind}"].attrs) for kind in ("General", "Signal")}
            read = {"data": load_array(path, name), "axes": axes, "metadata": metadata}
            datasets.append(signal_dataset(read, len(datasets)))
    if not any(datasets):
        raise no_image(path)
    return [dataset for dataset in datasets if dataset]


def checked_arrays(path: Path) -> dict[str, Any]:
    """Every array of a folder by name, of one that is an array itself by ``""``.

    Raises
    ------
    ReadError
        If it names pickled objects, or an array or a part of one is more than its files can hold.
    """
    try:
        import zarr
    except ImportError as error:
        raise missing_extra(path, "zarr") from error
    stored = _stored(path)
    found = zarr.open(path, mode="r")
    members = [("", found)] if isinstance(found, zarr.Array) else found.members(max_depth=None)
    arrays = {name: item for name, item in members if isinstance(item, zarr.Array)}
    for array in arrays.values():
        for size in (array.shape, array.chunks):
            fits(math.prod(size) * array.dtype.itemsize, path, stored=stored)
    return arrays


def _stored(path: Path) -> int:
    """Bytes of all files, of which none may name pickled objects."""
    files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    stored = sum(regular_file(file).stat().st_size for file in files)
    described = (regular_file(file, MOST_BYTES) for file in files if file.name in METADATA)
    if any(b"pickle" in file.read_bytes().lower() for file in described):
        raise ReadError(f"{path} holds pickled objects, which can execute code; write its numbers anew.")
    return stored


def _multiscales(group: Any) -> dict[str, Any]:
    """What OME-Zarr says about a group of levels of one image."""
    attributes = dict(group.attrs)
    found = attributes.get("ome", attributes).get("multiscales")
    return dict(found[0]) if found and "axes" in found[0] else {}


def _calibration(scales: dict[str, Any]) -> Calibration:
    changes = scales["datasets"][0].get("coordinateTransformations", []) + scales.get("coordinateTransformations", [])
    steps: dict[str, float] = {}
    for change in changes:
        for axis, step in zip(scales["axes"], change.get("scale", []), strict=False):
            steps[axis["name"]] = steps.get(axis["name"], 1.0) * float(step)
    units = {axis["name"]: axis.get("unit", "") for axis in scales["axes"]}
    return calibrate([steps.get(axis) for axis in "yx"], [units.get(axis, "") for axis in "yx"])


def open_array(path: Path, name: str) -> Any:
    """An array or group of a folder, by name."""
    import zarr

    found = zarr.open(path, mode="r")
    return found[name] if name else found


def load_array(path: Path, name: str) -> Any:
    """An array in memory, or lazily frame by frame where it is large."""
    array = open_array(path, name)
    if array.ndim > 2 and is_large(array.nbytes):
        return lazy_frames(partial(_read_frame, path, name), array.shape, array.dtype, path)
    return array[...]


def _read_frame(path: Path, name: str, frame: int) -> Any:
    return open_array(path, name)[frame]
