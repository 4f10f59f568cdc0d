"""What tasks have in common that find the atoms of each file, or take them from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..atoms.recipe import Options
from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..io.reading import read
from ..io.writing import read_table
from ..workflow.atoms import check_grid, find_atoms
from ..workflow.records import content_hash
from .outcomes import Say


class AtomTask:
    """A task that works with atoms.

    Attributes
    ----------
    detection : dict
        Options of `detect_atoms`.
    dataset : str or int, optional
        Name or number of the image in files with several.
    atoms : path, optional
        A table of atoms instead of detecting them; for one file only.
    grid : float or str, optional
        Step of a regular grid of windows instead of atoms, in pixels or with a unit; of tasks that cut windows.
    pixel_size : (float, float), optional
        Nanometres along rows and columns, in place of what the files say.
    """

    name: ClassVar[str] = ""
    stages: ClassVar[tuple[str, ...]] = ()
    detection: dict[str, Any]
    dataset: str | int | None
    atoms: Path | None
    grid: float | str | None = None
    pixel_size: tuple[float, float] | None

    def read(self, path: Path) -> Micrograph:
        """The image of a file."""
        return read(path, dataset=self.dataset, pixel_size=self.pixel_size)

    def prepare(self, n_files: int) -> None:
        """See `check_table`."""
        self.check_table(n_files)

    def check_table(self, n_files: int) -> None:
        """Refuse a table of atoms for several images, or beside a grid, or one that is none."""
        check_grid(self.grid, self.atoms)
        if self.atoms is not None and n_files > 1:
            raise InputError("A table of atoms belongs to one image; give one file at a time with --atoms.")
        self.table()

    def settings(self) -> dict[str, Any]:
        """What the result depends on."""
        atoms = None if self.atoms is None else content_hash([self.atoms])
        asked = detection_settings(self.detection)
        known: dict[str, Any] = {"task": self.name, "detection": asked, "dataset": self.dataset, "atoms": atoms}
        known |= {} if self.grid is None else {"grid": self.grid}  # records of earlier versions have none
        return known | pixel_size_settings(self.pixel_size)

    def by_frame(self, overwrite: bool) -> Any:
        """Only atoms and latents are found frame by frame."""
        raise InputError(f"“{self.name}” takes whole files, one after the other; leave out the scheduler.")

    def table(self) -> pd.DataFrame | None:
        """The table of atoms, if one was given."""
        return None if self.atoms is None else read_table(self.atoms)

    def find_atoms(self, image: Micrograph, say: Say, follow: bool = False) -> pd.DataFrame:
        """From the table, or detected."""
        table = self.table()
        return find_atoms(image, self.detection, say, follow) if table is None else table


def pixel_size_settings(size: tuple[float, float] | None) -> dict[str, Any]:
    """The pixel size as a setting, if it was given; records of earlier versions have none."""
    return {} if size is None else {"pixel_size": list(size)}


class WritesTable:
    """A task that writes a table for every file."""

    ending: ClassVar[str] = ""
    suffix: ClassVar[str] = ".csv"

    def targets(self, places: Sequence[Path], out: Path) -> list[Path]:
        """FILE-ending, with the suffix."""
        return [place.with_name(f"{place.name}-{self.ending}{self.suffix}") for place in places]

    def check(self, target: Path) -> None:
        """A table may replace a file, not a folder."""
        if target.is_dir():
            raise InputError(f"{target} is a folder; choose another folder for the results.")


def detection_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Every option of the detection, also those that were left out, as JSON keeps them; refuses what is none."""
    asked = Options(**options)
    listed: dict[str, Any] = _listed(asdict(asked) | {"refine": asked.placing})
    return listed


def _listed(value: Any) -> Any:
    """Arrays as lists, and what JSON does not know as text."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
