"""The results of a long job on one file, kept frame by frame until all are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, Field

from ..atoms.frames import note_skipped
from ..atoms.recipe import Recipe
from ..core.errors import InputError, ReadError
from ..core.folders import holds, remove_folder, replacing
from ..core.normalization import Normalization
from ..core.settings import Saved, Whole, allowed
from ..io.json_files import read_json
from ..io.writing import read_table, write_table

MARKER = "job.json"
SKIPPED = "skipped"  # attribute of a part whose frame shows nothing
COUNT = "atoms_found"  # attribute of a part: how many atoms the frame has, with a window or without


class _Basis(BaseModel):
    recipe: Recipe
    limits: Normalization | None


class _Job(Saved):
    """What the marker holds."""

    identity: dict[str, Any] = Field(default_factory=dict)
    basis: _Basis | None = None


class Parts:
    """A folder with one parquet file per frame, each written whole or not at all.

    A job that was broken off finds what it did before. The parts of another job give way to the new one; of the same
    file with other options, which may have taken hours, only if they may be lost.

    Parameters
    ----------
    folder : path
        Beside the table that the parts become.
    identity : dict
        The `stamp_of` the file and the settings, as values that JSON knows; not the path, for folders are moved.
    lose : bool
        Whether parts of the same file with other settings may be lost.

    Attributes
    ----------
    basis : dict or None
        What the first frame says about the others; ``None`` before it is done.

    Raises
    ------
    InputError
        If there are such parts, and they may not.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], *, lose: bool = True) -> None:
        self.folder = folder
        self._identity = json.loads(json.dumps(identity))
        known = _known(folder)
        self.basis: dict[str, Any] | None = None if known.basis is None else known.basis.model_dump()
        if known.identity != self._identity:
            same_file = known.identity.get("stamp") == self._identity.get("stamp")
            if same_file and not lose and any(folder.glob("frame-*.parquet")):
                raise InputError(
                    f"{folder} holds frames that were done with other options or another model; give these again, or "
                    "allow them to be lost (--overwrite)."
                )
            self.discard()
            self.basis = None

    def begin(self, basis: dict[str, Any]) -> None:
        """Note what the first frame says; parts can be added from now on."""
        self.basis = basis
        with replacing(self.folder / MARKER) as temporary:
            temporary.write_text(json.dumps({"identity": self._identity, "basis": basis}), encoding="utf-8")

    def add(self, frame: int, table: pd.DataFrame) -> None:
        """Keep the result of a frame."""
        write_table(table, self._path(frame))

    def has(self, frame: int) -> bool:
        """Whether the result of a frame is there, can be read to its end, and has its atoms numbered."""
        path = self._path(frame)
        try:
            return path.is_file() and _is_numbered(read_table(path))
        except ReadError:  # cut short, by a disk or a machine that failed
            return False

    def join(self, frames: list[int]) -> pd.DataFrame:
        """One table of all frames, atoms numbered through as `detect_atoms` numbers them."""
        tables, first = [], 0
        skipped: list[int] = []
        for frame in frames:
            table = read_table(self._path(frame))
            if table.attrs.get(SKIPPED):
                skipped.append(frame)
                continue
            tables.append(table.set_axis(table.index + first, axis=0))
            first += table.attrs.get(COUNT, len(table))
        attributes = tables[0].attrs if tables else {}
        whole = pd.concat(tables) if tables else pd.DataFrame()
        whole.attrs = {key: value for key, value in attributes.items() if key != COUNT}
        return note_skipped(whole, skipped)

    def discard(self) -> None:
        """Remove the folder; one that holds no parts is left alone."""
        if holds(self.folder, MARKER):
            remove_folder(self.folder)

    def _path(self, frame: int) -> Path:
        return self.folder / f"frame-{frame:06d}.parquet"


def _is_numbered(table: pd.DataFrame) -> bool:
    return table.index.inferred_type == "integer" and allowed(table.attrs.get(COUNT, 0), Whole)


def _known(folder: Path) -> _Job:
    """What the marker of a folder says."""
    try:
        return read_json(folder / MARKER, _Job)
    except ReadError:
        return _Job()
