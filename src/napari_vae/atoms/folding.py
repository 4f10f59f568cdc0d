"""What columns leave of an image, averaged over columns with the same surroundings, so that what repeats stands out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .constants import FIXED
from .threads import in_threads

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def folded(rest: Floats, columns: Floats, points: Array, spacing: float) -> Floats:
    """The mean, for every pixel, of those that lie from other columns as it does from its nearest one.

    The other columns are those in the neighbourhood whose surroundings are most alike. So a lattice is averaged over
    its cells, whatever its cell holds and however it is strained, and every grain by itself; where nothing repeats,
    hardly anything is left. The pixel itself takes no part.

    Parameters
    ----------
    rest : (rows, columns) array
        What the columns leave.
    columns : (rows, columns) array
        The columns drawn; what they look like around one of them is its surroundings.
    points : (N, 2) array
        Their positions, at least two.
    spacing : float
        Distance of neighbouring columns in pixels.
    """
    from scipy.ndimage import map_coordinates
    from scipy.spatial import cKDTree

    alike, tree = _alike(columns, points, spacing).T, cKDTree(points)
    places = points.astype(np.float32)

    def rows(part: slice) -> Floats:
        numbers = np.arange(len(rest), dtype=np.float32)[part]
        pixels = np.stack(np.meshgrid(numbers, np.arange(rest.shape[1], dtype=np.float32), indexing="ij"), axis=-1)
        nearest = tree.query(pixels)[1]
        offset = pixels - places[nearest]
        total, count = np.zeros((2, *nearest.shape), dtype=np.float32)
        for others in alike:
            at = np.moveaxis(places[others[nearest]] + offset, -1, 0)
            total += map_coordinates(rest, at, order=1, mode="constant", output=np.float32)
            count += ((at >= 0) & (at <= np.array(rest.shape)[:, None, None] - 1)).all(axis=0)
        return np.asarray(total / np.maximum(count, 1))

    return np.concatenate(in_threads(rows, len(rest)))


def _alike(columns: Floats, points: Array, spacing: float) -> Ints:
    """Numbers (N, K) of the columns around each of N whose surroundings are most alike."""
    from scipy.ndimage import map_coordinates
    from scipy.spatial import cKDTree

    steps = np.arange(-FIXED.fold_steps, FIXED.fold_steps + 1) * spacing / 2
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(1, -1, 2)
    seen = map_coordinates(columns, np.moveaxis(points[:, None] + grid, -1, 0), order=1, mode="nearest")
    among = min(FIXED.fold_among, len(points) - 1)
    near = cKDTree(points).query(points, among + 1)[1][:, 1:]
    number = min(FIXED.fold_alike, among)

    def most_alike(part: slice) -> Ints:
        unlike = ((seen[near[part]] - seen[part, None]) ** 2).sum(axis=2)
        return np.take_along_axis(near[part], np.argpartition(unlike, number - 1, axis=1)[:, :number], axis=1)

    return np.concatenate(in_threads(most_alike, len(points)))
