"""Which atoms are neighbours of which: shared vectors, and the neighbour at the end of every lattice vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..core.positions import median_nearest

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

REACH = 0.3  # of the nearest distance within which an atom is where a vector leads
_NEAREST = 40  # atoms around each whose vectors are looked at
_FARTHEST = 6.0  # nearest distances beyond which vectors are not looked at
_PAIRS = 200_000  # of atoms that the shared vectors are read from
_BIN = 0.1  # of the nearest distance, of the histogram of vectors
_FAINT = 0.1  # of the commonest vector, below which none is looked at
_CLOSEST = 0.5  # of the nearest distance, for a vector to another atom and not to the same
_OF_PEAK = 0.3  # of the nearest distance around a peak
_SHELL = 1.45  # times the longer lattice vector: diagonals of a square, but not of a rhombus
# Of the shortest vector of a shell, within which the atom at its end is found. A square turned by 45° fits at 0.29.
_REACH = 0.25
_SURE = 0.8  # of this reach in other orientations, of which there are many to fit by chance
_STEP = 10.0  # degrees between the orientations that are tried for atoms that the lattice does not fit as it lies
_POOR = 0.5  # share of neighbours found up to which other orientations are tried


def kinds_of(atoms: pd.DataFrame) -> Ints:
    """The sublattice of every atom as a number from 0, all 0 where there is only one."""
    if "sublattice" not in atoms:
        return np.zeros(len(atoms), dtype=np.int64)
    return pd.factorize(atoms["sublattice"])[0].astype(np.int64)


def apart_by_kind(points: Array, *groups: Ints) -> Array:
    """Positions (N, 3) with a third coordinate that keeps atoms of different groups far from each other."""
    level = np.zeros(len(points), dtype=np.int64)
    for group in groups:
        level = pd.factorize(pd.MultiIndex.from_arrays([level, group]))[0]
    return np.column_stack([points, level * (100.0 * (1 + float(np.ptp(points))))])


def spread(apart: Array) -> float:
    """Median distance to the nearest fellow (N, 3 as of `apart_by_kind`), in pixels; infinite where none has one.

    Raises
    ------
    InputError
        If most atoms lie on top of another.
    """
    typical = median_nearest(apart) if len(apart) else np.inf
    if not typical > 0:
        raise InputError("Most atoms lie on top of another; drop the doubles first.")
    return typical


def nearest_within(tree: Any, target: Array, level: Array, reach: float) -> Ints:
    """Number (N, V) of the atom of `tree` nearest to each of the targets (N, V, 2), −1 where none is within reach."""
    n, v = target.shape[:2]
    place = np.concatenate([target, np.broadcast_to(level[:, None, None], (n, v, 1))], axis=2)
    found = tree.query(place.reshape(-1, 3), distance_upper_bound=reach)[1].reshape(n, v)
    return np.where(found < tree.n, found, -1).astype(np.int64)


def meetings(apart: Array, some: Array, vectors: Array, reach: float) -> tuple[Bools, Bools]:
    """Whether each vector (V, 2) from some atoms (M, 3) meets one of all (N, 3), and stays among them: (M, V)."""
    from scipy.spatial import cKDTree

    target = some[:, None, :2] + vectors
    met = nearest_within(cKDTree(apart), target, some[:, 2], reach) >= 0
    low, high = apart[:, :2].min(axis=0) - reach, apart[:, :2].max(axis=0) + reach
    return met, ((target >= low) & (target <= high)).all(axis=2)


@dataclass(frozen=True)
class VectorPeaks:
    """Vectors (P, 2) that many pairs of atoms share, how many (P,), and their scatter along an axis (P,), in pixels."""

    vectors: Array
    count: Array
    scatter: Array

    @property
    def lengths(self) -> Array:
        """Lengths (P,) in pixels."""
        length: Array = np.linalg.norm(self.vectors, axis=1)
        return length


def vector_peaks(
    apart: Array,
    near: float,
    others: Array | None = None,
    *,
    farthest: float = _FARTHEST,
    nearest: int = _NEAREST,
    pairs: int = _PAIRS,
) -> VectorPeaks:
    """The vectors that atoms (N, 3) have in common to each other, or to `others` (M, 3).

    Maxima in the histogram of differences of the positions of `nearest` atoms around each, up to `farthest` times
    `near`, moved to the mean of what lies around them; `near` is a typical nearest distance in pixels.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter
    from scipy.spatial import cKDTree

    ends = apart if others is None else others
    most = pairs // nearest
    some = apart if len(apart) <= most else np.random.default_rng(0).permutation(apart)[:most]
    number = min(nearest + 1, len(ends))
    distance, index = cKDTree(ends).query(some, number, distance_upper_bound=farthest * near)
    distance, index = distance.reshape(len(some), -1), index.reshape(len(some), -1)
    source, slot = np.nonzero(np.isfinite(distance) & (distance > 1e-9))
    vectors = ends[index[source, slot], :2] - some[source, :2]
    edges = np.arange(-farthest - 0.5 * _BIN, farthest + _BIN, _BIN) * near
    counts = np.histogramdd(vectors, bins=[edges, edges])[0]
    smooth = gaussian_filter(counts, 1.0, mode="constant")
    tops = np.argwhere((smooth == maximum_filter(smooth, 5)) & (smooth > _FAINT * smooth.max()))
    centres = (edges[:-1] + 0.5 * _BIN * near)[tops]
    centres = centres[np.linalg.norm(centres, axis=1) > _CLOSEST * near]
    return _moved_to_means(centres, vectors, _OF_PEAK * near)


