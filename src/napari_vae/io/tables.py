"""Tables in formats that need a package more: parquet, AnnData and HDF5; what is kept with them of their origin."""

from __future__ import annotations

import io
import json
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .calibration import calibrate
from .hdf5_probe import largest_array
from .json_files import parse_json

if TYPE_CHECKING:
    import pandas as pd

NEEDED = {".parquet": "pyarrow", ".h5ad": "anndata", ".h5": "h5py"}
KEY = "napari_vae"
ORIGIN = "origin"
MISSING = "missing"
NULLABLE = "pandas"
PLACES = ("y", "x")


def check_installed(ending: str) -> None:
    """Refuse a format whose package is missing.

    Raises
    ------
    InputError
        With the command that installs it.
    """
    package = NEEDED.get(ending)
    if package and find_spec(package) is None:
        raise InputError(
            f'Files that end in {ending} need the package {package}; type pip install "napari-vae[tables]", or let the '
            "name end in .csv."
        )


def origin_of(pixel_size: tuple[float, float] | None, units: str, provenance: dict[str, Any]) -> dict[str, Any]:
    """Where a table came from, in plain values: version, pixel size along rows and columns, its unit, provenance."""
    from .. import __version__

    size = None if pixel_size is None else [float(step) for step in pixel_size]
    plain = json.loads(json.dumps(provenance, default=_as_json))
    return {"version": __version__, "pixel_size": size, "units": units, "provenance": plain}


def write_parquet(table: pd.DataFrame, path: str | PathLike[str], origin: dict[str, Any]) -> None:
    """Write a table with the types of its columns, its index as the column ``atom``."""
    named = table.rename(columns=str).rename_axis("atom")
    words = {str(name): _words(column) for name, column in named.items() if column.dtype == object}
    whole = named.assign(**words).reset_index()
    kept = json.loads(json.dumps(table.attrs, default=_as_json))
    whole.attrs = kept | {ORIGIN: origin}  # which pandas keeps in the file
    whole.to_parquet(path, engine="pyarrow", index=False)


def write_hdf5(table: pd.DataFrame, path: str | PathLike[str], origin: dict[str, Any]) -> None:
    """Write a table as HDF5: a group ``table`` with one array for each column, words as UTF-8, in their order.

    Missing words are empty there, and missing whole numbers of pandas zero; a group ``missing`` has, for a column with
    any, which rows they are, and an attribute ``pandas`` of the array of which type of pandas the column is.
    """
    import h5py

    buffer = io.BytesIO()  # the library for HDF5 cannot be trusted to give up when the disk is full
    with h5py.File(buffer, "w", track_order=True) as file:
        file.attrs[ORIGIN] = json.dumps(origin)
        group = file.create_group("table", track_order=True)
        for name, column in table.rename(columns=str).rename_axis("atom").reset_index().items():
            plain = str(name).replace("/", "_")
            values, text = _without_gaps(column)
            array = group.create_dataset(plain, data=values, dtype=h5py.string_dtype() if text else None)
            if _numbers_in(column.dtype) is not None:
                array.attrs[NULLABLE] = str(column.dtype)
            if (text or NULLABLE in array.attrs) and column.isna().any():
                file[f"{MISSING}/{plain}"] = column.isna().to_numpy()
    Path(path).write_bytes(buffer.getvalue())


def _without_gaps(column: pd.Series) -> tuple[npt.NDArray[Any], bool]:
    """The values of a column as HDF5 has them, with something in the place of missing ones, and whether it is text."""
    import pandas as pd

    if (numbers := _numbers_in(column.dtype)) is not None:
        return column.to_numpy(numbers, na_value=0), False
    if isinstance(column.dtype, np.dtype) and pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(), False
    return _words(column).fillna("").to_numpy(object), True


def _numbers_in(dtype: Any) -> np.dtype[Any] | None:
    """What a type of pandas with missing values (``Int64``, ``boolean``, …) is without; ``None`` of all others."""
    import pandas as pd

    return getattr(dtype, "numpy_dtype", None) if pd.api.types.is_numeric_dtype(dtype) else None


def is_table(path: str | PathLike[str]) -> bool:
    """Whether an HDF5 file is a table of ours, and not an image."""
    try:
        import h5py

        largest_array(Path(path))
        with h5py.File(path, "r") as file:
            return ORIGIN in file.attrs and "table" in file
    except (ImportError, OSError, ValueError):  # the reader of images says what is wrong
        return False


