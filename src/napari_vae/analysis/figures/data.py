"""What figures are drawn from, whether a finished analysis or the layers of a viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.class_colors import class_names
from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...core.positions import table_spacing
from ...models.components import UNITS
from ...patches.patches import Patches, symbol_spacing
from ..coloring import Coloring, color_by, is_categorical

if TYPE_CHECKING:
    from ...runs.run import Run

PLACES = ("frame", "y", "x")
CLASSES = ("class_name", "class")


class Analysed(Protocol):
    """What figures need of a finished analysis."""

    @property
    def latents(self) -> pd.DataFrame:
        """One row per atom."""

    @property
    def micrograph(self) -> Micrograph:
        """What the atoms lie on."""

    @property
    def patches(self) -> Patches:
        """Windows around them."""

    @property
    def run(self) -> Run:
        """The model that described them."""


@dataclass(frozen=True)
class FigureData:
    """What figures are drawn from; the more of it there is, the more of them.

    Parameters
    ----------
    table : DataFrame
        One row per atom: columns ``y`` and ``x`` in pixels of the micrograph, ``frame`` of a movie, and any others.
        Without ``y`` and ``x`` there are only the figures that need no places.
    micrograph : Micrograph, optional
        What the atoms lie on.
    patches : Patches, optional
        Windows around atoms; the index of ``patches.atoms`` says which rows of `table` they belong to.
    run : Run, optional
        The model that described the atoms.
    color : str
        The column that colours the atoms; by default the first latent, else angles, classes, or the first numbers.
    plane : (str, str)
        The columns along x and y of the scatter; by default the first two latents, else the first two of numbers.
    frame : int, optional
        Of a movie; by default the first one with atoms.
    along : str
        The column of the covariate, such as temperature; see `covariate`.

    Raises
    ------
    InputError
        If the table has no rows, or not these columns.

    Examples
    --------
    >>> FigureData.of(load_analysis("results"), color="angle")  # doctest: +SKIP
    """

    table: pd.DataFrame
    micrograph: Micrograph | None = None
    patches: Patches | None = None
    run: Run | None = None
    color: str = ""
    plane: tuple[str, str] = ("", "")
    frame: int | None = None
    along: str = ""

    def __post_init__(self) -> None:
        if not len(self.table):
            raise InputError("The table has no rows, so there is nothing to draw; choose points that are not empty.")
        for name in filter(None, (self.color, *self.plane, self.along)):
            if name not in self.table:
                columns = ", ".join(str(column) for column in self.table)
                raise InputError(f"The table has no column {name}; choose one of {columns}.")
        for name in filter(None, self.plane):
            if name not in self.numbers:
                raise InputError(f"The column {name} holds no numbers; choose others for the two axes.")
        object.__setattr__(self, "color", self.color or self._first_color())
        if not all(self.plane):
            object.__setattr__(self, "plane", tuple([*self.latents, *self.numbers, "", ""][:2]))

    @classmethod
    def of(cls, analysis: Analysed, **choices: Any) -> Self:
        """Of a finished analysis; `choices` are those of the constructor."""
        return cls(analysis.latents, analysis.micrograph, analysis.patches, analysis.run, **choices)

    def colored(self, column: str) -> Self:
        """The same, coloured by another column."""
        return replace(self, color=column)

    @property
    def has_places(self) -> bool:
        """Whether the table says where the atoms are."""
        return {"y", "x"} <= set(self.table)

    @property
    def latents(self) -> list[str]:
        """Columns of latents: ``z1`` …"""
        return [str(name) for name in self.table if is_latent(str(name))]

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers besides the positions, not those of classes."""
        return [
            str(name)
            for name, column in self.table.items()
            if name not in (*PLACES, *CLASSES) and not is_categorical(column)
        ]

    @property
    def classes(self) -> str:
        """The column of classes; empty where there is none."""
        if self.color and (self.color in CLASSES or is_categorical(self.table[self.color])):
            return self.color
        return next((name for name in CLASSES if name in self.table), "")

    @property
    def angle(self) -> str:
        """The column of angles; empty where there is none."""
        angles = [name for name in self.numbers if is_angle(name)]
        return self.color if self.color in angles else next(iter(angles), "")

    @property
    def covariate(self) -> str:
        """The column that was chosen, else one of numbers that have one value at every frame or file, else the frame.

        Empty where there is but one frame and file.
        """
        if self.along:
            return self.along
        moments = [name for name in ("file", "frame") if name in self.table and self.table[name].nunique() > 1]
        if not moments:
            return ""
        first = self.table.groupby(moments, sort=False).ngroup().to_numpy()
        rows = np.unique(first, return_index=True)[1][first]  # the first row of the same frame
        for name in self.numbers:
            values = self.table[name].to_numpy(float)
            if np.array_equal(values, values[rows]) and len(np.unique(values)) > 1:
                return name
        return "frame" if "frame" in moments else ""

    @property
    def period(self) -> float:
        """Degrees after which the motif looks the same: 360 divided by the order of its symmetry, as the run says."""
        return 360.0 / (self.run.symmetry if self.run is not None else 1)

    @property
    def spacing(self) -> float:
        """Distance between neighbours in pixels, for the size of symbols."""
        if self.patches is not None:
            return symbol_spacing(self.patches)
        spacing = table_spacing(self.table)
        return spacing if spacing > 0 else 10.0

    def coloring(self, column: str = "") -> Coloring:
        """Colours of the rows by a column, the same as in the plot and the layers.

        Whole numbers of a column ``class`` are classes; angles lie on a circle of the period.
        """
        values = self.table[column or self.color]
        return color_by(_as_classes(values), period=self.period if is_angle(str(values.name)) else None)

    def members(self) -> list[tuple[str, str, npt.NDArray[np.bool_]]]:
        """Name, colour and rows (N,) of every class that has any.

        Raises
        ------
        InputError
            If there is no column of classes.
        """
        if not self.classes:
            raise InputError("There is no column of classes; group the atoms first, or choose a column of words.")
        words = _as_classes(self.table[self.classes]).astype(object)
        names = np.array(["" if word != word or word is None else str(word) for word in words], dtype=object)
        return [(name, color, names == name) for name, color, n in self.coloring(self.classes).classes if n]

    def _first_color(self) -> str:
        angles = [name for name in self.numbers if is_angle(name)]
        classes = [name for name in CLASSES if name in self.table]
        return next(iter([*self.latents, *angles, *classes, *self.numbers]), "")


def _as_classes(column: pd.Series) -> pd.Series:
    numbered = column.name == "class" and not is_categorical(column)
    return class_names(column).rename("class") if numbered else column


def is_latent(name: str) -> bool:
    """Whether a column holds a latent.

    >>> is_latent("z12"), is_latent("z1_sd")
    (True, False)
    """
    return name[:1] == "z" and name[1:].isdigit()


def is_angle(name: str) -> bool:
    """Whether a column holds angles, not their uncertainty."""
    return "angle" in name and not name.endswith("_sd")


def text_of(name: str) -> str:
    """What an axis says of a column: its name, and its unit where that is known."""
    if is_angle(name) or (name.startswith("angle") and name.endswith("_sd")):
        return f"{name} (°)"
    if unit := "px" if name in PLACES[1:] else UNITS.get(name.removesuffix("_sd")):
        return f"{name} ({unit})"
    return {"elbo": "ELBO (nats)"}.get(name, name.replace("_", " "))
