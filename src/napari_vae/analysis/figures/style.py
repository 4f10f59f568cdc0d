"""The look that all figures share: one column of a journal wide, in millimetres and points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..coloring import CYCLIC, Coloring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WIDTH = 85.0  # mm
DPI = 300
FONT, SMALL = 7.0, 6.0  # points
LINE = 0.6  # points
MARGIN = 1.0  # mm
INK = "#222222"
BLUE, RED = "#0072b2", "#d55e00"
MANY = 20_000  # points that are still drawn one by one
SOME = 3_000  # points that a vector file still holds one by one
MOST_NAMED = 12  # classes in a legend
_ROW, LETTER = 3.6, 1.4  # mm of a row and of a letter of a legend
_MM = 25.4  # in an inch


def new_figure(height: float) -> Figure:
    """An empty white figure, one column wide and `height` mm high."""
    from matplotlib.figure import Figure  # not with the module: a third of a second, while the window opens

    return Figure(figsize=(WIDTH / _MM, height / _MM), facecolor="white", dpi=DPI)


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float, **options: Any) -> Any:
    """Axes, polar ones if asked for, at a place in mm from the lower left corner."""
    across, up = (size * _MM for size in figure.get_size_inches())
    return figure.add_axes((left / across, bottom / up, width / across, height / up), **options)


def dots_of(axes: Axes) -> tuple[int, int]:
    """Rows and columns of the picture that fills axes at the resolution of a file."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    width, height = axes.get_position().size * figure.get_size_inches() * DPI
    return round(height), round(width)


def plot_frame(axes: Axes, x: str = "", y: str = "") -> None:
    """Axes of a plot: thin lines, open at the top and the right, small numbers, and what they show."""
    axes.spines[["top", "right"]].set_visible(False)
    plain_frame(axes)
    axes.set_xlabel(x, fontsize=FONT, color=INK, labelpad=2)
    axes.set_ylabel(y, fontsize=FONT, color=INK, labelpad=2)


def plain_frame(axes: Axes) -> None:
    """Thin lines and small numbers."""
    for side in axes.spines.values():
        side.set(linewidth=LINE, color=INK)
    axes.tick_params(labelsize=SMALL, width=LINE, length=2, pad=1.5, color=INK, labelcolor=INK)
    for text in (axes.xaxis.get_offset_text(), axes.yaxis.get_offset_text()):
        text.set_fontsize(SMALL)


def picture_frame(axes: Axes) -> None:
    """Axes of a picture: neither lines nor numbers."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def key_height(coloring: Coloring | None, *, left: float = MARGIN) -> float:
    """Height in mm that the colour bar or the legend needs below a picture that begins at `left`."""
    if coloring is None:
        return 0.0
    if coloring.limits is not None:
        return 9.5
    named = _named(coloring)
    return _ROW * -(-len(named) // _columns(named, WIDTH - left - MARGIN)) + 1.5


def draw_key(figure: Figure, coloring: Coloring | None, label: str, *, left: float = MARGIN) -> None:
    """A colour bar, or a legend with the members of every class, along the lower edge of a figure."""
    if coloring is None:
        return
    width = WIDTH - left - MARGIN
    if coloring.limits is not None:
        bar = axes_at(figure, left + 0.15 * width, 6.8, 0.7 * width, 2.0)
        draw_colour_bar(bar, coloring, label)
        return
    place = axes_at(figure, left, MARGIN / 2, width, key_height(coloring, left=left))
    place.set_axis_off()
    named = _named(coloring)
    place.legend(
        handles=[_dot(name, color) for name, color in named],
        loc="lower center",
        bbox_to_anchor=(0, 0, 1, 1),
        ncols=_columns(named, width),
        fontsize=FONT,
        labelcolor=INK,
        frameon=False,
        borderpad=0,
        handletextpad=0.2,
        columnspacing=1.0,
        labelspacing=0.35,
    )


def draw_colour_bar(axes: Axes, coloring: Coloring, label: str) -> None:
    """A lying colour bar that fills `axes`."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    assert coloring.limits is not None
    low, high = coloring.limits
    image = np.linspace(0, 1, 256)[None]
    axes.imshow(image, cmap=colormaps[coloring.colormap], norm=Normalize(0, 1), aspect="auto", extent=(low, high, 0, 1))
    axes.set(yticks=[], xlim=(low, high))
    axes.spines[:].set_visible(False)
    plain_frame(axes)
    if is_round(coloring):
        axes.set_xticks(np.linspace(low, high, 5))
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(label, fontsize=FONT, color=INK, labelpad=1)


def is_round(coloring: Coloring) -> bool:
    """Whether the colours are of angles, on the whole of their circle."""
    low, high = coloring.limits or (0.0, 0.0)
    return coloring.colormap == CYCLIC and low == -high


def more_than_named(coloring: Coloring) -> str:
    """What to say of classes that the legend leaves out."""
    left_out = len(coloring.classes) - MOST_NAMED
    return f"and {left_out} smaller classes" if left_out > 0 else ""


def _named(coloring: Coloring) -> list[tuple[str, str]]:
    """Words and colours of the classes in the legend: all, or the largest."""
    classes: Sequence[tuple[str, str, int]] = coloring.classes
    if len(classes) > MOST_NAMED:
        least = sorted((n for *_, n in classes), reverse=True)[MOST_NAMED - 1]
        classes = [entry for entry in classes if entry[2] >= least][:MOST_NAMED]
    title = "class " if coloring.name == "class" else ""
    named = [(f"{title}{shortened(name)} ({n:,})", color) for name, color, n in classes]
    return [*named, (more_than_named(coloring), "none")] if more_than_named(coloring) else named


def _columns(named: list[tuple[str, str]], width: float) -> int:
    longest = max((len(text) for text, _ in named), default=1)
    return max(1, min(len(named), int(width / (LETTER * longest + 7.0))))


def shortened(name: str, most: int = 24) -> str:
    """A name that is not too long for a legend."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _dot(label: str, color: str) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], marker="o", linestyle="", markersize=4.5, color=color, markeredgewidth=0, label=label)