def read_hdf5(path: str | PathLike[str]) -> pd.DataFrame:
    """The table in an HDF5 file that `write_hdf5` wrote."""
    import h5py
    import pandas as pd

    largest_array(Path(path))
    with h5py.File(path, "r") as file:
        columns: dict[str, Any] = {}
        for name, item in file["table"].items():
            values = item.asstr()[:] if item.dtype.kind == "O" else item[:]
            columns[name] = pd.array(values, dtype=item.attrs[NULLABLE]) if NULLABLE in item.attrs else values
        for name, rows in file.get(MISSING, {}).items():
            columns[name][rows[:]] = None
        table = pd.DataFrame(columns)
        table.attrs[ORIGIN] = parse_json(file.attrs[ORIGIN], Path(path))
    return table


def write_anndata(table: pd.DataFrame, path: str | PathLike[str], origin: dict[str, Any]) -> None:
    """Write a table as AnnData; see `write_table`."""
    import h5py
    import pandas as pd
    from anndata import AnnData
    from anndata.io import write_elem

    variables = _variables(table)
    others = table.drop(columns=[*variables, *PLACES], errors="ignore")
    data = AnnData(
        X=table[variables].to_numpy(np.float32),
        obs=pd.DataFrame({str(name): _plain(column) for name, column in others.items()}).set_axis(
            _object_index(table.index), axis=0
        ),
        var=pd.DataFrame(index=_object_index(variables)),
        obsm=_places(table, origin["pixel_size"], origin["units"]),
    )
    data.uns[KEY] = {key: value for key, value in origin.items() if value is not None}
    data.uns[KEY]["provenance"] = json.dumps(origin["provenance"])
    if origin["pixel_size"]:
        data.uns[KEY]["pixel_size"] = np.asarray(origin["pixel_size"])
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write_elem(file, "/", data)
    Path(path).write_bytes(buffer.getvalue())


def read_anndata(path: str | PathLike[str]) -> pd.DataFrame:
    """The table in an AnnData file: positions, the columns of ``obs`` and of ``X``; rows as they were numbered."""
    from anndata import read_h5ad

    largest_array(Path(path))
    data = read_h5ad(path)
    table = data.obs.copy()
    for name, values in zip(data.var_names, np.asarray(data.X).T, strict=True):
        table[str(name)] = values
    if "spatial" in data.obsm:
        x, y = np.asarray(data.obsm["spatial"], float)[:, :2].T
        table.insert(0, "y", y)
        table.insert(1, "x", x)
    if KEY in data.uns:
        told = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in data.uns[KEY].items()}
        table.attrs[ORIGIN] = told | {"provenance": parse_json(told["provenance"], Path(path))}
    numbered = all(str(label).isdecimal() for label in table.index)
    return table.set_axis(table.index.astype(np.int64), axis=0) if numbered else table


def _variables(table: pd.DataFrame) -> list[str]:
    """Columns for ``X``: the latents, or all numbers of a table that has none."""
    latents = [name for name in table if str(name)[:1] == "z" and str(name)[1:].isdigit()]
    numbers = [name for name in table.select_dtypes("number") if name not in (*PLACES, "frame", "class")]
    return [str(name) for name in latents or numbers]


def _places(table: pd.DataFrame, pixel_size: list[float] | None, units: str) -> dict[str, Any]:
    if not set(PLACES) <= set(table):
        return {}
    pixels = table[["x", "y"]].to_numpy(float)
    places = {"spatial": pixels}
    size = calibrate(pixel_size, (units, units)) if pixel_size else None
    if size is not None and size.pixel_size and size.units == "nm":
        places["spatial_nm"] = pixels * np.array(size.pixel_size[::-1])
    return places


def _plain(column: pd.Series) -> Any:
    """Numbers as they are, anything else as categories of text, in types that every version of anndata writes."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) and isinstance(column.dtype, np.dtype):
        return column.to_numpy()
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(column.cat.codes, _object_index(column.cat.categories))
    if pd.api.types.is_numeric_dtype(column.dtype):  # with missing values of pandas' own
        return column.to_numpy(float, na_value=np.nan)
    words = _words(column)
    return pd.Categorical(words, categories=_object_index(sorted(set(words.dropna()))))


def _words(column: pd.Series) -> pd.Series:
    import pandas as pd

    words = [None if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
    return pd.Series(words, column.index, object)


def _object_index(values: Any) -> pd.Index:
    """Labels as text in Python strings: anndata knows no other text of pandas 3."""
    import pandas as pd

    return pd.Index([str(value) for value in values], dtype=object)


def _as_json(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
