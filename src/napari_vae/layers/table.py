"""The table behind a Points or Labels layer, whoever made it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.coloring import is_categorical
from ..core.errors import InputError
from .points import KEY

AXES = ("frame", "y", "x")


def has_table(layer: Any) -> bool:
    """Whether a layer has rows that can be plotted: points, or labels with features. Helpers of ours are left out."""
    kind = layer.__class__.__name__
    if kind == "Labels":
        return bool(layer.features.select_dtypes("number").shape[1])
    return kind == "Points" and layer.metadata.get(KEY, {}).get("kind") != "preview"


def table_of(layer: Any) -> pd.DataFrame:
    """Features of a layer, one row per point or label, and behind them the positions of points.

    Positions are in pixels: ``y``, ``x``, of movies also ``frame``. Columns of the features that have such a name stay.
    """
    table = layer.features.reset_index(drop=True)
    missing = {name: values for name, values in positions_of(layer).items() if name not in table}
    return pd.concat([table, pd.DataFrame(missing, index=table.index)], axis=1)


def positions_of(layer: Any) -> dict[str, npt.NDArray[np.float64]]:
    """Positions of points by the names of their axes; of labels none."""
    if layer.__class__.__name__ != "Points":
        return {}
    points = np.asarray(layer.data, float)
    return {name: points[:, -k] for k, name in ((3, "frame"), (2, "y"), (1, "x")) if points.shape[1] >= k}


def numeric_columns(table: pd.DataFrame) -> list[str]:
    """Columns that can be an axis of a plot, latents first, positions last."""
    return sorted((str(name) for name in table if not is_categorical(table[name])), key=_place)


def color_columns(table: pd.DataFrame) -> list[str]:
    """Columns that can be shown as colours: classes first, then numbers as `numeric_columns` has them."""
    words = [str(name) for name in table if is_categorical(table[name])]
    return [*sorted(words, key=lambda name: not name.startswith("class")), *numeric_columns(table)]


def color_to_begin_with(table: pd.DataFrame) -> str:
    """The classes where there are any, else the first latent."""
    names = color_columns(table)
    return next((name for name in ("class_name", "class", *numeric_columns(table)) if name in names), names[0])


def check_plottable(table: pd.DataFrame) -> None:
    """Refuse a table without two columns of numbers.

    Raises
    ------
    InputError
        If there is nothing to plot.
    """
    if not len(table):
        raise InputError("The layer is empty; detect atoms first, or choose another layer.")
    if len(numeric_columns(table)) < 2:
        raise InputError("The layer has fewer than two columns of numbers; train a model on it, or choose another one.")


def _place(name: str) -> tuple[int, int]:
    """Latents or the embedding first, in their order, then everything else as it comes, then positions."""
    latent = re.fullmatch(r"(?:vae_)?z(\d+)|embedding_(\d+)", name)
    if latent:
        return 0, int(latent[1] or latent[2])
    return (2, 0) if name in AXES else (1, 0)
