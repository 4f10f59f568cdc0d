"""Names and colours of classes, the same on points, label images, plots and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MOST_LABELS = 255  # classes that an 8-bit label image can tell apart, 0 being none
NO_CLASS = ""  # class of a point without latents; napari cannot colour by a column with missing text
# Okabe and Ito's colours, which people with any colour vision tell apart; black left out
CLASS_COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999")


def class_colors(n: int) -> list[str]:
    """One colour per class, repeating after eight."""
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
