"""Names and colours of classes, the same on points, label images, plots and figures."""

from __future__ import annotations

from sys import float_info
from typing import TYPE_CHECKING
from unicodedata import normalize

from .errors import InputError

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 1000  # that a model may have
MOST_LABELS = 255  # classes that an 8-bit label image can tell apart, 0 being none
NO_CLASS = ""  # class of a point without latents; napari cannot colour by a column with missing text
# The first eight are Okabe and Ito's without black, which people with any colour vision tell apart; eight more keep
# away from these and from each other by 13 in CIEDE2000.
CLASS_COLORS = (
    *("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999"),
    *("#ffb3c1", "#8a8f00", "#aee3ff", "#f49a7b", "#5fd3ad", "#e0d0b0", "#8c6bd1", "#9a5b2d"),
)
ATOM_COLOR = "#00e5ff"  # of points that have no classes


def class_name(value: object) -> str:
    """A value as the name of a class: letters with accents are the same ones in whichever way Unicode writes them."""
    return normalize("NFC", str(value).strip())


def class_colors(n: int) -> list[str]:
    """One colour per class, repeating after sixteen."""
    return [CLASS_COLORS[i % len(CLASS_COLORS)] for i in range(n)]


def class_cycle(n: int) -> dict[str, str]:
    """Colour of each of `n` class names on Points, the same as on the Labels."""
    return {NO_CLASS: "transparent"} | {str(i): color for i, color in enumerate(class_colors(n))}


def class_names(classes: pd.Series) -> pd.Series:
    """Classes as text categories, which napari takes for a colour cycle without asking; they may be such text already.

    What is no class (NaN, infinite, ``""`` or below 0) becomes ``""``.

    Raises
    ------
    InputError
        If the numbers are too high to be those of classes.
    """
    import pandas as pd

    known = pd.to_numeric(classes.astype(object), errors="coerce").astype(float)
    known = known.where(known.between(0, float_info.max), -1)
    if known.max() >= MOST_LABELS:
        raise InputError(
            f"The classes “{classes.name}” go up to {known.max():.0f}, and at most {MOST_LABELS} can be told apart; "
            "number them from 0."
        )
    numbers = known.astype(int)
    names = numbers.astype(str).where(numbers >= 0, NO_CLASS)
    categories = [NO_CLASS, *map(str, range(numbers.max() + 1))]
    return pd.Series(pd.Categorical(names, categories=categories), index=classes.index)
