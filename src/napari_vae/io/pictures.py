"""PNG and JPEG pictures, NumPy arrays and raw numbers: pixels that bring no calibration of their own."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ..core.errors import ReadError
from .dataset import Dataset, array_axes, fits


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
    axes = array_axes(getattr(data, "shape", ()))
    if axes is None:
        raise ReadError(
            f"{path.name} holds an array of shape {getattr(data, 'shape', '?')}; save (rows, columns) or "
            "(frames, rows, columns)."
        )
    return [Dataset(path.stem, axes, data.shape, lambda: data)]


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
