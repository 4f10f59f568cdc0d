"""Atoms on their micrograph, with a scale bar and a key to their colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...core.class_colors import ATOM_COLOR
from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...core.positions import frame_numbers
from ..coloring import Coloring
from ..rasterizing import rasterize
from .data import FigureData, text_of
from .style import FONT, MANY, MARGIN, SOME, WIDTH, axes_at, dots_of, draw_key, key_height, new_figure, picture_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import EllipseCollection
    from matplotlib.figure import Figure

HIGHEST = 110.0  # mm, of a picture that is higher than wide
LARGEST_SYMBOL = 0.05  # of the picture, for a symbol where atoms are far apart
NARROW = 500  # dots of a picture
CROWD = 200_000  # atoms that are too many for larger discs, of which memory holds every pixel
SYMBOL, RING = 0.62, 0.5  # of the spacing


def overlay_figure(data: FigureData) -> Figure:
    """Atoms as discs on the micrograph, in the colours of a column, with scale bar and colour bar or legend."""
    coloring = data.coloring()
    figure, axes, shown = on_micrograph(data, coloring)
    _draw_discs(axes, data, shown, coloring.rgba[shown])
    draw_key(figure, coloring, text_of(data.color))
    return figure


def atoms_figure(data: FigureData) -> Figure:
    """Atoms as circles on the micrograph."""
    figure, axes, shown = on_micrograph(data, None)
    look: dict[str, Any] = {"facecolors": "none", "edgecolors": ATOM_COLOR, "linewidths": 0.5}
    axes.add_collection(_circles(axes, data, shown, RING, **look))
    return figure


def on_micrograph(data: FigureData, coloring: Coloring | None) -> tuple[Figure, Axes, npt.NDArray[np.intp]]:
    """The micrograph in grey with a scale bar, room for the key, and the rows of the table in the frame shown.

    Raises
    ------
    InputError
        If there is no micrograph.
    """
    image = data.micrograph
    if image is None:
        raise InputError("There is no micrograph to draw the atoms on; choose an image layer.")
    frames = frame_numbers(data.table, image.n_frames)
    frame = int(frames[0]) if data.frame is None or image.n_frames == 1 else data.frame
    pixels = image.frame(frame)[0]
    rows, columns = pixels.shape
    key = key_height(coloring)
    width, height = _size(rows * image.scale[0] / (columns * image.scale[1]))
    figure = new_figure(height + key + 2 * MARGIN)
    axes = axes_at(figure, (WIDTH - width) / 2, key + MARGIN, width, height)
    low, high = np.nanpercentile(pixels[:: 1 + rows // 1000, :: 1 + columns // 1000], [0.5, 99.5])
    axes.imshow(pixels, cmap="gray", vmin=low, vmax=high if high > low else low + 1, aspect="auto")
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    picture_frame(axes)
    draw_scale_bar(axes, image)
    placed = np.isfinite(data.table[["y", "x"]].to_numpy(float)).all(1)
    return figure, axes, np.flatnonzero((frames == frame) & placed)


def draw_scale_bar(axes: Axes, micrograph: Micrograph, *, share: float = 0.2) -> None:
    """A bar of a round length, at most a `share` of the image wide, in the lower left corner."""
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    width, height = right - left, bottom - top
    step = micrograph.scale[1]
    length = round_length(width * step * share)
    x, y = left + 0.04 * width, bottom - min(0.035 * max(width, height), 0.12 * height)
    for colour, line in (("black", 3.6), ("white", 2.2)):
        axes.plot([x, x + length / step], [y, y], color=colour, linewidth=line, solid_capstyle="butt", zorder=4)
    narrow = dots_of(axes)[1] < NARROW  # the words are wider than the bar
    label = axes.annotate(
        f"{length:g} {micrograph.units}",
        (x if narrow else x + length / step / 2, y),
        xytext=(0, 2.2),
        textcoords="offset points",
        color="white",
        ha="left" if narrow else "center",
        va="bottom",
        fontsize=FONT,
        fontweight="bold",
        zorder=5,
    )
    label.set_path_effects([withStroke(linewidth=1.4, foreground="black")])


def round_length(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `length`.

    >>> round_length(3.7), round_length(0.00099)
    (2.0, 0.0005)
    """
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9))


def _size(aspect: float) -> tuple[float, float]:
    """Width and height in mm of a picture whose height is `aspect` times its width."""
    width = min(WIDTH - 2 * MARGIN, HIGHEST / aspect)
    return width, max(width * aspect, 4.0)


def _draw_discs(axes: Axes, data: FigureData, shown: npt.NDArray[np.intp], rgba: npt.NDArray[np.uint8]) -> None:
    if len(shown) <= MANY:
        colors = rgba / 255
        edges = np.column_stack([0.35 * colors[:, :3], 0.8 * colors[:, 3:]])
        circles = _circles(axes, data, shown, SYMBOL, facecolors=colors, edgecolors=edges, linewidths=0.25)
        circles.set_rasterized(len(shown) > SOME)
        axes.add_collection(circles)
        return
    (x0, x1), (y1, y0) = axes.get_xlim(), axes.get_ylim()
    shape = dots_of(axes)
    radius = SYMBOL / 2 * data.spacing * shape[1] / (x1 - x0)
    x, y = (data.table[name].to_numpy(np.float32)[shown] for name in ("x", "y"))
    raster = rasterize(
        x, y, rgba, (x0, y0, x1, y1), shape, radius=float(np.clip(radius, 0.5, 4 if len(x) < CROWD else 1))
    )
    axes.imshow(raster.picture, extent=(x0, x1, y0, y1), origin="lower", aspect="auto", interpolation="nearest")
    axes.set(xlim=(x0, x1), ylim=(y1, y0))


def _circles(
    axes: Axes, data: FigureData, shown: npt.NDArray[np.intp], spacings: float, **look: Any
) -> EllipseCollection:
    """Circles that are `spacings` lattice spacings wide, in the pixels of the micrograph."""
    from matplotlib.collections import EllipseCollection

    assert data.micrograph is not None
    size = min(spacings * data.spacing, LARGEST_SYMBOL * max(data.micrograph.shape[-2:]))
    high, wide = data.micrograph.scale
    places = data.table[["x", "y"]].to_numpy(float)[shown]
    across, angles = np.full(len(shown), size), np.zeros(len(shown))
    down = across * wide / high
    return EllipseCollection(across, down, angles, units="xy", offsets=places, offset_transform=axes.transData, **look)
