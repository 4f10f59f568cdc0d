"""Colours of points by a column of their table, the same in plots, Points and Labels layers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.class_colors import CLASS_COLORS, MOST_LABELS, NO_CLASS, class_name
from ..core.errors import InputError
from .circular import wrapped

COLORMAP, CYCLIC, SIGNED, UNSURE = "viridis", "twilight_shifted", "coolwarm", "cividis"
NOTHING = (170, 170, 170, 90)  # colour of what has no value
FAINTEST = 0.15  # opacity of the least certain
SIGNED_NAMES = re.compile(
    r"(vae_)?((screen_)?strain_(xx|xy|yy)|dilation|(local_)?rotation|(displacement|polarisation|shift)_[yx]|mirror)"
)
UNITS = {r"angle|(local_)?rotation": "°", r"(displacement|polarisation|shift)_[yx]|spacing|sigma(_[yx])?": "px"}


@dataclass(frozen=True)
class Coloring:
    """Colours of N points.

    Attributes
    ----------
    rgba : array (N, 4) uint8
    name : str
        Of the column.
    limits : (float, float), optional
        Values at the ends of the colour map, of numbers.
    colormap : str
        Name in matplotlib, of numbers.
    classes : tuple of (str, str, int)
        Name, colour and number of members of every class, of words.
    """

    rgba: npt.NDArray[np.uint8]
    name: str = ""
    limits: tuple[float, float] | None = None
    colormap: str = ""
    classes: tuple[tuple[str, str, int], ...] = field(default=())

    @property
    def title(self) -> str:
        """The name with the unit of the values, as far as it is known."""
        unit = unit_of(self.name)
        return f"{self.name} ({unit})" if unit and self.limits else self.name

    @property
    def table(self) -> npt.NDArray[np.float64]:
        """The colours (256, 4) of numbers from the lower to the upper limit, in [0, 1]."""
        from matplotlib import colormaps

        table: npt.NDArray[np.float64] = colormaps[self.colormap](np.linspace(0, 1, 256))
        return table


def color_by(
    column: pd.Series,
    *,
    certainty: npt.NDArray[np.float64] | None = None,
    period: float | None = None,
    palette: dict[str, str] | None = None,
) -> Coloring:
    """Colours by a column: words and classes one colour each, numbers on a colour map.

    The limits of numbers leave out the outermost hundredth at either end, so that rare extremes do not wash out the
    rest. Angles in degrees have a cyclic colour map, strain and other signed values one with 0 in its middle.

    Parameters
    ----------
    column : Series
        Words, categories, booleans; or numbers.
    certainty : array (N,) in [0, 1], optional
        Becomes the opacity.
    period : float, optional
        Of angles: they are known modulo it, and their colours go once around in it. Otherwise once around in their
        range.
    palette : dict of str to str, optional
        Colours of classes by name, ``"#rrggbb"``, where they are not those of their order.

    Raises
    ------
    InputError
        For more classes than colours can tell apart.

    Examples
    --------
    >>> color_by(pd.Series(["a", "b", "a"], name="kind")).classes
    (('a', '#e69f00', 2), ('b', '#56b4e9', 1))
    """
    colors = _by_class(column, palette or {}) if is_categorical(column) else _by_number(column, period)
    if certainty is None:
        return colors
    opacity = FAINTEST + (1 - FAINTEST) * np.nan_to_num(np.clip(certainty, 0, 1))
    rgba = colors.rgba.copy()
    rgba[:, 3] = (rgba[:, 3] * opacity).astype(np.uint8)
    return replace(colors, rgba=rgba)


def is_categorical(column: pd.Series) -> bool:
    """Whether a column names classes rather than numbers."""
    return (
        isinstance(column.dtype, pd.CategoricalDtype)
        or not pd.api.types.is_numeric_dtype(column.dtype)
        or (pd.api.types.is_bool_dtype(column.dtype))
    )


def is_angle(name: str) -> bool:
    """Whether a column of this name holds angles in degrees."""
    return "angle" in name and not name.endswith("_sd")


def is_signed(name: str) -> bool:
    """Whether 0 is the middle of a column of this name, and its sign a direction."""
    return SIGNED_NAMES.fullmatch(name) is not None


def unit_of(name: str) -> str:
    """Unit of a column of ours; empty where it has none, or it is not known."""
    bare = name.removeprefix("vae_").removesuffix("_sd")
    return next((unit for names, unit in UNITS.items() if re.fullmatch(names, bare)), "")


def class_order(column: pd.Series) -> list[str]:
    """Names of the classes of a column in the order of their colours: that of its categories, else of the alphabet.

    Raises
    ------
    InputError
        For more classes than colours can tell apart.
    """
    ordered = isinstance(column.dtype, pd.CategoricalDtype)
    values = column.cat.categories if ordered else column.dropna().unique()
    if len(values) > MOST_LABELS + 1:  # one may be none
        raise _too_many(column, len(values))
    names = list(dict.fromkeys(class_name(value) for value in values))
    names = [name for name in (names if ordered else sorted(names)) if name != NO_CLASS]
    if len(names) > MOST_LABELS:
        raise _too_many(column, len(names))
    return names


def _too_many(column: pd.Series, n: int) -> InputError:
    return InputError(
        f"The column “{column.name}” has {n} different values, more than colours can tell apart; choose a column of "
        f"numbers or of at most {MOST_LABELS} classes."
    )


def codes_of(column: pd.Series, names: list[str]) -> npt.NDArray[np.int64]:
    """Number in `names` of the class of every row (N,), −1 for none of them."""
    where = {name: number for number, name in enumerate(names)}
    numbers, values = pd.factorize(column)  # −1 for what is missing
    table = np.array([*(where.get(class_name(value), -1) for value in values), -1], dtype=np.int64)
    return table[numbers]


def _by_class(column: pd.Series, palette: dict[str, str]) -> Coloring:
    names = class_order(column)
    colors = [palette.get(name, CLASS_COLORS[i % len(CLASS_COLORS)]) for i, name in enumerate(names)]
    table = np.array([*(_rgba(color) for color in colors), NOTHING], dtype=np.uint8)
    codes = codes_of(column, names)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    classes = tuple((name, color, int(n)) for name, color, n in zip(names, colors, counts, strict=True))
    return Coloring(table[codes], str(column.name), classes=classes)


def _by_number(column: pd.Series, period: float | None) -> Coloring:
    name, values = str(column.name), column.to_numpy(dtype=float)
    known = np.isfinite(values)
    colormap = _colormap(name)
    if colormap == CYCLIC and period:
        values, limits = wrapped(values, period), (-period / 2, period / 2)
    else:
        limits = _limits(values[known], colormap)
    made = Coloring(np.zeros((0, 4), np.uint8), name, limits, colormap)
    share = (np.where(known, values, limits[0]) - limits[0]) / (limits[1] - limits[0])
    rgba = (made.table * 255).astype(np.uint8)[(share * 255).clip(0, 255).astype(np.intp)]
    rgba[~known] = NOTHING
    return replace(made, rgba=rgba)


def _colormap(name: str) -> str:
    if is_angle(name):
        return CYCLIC
    if name.endswith("_sd"):
        return UNSURE
    return SIGNED if is_signed(name) else COLORMAP


def _limits(values: npt.NDArray[np.float64], colormap: str) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    if colormap == SIGNED:
        most = float(np.percentile(np.abs(values), 99)) or 1.0
        return -most, most
    low, high = (float(v) for v in np.percentile(values, [0, 100] if colormap == CYCLIC else [1, 99]))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _rgba(color: str) -> tuple[int, int, int, int]:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue, 255
