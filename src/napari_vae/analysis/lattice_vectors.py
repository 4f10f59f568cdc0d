"""The lattice of a crystal: its vectors, angle and spacing with errors, from the positions of the atoms alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import InputError
from ..positions import check_table, frame_numbers
from .neighbours import apart_by_kind, kinds_of, nearest_within, vector_peaks

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FEWEST = 12
_ORDERED = 0.3  # share of the atoms that the best vector must lead to an atom; by chance it is less than a tenth
_AS_OFTEN = 0.7  # of the best vector: those of the lattice; half of the atoms have a bond of a honeycomb
_COLLINEAR = 0.3  # sine of the angle below which two vectors are no basis
_REACH = 0.3  # of the spacing or of the shorter vector, within which an atom is where a vector leads
_SMALLEST_PATCH = 4  # atoms joined by lattice vectors that say something of these
_OUTLYING = 4.0  # robust standard deviations
_ACUTE = 75.0  # degrees; below, the obtuse angle of the same lattice is told, 120° for a hexagonal one
_ROUNDS = 4  # of leaving out outliers
_BLOCKS = 8  # along each side of the picture
_ROWS_ONLY = "The atoms make rows but no lattice; choose a part with several rows of at least four atoms."
_SHELL = 1.25  # times the shortest: neighbours that count for the spacing


@dataclass(frozen=True)
class Lattice:
    """The mean lattice of a crystal, in pixels.

    Attributes
    ----------
    a, b : (float, float)
        Lattice vectors (y, x), the shortest ones. `a` points to the right and `b` lies counter-clockwise from it on
        screen, by 75° to 120°.
    a_err, b_err : (float, float)
        Their standard errors, which follow also from slow distortion and not from noise alone.
    spacing, spacing_err : float
        Distance of neighbouring atoms, whatever their sublattice, and its standard error.
    angle, angle_err : float
        From `a` to `b`, in degrees.
    residual : float
        Root mean square distance of the atoms from the lattice (static displacements, noise and slow distortion).
    n_atoms : int
        How many atoms it was fitted to; the others are joined to too few, or lie apart.
    """

    a: tuple[float, float]
    b: tuple[float, float]
    a_err: tuple[float, float]
    b_err: tuple[float, float]
    spacing: float
    spacing_err: float
    angle: float
    angle_err: float
    residual: float
    n_atoms: int

    @property
    def vectors(self) -> Array:
        """`a` and `b` as the rows of a (2, 2) array, (y, x)."""
        return np.array([self.a, self.b])

    @classmethod
    def ideal(cls, a: tuple[float, float], b: tuple[float, float]) -> Lattice:
        """A lattice that is known, without errors, for example as the reference for strain.

        Raises
        ------
        InputError
            If the vectors are collinear or not finite.
        """
        vectors = np.array([a, b], dtype=float)
        if not (np.isfinite(vectors).all() and abs(_sine(*vectors)) > 1e-6):
            raise InputError(f"The vectors {a} and {b} make no lattice; give two that are not collinear.")
        vectors = _reduced(vectors)
        lengths = np.linalg.norm(vectors, axis=1)
        return cls(
            _pair(vectors[0]), _pair(vectors[1]), (0.0, 0.0), (0.0, 0.0), float(lengths.min()), 0.0, _angle(vectors),
            0.0, 0.0, 0,
        )  # fmt: skip


def measure_lattice(atoms: pd.DataFrame) -> Lattice:
    """Lattice vectors, angle and spacing with standard errors.

    The vectors that most atoms share are read from the differences of near positions. Along them every atom gets its
    whole-numbered place, from neighbour to neighbour, so that slow distortion does no harm; a least-squares fit of
    positions against places gives the vectors. Each patch of atoms that are joined has an origin of its own: the
    sublattices of a honeycomb, parts of a crystal apart from each other, the frames of a movie. Of several grains the
    largest counts.

    Parameters
    ----------
    atoms : pandas.DataFrame
        Table with ``y``, ``x`` in pixels, as of `detect_atoms`. With a column ``sublattice`` lattice vectors join
        atoms of one sublattice; without it, they join whatever atoms there are: in a perovskite, the two kinds.

    Raises
    ------
    InputError
        For fewer than 12 atoms, positions that are not finite, or where there is no lattice.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> y, x = np.mgrid[:10, :10].reshape(2, -1) * 8.0
    >>> lattice = measure_lattice(pd.DataFrame({"y": y, "x": x}))
    >>> round(lattice.spacing, 3), round(lattice.angle, 3)
    (8.0, 90.0)
    """
    points = checked_points(atoms)
    frame, kind = frame_numbers(atoms), kinds_of(atoms)
    apart = apart_by_kind(points, frame, kind)
    vectors, errors, residual, used = _fit(apart, _basis(apart, _spread(apart)))
    of_any_kind = apart_by_kind(points, frame)
    spacing, spacing_err = _spacing(of_any_kind, _spread(of_any_kind))
    turn = np.einsum("ij,ij->i", errors, np.stack([_across(v) for v in vectors]) ** 2)
    return Lattice(
        a=_pair(vectors[0]),
        b=_pair(vectors[1]),
        a_err=_pair(np.sqrt(errors[0])),
        b_err=_pair(np.sqrt(errors[1])),
        spacing=spacing,
        spacing_err=spacing_err,
        angle=_angle(vectors),
        angle_err=float(np.degrees(np.sqrt(turn.sum()))),
        residual=residual,
        n_atoms=used,
    )


def frame_lattices(
    atoms: pd.DataFrame, reference: Lattice | None = None
) -> Iterator[tuple[int, npt.NDArray[np.int64], Lattice | None]]:
    """The number, the rows and the lattice of each frame: `reference`, or its own.

    None for the lattice where a frame of a movie has none, for example a blank one.

    Raises
    ------
    InputError
        As `measure_lattice`, for an image, and for a movie without a lattice in any frame.
    """
    checked_points(atoms, fewest=0 if reference else FEWEST)
    frames = frame_numbers(atoms)
    numbers = np.unique(frames)
    failed: list[InputError] = []
    for number in numbers:
        rows = np.flatnonzero(frames == number)
        lattice = reference
        if lattice is None:
            try:
                lattice = measure_lattice(atoms.iloc[rows])
            except InputError as error:
                failed.append(error)
        yield int(number), rows, lattice
    if failed and len(failed) == len(numbers):
        raise failed[0]


def checked_points(atoms: pd.DataFrame, fewest: int = FEWEST) -> Array:
    """Positions (N, 2), refused where they are too few or not finite.

    Raises
    ------
    InputError
        For no table, no positions, or fewer than `fewest` atoms.
    """
    check_table(atoms)
    points = atoms[["y", "x"]].to_numpy(dtype=float)
    if len(points) < fewest:
        raise InputError(f"A lattice takes at least {fewest} atoms, and these are {len(points)}; find more of them.")
    if not np.isfinite(points).all():
        raise InputError("Some atoms have NaN or infinite positions; drop those rows first.")
    return points


def _spread(apart: Array) -> float:
    """Median distance to the nearest fellow, in pixels."""
    from scipy.spatial import cKDTree

    distance = cKDTree(apart).query(apart, 2)[0][:, 1]
    typical = float(np.median(distance[distance < np.inf]))
    if not typical > 0:
        raise InputError("Most atoms lie on top of another; drop the doubles first.")
    return typical


def _basis(apart: Array, near: float) -> Array:
    """Two shortest vectors that most atoms share, as rows (2, 2)."""
    peaks = vector_peaks(apart, near).vectors
    met, eligible = _meetings(apart, peaks, _REACH * near)
    share = (met & eligible).sum(axis=0) / np.maximum(eligible.sum(axis=0), FEWEST / 2)
    if share.max(initial=0) < _ORDERED:
        raise InputError(
            "The atoms make no lattice: no vector leads from atom to atom often; choose a crystalline part."
        )
    good = np.flatnonzero(share >= _AS_OFTEN * share.max())
    good = good[np.argsort(np.linalg.norm(peaks[good], axis=1))]
    first = good[0]
    for second in good[1:]:
        both = eligible[:, second] & met[:, first]
        fellows = (met[:, second] & both).sum() / max(both.sum(), 1)  # of one grain, not of two
        if abs(_sine(peaks[first], peaks[second])) > _COLLINEAR and fellows >= _AS_OFTEN * share.max():
            return _reduced(peaks[[first, second]])
    raise InputError(_ROWS_ONLY)


def _meetings(apart: Array, vectors: Array, reach: float) -> tuple[Bools, Bools]:
    """Whether each of N vectors from each atom meets an atom (n, V), and whether it stays within the picture (n, V)."""
    from scipy.spatial import cKDTree

    most = 4000
    some = apart if len(apart) <= most else apart[np.random.default_rng(0).choice(len(apart), most, replace=False)]
    target = some[:, None, :2] + vectors
    met = nearest_within(cKDTree(apart), target, some[:, 2], reach) >= 0
    low, high = apart[:, :2].min(axis=0) - reach, apart[:, :2].max(axis=0) + reach
    return met, ((target >= low) & (target <= high)).all(axis=2)


def _fit(apart: Array, rough: Array) -> tuple[Array, Array, float, int]:
    """Vectors (2, 2), the variances of their components (2, 2), the residual, and how many atoms were used."""
    place, patch = _places(apart, rough)
    used = np.flatnonzero(np.bincount(patch)[patch] >= _SMALLEST_PATCH)
    for _ in range(_ROUNDS):
        design, where = _centred(place[used], patch[used]), _centred(apart[used, :2], patch[used])
        if len(used) < FEWEST / 2 or np.linalg.matrix_rank(design) < 2:
            raise InputError(_ROWS_ONLY)
        vectors = np.linalg.lstsq(design, where, rcond=None)[0]
        left = where - design @ vectors
        off = np.linalg.norm(left, axis=1)
        outlying = off > max(_OUTLYING * 0.85 * float(np.median(off)), 1e-6 * float(np.linalg.norm(rough[0])))
        if not outlying.any():
            break
        used = used[~outlying]
    return vectors, _variances(design, left, where), float(np.sqrt((off**2).mean())), len(off)


def _places(apart: Array, vectors: Array) -> tuple[Ints, Ints]:
    """Whole-numbered places (N, 2) of the atoms along the vectors, and the number (N,) of the patch they are joined in.

    From neighbour to neighbour through a tree that spans each patch. How far an atom is from the root is summed by
    jumping to the predecessor of the predecessor, so that it takes a dozen rounds, however large the patch is.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_tree, connected_components
    from scipy.spatial import cKDTree

    n = len(apart)
    reach = _REACH * float(np.linalg.norm(vectors, axis=1).min())
    ends = nearest_within(cKDTree(apart), apart[:, None, :2] + vectors, apart[:, 2], reach)
    start, along = np.nonzero(ends >= 0)
    stop = ends[start, along]
    joined = csr_matrix((np.ones(len(start)), (start, stop)), shape=(n, n))
    patch = connected_components(joined, directed=False)[1].astype(np.int64)
    root = np.unique(patch, return_index=True)[1]
    # One more node, joined to a root in every patch, makes one tree of all.
    rows, columns = np.concatenate([start, np.full(len(root), n)]), np.concatenate([stop, root])
    step = np.concatenate([along + 1, np.full(len(root), 3)])
    tree = breadth_first_tree(
        csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n + 1, n + 1)), n, directed=False
    )
    steps = csr_matrix((np.r_[step, -step], (np.r_[rows, columns], np.r_[columns, rows])), shape=(n + 1, n + 1))
    before, after = tree.nonzero()
    taken = np.asarray(steps[before, after]).ravel().astype(np.int64)
    place, previous = np.zeros((n + 1, 2), dtype=np.int64), np.full(n + 1, n)
    previous[after] = before
    for axis in (0, 1):
        place[after, axis] = np.sign(taken) * (np.abs(taken) == axis + 1)
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


