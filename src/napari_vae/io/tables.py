"""Tables in formats that need a package more, parquet and AnnData; what is kept with them of their origin."""

from __future__ import annotations

import io
import json
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, Field

from .. import __version__
from ..core.errors import InputError
from ..core.micrograph import size_of_pixels
from ..core.settings import Positive
from .calibration import calibrate
from .dataset import fits
from .hdf5_arrays import claimed_bytes
from .json_files import parse_json

if TYPE_CHECKING:
    import pandas as pd

NEEDED = {".parquet": "pyarrow", ".h5ad": "anndata"}
KEY = "napari_vae"
ORIGIN = "origin"
PLACES = ("y", "x")
CELL, SMALL_TABLE = 8, 1 << 26  # bytes of a number, and of what any table may unpack to


class _Origin(BaseModel):
    pixel_size: tuple[Positive, Positive] | None = None
    units: str = "px"
    provenance: dict[str, Any] = Field(default_factory=dict)


class _Detection(BaseModel):
    spacing: Positive | None = None
    pixel_sides: tuple[Positive, Positive] | None = None


class Attributes(BaseModel):
    """What is noted of a table besides its columns, as far as it is asked for."""

    origin: _Origin = Field(default_factory=_Origin)
    napari_vae: _Detection = Field(default_factory=_Detection)


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


def origin_of(pixel_size: float | tuple[float, float] | None, units: str, provenance: dict[str, Any]) -> dict[str, Any]:
    """Where a table came from, in plain values: version, pixel size along rows and columns, its unit, provenance."""
    pair = size_of_pixels(pixel_size)
    size = None if pair is None else list(pair)
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


def read_parquet(path: Path) -> pd.DataFrame:
    """The table in a parquet file, of which no part is unpacked that so small a file cannot hold."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        known = file.metadata
        fits(known.num_rows * max(1, known.num_columns) * CELL, path, SMALL_TABLE)
        parts, size = [], 0
        for part in file.iter_batches():
            parts.append(part)
            fits(size := size + part.nbytes, path, SMALL_TABLE)
        return pa.Table.from_batches(parts, file.schema_arrow).to_pandas()


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

    fits(claimed_bytes(Path(path)), Path(path), SMALL_TABLE)
    data = read_h5ad(path)
    table = data.obs.copy()
    for name, values in zip(data.var_names, np.asarray(data.X).T, strict=True):
        table[str(name)] = values
    if "spatial" in data.obsm:
        x, y = np.asarray(data.obsm["spatial"], float)[:, :2].T
        table.insert(0, "y", y)
        table.insert(1, "x", x)
    if KEY in data.uns:
        noted = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in data.uns[KEY].items()}
        table.attrs[ORIGIN] = noted | {"provenance": parse_json(noted["provenance"], Path(path))}
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
