"""Windows around atoms as small pictures: as measured, as the model draws them, the difference, means of many."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.images import micrograph_from_layer
from ...layers.open_runs import OpenRun
from ...layers.points import KEY, placement_of
from ...patches.patches import suggest_window
from ..common.jobs import Step, Stop
from ..common.plot import pixmap_of
from ..common.sources import source_image

Pixels = npt.NDArray[np.float32]
Cut = Callable[[int], Pixels | None]  # the window of a row, None where there is none; may run in a thread
SIDE = 80  # px
RESIDUAL = "PiYG"  # the colours of the layer of residuals


def picture_of(values: npt.NDArray[Any], side: int = SIDE) -> QPixmap:
    """Pixels in [0, 1] as a grey picture."""
    return _scaled((np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8), side)


def difference_of(values: npt.NDArray[Any], side: int = SIDE) -> QPixmap:
    """Pixels as colours to either side of zero, up to the largest."""
    from matplotlib import colormaps

    spread = float(np.nanmax(np.abs(values))) or 1.0
    return _scaled((colormaps[RESIDUAL](np.nan_to_num(values) / (2 * spread) + 0.5) * 255).astype(np.uint8), side)


def _scaled(pixels: npt.NDArray[np.uint8], side: int) -> QPixmap:
    fast = Qt.TransformationMode.FastTransformation
    return pixmap_of(pixels).scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, fast)


def cut_of(opened: OpenRun, windows: npt.NDArray[np.int64]) -> Cut:
    """The windows of a run by the rows of a layer; `windows` are their numbers, −1 for none."""
    return lambda row: opened.window(int(windows[row])) if windows[row] >= 0 else None


def cut_around(viewer: Any, points: Any) -> Cut:
    """Pixels (H, W) around a point, less at the border of its image; only these are read, however large it is.

    What the layers say is read at once, so that the rest may be done in a thread. Without an image there are none.
    """
    try:
        image = source_image(viewer, points)
        micrograph, placement = micrograph_from_layer(image), placement_of(image, viewer)
    except InputError:
        return lambda row: None
    data, own = points.data, Placement.of_layer(points)
    half = suggest_window(points.metadata.get(KEY, {}).get("spacing")) // 2

    def cut(row: int) -> Pixels | None:
        place = placement.points_from(np.asarray(data[row : row + 1], float), own)[0]
        low = np.maximum(np.rint(place[-2:]).astype(int) - half, 0)
        high = np.minimum(np.rint(place[-2:]).astype(int) + half + 1, micrograph.shape[-2:])
        if (high - low < 2).any():
            return None
        leading: list[int] = []
        if micrograph.axes == "TYX":
            frame = np.rint(place[0]) if len(place) > 2 else placement.frame
            leading = [int(np.clip(frame, 0, micrograph.shape[0] - 1))]
        elif micrograph.axes == "CYX":
            leading = [0]
        part = micrograph.data[(*leading, slice(low[0], high[0]), slice(low[1], high[1]))]
        return np.asarray(part, dtype=np.float32)

    return cut


def stretched(pixels: Pixels) -> Pixels:
    """Pixels from 0 to 1, where they are darkest and brightest."""
    bottom, top = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    return np.asarray((pixels - bottom) / ((top - bottom) or 1.0), dtype=np.float32)


def mean_steps(
    stop: Stop, cut: Cut, groups: Mapping[Any, npt.NDArray[np.int64]], poses: pd.DataFrame | None
) -> Generator[Step, None, dict[Any, Pixels]]:
    """The mean window of each group of rows, from 0 to 1; turned upright first where `poses`, row by row, are known."""
    from ...analysis.figures.windows import has_pose, mean_window, upright

    posed = poses is not None and has_pose(poses)
    means: dict[Any, Pixels] = {}
    for key, rows in groups.items():
        if stop():
            break
        yield Step("Drawing …")
        seen = {int(row): window for row in rows if (window := cut(int(row))) is not None}
        whole = max((window.shape for window in seen.values()), default=())
        seen = {row: window for row, window in seen.items() if window.shape == whole}
        if not seen:
            continue
        windows = np.stack(list(seen.values()))[:, None]
        if posed and poses is not None and len(groups[key]) > 1:
            windows = upright(windows, poses.loc[list(seen)])
        means[key] = mean_window(windows, posed)
    shown = [mean for mean in means.values() if np.isfinite(mean).any()]
    low, high = np.nanpercentile(np.concatenate([mean.ravel() for mean in shown]), [0.5, 99.5]) if shown else (0, 1)
    return {key: np.asarray((mean - low) / ((high - low) or 1.0), np.float32) for key, mean in means.items()}
