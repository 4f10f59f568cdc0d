"""Arrays of NumPy in zip archives: ``.npz``, and the ``.ndata`` and ``.prz`` that are built like it.

Nothing is unpacked to the disk, and only arrays of numbers and text are read, never Python objects.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..core.errors import ReadError
from .calibration import Calibration, calibrate
from .dataset import Dataset, array_axes, fits, no_image

#: What the axes of an image or a movie may be in a Panta Rhei file.
IMAGES = {None, "ScanX", "ScanY", "CameraX", "CameraY", "Index"}
LOCAL_HEADER = 30  # bytes of a local header in a zip archive before its name


class Member(NamedTuple):
    """An array in an archive; `load` reads its numbers when they are wanted."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], Any]


def npz_datasets(path: Path) -> list[Dataset]:
    """The arrays of an ``.npz`` file that may be images or movies, by their names."""
    datasets = []
    with zipfile.ZipFile(path) as archive:
        for info in (info for info in archive.infolist() if info.filename.endswith(".npy")):
            shape, dtype, load = member(path, archive, info)
            axes = array_axes(shape)
            if axes and dtype.kind in "iufcb":
                datasets.append(Dataset(info.filename.removesuffix(".npy"), axes, shape, load))
    if not datasets:
        raise ReadError(f"{path.name} holds no image; save (rows, columns) or (frames, rows, columns) in it.")
    return datasets


def prz_datasets(path: Path) -> list[Dataset]:
    """The image or movie of a Panta Rhei file. Metadata before version 24.03 are pickled, and not read."""
    with zipfile.ZipFile(path) as archive:
        files = {info.filename: info for info in archive.infolist()}
        shape, dtype, load = member(path, archive, files["data.npy"])
        said = files.get("meta_data_json.npy")
        acquisition = {} if said is None else json.loads(str(member(path, archive, said).load()))[0]
    axes, kinds = array_axes(shape), set(acquisition.get("content.types") or ())
    if axes is None or dtype.kind not in "iufcb" or not kinds <= IMAGES:
        raise no_image(path)
    steps = (acquisition.get("device.calib") or [])[:2][::-1]  # of rows and columns
    calibration = Calibration()
    if len(steps) == 2 and all(steps):
        calibration = calibrate(
            [step["value"] * step.get("pixel_factor", 1) for step in steps], [step.get("unit") for step in steps]
        )
    name = str(acquisition.get("repo_id") or path.stem).partition(".")[0]
    return [Dataset(name, axes, shape, load, calibration, {"acquisition": acquisition})]


def member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    """One array of an open archive, of which Python objects are not read; `ReadError` if it claims too much."""
    fits(info.file_size, path)
    with archive.open(info) as file:
        shape, _, dtype = _npy_header(file, path)
    fits(int(np.prod(shape, dtype=object)) * dtype.itemsize, path)
    stored = info.compress_type == zipfile.ZIP_STORED
    load = partial(_map_array, path, info.header_offset) if stored else partial(_unpack_array, path, info.filename)
    return Member(shape, dtype, partial(_refuse, path) if dtype.hasobject else load)


def _npy_header(file: Any, path: Path) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, transposed, dtype = read(file)
    return tuple(shape), "F" if transposed else "C", dtype


def _refuse(path: Path) -> Any:
    raise ReadError(f"{path.name} holds no plain array of numbers; export it as TIFF.")


def _map_array(path: Path, header: int) -> Any:
    """The array that lies uncompressed in the archive, mapped into memory."""
    with path.open("rb") as file:
        file.seek(header)
        local = file.read(LOCAL_HEADER)
        file.seek(int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little"), 1)
        shape, order, dtype = _npy_header(file, path)
        return np.memmap(path, dtype, "r", file.tell(), shape, order)


def _unpack_array(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
