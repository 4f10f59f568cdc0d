"""Names and colours of classes, the same on points, label images, plots and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MOST_LABELS = 255  # classes that an 8-bit label image can tell apart, 0 being none
NO_CLASS = ""  # class of a point without latents; napari cannot colour by a column with missing text
# The first eight are Okabe and Ito's without black, which people with any colour vision tell apart; eight more keep
# away from these and from each other by 13 in CIEDE2000.
CLASS_COLORS = (
    *("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999"),
    *("#ffb3c1", "#8a8f00", "#aee3ff", "#f49a7b", "#5fd3ad", "#e0d0b0", "#8c6bd1", "#9a5b2d"),
)


def class_colors(n: int) -> list[str]:
    """One colour per class, repeating after sixteen."""
    return [CLASS_COLORS[i % len(CLASS_COLORS)] for i in range(n)]


def class_cycle(n: int) -> dict[str, str]:
    """Colour of each of `n` class names on Points, the same as on the Labels."""
    return {NO_CLASS: "transparent"} | {str(i): color for i, color in enumerate(class_colors(n))}


def class_names(classes: pd.Series) -> pd.Series:
    """Classes as text categories, which napari takes for a colour cycle without asking; they may be such text already.

    What is no class (NaN, ``""`` or below 0) becomes ``""``.
    """
    import pandas as pd

    numbers = pd.to_numeric(classes.astype(object), errors="coerce").fillna(-1).astype(int)
    names = numbers.astype(str).where(numbers >= 0, NO_CLASS)
    categories = [NO_CLASS, *map(str, range(int(numbers.max()) + 1))]
    return pd.Series(pd.Categorical(names, categories=categories), index=classes.index)
