"""A lattice fitted to atoms: their whole-numbered places, least squares, and honest errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from .neighbours import REACH, nearest_within, spread

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST = 12
ROWS_ONLY = "The atoms make rows but no lattice; choose a part with several rows of at least four atoms."
_REACH = 0.2  # of the shorter vector within which an atom is where a vector leads; grains turned by 12° are others
_SMALLEST_PATCH = 4  # atoms joined by lattice vectors that say something of these
_OUTLYING = 4.0  # robust standard deviations
_ROUNDS = 4  # of leaving out outliers
_BLOCKS = 8  # along each side of the picture


def fit_lattice(apart: Array, rough: Array) -> tuple[Array, Array, float, int]:
    """Vectors (2, 2), the variances of their components (2, 2), the residual, and how many atoms were used.

    Positions (N, 3) as of `apart_by_kind`; the rough vectors (2, 2) lead from atom to neighbour.

    Raises
    ------
    InputError
        If they join too few atoms.
    """
    place, patch = joined_places(apart, rough)
    used = np.flatnonzero(np.bincount(patch)[patch] >= _SMALLEST_PATCH)
    for _ in range(_ROUNDS):
        design, where = _centred(place[used], patch[used]), _centred(apart[used, :2], patch[used])
        if len(used) < FEWEST / 2 or np.linalg.matrix_rank(design) < 2:
            raise InputError(ROWS_ONLY)
        vectors = np.asarray(np.linalg.lstsq(design, where, rcond=None)[0], dtype=np.float64)
        left = where - design @ vectors
        off = np.linalg.norm(left, axis=1)
        outlying = off > max(_OUTLYING * 0.85 * float(np.median(off)), 1e-6 * float(np.linalg.norm(rough[0])))
        if not outlying.any():
            break
        used = used[~outlying]
    return vectors, _variances(design, left, where), float(np.sqrt((off**2).mean())), len(off)


def joined_places(apart: Array, vectors: Array) -> tuple[Ints, Ints]:
    """Whole-numbered places (N, 2) of the atoms along the vectors, and the number (N,) of the patch they are joined in.

    They are joined from neighbour to neighbour, also along the diagonals, so that slow distortion does no harm and few
    patches fall apart where atoms are missing.
    """
    from scipy.spatial import cKDTree

    reach = min(REACH * spread(apart), _REACH * float(np.linalg.norm(vectors, axis=1).min()))
    a, b = vectors
    steps = np.stack([a, b, a + b, a - b])
    ends = nearest_within(cKDTree(apart), apart[:, None, :2] + steps, apart[:, 2], reach)
    start, along = np.nonzero(ends >= 0)
    return places_through(apart[:, :2], vectors, start, ends[start, along])


def places_through(points: Array, vectors: Array, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """Places (N, 2) and patches (N,) of points (N, 2) that are joined in pairs, a whole number of vectors apart.

    Steps are summed along a tree that spans each patch. How far an atom is from the root is found by jumping to the
    predecessor of the predecessor, so that it takes a dozen rounds, however large the patch is.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_tree, connected_components

    n = len(points)
    joined = csr_matrix((np.ones(len(start)), (start, stop)), shape=(n, n))
    patch = connected_components(joined, directed=False)[1].astype(np.int64)
    root = np.unique(patch, return_index=True)[1]
    # One more node, joined to a root in every patch, makes one tree of all.
    rows, columns = np.concatenate([start, np.full(len(root), n)]), np.concatenate([stop, root])
    tree = breadth_first_tree(
        csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n + 1, n + 1)), n, directed=False
    )
    before, after = tree.nonzero()
    inner = before < n
    steps = np.rint((points[after[inner]] - points[before[inner]]) @ np.linalg.inv(vectors)).astype(np.int64)
    place, previous = np.zeros((n + 1, 2), dtype=np.int64), np.full(n + 1, n)
    previous[after] = before
    place[after[inner]] = steps
    while (previous != n).any():
        place, previous = place + place[previous], previous[previous]
    return place[:n], patch


def _centred(values: npt.NDArray, patch: Ints) -> Array:
    """Values (N, 2) less their mean over each patch."""
    name = np.unique(patch, return_inverse=True)[1]
    count = np.bincount(name)
    mean = np.column_stack([np.bincount(name, column) / count for column in values.T])
    centred: Array = values - mean[name]
    return centred


def _variances(design: Array, left: Array, where: Array) -> Array:
    """Variances (2, 2) of the components of the vectors.

    What slow distortion leaves is alike in neighbouring atoms, so that the usual formula would promise too much. The
    residuals are therefore summed over blocks of the picture, as if only these were independent (Liang & Zeger 1986);
    the larger of the two estimates counts.
    """
    inverse = np.linalg.inv(design.T @ design)
    plain = np.diag(inverse)[:, None] * (left**2).sum(axis=0) / max(len(left) - 4, 1)
    side = int(min(_BLOCKS, np.sqrt(len(left)) / 4))
    if side < 3:
        return plain
    low, high = where.min(axis=0), where.max(axis=0)
    cell = ((where - low) / (high - low + 1e-9) * side).astype(np.int64)
    block = np.unique(cell[:, 0] * side + cell[:, 1], return_inverse=True)[1]
    sums = np.stack([[np.bincount(block, d * r) for r in left.T] for d in design.T])  # (vector, axis, block)
    influence = np.einsum("vw,wab->vab", inverse, sums)
    return np.maximum(plain, (influence**2).sum(axis=2))
