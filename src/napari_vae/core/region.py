"""Part of an image in which atoms are looked for: a mask, or polygons drawn on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def region_mask(region: Any, shape: tuple[int, ...]) -> Mask:
    """The pixels of a frame that belong to a region.

    Parameters
    ----------
    region : array of bool (rows, columns), or sequence of arrays (N, 2)
        A mask; or polygons, each by its corners (row, column) in pixels, that may overlap and may reach beyond the
        frame. Where the outline of a polygon crosses itself the even-odd rule holds.
    shape : (rows, columns)
        Of a frame.

    Raises
    ------
    InputError
        If it is neither, has another shape than the frame, or holds no pixel of it.

    Examples
    --------
    >>> int(region_mask([[(0.5, 0.5), (0.5, 4.5), (3.5, 4.5), (3.5, 0.5)]], (16, 16)).sum())
    12
    """
    if isinstance(region, np.ndarray) and region.dtype == np.bool_:
        if region.shape != shape:
            raise InputError(f"The region is a mask of shape {region.shape}; a frame of the image has {shape}.")
        mask = np.asarray(region)
    else:
        mask = np.zeros(shape, dtype=bool)
        for corners in _polygons(region):
            mask |= polygon_mask(corners, shape)
    if not mask.any():
        raise InputError("The region holds no pixel of the image; draw it on the image, or leave it out.")
    return mask


def polygon_mask(corners: Floats, shape: tuple[int, ...]) -> Mask:
    """Pixels (rows, columns) whose centres lie inside a polygon with `corners` (N, 2; row, column).

    `skimage.draw.polygon2mask` takes 5 to 50 times as long, and gives both of two polygons the pixels of their common
    edge.
    """
    rows = np.arange(shape[0])[:, None]
    (y0, x0), (y1, x1) = corners.T, np.roll(corners, -1, axis=0).T
    row, edge = np.nonzero((y0 <= rows) != (y1 <= rows))
    crossing = x0[edge] + (row - y0[edge]) / (y1 - y0)[edge] * (x1 - x0)[edge]
    crossed = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(crossed, (row, np.ceil(crossing).clip(0, shape[1]).astype(np.int64)), 1)
    return np.asarray(crossed.cumsum(axis=1)[:, :-1] % 2 == 1)


def inside(mask: Mask, places: npt.ArrayLike) -> Mask:
    """Whether each of the places (N, 2; row, column) lies on a pixel of the mask."""
    pixels = np.rint(np.asarray(places, float)).astype(np.int64).reshape(-1, 2)
    on_frame = ((pixels >= 0) & (pixels < mask.shape)).all(axis=1)
    return on_frame & mask[tuple(pixels.clip(0, np.array(mask.shape) - 1).T)]


def _polygons(region: Any) -> Iterable[Floats]:
    try:
        polygons = [np.asarray(corners, dtype=np.float64) for corners in region]
    except (TypeError, ValueError):
        polygons = []
    if not polygons or any(p.ndim != 2 or p.shape[1] != 2 or len(p) < 3 or not np.isfinite(p).all() for p in polygons):
        raise InputError(
            "The region must be a mask of bool (rows, columns), or a list of polygons, each an array (N, 2) of 3 or "
            "more corners as row and column."
        )
    return polygons
