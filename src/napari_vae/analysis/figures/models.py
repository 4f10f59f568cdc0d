"""What a model learnt: the plane of its latents, decoded, and its loss by the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.class_colors import class_colors
from ...core.errors import InputError
from ...runs.decoding import blocks_across, class_manifolds, tile
from .data import FigureData
from .style import BLUE, FONT, INK, MARGIN, RED, SMALL, WIDTH, axes_at, new_figure, plain_frame, plot_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...runs.run import Run

LEFT, BELOW, TITLE, GAP = 10.0, 7.0, 4.5, 2.0  # mm
PANELS = {"loss": "loss", "reconstruction": "reconstruction", "kl": "KL"}
PANEL = 24.0  # mm
WIDE = 5.0  # largest by smallest value from which on an axis is logarithmic
FAR = 100.0  # and from which on it names powers of ten only


def manifold_figure(data: FigureData) -> Figure:
    """Decoded images over the plane of the first two latents, one plane for every class of a model with classes.

    Raises
    ------
    InputError
        If there is no run.
    """
    run = _run(data)
    planes = class_manifolds(run, 5 if run.scale.n else 9)
    per_row = blocks_across(len(planes))
    one_line = run.model_config.latent_dim == 1
    pictures = [tile(tiles[:1] if one_line else tiles) for tiles in planes.values()]
    side = min((WIDTH - LEFT - MARGIN - (per_row - 1) * GAP) / per_row, 68.0)
    height = side * pictures[0].shape[0] / pictures[0].shape[1]
    rows = -(-len(planes) // per_row)
    step = height + BELOW + (TITLE if len(planes) > 1 else MARGIN)
    figure = new_figure(rows * step)
    start = (WIDTH + LEFT - MARGIN - per_row * (side + GAP) + GAP) / 2
    for number, (name, picture) in enumerate(zip(planes, pictures, strict=True)):
        line, place = divmod(number, per_row)
        bottom = (rows - line - 1) * step + BELOW
        axes = axes_at(figure, start + place * (side + GAP), bottom, side, height)
        _draw_plane(axes, run, picture, side, first=place == 0)
        if name:
            axes.set_title(name, fontsize=FONT, color=INK, pad=3, loc="left")
        if run.scale.classes:
            axes.spines[:].set(color=class_colors(len(planes))[number], linewidth=1.6)
    return figure


def loss_figure(history: pd.DataFrame) -> Figure:
    """Loss, reconstruction and KL against the epoch, one below the other.

    Raises
    ------
    InputError
        If the history is empty.
    """
    shown = [(column, label) for column, label in PANELS.items() if column in history]
    if not len(history) or not shown:
        raise InputError("The run has no history of its loss; train it with this version.")
    epochs = (history["epoch"] if "epoch" in history else history.index + 1).to_numpy(float)
    figure = new_figure(len(shown) * PANEL + 6)
    for number, (column, label) in enumerate(shown):
        last = number == len(shown) - 1
        bottom = 8 + (len(shown) - number - 1) * PANEL
        axes = axes_at(figure, 13, bottom, WIDTH - 15, PANEL - 4)
        plot_frame(axes, "epoch" if last else "", label)
        _draw_curve(axes, epochs, history, column)
        axes.yaxis.set_label_coords(-9.3 / (WIDTH - 15), 0.5)
        axes.tick_params(labelbottom=last)
    return figure


def _run(data: FigureData) -> Run:
    if data.run is None:
        raise InputError("There is no trained model; choose points that one has described.")
    return data.run


def _draw_plane(axes: Axes, run: Run, picture: npt.NDArray[np.float32], side: float, *, first: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    dims = run.model_config.latent_dim
    (x0, x1), (y0, y1) = run.latent_range[0], run.latent_range[min(1, dims - 1)]
    axes.imshow(picture, cmap="gray", extent=(x0, x1, y0, y1), aspect="auto", interpolation="nearest")
    for draw, size, (low, high) in ((axes.axvline, run.window[1], (x0, x1)), (axes.axhline, run.window[0], (y0, y1))):
        tiles = picture.shape[draw == axes.axvline] // size  # of several channels, these lie one below the other
        for edge in np.linspace(low, high, tiles + 1)[1:-1]:
            draw(edge, color="#666666", linewidth=0.4)
    plain_frame(axes)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("z1", fontsize=FONT, color=INK, labelpad=1)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if dims == 1:
        axes.set_yticks([])
    elif not first:
        axes.tick_params(labelleft=False)
    else:
        axes.set_ylabel("z2", fontsize=FONT, color=INK)
        axes.yaxis.set_label_coords(-(LEFT - 3.2) / side, 0.5)


def _draw_curve(axes: Axes, epochs: npt.NDArray[np.float64], history: pd.DataFrame, column: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    marker = "." if len(history) < 40 else ""
    look: dict[str, Any] = {"linewidth": 0.9, "marker": marker, "markersize": 2.5}
    axes.plot(epochs, history[column], color=BLUE, label="training", **look)
    if column == "loss" and "held_out" in history:
        axes.plot(epochs, history["held_out"], color=RED, label="held out", **look)
        axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK, borderpad=0, handlelength=1.4)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    lowest, highest = history[column].min(), history[column].max()
    if lowest <= 0 or highest < WIDE * lowest:
        axes.yaxis.set_major_locator(MaxNLocator(4))
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if highest < FAR * lowest else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
