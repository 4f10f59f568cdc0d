"""Results as files: tables as CSV, images as calibrated TIFF, each written whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError

if TYPE_CHECKING:
    import pandas as pd


def write_table(table: pd.DataFrame, path: str | PathLike[str]) -> Path:
    """Write a table of atoms or latents as CSV, its index as the column ``atom``.

    Parameters
    ----------
    table : DataFrame
        One row per atom; positions in pixels.
    path : path
        The file; an existing one is replaced when the new one is complete.

    Returns
    -------
    Path
        Where it was written.

    Examples
    --------
    >>> import pandas as pd
    >>> write_table(pd.DataFrame({"y": [1.5], "x": [2.0]}), "atoms.csv")  # doctest: +SKIP
    """
    path = Path(path)
    with replacing(path) as temporary:
        table.to_csv(temporary, index_label="atom")
    return path


def read_table(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a table written by `write_table`, or any CSV with a header; a column ``atom`` becomes the index.

    Raises
    ------
    ReadError
        If the file is missing or not a table.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' own parsing errors are ValueErrors
        raise ReadError(f"{path} is missing or not a CSV table; give one with the columns y and x.") from error
    return table.set_index("atom").rename_axis(None) if "atom" in table else table


def write_image(
    data: Any,
    path: str | PathLike[str],
    *,
    pixel_size: tuple[float, float] | None = None,
    units: str = "px",
    axes: str = "",
) -> Path:
    """Write an image or a movie as a TIFF that ImageJ, napari and `read` open with its calibration.

    Parameters
    ----------
    data : array
        ``(Y, X)``, ``(T, Y, X)`` or, with `axes`, ``(C, Y, X)``; written as float32, or uint16 when it holds whole
        numbers of that range.
    path : path
        The file; an existing one is replaced when the new one is complete.
    pixel_size : (float, float), optional
        Size of a pixel along rows and columns, in `units`.
    units : str
        Unit of `pixel_size`.
    axes : str
        One letter per dimension, by default ``"YX"`` or ``"TYX"``.

    Examples
    --------
    >>> write_image(np.zeros((8, 8)), "empty.tif", pixel_size=(0.01, 0.01), units="nm")  # doctest: +SKIP
    """
    import tifffile

    array = np.asarray(data)
    whole = array.dtype.kind in "bui" and array.min(initial=0) >= 0 and array.max(initial=0) <= 65535
    options: dict[str, Any] = {"metadata": {"axes": axes or "TYX"[-array.ndim :]}}
    if pixel_size:
        options["resolution"] = (1 / pixel_size[1], 1 / pixel_size[0])
        unit = units.replace("µ", "u").replace("Å", "angstrom")  # ImageJ's descriptions are ASCII
        options["metadata"]["unit"] = unit.encode("ascii", "backslashreplace").decode()
    path = Path(path)
    with replacing(path) as temporary:
        tifffile.imwrite(temporary, array.astype(np.uint16 if whole else np.float32), imagej=True, **options)
    return path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside the file, which takes its place when all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
