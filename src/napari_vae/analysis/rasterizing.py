"""Many points in a plane: drawn as a picture, fast enough to follow the hand, and those that an outline holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rect = tuple[float, float, float, float]
_LARGEST, _SMALLEST = 4.0, 0.5  # px, radius of a point among few and among many
_FEW, _MANY = 300, 100_000  # points that are drawn with these
_FAINTEST = 0.35  # opacity of one point among many, where a pixel may hold thousands
_NOBODY = -1
Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_CELLS = 160  # along each side of the grid that decides for most points
_CUT, _INSIDE = 1, 2


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


def rows_within(outline: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike) -> Ints:
    """Numbers of the points inside an outline, in increasing order.

    A grid over the outline decides for the points in cells that no edge crosses; only the others are tested one by
    one, so that a million points take a tenth of a second; to test every point takes matplotlib and
    `skimage.measure.points_in_poly` two to three times as long. The result is exact. An outline that crosses
    itself encloses what the even–odd rule says.

    Parameters
    ----------
    outline : array (V, 2)
        Corners x, y; the last is joined to the first.
    x, y : array (N,)
        Points; those that are not finite lie nowhere.

    Returns
    -------
    array of int64

    Examples
    --------
    >>> rows_within([(0, 0), (2, 0), (2, 2), (0, 2)], [1.0, 3.0], [1.0, 1.0]).tolist()
    [0]
    """
    from matplotlib.path import Path

    corners = np.asarray(outline, dtype=float).reshape(-1, 2)
    x, y = np.asarray(x), np.asarray(y)
    if len(corners) < 3:
        return np.zeros(0, dtype=np.int64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    size = high - low
    if not len(near) or not (size > 0).all():
        return np.zeros(0, dtype=np.int64)
    path = Path(corners)
    state = _cells(path, corners, low, size)
    column = _cell(x[near], low[0], size[0])
    kind = state[_cell(y[near], low[1], size[1]), column]
    cut = near[kind == _CUT]
    exact = cut[path.contains_points(np.column_stack([x[cut], y[cut]]))]
    rows: Ints = np.sort(np.concatenate([near[kind == _INSIDE], exact]))
    return rows


def _cell(values: npt.NDArray, low: float, size: float) -> npt.NDArray[np.intp]:
    """Number of the cell of each value."""
    return np.minimum((values - low) * (_CELLS / size), _CELLS - 1).astype(np.intp)


def _cells(path: object, corners: Array, low: Array, size: Array) -> npt.NDArray[np.uint8]:
    """For each cell (row, column) of the grid whether it is outside (0), cut by an edge, or inside."""
    from scipy.ndimage import binary_dilation

    step = size / _CELLS
    centre = (np.arange(_CELLS) + 0.5)[:, None] * step + low
    grid = np.stack(np.meshgrid(centre[:, 0], centre[:, 1]), axis=-1).reshape(-1, 2)
    inside = path.contains_points(grid).reshape(_CELLS, _CELLS)  # type: ignore[attr-defined]
    ends = np.roll(corners, -1, axis=0)
    number = np.maximum(1, np.ceil(2 * (np.abs(ends - corners) / step).max(axis=1))).astype(np.int64)
    edge = np.repeat(np.arange(len(corners)), number)
    along = (np.arange(len(edge)) - np.repeat(np.cumsum(number) - number, number)) / number[edge]
    place = corners[edge] + along[:, None] * (ends - corners)[edge]
    cut = np.zeros((_CELLS, _CELLS), dtype=bool)
    cut[_cell(place[:, 1], low[1], size[1]), _cell(place[:, 0], low[0], size[0])] = True
    cut = binary_dilation(cut, np.ones((3, 3)))  # an edge may pass a cell between two of its samples
    return np.where(cut, _CUT, np.where(inside, _INSIDE, 0)).astype(np.uint8)
