"""PNG and JPEG pictures, NumPy arrays and raw numbers: pixels that bring no calibration of their own."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from pydantic import AliasChoices, AliasPath, BaseModel, Field

from ..core.errors import ReadError
from ..core.micrograph import colours_last
from ..core.settings import Number
from .calibration import Calibration, calibrate
from .dataset import Dataset, fits
from .json_files import read_json


class _View(BaseModel):
    field_of_view_y: Number
    field_of_view_x: Number
    field_of_view_units: str = ""


class _Beside(BaseModel):
    """What is asked of a file beside an array, which may hold anything else."""

    view: _View | None = Field(
        None, validation_alias=AliasChoices(AliasPath("experimental_details", "spatial_info"), "spatial_info")
    )


def picture_datasets(path: Path) -> list[Dataset]:
    """The picture in a PNG or JPEG file. Its dots per inch concern printers, so there is no pixel size."""
    import imageio.v3 as imageio

    properties = imageio.improps(path, plugin="pillow")
    fits(int(np.prod(properties.shape, dtype=object)) * properties.dtype.itemsize, path)
    data = np.asarray(imageio.imread(path, plugin="pillow"))
    return [Dataset(path.stem, "YXS"[: data.ndim], data.shape, lambda: data)]


def array_datasets(path: Path) -> list[Dataset]:
    """The array of an ``.npy`` file, mapped into memory; arrays of Python objects are refused, never unpickled."""
    data = np.load(path, mmap_mode="r", allow_pickle=False)
    coloured = colours_last(data.shape)
    if not isinstance(data, np.ndarray) or data.ndim not in (2, 3, 3 + coloured):
        raise ReadError(
            f"{path.name} holds an array of shape {getattr(data, 'shape', '?')}; save (rows, columns) or "
            "(frames, rows, columns)."
        )
    axes = ("TYXS" if coloured else "TYX")[-data.ndim :]
    rows, columns = data.shape[axes.index("Y") :][:2]
    return [Dataset(path.stem, axes, data.shape, lambda: data, _field_of_view(path, rows, columns))]


def raw_datasets(path: Path) -> list[Dataset]:
    """The image of a ``.dat`` file as SPIEPy has it: rows and columns as uint32, then float64, all little-endian.

    Other files of that ending are known by their size, which must fit.
    """
    with path.open("rb") as file:
        header = file.read(8)
    rows, columns = struct.unpack("<2I", header) if len(header) == 8 else (0, 0)
    if not rows * columns or path.stat().st_size != 8 + 8 * rows * columns:
        raise ReadError(f"{path.name} is not an image of rows × columns numbers; export it as TIFF.")
    return [Dataset(path.stem, "YX", (rows, columns), lambda: np.memmap(path, "<f8", "r", 8, (rows, columns)))]


def _field_of_view(path: Path, rows: int, columns: int) -> Calibration:
    """The pixel size that a ``.json`` beside an array gives as its field of view, as SciLink writes it."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return Calibration()
    view = read_json(beside, _Beside).view
    if view is None:
        return Calibration()
    unit = view.field_of_view_units
    return calibrate((view.field_of_view_y / rows, view.field_of_view_x / columns), (unit, unit))
