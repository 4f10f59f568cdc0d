"""Windows around atoms: the mean of every class, and how well some are reconstructed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...models.components import UNITS, screen_matrices
from ...patches.patches import Patches, extract_patches
from .data import FigureData
from .micrographs import draw_scale_bar
from .style import FONT, INK, MARGIN, MOST_NAMED, SMALL, WIDTH, axes_at, new_figure, picture_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PER_ROW = 4
SAMPLE = 400  # windows of a class that its mean is taken of; more change nothing that is seen
SEEN = 0.5  # of the windows of a class must show a pixel of their mean
WORDS = 6.5  # mm, above each picture
EXAMPLES = 8
UNSEEN = "#383838"


def has_pose(table: pd.DataFrame) -> bool:
    """Whether a table has any column of a pose."""
    return any(name in table for name in UNITS)


def upright(windows: npt.NDArray[np.float32], table: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Windows with their pose taken away, so that equal motifs lie on one another.

    Parameters
    ----------
    windows : array (N, C, H, W)
    table : DataFrame
        One row per window, with those columns of a pose that there are; see `Run.encode`.

    Returns
    -------
    array (N, C, H, W) float32
        Bilinear between pixels; NaN beyond the border of the window as it was seen.
    """
    from scipy.ndimage import affine_transform

    forward, shift = screen_matrices(table)
    centre = (np.asarray(windows.shape[-2:]) - 1) / 2
    result = np.empty(windows.shape, np.float32)
    for number, (matrix, moved) in enumerate(zip(forward, shift, strict=True)):
        offset = centre + moved - matrix @ centre
        for channel, window in enumerate(windows[number]):
            result[number, channel] = affine_transform(window, matrix, offset, order=1, cval=np.nan)
    return result


def class_means_figure(data: FigureData) -> Figure:
    """The mean window of every class with how many atoms it has, in one pose where the table has poses.

    Raises
    ------
    InputError
        If there are no classes, or neither windows nor a micrograph.
    """
    means = class_means(data)
    order = np.argsort([-count for *_, count, _ in means], kind="stable")[:MOST_NAMED]
    shown = [means[number] for number in sorted(order)]
    per_row = min(PER_ROW, len(shown))
    side = min((WIDTH - MARGIN) / per_row - MARGIN, 40.0)
    height = side * shown[0][3].shape[0] / shown[0][3].shape[1]
    rows = -(-len(shown) // per_row)
    figure = new_figure(rows * (height + WORDS) + MARGIN + 4)
    total = rows * (height + WORDS) + MARGIN + 4
    start = (WIDTH - per_row * (side + MARGIN) + MARGIN) / 2
    low, high = np.nanpercentile(np.stack([mean for *_, mean in shown]), [0.5, 99.5])
    for number, (name, color, count, mean) in enumerate(shown):
        line, place = divmod(number, per_row)
        bottom = total - (line + 1) * (height + WORDS)
        axes = axes_at(figure, start + place * (side + MARGIN), bottom, side, height)
        axes.imshow(mean, cmap="gray", vmin=low, vmax=high if high > low else low + 1)
        picture_frame(axes)
        axes.set_facecolor(UNSEEN)
        axes.spines[:].set(visible=True, color=color, linewidth=1.6)
        title = f"class {name}" if data.classes == "class" else name
        axes.annotate(title, (0, 1), (0, 8.5), xycoords="axes fraction", textcoords="offset points", **_text(FONT))
        axes.annotate(f"{count:,}", (0, 1), (0, 1.8), xycoords="axes fraction", textcoords="offset points", **_text())
        if number == 0:
            draw_scale_bar(axes, _calibrated(data, mean), share=0.4)
    frame = "Mean windows, each turned upright first." if has_pose(data.table) else "Mean windows as they were seen."
    left_out = f" {len(means) - len(shown)} smaller classes are left out." if len(means) > len(shown) else ""
    figure.text(0.5, 1.2 / total, frame + left_out, ha="center", fontsize=SMALL, color="#666666")
    return figure


def class_means(data: FigureData) -> list[tuple[str, str, int, npt.NDArray[np.float32]]]:
    """Name, colour, number of atoms and mean window (H, W) of every class with a window, of the first channel.

    Raises
    ------
    InputError
        If there are no classes, or neither windows nor a micrograph.
    """
    patches = windows_of(data)
    at = {label: number for number, label in enumerate(patches.atoms.index)}
    posed, rng, means = has_pose(data.table), np.random.default_rng(0), []
    for name, color, rows in data.members():
        having = [label for label in data.table.index[rows] if label in at]
        if not having:
            continue
        if len(having) > SAMPLE:
            having = [having[number] for number in np.sort(rng.choice(len(having), SAMPLE, replace=False))]
        windows = patches.data[[at[label] for label in having], :1]
        means.append((name, color, int(rows.sum()), mean_window(upright(windows, data.table.loc[having]), posed)))
    if not means:
        raise InputError("No class has a window that lies inside the micrograph; choose other points or classes.")
    return means


def windows_of(data: FigureData) -> Patches:
    """The windows, cut from the micrograph where there are none yet.

    Raises
    ------
    InputError
        If there is no micrograph either.
    """
    if data.patches is not None:
        return data.patches
    if data.micrograph is None:
        raise InputError("There is no micrograph to cut windows from; choose an image layer.")
    return extract_patches(data.micrograph, data.table, level="none")


def examples_figure(patches: Patches, rebuilt: npt.NDArray[np.float32], error: npt.NDArray[np.float64]) -> Figure:
    """Windows, reconstructions and residuals of the first channel, from the worst reconstructed to the best."""
    order = np.argsort(-error)
    rows = order[np.linspace(0, len(order) - 1, min(EXAMPLES, len(order))).astype(int)]
    windows, drawn = patches.data[rows, 0], rebuilt[rows, 0]
    side = (WIDTH - 4 - MARGIN) / len(rows) - 0.6
    height = side * patches.window[0] / patches.window[1]
    figure = new_figure(3 * (height + 0.6) + MARGIN)
    spread = float(np.abs(windows - drawn).max()) or 1.0
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1}
    difference: dict[str, Any] = {"cmap": "PiYG", "vmin": -spread, "vmax": spread}
    kinds = (("window", windows, grey), ("model", drawn, grey), ("residual", windows - drawn, difference))
    for line, (name, images, look) in enumerate(kinds):
        bottom = (2 - line) * (height + 0.6) + MARGIN / 2
        for place, image in enumerate(images):
            axes = axes_at(figure, 4 + place * (side + 0.6), bottom, side, height)
            axes.imshow(image, **look)
            picture_frame(axes)
            if place == 0:
                axes.set_ylabel(name, fontsize=SMALL, color=INK, labelpad=2)
    return figure


def mean_window(windows: npt.NDArray[np.float32], posed: bool) -> npt.NDArray[np.float32]:
    """Mean (H, W) of windows (N, 1, H, W); NaN where most of them show nothing."""
    seen = np.isfinite(windows[:, 0])
    total = np.where(seen, windows[:, 0], 0).sum(0)
    count = seen.sum(0)
    mean = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=mean, where=count >= (SEEN * len(windows) if posed else 1))
    return mean


def _calibrated(data: FigureData, mean: npt.NDArray[np.float32]) -> Micrograph:
    source = data.micrograph if data.micrograph is not None else data.patches
    assert source is not None
    return Micrograph(np.nan_to_num(mean), source.pixel_size, source.units)


def _text(size: float = SMALL) -> dict[str, Any]:
    return {"fontsize": size, "color": INK if size > SMALL else "#666666", "ha": "left", "va": "bottom"}
