"""How angles are spread, on the circle where they live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ..circular import Direction, counted, direction_of, folded_period
from ..coloring import Coloring
from .data import FigureData
from .style import BLUE, FONT, INK, LINE, SMALL, WIDTH, axes_at, draw_key, key_height, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

BINS = 72  # on the whole circle
FEWEST = 12  # in a period
RADIUS = 30.0  # mm
PALE = 0.25  # opacity of what the symmetry repeats


def angle_figure(data: FigureData, *, by_class: bool | None = None) -> Figure:
    """Histogram of angles as bars on a circle, with their mean and spread: 0 to the right, counter-clockwise.

    Where the motif looks the same after a part of a turn, the angles are counted modulo that part; the bars of the
    other parts, which repeat them, are pale. Where the angles agree modulo a part of a turn only, so are mean and
    spread.

    Parameters
    ----------
    data : FigureData
    by_class : bool, optional
        Whether the bars are divided into the classes; by default if the atoms are coloured by them.

    Raises
    ------
    InputError
        If there is no column of angles.
    """
    if not data.angle:
        raise InputError("There is no column of angles; a model with rotation among its invariances gives one.")
    if by_class is None:
        by_class = bool(data.color) and data.classes == data.color
    coloring = data.coloring(data.classes) if by_class and data.classes else None
    angles, period = data.table[data.angle].to_numpy(float), data.period
    key, words = key_height(coloring), 8.0
    figure = new_figure(2 * RADIUS + 11 + key + words)
    axes = axes_at(figure, WIDTH / 2 - RADIUS, key + words + 5.5, 2 * RADIUS, 2 * RADIUS, projection="polar")
    _draw_bars(axes, angles, period, _groups(data, coloring))
    agreed = folded_period(angles, period)
    direction = direction_of(angles, agreed)
    _draw_direction(axes, direction, agreed)
    _say(figure, direction, agreed, key)
    draw_key(figure, coloring, "")
    return figure


def _groups(data: FigureData, coloring: Coloring | None) -> list[tuple[npt.NDArray[np.bool_], str]]:
    """Rows and colour of each part of the bars, from the centre outwards."""
    if coloring is None:
        return [(np.ones(len(data.table), bool), BLUE)]
    groups = [(rows, color) for _, color, rows in data.members()]
    rest = ~np.logical_or.reduce([rows for rows, _ in groups])
    return [*groups, (rest, "#bbbbbb")] if rest.any() else groups


def _draw_bars(
    axes: PolarAxes, angles: npt.NDArray[np.float64], period: float, groups: list[tuple[npt.NDArray[np.bool_], str]]
) -> None:
    bins, turns = max(FEWEST, round(BINS * period / 360.0)), round(360.0 / period)  # bars in a period, periods
    step = period / bins
    centres = np.deg2rad(step * np.arange(bins * turns))
    signed = np.where(np.arange(bins) <= bins // 2, np.arange(bins), np.arange(bins) - bins)
    first = np.zeros(bins * turns, bool)
    first[signed % (bins * turns)] = True
    base = np.zeros(bins * turns)
    for rows, color in groups:
        heights = np.tile(counted(angles[rows], bins, period), turns).astype(float)
        for part, alpha in ((first, 1.0), (~first, PALE)):
            if part.any():
                look: dict[str, Any] = {"color": color, "alpha": alpha, "edgecolor": "white", "linewidth": 0.3}
                axes.bar(centres[part], heights[part], width=np.deg2rad(step), bottom=base[part], **look)
        base += heights
    _dial(axes, max(float(base.max()), 1.0))


def _dial(axes: PolarAxes, highest: float) -> None:
    """Circles with their counts and the degrees around them."""
    from matplotlib.ticker import MaxNLocator

    ticks = [tick for tick in MaxNLocator(3, integer=True).tick_values(0, highest) if 0 < tick <= highest]
    axes.set_ylim(0, 1.12 * highest)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=SMALL, color="#666666")
    axes.set_rlabel_position(67.5)
    degrees = np.arange(0, 360, 45)
    names = [f"{value if value <= 180 else value - 360}°".replace("-", "−") for value in degrees]
    axes.set_thetagrids(degrees, names, fontsize=FONT, color=INK)
    axes.tick_params(pad=-1)
    axes.grid(color="#cccccc", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines["polar"].set(linewidth=LINE, color=INK)


def _draw_direction(axes: PolarAxes, direction: Direction, period: float) -> None:
    """The mean as a line, and one spread to either side as an arc on the rim."""
    if not direction.preferred:
        return
    rim = axes.get_ylim()[1]
    mean, spread = np.deg2rad(direction.mean), np.deg2rad(min(direction.spread, period / 2))
    arc = np.linspace(mean - spread, mean + spread, 60)
    axes.plot([mean, mean], [0, rim], color=INK, linewidth=1.0, solid_capstyle="butt")
    axes.plot(arc, np.full(len(arc), rim), color=INK, linewidth=2.6, solid_capstyle="butt", clip_on=False)


def _say(figure: Figure, direction: Direction, period: float, key: float) -> None:
    turn = "" if period == 360 else f", modulo {period:g}°"
    if direction.preferred:
        text = f"mean {direction.mean:.1f}°, spread {direction.spread:.1f}°{turn}".replace("-", "−")
    else:
        text = f"no preferred direction{turn}"
    height = figure.get_size_inches()[1] * 25.4
    figure.text(0.5, (key + 4.6) / height, text, ha="center", fontsize=FONT, color=INK)
    figure.text(0.5, (key + 1.4) / height, f"{direction.n:,} atoms", ha="center", fontsize=SMALL, color="#666666")
