"""Results as files: tables as CSV, parquet or AnnData, images as calibrated TIFF, each written whole or not at all."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arguments import checks_arguments
from ..core.errors import InputError, ReadError
from ..core.folders import replacing, user_path
from ..core.micrograph import Micrograph
from ..core.placement import KEPT
from . import hdf5, tables, text_tables, xyz
from .calibration import calibrate
from .csv_tables import write_csv
from .json_files import as_schema
from .regular import regular_file

if TYPE_CHECKING:
    import pandas as pd

MOST_LABELS = 1 << 24  # up to which float32 has every whole number
TABLE_ENDINGS = (".csv", ".parquet", ".h5ad", ".xyz")


@checks_arguments
def write_table(
    table: pd.DataFrame,
    path: str | PathLike[str],
    *,
    pixel_size: float | tuple[float, float] | None = None,
    units: str = "px",
    provenance: dict[str, Any] | None = None,
) -> Path:
    """Write a table of atoms or latents, or the features of any layer, in the format that the file name ends in.

    Parameters
    ----------
    table : DataFrame
        One row per atom; positions in pixels.
    path : path
        The file; an existing one is replaced when the new one is complete. ``.csv``, with the index as the column
        ``atom``, and words that a spreadsheet would compute, such as ``=1+1``, after a ``'``, which `read_table`
        takes away; ``.parquet``, the same with the types of the columns; ``.h5ad``, an AnnData: ``X`` the latents (of a
        table without, all its numbers), ``obs`` the other columns, ``obsm["spatial"]`` x and y in pixels,
        ``obsm["spatial_nm"]`` in nanometres where the pixels have a size, ``uns["napari_vae"]`` where it came from;
        ``.xyz``, extended XYZ for ASE and OVITO, in ångström.
    pixel_size : float or (float, float), optional
        Along rows and columns, in `units`; kept with the table, as is `provenance`, in all but ``.csv``.
    units : str
    provenance : dict, optional
        Settings and versions to keep with the table.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        If the name ends otherwise, or a package for the format is not installed; the message says which. Of ``.xyz``
        also if the pixels have no size, or the table no positions.

    Examples
    --------
    >>> import pandas as pd
    >>> write_table(pd.DataFrame({"y": [1.5], "x": [2.0]}), "atoms.csv")  # doctest: +SKIP
    """
    path = user_path(path)
    check_table_name(path)
    origin = tables.origin_of(pixel_size, units, provenance or {})
    writers = {".h5ad": tables.write_anndata, ".parquet": tables.write_parquet, ".xyz": xyz.write_xyz}
    write = writers.get(path.suffix.lower(), lambda table, path, _: write_csv(table, path, "atom"))
    with replacing(path) as temporary:
        try:
            write(table, temporary, origin)
        except (InputError, OSError, MemoryError):
            raise
        except Exception as error:  # of columns that only some formats have
            raise InputError(f"{path.name} cannot hold this table ({error}); write it as .csv.") from error
    return path


def origin_in(image: Micrograph, provenance: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `write_table` for atoms of an image: the size of its pixels, and where it lay."""
    place = {KEPT: image.metadata[KEPT]} if KEPT in image.metadata else {}
    return {"pixel_size": image.pixel_size, "units": image.units, "provenance": provenance | place}


def check_table_name(path: str | PathLike[str]) -> None:
    """Refuse a name that no table can be written under, before any work.

    Raises
    ------
    InputError
        If it ends otherwise than tables do, or a package for the format is not installed; the message says which.
    """
    ending = Path(path).suffix.lower()
    if ending not in TABLE_ENDINGS:
        raise InputError(f"Tables are written as {', '.join(TABLE_ENDINGS)}; let the name end in one of these.")
    tables.check_installed(ending)