def _moved_to_means(centres: Array, vectors: Array, reach: float) -> VectorPeaks:
    """Peaks at the means of the vectors around them."""
    from scipy.spatial import cKDTree

    if not len(centres):
        return VectorPeaks(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    distance, peak = cKDTree(centres).query(vectors, distance_upper_bound=reach)
    peak, member = peak[np.isfinite(distance)], vectors[np.isfinite(distance)]
    count = np.bincount(peak, minlength=len(centres))
    count, peak = count[count > 0], np.unique(peak, return_inverse=True)[1]
    centres = np.column_stack([np.bincount(peak, column) for column in member.T]) / count[:, None]
    scatter = np.sqrt(np.bincount(peak, ((member - centres[peak]) ** 2).sum(axis=1)) / (2 * count))
    return VectorPeaks(centres, count.astype(float), scatter)


@dataclass(frozen=True)
class Surroundings:
    """The atoms at the ends of the vectors of a shell around each atom.

    ``vectors`` (2H, 2) the shell, the second half opposite to the first; ``ends`` (N, 2H) numbers of the atoms there,
    −1 where there is none; ``turn`` (N,) by how much the shell is turned, counter-clockwise on screen in radians.
    """

    vectors: Array
    ends: Ints
    turn: Array

    def paired(self) -> Bools:
        """(N, H) whether the atoms at both ends of a pair of opposite vectors are there."""
        half = len(self.vectors) // 2
        there: Bools = (self.ends[:, :half] >= 0) & (self.ends[:, half:] >= 0)
        return there


def lattice_shell(basis: Array) -> Array:
    """The nearest lattice vectors (2H, 2) of a basis (2, 2), the second half opposite to the first."""
    a, b = basis
    half = np.array([a, b, a + b, a - b])
    length = np.linalg.norm(half, axis=1)
    half = half[length <= _SHELL * length[:2].max()]
    return np.concatenate([half, -half])


def surroundings(apart: Array, shell: Array, others: Array | None = None, turn: Array | None = None) -> Surroundings:
    """Find the atoms at the ends of a shell of vectors (2H, 2) around each of the atoms (N, 3), or those of `others`.

    Where too few are there, the shell is tried in other orientations, for other grains may lie so; it then follows the
    local rotation. With `turn` (N,) the orientations are known.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(apart if others is None else others)
    reach = _REACH * float(np.linalg.norm(shell, axis=1).min())
    if turn is not None:
        return Surroundings(shell, _ends(tree, apart, shell, turn, reach), turn)
    reach = min(reach, REACH * spread(apart))
    turn = np.zeros(len(apart))
    ends = _ends(tree, apart, shell, turn, reach)
    for seed in _orientations(shell)[1:]:
        poor = np.flatnonzero((ends >= 0).mean(axis=1) <= _POOR)
        if not len(poor):
            break
        tried = _ends(tree, apart[poor], shell, np.full(len(poor), seed), _SURE * reach)
        better = (tried >= 0).mean(axis=1) > _POOR
        ends[poor[better]], turn[poor[better]] = tried[better], seed
    turn = turn + _left_over(tree.data, apart, shell, ends, turn)
    return Surroundings(shell, _ends(tree, apart, shell, turn, reach), turn)


def turned(vectors: Array, turn: Array) -> Array:
    """Vectors (V, 2) turned by each of the angles (N,) in radians, counter-clockwise on screen: (N, V, 2)."""
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    y, x = vectors.T
    return np.stack([cos * y - sin * x, sin * y + cos * x], axis=2)


def _ends(tree: Any, apart: Array, shell: Array, turn: Array, reach: float) -> Ints:
    return nearest_within(tree, apart[:, None, :2] + turned(shell, turn), apart[:, 2], reach)


def symmetry_order(shell: Array, tolerance: float = 0.15) -> int:
    """By which part of a full turn a shell of lattice vectors comes onto itself: 6, 4 or 2.

    The tolerance is a share of the shortest vector.
    """
    return next(n for n in (6, 4, 2) if n == 2 or _same(turned(shell, np.array([2 * np.pi / n]))[0], shell, tolerance))


def _orientations(shell: Array) -> Array:
    """Rotations that make a difference to a shell, in radians, from the smallest on."""
    order = symmetry_order(shell)
    number = int(np.ceil(360 / order / _STEP))
    steps = (np.arange(number) + number // 2) % number - number // 2
    seeds = steps * 2 * np.pi / order / number
    ordered: Array = seeds[np.argsort(np.abs(seeds), kind="stable")]
    return ordered


def _same(one: Array, other: Array, tolerance: float) -> bool:
    distance = np.linalg.norm(one[:, None] - other, axis=2).min(axis=1)
    return bool((distance < tolerance * np.linalg.norm(other, axis=1).min()).all())


def _left_over(ends_at: Array, apart: Array, shell: Array, ends: Ints, turn: Array) -> Array:
    """By how much the vectors found are turned on average from the shell as it lies, in radians."""
    found = np.where((ends >= 0)[..., None], ends_at[ends, :2] - apart[:, None, :2], 0.0)
    expected = turned(shell, turn)
    cross = expected[..., 1] * found[..., 0] - expected[..., 0] * found[..., 1]  # rows run down
    left: Array = np.arctan2(-cross.sum(axis=1), (expected * found).sum(axis=(1, 2)))
    return np.where((ends >= 0).sum(axis=1) >= 3, left, 0.0)
