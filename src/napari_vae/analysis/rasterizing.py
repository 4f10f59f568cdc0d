"""Many points as a picture: each a small disc, and where they crowd, their density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rect = tuple[float, float, float, float]

_LARGEST, _SMALLEST = 4.0, 0.5  # px, radius of a point among few and among many
_FEW, _MANY = 300, 100_000  # points that are drawn with these
_FAINTEST = 0.35  # opacity of one point among many, where a pixel may hold thousands
_NOBODY = -1


@dataclass(frozen=True)
class Raster:
    """Points drawn in a rectangle.

    Attributes
    ----------
    picture : array (H, W, 4) uint8
        Row 0 at the bottom, as the y axis runs.
    owner : array (H, W) int32
        A point whose centre lies in the pixel, −1 for none.
    rect : (x0, y0, x1, y1)
        What the picture covers.
    """

    picture: npt.NDArray[np.uint8]
    owner: npt.NDArray[np.int32]
    rect: Rect

    def nearest(self, x: float, y: float, reach: float) -> int:
        """The point drawn nearest to a place, within `reach` pixels; −1 for none."""
        height, width = self.owner.shape
        x0, y0, x1, y1 = self.rect
        column, row = (x - x0) / (x1 - x0) * width - 0.5, (y - y0) / (y1 - y0) * height - 0.5
        if not (np.isfinite(column) and np.isfinite(row)):
            return _NOBODY
        left, bottom = max(0, int(column - reach)), max(0, int(row - reach))
        part = self.owner[bottom : max(0, int(row + reach) + 2), left : max(0, int(column + reach) + 2)]
        rows, columns = np.nonzero(part >= 0)
        if not len(rows):
            return _NOBODY
        distance = np.hypot(rows + bottom - row, columns + left - column)
        best = int(np.argmin(distance))
        return int(part[rows[best], columns[best]]) if distance[best] <= reach + 0.71 else _NOBODY


def point_radius(n: int) -> float:
    """Radius in pixels that suits so many points: smaller the more there are."""
    share = np.log(max(n, 1) / _FEW) / np.log(_MANY / _FEW)
    return float(_LARGEST * (_SMALLEST / _LARGEST) ** np.clip(share, 0, 1))


def rasterize(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    rgba: npt.NDArray[np.uint8],
    rect: Rect,
    shape: tuple[int, int],
    *,
    radius: float | None = None,
    rows: npt.NDArray[np.int64] | None = None,
) -> Raster:
    """Draw points in a rectangle of the plane.

    A pixel has the mean colour of the discs that cover it. It is the more opaque the more there are, on a logarithmic
    scale, so that single points among a million are still seen.

    Parameters
    ----------
    x, y : array (N,) float32
        Those that are not finite are not drawn.
    rgba : array (N, 4) uint8
    rect : (x0, y0, x1, y1)
    shape : (int, int)
        Rows and columns of the picture.
    radius : float, optional
        Of the discs in pixels; `point_radius` by default.
    rows : array of int, optional
        Points to draw; all by default.
    """
    if rows is not None:
        x, y, rgba = x[rows], y[rows], rgba[rows]
    radius = point_radius(len(x)) if radius is None else radius
    column, row, inside = _pixels(x, y, rect, shape)
    names = inside if rows is None else rows[inside]
    owner = np.full(shape[0] * shape[1], _NOBODY, dtype=np.int32)
    centred = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    owner[row[centred] * shape[1] + column[centred]] = names[centred]
    cover, colour = _stamped(column, row, rgba[inside], shape, radius)
    picture = _blended(cover, colour, crowded=len(x) > _MANY).reshape(*shape, 4)
    return Raster(picture, owner.reshape(shape), rect)


def _pixels(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], rect: Rect, shape: tuple[int, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.intp]]:
    """Column and row of the points in or just beside the rectangle, and which points these are."""
    x0, y0, x1, y1 = rect
    margin = int(np.ceil(_LARGEST)) + 1
    across = (x - np.float32(x0)) * np.float32(shape[1] / (x1 - x0))
    up = (y - np.float32(y0)) * np.float32(shape[0] / (y1 - y0))
    inside = np.flatnonzero(
        (across > -margin) & (across < shape[1] + margin) & (up > -margin) & (up < shape[0] + margin)
    )
    return np.floor(across[inside]).astype(np.int32), np.floor(up[inside]).astype(np.int32), inside


def _stamped(
    column: npt.NDArray[np.int32],
    row: npt.NDArray[np.int32],
    rgba: npt.NDArray[np.uint8],
    shape: tuple[int, int],
    radius: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum of opacity (P,) and of opaque colour (P, 3) in each pixel."""
    span = int(np.ceil(radius))
    offset = np.arange(-span, span + 1)
    down, across = (grid.ravel() for grid in np.meshgrid(offset, offset, indexing="ij"))
    weight = np.clip(radius + 0.5 - np.hypot(down, across), 0, 1)  # soft rims
    used = weight > 0
    r, c = row[:, None] + down[used], column[:, None] + across[used]  # (N, K)
    there = (r >= 0) & (r < shape[0]) & (c >= 0) & (c < shape[1])
    at = (r * shape[1] + c)[there]
    opacity = (rgba[:, 3] / np.float32(255))[:, None] * weight[used].astype(np.float32)
    values = (opacity * rgba[:, channel, None] for channel in range(3))
    pixels = shape[0] * shape[1]
    colour: npt.NDArray[np.float64] = np.stack(
        [np.bincount(at, value[there], minlength=pixels) for value in values], axis=1, dtype=np.float64
    )
    return np.bincount(at, opacity[there], minlength=pixels).astype(np.float64), colour


def _blended(cover: npt.NDArray[np.float64], colour: npt.NDArray[np.float64], crowded: bool) -> npt.NDArray[np.uint8]:
    """Pixels (P, 4) of summed opacity and colour."""
    picture = np.zeros((len(cover), 4), dtype=np.uint8)
    drawn = np.flatnonzero(cover > 0)
    if not len(drawn):
        return picture
    mass = cover[drawn]
    picture[drawn, :3] = colour[drawn] / mass[:, None]
    if crowded:
        full = np.log1p(np.quantile(mass, 0.995))
        opacity = np.minimum(_FAINTEST + (1 - _FAINTEST) * np.log1p(mass) / full, 1) * np.minimum(mass, 1)
    else:
        opacity = 1 - np.exp(-2.5 * mass)  # nearly opaque where one disc covers the pixel
    picture[drawn, 3] = 255 * opacity
    return picture
