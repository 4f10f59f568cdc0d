"""How often atoms of a movie change from class to class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ..rates import Transitions, lacks_labels, lacks_tracks, transitions
from .data import FigureData
from .style import FONT, INK, LETTER, SMALL, WIDTH, axes_at, new_figure, picture_frame, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOOT, TOP = 6.0, 8.0  # mm for the words below, and the names of classes above
MOST_NUMBERED = 6  # classes whose numbers have room in the squares
PALE = 0.55  # of the darkest shade; on a darker square numbers are white


def changes_figure(data: FigureData) -> Figure:
    """Probability of every change from one frame to the next, with its 95 % interval.

    Parameters
    ----------
    data : FigureData

    Raises
    ------
    InputError
        If there are no tracks or no classes.
    """
    if lack := lacks_changes(data):
        raise InputError(lack)
    found = transitions(data.table, data.classes)
    names = [shortened(str(name)) for name in found.matrix]
    left = 8 + LETTER * max(map(len, names))
    side = WIDTH - left - 2
    figure = new_figure(side + TOP + FOOT + 2)
    axes = axes_at(figure, left, FOOT, side, side)
    picture_frame(axes)
    axes.imshow(_shades(found), cmap="Blues", vmin=0, vmax=1)
    axes.xaxis.tick_top()
    upright = max(map(len, names)) * LETTER < 0.9 * side / len(names)
    axes.set_xticks(range(len(names)), names if upright else range(1, len(names) + 1), fontsize=FONT, color=INK)
    numbered = [name if upright else f"{name} ({number})" for number, name in enumerate(names, start=1)]
    axes.set_yticks(range(len(names)), numbered, fontsize=FONT, color=INK)
    axes.tick_params(length=0, pad=2)
    if len(names) <= MOST_NUMBERED:
        _write_numbers(axes, found)
    figure.supxlabel("probability from frame to frame, from row to column", fontsize=FONT, color=INK)
    return figure


def lacks_changes(data: FigureData) -> str:
    """What is missing for the figure; empty if nothing."""
    if not data.classes:
        return "Needs classes: a column of words, or groups of the latents."
    if not data.has_places:
        return "Needs the places of the atoms: columns y and x."
    return lacks_tracks(data.table, data.classes) or lacks_labels(data.table["track"], data.table.get("frame"))


def _shades(found: Transitions) -> npt.NDArray[np.float64]:
    """Shade of each square; those of changes reach from 0 to the most frequent one, and staying has none."""
    shades = found.matrix.to_numpy(copy=True)
    np.fill_diagonal(shades, 0)
    return shades / max(shades.max(), 1e-12)


def _write_numbers(axes: Any, found: Transitions) -> None:
    n = len(found.matrix)
    dark = _shades(found) > PALE
    for place, row in enumerate(found.table.to_dict("records")):
        i, j = divmod(place, n)
        color = "white" if dark[i, j] else INK
        axes.text(j, i - 0.06, f"{row['probability']:.4f}", ha="center", va="bottom", fontsize=FONT, color=color)
        interval = f"{row['probability_low']:.4f} to {row['probability_high']:.4f}"
        axes.text(j, i + 0.06, interval, ha="center", va="top", fontsize=SMALL, color=color)
