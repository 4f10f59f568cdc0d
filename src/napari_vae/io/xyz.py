"""Atoms as extended XYZ, which ASE, OVITO and simulation codes read: one block of lines for each frame, in ångström.

The format is that of `extxyz <https://github.com/libAtoms/extxyz>`_. Ångström are measured along columns and, as
chemists draw, upwards: x grows to the right and y from the bottom to the top, so the picture is that on the screen.
"""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import InputError, ReadError
from .calibration import calibrate
from .json_files import MOST_BYTES, parse_json

if TYPE_CHECKING:
    import pandas as pd

#: Columns that may name the species, the first that there is.
SPECIES = ("species", "element", "class_name", "class", "sublattice")
UNKNOWN, MISSING = "X", "-"  # an atom of no known kind; a word that is missing
LONGEST_COUNT = 100  # characters
KINDS = {"R": float, "I": np.int64, "S": str, "L": bool}
PAIR = re.compile(r'\b(\w+)=("(?:\\.|[^"\\])*"|\S+)')


def write_xyz(table: pd.DataFrame, path: str | PathLike[str], origin: dict[str, Any]) -> None:
    """Write a table of atoms; `origin` is what `napari_vae.io.tables.origin_of` makes.

    Raises
    ------
    InputError
        If the pixels have no size in a unit of length, the table has no positions, or two names become one.
    """
    step = _angstrom(origin)
    if not {"y", "x"} <= set(table):
        raise InputError("The table has no columns y and x; write it as .csv or .parquet.")
    frames = table["frame"].to_numpy() if "frame" in table else np.zeros(len(table), int)
    places = [np.round(table["x"].to_numpy(float) * step[1], 9), np.round(-table["y"].to_numpy(float) * step[0], 9)]
    kind = next((name for name in SPECIES if name in table), None)
    species = [UNKNOWN] * len(table) if kind is None else [_species(value) for value in table[kind]]
    others = table.drop(columns=["y", "x", "frame", "species"], errors="ignore").rename_axis("atom").reset_index()
    columns = {_plain(name): _column(values) for name, values in others.items()}
    if len(columns) < others.shape[1]:
        raise InputError("Two columns get one name where blanks and quotes become “_”; rename one, or write .parquet.")
    named = "".join(f":{name}:{letter}:1" for name, (letter, _) in columns.items())
    header = f"species_from={kind or UNKNOWN} origin={_quoted(json.dumps(origin))}"
    comment = f'Properties=species:S:1:pos:R:3{named} pbc="F F F" {header}'
    rows = list(zip(species, *places, *(values for _, values in columns.values()), strict=True))
    with Path(path).open("w", encoding="utf-8") as file:
        for frame in np.unique(frames) if len(frames) else [0]:
            chosen = np.flatnonzero(frames == frame)
            file.write(f"{len(chosen)}\n{comment} frame={frame}\n")
            for row in (rows[i] for i in chosen):
                file.write(" ".join([row[0], repr(float(row[1])), repr(float(row[2])), "0.0", *row[3:]]) + "\n")


def read_xyz(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a table that `write_xyz` wrote: positions in pixels, and every column.

    Raises
    ------
    ReadError
        If the file does not say how large its pixels are, as files of other programs do not, or is damaged.
    """
    import pandas as pd

    path = Path(path)
    parts, origin = [], {}
    with path.open(encoding="utf-8") as file:
        while word := file.readline(LONGEST_COUNT).strip():
            count = int(word)
            header = {key: value.strip('"') for key, value in PAIR.findall(file.readline(MOST_BYTES))}
            if "origin" not in header:
                raise ReadError(f"{path.name} does not give the size of its pixels; it is not of napari-vae.")
            origin = parse_json(re.sub(r"\\(.)", r"\1", header["origin"]), path)
            if count > path.stat().st_size:
                raise ValueError("the file is too small for the atoms that it promises")
            lines = [file.readline(MOST_BYTES).split() for _ in range(count)]
            part = _block(lines, header["Properties"], int(header["frame"]), _angstrom(origin))
            if header.get("species_from") == "species":
                part["species"] = [None if line[0] == UNKNOWN else line[0] for line in lines]
            parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table.attrs["origin"] = origin
    return table


def _block(lines: list[list[str]], properties: str, frame: int, step: tuple[float, float]) -> pd.DataFrame:
    import pandas as pd

    words = properties.split(":")
    fields = zip(words[::3], words[1::3], words[2::3], strict=True)
    names = [(name, kind) for name, kind, width in fields for _ in range(min(int(width), 9))]
    columns = list(zip(*lines, strict=True)) or [()] * len(names)
    if len(columns) != len(names):
        raise ValueError("a line has another number of words than the comment says")
    x, y = (np.array(columns[k], float) for k in (1, 2))
    table: dict[str, Any] = {"frame": np.full(len(x), frame), "y": np.abs(y) / step[0] * -np.sign(y), "x": x / step[1]}
    for (name, kind), values in list(zip(names, columns, strict=True))[4:]:
        table[name] = [_value(value, kind) for value in values]
    return pd.DataFrame(table)


def _angstrom(origin: dict[str, Any]) -> tuple[float, float]:
    """Size of a pixel along rows and columns in ångström."""
    size, units = origin.get("pixel_size"), origin.get("units", "")
    calibration = calibrate(size, (units, units)) if size else None
    if calibration is None or calibration.pixel_size is None or calibration.units != "nm":
        raise InputError("Extended XYZ is in ångström, and the pixels have no size; set it, or write .csv or .parquet.")
    return calibration.pixel_size[0] * 10, calibration.pixel_size[1] * 10


def _column(values: pd.Series) -> tuple[str, list[str]]:
    """Letter of the kind of a column, and its values as words."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(values.dtype):
        return "L", ["T" if value else "F" for value in values]
    if pd.api.types.is_integer_dtype(values.dtype):
        return "I", [str(int(value)) for value in values]
    if pd.api.types.is_float_dtype(values.dtype):
        return "R", [str(value) for value in values]
    return "S", [MISSING if value is None or value != value or value == "" else _plain(value) for value in values]


def _value(word: str, kind: str) -> Any:
    if kind == "L":
        return word == "T"
    return None if kind == "S" and word == MISSING else KINDS[kind](word)


def _species(value: Any) -> str:
    """A word that begins with a letter; classes that are numbers are written as X0, X1 …"""
    if value is None or value != value or str(value) in ("", "-1"):
        return UNKNOWN
    word = _plain(value)
    return word if word[0].isalpha() else f"{UNKNOWN}{word}"


def _plain(value: Any) -> str:
    """A word without what divides words in the format."""
    return re.sub(r'[\s:="\\]+', "_", str(value)) or MISSING


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
