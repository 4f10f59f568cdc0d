"""How a column is distributed along a covariate, and where the latents change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ..along import FEWEST_VALUES, Change, change_along
from .data import FigureData, text_of
from .style import (
    BLUE,
    FONT,
    INK,
    MOST_NAMED,
    RED,
    WIDTH,
    axes_at,
    draw_key,
    key_height,
    new_figure,
    plain_frame,
    plot_frame,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT, STRIP = 55.0, 9.0  # mm of the density, and of the probabilities of a change above it
LEFT, BELOW = 11.0, 8.5  # mm, for numbers and names
BINS = 48


def density_figure(data: FigureData) -> Figure:
    """Density of the colouring column at every value of the covariate, or the shares of its classes.

    Above it stands how probable a change of the latents is between every two values; the interval that holds it with
    95 % probability is marked.

    Raises
    ------
    InputError
        If there is no covariate, or no column.
    """
    if lack := lacks_density(data):
        raise InputError(lack)
    values = np.unique(data.table[data.covariate].dropna().to_numpy(float))
    edges = _edges(values)
    change = _change(data, len(values))
    classes = data.color == data.classes
    key = key_height(data.coloring(), left=LEFT) if classes else 0.0
    strip = 0.0 if change is None else STRIP
    figure = new_figure(key + BELOW + HEIGHT + strip + 5)
    axes = axes_at(figure, LEFT, key + BELOW, WIDTH - LEFT - 2, HEIGHT)
    plot_frame(axes, text_of(data.covariate), "share" if classes else text_of(data.color))
    (_draw_shares if classes else _draw_density)(axes, data, values, edges)
    axes.set_xlim(edges[0], edges[-1])
    if classes:
        draw_key(figure, data.coloring(), text_of(data.color), left=LEFT)
    if change is not None:
        above = axes_at(figure, LEFT, key + BELOW + HEIGHT + 1, WIDTH - LEFT - 2, STRIP - 1)
        _draw_change(above, axes, change, values, edges)
        above.set_title(_words(change), fontsize=FONT, color=INK, pad=2, y=1)
    return figure


def lacks_density(data: FigureData) -> str:
    """What is missing for the figure; empty if nothing."""
    if not data.covariate:
        return "Needs a column that has one value at every frame or file, such as temperature, or a movie."
    return "" if data.color else "Needs a column whose density is drawn."


def _change(data: FigureData, n_values: int) -> Change | None:
    """Where the latents change, or where there are none, the colouring column; none of too few values."""
    if n_values < FEWEST_VALUES:
        return None
    symmetry = data.run.symmetry if data.run is not None else 1
    columns = None if data.latents else [data.color]
    return change_along(data.table, data.covariate, columns=columns, symmetry=symmetry)


def _words(change: Change) -> str:
    if change.probability < 1 / 2:
        return "probability of a change: none stands out"
    return f"change between {change.before:g} and {change.after:g} (95 %: {change.low:g} to {change.high:g})"


def _edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Limits (n + 1,) of cells around rising values."""
    between = (values[1:] + values[:-1]) / 2
    return np.r_[2 * values[0] - between[0], between, 2 * values[-1] - between[-1]]


def _draw_density(axes: Any, data: FigureData, values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> None:
    column, at = (data.table[name].to_numpy(float) for name in (data.color, data.covariate))
    known = np.isfinite(column) & np.isfinite(at)
    low, high = np.percentile(column[known], [0.2, 99.8]) if known.any() else (0.0, 1.0)
    levels = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts, _, _ = np.histogram2d(at[known], column[known], (edges, levels))
    density = counts / np.maximum(counts.max(axis=1, keepdims=True), 1)
    axes.pcolormesh(edges, levels, density.T, cmap="Blues", vmin=0, vmax=1, rasterized=True)


def _draw_shares(axes: Any, data: FigureData, values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> None:
    at = data.table[data.covariate].to_numpy(float)
    total = np.histogram(at, edges)[0]
    below = np.zeros(len(values))
    members = sorted(data.members(), key=lambda member: -int(member[2].sum()))[:MOST_NAMED]
    for name, color, rows in members:
        share = np.histogram(at[rows], edges)[0] / np.maximum(total, 1)
        axes.stairs(below + share, edges, baseline=below, fill=True, color=color, label=name)
        below = below + share
    axes.set_ylim(0, 1)


def _draw_change(
    above: Any, axes: Any, change: Change, values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]
) -> None:
    plain_frame(above)
    above.spines[["top", "right", "left"]].set_visible(False)
    above.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), xticks=[], yticks=[])
    chance = change.probability * change.table["probability"].to_numpy()[1:]
    above.stairs(chance, values, fill=True, color=BLUE)
    if change.probability >= 1 / 2:
        for place in (change.low, change.high):
            axes.axvline(place, color=RED, linewidth=0.8, linestyle=(0, (3, 2)))