def _spacing(apart: Array, near: float) -> tuple[float, float]:
    """Mean distance of neighbouring atoms and its error, from the mean vectors to them, which noise does not lengthen."""
    peaks = vector_peaks(apart, near)
    common = peaks.count >= 0.25 * peaks.count.max()
    close = common & (peaks.lengths <= _SHELL * peaks.lengths[common].min())
    weight = peaks.count[close] / peaks.count[close].sum()
    error = np.sqrt((weight**2 * peaks.scatter[close] ** 2 / peaks.count[close]).sum())
    return float(weight @ peaks.lengths[close]), float(error)


def _reduced(vectors: Array) -> Array:
    """The shortest basis of the same lattice, `a` to the right and `b` counter-clockwise from it by 75° to 120°."""
    a, b = sorted(vectors, key=lambda v: float(v @ v))
    while True:
        b = b - np.rint(a @ b / (a @ a)) * a
        if b @ b >= (1 - 1e-9) * (a @ a):
            break
        a, b = b, a
    b = b if _sine(a, b) > 0 else -b
    if _angle(np.array([a, b])) < _ACUTE:
        a, b = b, -a
    return np.array([a, b]) * (1 if a[1] > 0 or (a[1] == 0 and a[0] < 0) else -1)


def _sine(a: Array, b: Array) -> float:
    """Sine of the angle from a to b, counter-clockwise on screen, where rows run down."""
    return float((a[0] * b[1] - a[1] * b[0]) / (np.linalg.norm(a) * np.linalg.norm(b)))


def _angle(vectors: Array) -> float:
    """Angle between the vectors in degrees."""
    a, b = vectors
    return float(np.degrees(np.arctan2(abs(a[0] * b[1] - a[1] * b[0]), a @ b)))


def _across(vector: Array) -> Array:
    """What a change of the vector by one pixel along y and x turns it by, in radians."""
    return np.array([vector[1], -vector[0]]) / (vector @ vector)


def _pair(values: Array) -> tuple[float, float]:
    return float(values[0]), float(values[1])
