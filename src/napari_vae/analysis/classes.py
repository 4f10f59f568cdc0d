"""Classes of atoms by name: read from a column, assigned, renamed, merged, coloured, and written back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.class_colors import CLASS_COLORS, MOST_LABELS, NO_CLASS, class_name
from ..core.errors import InputError
from .coloring import class_order, codes_of

Codes = npt.NDArray[np.int32]

MOST_COUNTED = 2**53  # a number from which on not every whole one is a float


@dataclass(frozen=True, eq=False)
class Classes:
    """Which class each of N atoms is of. Every change makes a new one, so that earlier ones can be taken back.

    Attributes
    ----------
    codes : array (N,) int32
        Number of the class in `names`, −1 for none.
    names, colors : tuple of str
        Of the classes, in their order; colours as ``"#rrggbb"``.

    Examples
    --------
    >>> Classes.of(pd.Series(["bulk", "", "edge"])).assign([1], "edge").counts
    (1, 2)
    """

    codes: Codes
    names: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: pd.Series, palette: dict[str, str] | None = None) -> Classes:
        """Read a column of words, categories, booleans or whole numbers (below 0: none).

        Raises
        ------
        InputError
            For more classes than colours can tell apart, or numbers with fractions.
        """
        if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
            column = _words_of_numbers(column)
        try:
            names = class_order(column)
        except TypeError:  # lists, arrays
            raise InputError(
                f"The column “{column.name}” holds neither words nor whole numbers; choose another."
            ) from None
        known = palette or {}
        colors = tuple(known.get(name, CLASS_COLORS[i % len(CLASS_COLORS)]) for i, name in enumerate(names))
        return cls(codes_of(column, names).astype(np.int32), tuple(names), colors)

    @property
    def counts(self) -> tuple[int, ...]:
        """Members of every class."""
        return tuple(np.bincount(self.codes[self.codes >= 0], minlength=len(self.names)).tolist())

    @property
    def palette(self) -> dict[str, str]:
        """Colour of every class."""
        return dict(zip(self.names, self.colors, strict=True))

    def column(self, name: str) -> pd.Series:
        """A column of categories, ``""`` for none, as Points layers and other programs read it."""
        kinds = pd.CategoricalDtype([NO_CLASS, *self.names])
        return pd.Series(pd.Categorical.from_codes(self.codes + 1, dtype=kinds), name=name)

    def assign(self, rows: npt.ArrayLike, name: str) -> Classes:
        """Some rows become a class, which is made if there is none of that name; ``""`` takes the class away."""
        name = class_name(name)
        classes = self if not name or name in self.names else self._with(name)
        codes = classes.codes.copy()
        codes[np.asarray(rows, dtype=np.int64)] = classes.names.index(name) if name else -1
        return replace(classes, codes=codes)

    def rename(self, old: str, new: str) -> Classes:
        """Give a class another name; if that is the name of another class, the two become one.

        Raises
        ------
        InputError
            For an empty name.
        """
        new = class_name(new)
        if not new:
            raise InputError("A class needs a name; type one, or assign its atoms to another class.")
        if new == old:
            return self
        if new in self.names:
            return self.merge([new, old])
        return replace(self, names=tuple(new if name == old else name for name in self.names))

    def merge(self, names: list[str]) -> Classes:
        """Several classes become the first of them.

        Raises
        ------
        InputError
            For fewer than two classes.
        """
        if len(names) < 2:
            raise InputError("Choose at least two classes in the list to make them one.")
        into = names[0]
        gone = {self.names.index(name) for name in names[1:]}
        kept = [number for number in range(len(self.names)) if number not in gone]
        target = np.full(len(self.names) + 1, -1, dtype=np.int32)  # the last is that of none
        target[kept] = np.arange(len(kept))
        target[list(gone)] = target[self.names.index(into)]
        return Classes(target[self.codes], tuple(self.names[k] for k in kept), tuple(self.colors[k] for k in kept))

    def split(self, name: str, rows: npt.ArrayLike) -> Classes:
        """Those of some rows that are of a class become one of their own, whose name begins with that of the class.

        Raises
        ------
        InputError
            If none of its rows is among them, or all are.
        """
        members = self.codes == self.names.index(name)
        part = np.zeros_like(members)
        part[np.asarray(rows, dtype=np.int64)] = True
        part &= members
        if not 0 < part.sum() < members.sum():
            raise InputError(f"Outline some of the atoms of “{name}” on the plot, and not all of them; then split it.")
        free = next(free for number in count(2) if (free := f"{name}.{number}") not in self.names)
        return self.assign(np.flatnonzero(part), free)

    def recolour(self, name: str, color: str) -> Classes:
        """Give a class another colour."""
        return replace(self, colors=tuple(color if n == name else c for n, c in self.palette.items()))

    def _with(self, name: str) -> Classes:
        _check_number(len(self.names) + 1, "class")
        free = [color for color in CLASS_COLORS if color not in self.colors]
        color = free[0] if free else CLASS_COLORS[len(self.names) % len(CLASS_COLORS)]
        return replace(self, names=(*self.names, name), colors=(*self.colors, color))


def _words_of_numbers(column: pd.Series) -> pd.Series:
    if column.dtype.kind == "c":
        raise InputError(f"The column “{column.name}” is complex, and no classes; choose another.")
    values = column.to_numpy(dtype=float)
    known = np.isfinite(values)
    if (values[known] % 1).any() or np.abs(values[known]).max(initial=0) > MOST_COUNTED:
        raise InputError(f"The column “{column.name}” holds numbers, not classes; choose another, or type a new name.")
    numbers = np.where(known, values, -1).astype(np.int64)
    different = np.unique(numbers[numbers >= 0])
    _check_number(len(different), str(column.name))
    places = np.where(numbers < 0, 0, np.searchsorted(different, numbers) + 1)
    kinds = pd.CategoricalDtype([NO_CLASS, *map(str, different)])
    return pd.Series(pd.Categorical.from_codes(places, dtype=kinds), name=column.name)


def _check_number(n: int, name: str) -> None:
    if n > MOST_LABELS:
        raise InputError(f"“{name}” has {n} classes, and at most {MOST_LABELS} can be told apart; use fewer.")
