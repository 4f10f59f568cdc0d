"""Atoms in the plane of two columns, coloured by a third."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ..rasterizing import rasterize
from .data import FigureData, text_of
from .style import MANY, SOME, WIDTH, axes_at, dots_of, draw_key, key_height, new_figure, plot_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 62.0  # mm
LEFT, BELOW = 11.0, 8.5  # mm, for numbers and names
FEWEST_INK, MOST_INK = 1.5, 14.0  # points², area of a symbol


def scatter_figure(data: FigureData) -> Figure:
    """Two columns of numbers against one another; where points crowd, their density.

    Raises
    ------
    InputError
        If there are not two columns of numbers, or no atom has both.
    """
    if not all(data.plane):
        raise InputError("There are not two columns of numbers to draw against one another.")
    x, y = (data.table[name].to_numpy(float) for name in data.plane)
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(known):
        raise InputError(f"No atom has both {data.plane[0]} and {data.plane[1]}; choose other columns.")
    coloring = data.coloring() if data.color else None
    key = key_height(coloring, left=LEFT)
    figure = new_figure(HEIGHT + key)
    axes = axes_at(figure, LEFT, key + BELOW, WIDTH - LEFT - 2, HEIGHT - BELOW - 2)
    plot_frame(axes, *(text_of(name) for name in data.plane))
    rgba = np.full((len(known), 4), (0, 114, 178, 255), np.uint8) if coloring is None else coloring.rgba[known]
    axes.set(xlim=_span(x[known]), ylim=_span(y[known]))
    _draw_points(axes, x[known], y[known], rgba)
    draw_key(figure, coloring, text_of(data.color), left=LEFT)
    return figure


def _draw_points(
    axes: Axes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], rgba: npt.NDArray[np.uint8]
) -> None:
    if len(x) <= MANY:
        size = float(np.clip(8e3 / len(x), FEWEST_INK, MOST_INK))
        order = np.random.default_rng(0).permutation(len(x))  # no class lies on top of all others
        colors = rgba[order] / 255 * [1, 1, 1, 0.85]
        axes.scatter(x[order], y[order], s=size, c=colors, linewidths=0, rasterized=len(x) > SOME)
        return
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    places = x.astype(np.float32), y.astype(np.float32)
    raster = rasterize(*places, rgba, (x0, y0, x1, y1), dots_of(axes))
    axes.imshow(raster.picture, extent=(x0, x1, y0, y1), origin="lower", aspect="auto", interpolation="nearest")
    axes.set(xlim=(x0, x1), ylim=(y0, y1))


def _span(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Limits of an axis: all values and a little room; never empty."""
    low, high = float(values.min()), float(values.max())
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room