@checks_arguments
def read_table(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a table written by `write_table`, or any parquet or table of text with a header.

    Text may be separated by commas, semicolons (with decimal commas), tabs or blanks, in UTF-8 or UTF-16. Positions are
    the columns ``y``, ``x`` and ``frame``, whatever their capitals, or ``axis-0`` … as napari writes them. A column
    ``atom`` becomes the index; ``attrs["origin"]`` has the pixel size, its unit and the provenance, where the file has
    them.

    Raises
    ------
    ReadError
        If the file is missing or not a table.
    InputError
        If a package for the format is not installed; the message says which.
    """
    path = user_path(path)
    ending = path.suffix.lower()
    tables.check_installed(ending)
    readers = {".h5ad": tables.read_anndata, ".parquet": tables.read_parquet, ".xyz": xyz.read_xyz}
    read = (readers | {".h5": hdf5.refuse_table}).get(ending, text_tables.read_text)
    try:
        table = text_tables.name_positions(read(regular_file(path)))
    except ReadError:
        raise
    except Exception as error:  # parsers of foreign formats fail on broken files in every way there is
        raise ReadError(f"{path} is missing or not a table; give one with the columns y and x.") from error
    as_schema({str(name): value for name, value in table.attrs.items()}, tables.Attributes, path)
    return table.set_index("atom").rename_axis(None) if "atom" in table else table


@checks_arguments
def write_image(
    data: Any,
    path: str | PathLike[str],
    *,
    pixel_size: float | tuple[float, float] | None = None,
    units: str = "px",
    axes: str = "",
    labels: bool = False,
) -> Path:
    """Write an image or a movie as a TIFF that ImageJ, napari and `read` open with its calibration.

    Parameters
    ----------
    data : Micrograph or array
        ``(Y, X)``, ``(T, Y, X)`` or, with `axes`, ``(C, Y, X)``; written as float32, or uint16 when it holds whole
        numbers of that range. A `Micrograph` brings its axes and, where no `pixel_size` is given, its own.
    path : path
        The file; an existing one is replaced when the new one is complete.
    pixel_size : float or (float, float), optional
        Size of a pixel along rows and columns, in `units`.
    units : str
        Unit of `pixel_size`.
    axes : str
        One letter per dimension, by default ``"YX"`` or ``"TYX"``.
    labels : bool
        Whether the numbers are labels, so that napari shows them as such when it reads the file.

    Raises
    ------
    InputError
        If the data are no image or movie of real numbers, the pixel size is not above 0, or there are labels above
        16 777 216; TIFF as ImageJ reads it has no room for them.

    Examples
    --------
    >>> write_image(np.zeros((8, 8)), "empty.tif", pixel_size=(0.01, 0.01), units="nm")  # doctest: +SKIP
    """
    import tifffile

    if isinstance(data, Micrograph):
        if pixel_size is None:
            pixel_size, units = data.pixel_size, data.units
        data, axes = data.data, axes or data.axes
    image = Micrograph(data, pixel_size, units or "px", axes)
    array = np.asarray(image.data)
    whole = array.dtype.kind in "bui" and array.min(initial=0) >= 0 and array.max(initial=0) <= 65535
    if labels and array.max(initial=0) > MOST_LABELS:
        raise InputError(f"There are labels above {MOST_LABELS}; number them from 1 first, or save them as .npy.")
    options: dict[str, Any] = {"metadata": {"axes": image.axes}}
    if labels:
        options["metadata"]["kind"] = "labels"
    if image.pixel_size:
        # In nm, for TIFF has no fractions as small as of a metre.
        known = calibrate(image.pixel_size, (image.units,) * 2)
        size, unit = (known.pixel_size, known.units) if known.pixel_size else (image.pixel_size, image.units)
        if not all(1 / MOST_LABELS < step < MOST_LABELS for step in size):
            raise InputError(f"TIFF cannot say that pixels are {size} {unit} large; give another unit, or no size.")
        options["resolution"] = (1 / size[1], 1 / size[0])
        unit = unit.replace("µ", "u").replace("Å", "angstrom")  # ImageJ's descriptions are ASCII
        options["metadata"]["unit"] = unit.encode("ascii", "backslashreplace").decode()
    path = user_path(path)
    with replacing(path) as temporary:
        tifffile.imwrite(temporary, array.astype(np.uint16 if whole else np.float32), imagej=True, **options)
    return path
