"""Tables of text as others write them: their encoding, what separates columns, decimal commas, names of positions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ReadError
from .csv_tables import unquoted

if TYPE_CHECKING:
    import pandas as pd

MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
BEGINNING = 1 << 16  # bytes from which the format is known
SEPARATORS = "\t;,"
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
NAPARI = re.compile(r"axis-\d+")  # columns of the CSV that napari itself writes
POSITIONS = ("frame", "y", "x")
HEADED = re.compile(r"(.+) \((?:px|°)\)")  # a column with its unit, as the window writes them


def read_text(path: Path) -> pd.DataFrame:
    """A table of text with a header, its columns separated by commas, semicolons, tabs or blanks.

    UTF-8, UTF-16 or, where it is neither, the western Windows encoding; numbers with a decimal comma where commas
    separate no columns.
    """
    import pandas as pd

    with path.open("rb") as file:
        start = file.read(BEGINNING)
    encoding = _encoding(start)
    text = start.decode(encoding, "replace")
    if "\0" in text:
        raise ReadError(f"{path} holds zeros, not text; copy it again from its source.")
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    hint = re.fullmatch(r"sep=(.)", lines[0].strip())  # a line for Excel
    header = lines[1] if hint and len(lines) > 1 else lines[0]
    mark = hint[1] if hint else max(SEPARATORS, key=_unquoted(header).count)
    if mark not in _unquoted(header):
        mark = r"\s+" if len(header.split()) > 1 else ","
    fields = [field.strip(' "') for line in lines[1:] for field in re.split(mark, line)]
    comma = mark != "," and any(map(DECIMAL_COMMA.fullmatch, fields))
    options: dict[str, Any] = {"encoding": encoding, "sep": mark, "skiprows": 1 if hint else 0}
    return unquoted(pd.read_csv(path, decimal="," if comma else ".", **options))


def name_positions(table: pd.DataFrame) -> pd.DataFrame:
    """The table with positions as ``frame``, ``y`` and ``x``, where they have names of napari's, or other capitals.

    Raises
    ------
    ReadError
        If it holds shapes of napari, or positions of more axes.
    """
    names = [str(name) for name in table]
    plain = {name: bare[1] for name in names if (bare := HEADED.fullmatch(name)) and bare[1] not in names}
    table = table.rename(columns=plain)
    names = [plain.get(name, name) for name in names]
    axes = sorted(filter(NAPARI.fullmatch, names))
    if axes and not {"y", "x"} & set(names):
        if "shape-type" in names or not 2 <= len(axes) <= 3:
            raise ReadError("The table has shapes, or positions of more than three axes; give one point in each row.")
        return table.drop(columns="index", errors="ignore").rename(
            columns=dict(zip(axes, POSITIONS[-len(axes) :], strict=True))
        )
    small = {name: str(name).strip().lower() for name in table}
    found = [word for word in small.values() if word in POSITIONS]
    return table.rename(
        columns={name: word for name, word in small.items() if found.count(word) == 1 and word in POSITIONS}
    )


def _encoding(start: bytes) -> str:
    """Of a text that begins so."""
    for mark, name in MARKS.items():
        if start.startswith(mark):
            return name
    for number, name in ((1, "utf-16-le"), (0, "utf-16-be")):  # without a mark: every other byte of Latin text is 0
        if len(start) > 3 and not any(start[number:200:2]):
            return name
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8" if error.start > len(start) - 4 else "cp1252"
    return "utf-8"


def _unquoted(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)
