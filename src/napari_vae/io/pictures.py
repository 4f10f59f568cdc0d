"""PNG and JPEG pictures and NumPy arrays: pixels without calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ReadError
from .dataset import Dataset


def picture_datasets(path: Path) -> list[Dataset]:
    """The picture in a PNG or JPEG file. Its dots per inch concern printers, so there is no pixel size."""
    import imageio.v3 as imageio

    data = np.asarray(imageio.imread(path, plugin="pillow"))
    return [Dataset(path.stem, "YXS"[: data.ndim], data.shape, lambda: data)]


def array_datasets(path: Path) -> list[Dataset]:
    """The array of an ``.npy`` file, mapped into memory; arrays of Python objects are refused, never unpickled."""
    data = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(data, np.ndarray) or data.ndim not in (2, 3):
        raise ReadError(
            f"{path.name} holds an array of shape {getattr(data, 'shape', '?')}; save (rows, columns) or "
            "(frames, rows, columns)."
        )
    coloured = data.ndim == 3 and data.shape[-1] in (3, 4) and data.dtype == np.uint8 and min(data.shape[:2]) > 8
    axes = "YXS" if coloured else "TYX"[-data.ndim :]
    return [Dataset(path.stem, axes, data.shape, lambda: data)]
