"""Temperature, bias, time or dose: a number for every frame of a movie, or for every file of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ..core.errors import InputError, shown
from ..core.micrograph import Micrograph
from ..core.positions import frame_numbers
from .reading import read
from .writing import read_table

POSITIONS = ("frame", "y", "x", "file")
TABLES = (".csv", ".parquet", ".txt", ".tsv")
HOW = "give FILE.csv:COLUMN, NAME=300,310,…, NAME=300:490 for equal steps, or a field of the header of each file"


@dataclass(frozen=True)
class Covariate:
    """A number for every frame or file, in order.

    Parameters
    ----------
    name : str
        Of the column that it becomes.
    values : tuple of float
        In the order of frames or files; none if they are in the headers of the files.
    even : bool
        Whether the values are only the first and the last of equal steps.
    files : tuple of str
        Names of the files that the values belong to, if these are known.
    """

    name: str
    values: tuple[float, ...] = ()
    even: bool = False
    files: tuple[str, ...] = ()

    def of_frames(self, n_frames: int) -> pd.Series:
        """The value at every frame of a movie.

        Raises
        ------
        InputError
            If there are not as many values as frames.
        """
        if not self.values:
            raise InputError(f"A header has one {self.name} for all frames; {HOW}.")
        return pd.Series(self._as_many_as(n_frames, "frames"), name=self.name)

    def of_file(self, path: Path, number: int, n_files: int, metadata: Mapping[str, Any] | None = None) -> float:
        """The value at a file, the `number`-th of `n_files`, whose metadata are read if they are needed.

        Raises
        ------
        InputError
            If there is none.
        """
        if not self.values:
            return _field(read(path).metadata if metadata is None else metadata, self.name, path)
        if self.files:
            rows = [row for row, name in enumerate(self.files) if Path(name).name == path.name]
            if len(rows) != 1:
                raise InputError(f"The table of {self.name} has {len(rows)} rows of the file {path.name}; give one.")
            return self.values[rows[0]]
        return self._as_many_as(n_files, "files")[number]

    def on_atoms(self, atoms: pd.DataFrame, image: Micrograph, path: Path, number: int, n_files: int) -> pd.DataFrame:
        """The atoms of the `number`-th file with the column: of its frames if it is the only one and a movie.

        Raises
        ------
        InputError
            If there is no value.
        """
        if n_files == 1 and image.n_frames > 1:
            return with_covariate(atoms, self.of_frames(image.n_frames))
        return atoms.assign(**{self.name: self.of_file(path, number, n_files, image.metadata)})

    def added_to(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with the column: of its ``file`` where it has that of several, else of its ``frame``.

        Raises
        ------
        InputError
            If it has neither, or there are not as many values.
        """
        if "file" in table and table["file"].nunique() > 1:
            files = list(pd.unique(table["file"]))
            values = {name: self.of_file(Path(name), number, len(files)) for number, name in enumerate(files)}
            return table.assign(**{self.name: table["file"].map(values).astype(float)})
        if "frame" not in table or not len(table):
            raise InputError("The table has neither a column frame nor several files; a covariate belongs to these.")
        n_frames = len(self.values) if self.values and not self.even else int(table["frame"].max()) + 1
        return with_covariate(table, self.of_frames(n_frames))

    def _as_many_as(self, count: int, noun: str) -> list[float]:
        if self.even:
            return list(np.linspace(self.values[0], self.values[1], count))
        if len(self.values) != count:
            raise InputError(
                f"There are {len(self.values)} values of {self.name} for {count} {noun}; give one for each."
            )
        return list(self.values)


def read_covariate(text: str) -> Covariate:
    """The covariate that a text names: a column of a table, numbers, or a field of the headers of files.

    Raises
    ------
    InputError
        If it names none.

    Examples
    --------
    >>> read_covariate("bias=-1,0,1").values
    (-1.0, 0.0, 1.0)
    >>> read_covariate("temperature=300:490").of_frames(3).tolist()
    [300.0, 395.0, 490.0]
    """
    name, typed, numbers = (part.strip() for part in text.partition("="))
    path, colon, column = (part.strip() for part in text.rpartition(":"))
    if colon and Path(path).suffix.lower() in TABLES:
        return _of_table(Path(path), column)
    if not typed:
        if not name or ":" in name:
            raise InputError(f"“{shown(text)}” is no covariate; {HOW}.")
        return Covariate(name)
    even = ":" in numbers
    try:
        values = tuple(float(number) for number in numbers.split(":" if even else ","))
    except ValueError:
        values = ()
    if not name or not values or not np.isfinite(values).all() or (even and len(values) != 2):
        raise InputError(f"“{shown(text)}” is no covariate; {HOW}.")
    return Covariate(name, values, even)


def check_covariate(covariate: Any, image: Micrograph) -> None:
    """Refuse a covariate that has no name, or not a number for every frame of a movie.

    Raises
    ------
    InputError
    """
    if covariate is None:
        return
    if not isinstance(covariate, pd.Series) or not isinstance(covariate.name, str) or covariate.name in POSITIONS:
        raise InputError('A covariate is a Series with a name of its own: pandas.Series(values, name="temperature").')
    if not is_numeric_dtype(covariate) or not np.isfinite(covariate.to_numpy(float)).all():
        raise InputError(f"The covariate {covariate.name} holds text or gaps; give a number for every frame.")
    if len(covariate) != image.n_frames or image.n_frames == 1:
        raise InputError(
            f"There are {len(covariate)} values of {covariate.name}, and the image has {image.n_frames} "
            f"frame{'s' * (image.n_frames != 1)}; give a movie, and a number for every frame."
        )


def with_covariate(atoms: pd.DataFrame, covariate: pd.Series) -> pd.DataFrame:
    """A table of positions with a column that has the value of the frame of each row.

    Raises
    ------
    InputError
        If the table has more frames than there are values.
    """
    frames = frame_numbers(atoms)
    if len(frames) and not frames.max() < len(covariate):
        raise InputError(f"There are {len(covariate)} values of {covariate.name}, but a frame {frames.max()}.")
    return atoms.assign(**{str(covariate.name): covariate.to_numpy(float)[frames]})


def _of_table(path: Path, column: str) -> Covariate:
    table = read_table(path)
    if column not in table:
        raise InputError(f"{path} has no column {shown(column)}; it has {', '.join(map(str, table))}.")
    table = table.sort_values("frame") if "frame" in table else table
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    if not len(values) or not np.isfinite(values).all():
        raise InputError(f"The column {column} of {path} holds text or gaps; give a number in every row.")
    files = tuple(map(str, table["file"])) if "file" in table else ()
    return Covariate(column, tuple(values.tolist()), files=files)


def _field(metadata: Mapping[str, Any], name: str, path: Path) -> float:
    """A number of the header, by its name, or by the names of what it lies in with dots between."""
    found = {value for key, value in _flat(metadata) if key == name or key.endswith(f".{name}")}
    try:
        (value,) = {float(value) for value in found}
    except (TypeError, ValueError):
        known = ", ".join(sorted(key for key, value in _flat(metadata) if isinstance(value, int | float)))
        raise InputError(
            f"The header of {path.name} has no number {shown(name)}; it has {known or 'none'}. Or {HOW}."
        ) from None
    return value


def _flat(metadata: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in metadata.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        elif isinstance(value, str | int | float):
            yield f"{before}{key}", value
