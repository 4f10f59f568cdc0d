"""What lies around a point in its image, for layers that no model has described."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.images import micrograph_from_layer
from ...layers.points import KEY, placement_of
from ...patches.patches import suggest_window
from ..common.sources import source_image


def pixels_around(viewer: Any, points: Any, row: int) -> npt.NDArray[np.float32] | None:
    """Pixels (H, W) around a point, from 0 to 1; None where there is no image, or the point lies beyond it.

    Only these pixels are read, so that frames on disk are no burden.
    """
    try:
        image = source_image(viewer, points)
        micrograph, placement = micrograph_from_layer(image), placement_of(image, viewer)
    except InputError:
        return None
    place = placement.points_from(np.asarray(points.data[row : row + 1], float), Placement.of_layer(points))[0]
    half = suggest_window(points.metadata.get(KEY, {}).get("spacing")) // 2
    shape = micrograph.shape[-2:]
    low = np.maximum(np.rint(place[-2:]).astype(int) - half, 0)
    high = np.minimum(np.rint(place[-2:]).astype(int) + half + 1, shape)
    if (high - low < 2).any():
        return None
    leading: list[int] = []
    if micrograph.axes == "TYX":
        frame = np.rint(place[0]) if len(place) > 2 else placement.frame
        leading = [int(np.clip(frame, 0, micrograph.shape[0] - 1))]
    elif micrograph.axes == "CYX":
        leading = [0]
    part = np.asarray(micrograph.data[(*leading, slice(low[0], high[0]), slice(low[1], high[1]))], dtype=np.float32)
    bottom, top = float(np.nanmin(part)), float(np.nanmax(part))
    scaled: npt.NDArray[np.float32] = (part - bottom) / ((top - bottom) or 1.0)
    return scaled
