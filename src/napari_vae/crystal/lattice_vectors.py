"""Measuring the lattice of a crystal: vectors, angle and spacing with errors, from the positions of the atoms alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..core.positions import check_table, frame_numbers
from .lattice import SHELL, Lattice, angle_between, angle_error, pair, reduced, sine
from .lattice_fit import FEWEST, ROWS_ONLY, fit_lattice
from .neighbours import apart_by_kind, kinds_of, meetings, vector_peaks

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MOST = 4000  # atoms that are asked where vectors lead
_ORDERED = 0.3  # share of the atoms that the best vector must lead to an atom; by chance it is less than a tenth
_AS_OFTEN = 0.7  # of the best vector: those of the lattice
_COINCIDENT = 2.05  # times the shortest, up to which shares are compared; grains share longer ones by chance
_LONGEST = 4.0  # times the shortest, for the other vector
_COLLINEAR = 0.3  # sine of the angle below which two vectors are no basis
_REACH = 0.3  # of the nearest distance within which an atom is where a vector leads


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
    vectors, errors, residual, used = fit_lattice(apart, _basis(apart, _spread(apart)))
    of_any_kind = apart_by_kind(points, frame)
    spacing, spacing_err = _spacing(of_any_kind, _spread(of_any_kind))
    return Lattice(
        a=pair(vectors[0]),
        b=pair(vectors[1]),
        a_err=pair(np.sqrt(errors[0])),
        b_err=pair(np.sqrt(errors[1])),
        spacing=spacing,
        spacing_err=spacing_err,
        angle=angle_between(vectors),
        angle_err=angle_error(vectors, np.sqrt(errors)),
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
    some = apart if len(apart) <= _MOST else apart[np.random.default_rng(0).choice(len(apart), _MOST, replace=False)]
    met, eligible = meetings(apart, some, peaks, _REACH * near)
    share = (met & eligible).sum(axis=0) / np.maximum(eligible.sum(axis=0), FEWEST / 2)
    if share.max(initial=0) < _ORDERED:
        raise InputError(
            "The atoms make no lattice: no vector leads from atom to atom often; choose a crystalline part."
        )
    # A lattice vector leads on as far backwards. A bond of a honeycomb does not.
    both_ways = (met & _opposite(met, peaks)).sum(axis=0) >= _AS_OFTEN * (met & _opposite(eligible, peaks)).sum(axis=0)
    length = np.linalg.norm(peaks, axis=1)
    good = np.flatnonzero(both_ways & (share >= _ORDERED))
    good = good[length[good] <= _LONGEST * length[good].min(initial=np.inf)]
    if len(good) < 2:
        raise InputError(ROWS_ONLY)
    enough = _AS_OFTEN * share[good[length[good] <= _COINCIDENT * length[good].min()]].max()
    good = good[share[good] >= enough]
    good = good[np.argsort(np.linalg.norm(peaks[good], axis=1))]
    first = good[0]
    for second in good[1:]:
        both = eligible[:, second] & met[:, first]
        fellows = (met[:, second] & both).sum() / max(both.sum(), 1)  # of one grain, not of two
        if abs(sine(peaks[first], peaks[second])) > _COLLINEAR and fellows >= enough:
            return reduced(peaks[[first, second]])
    raise InputError(ROWS_ONLY)


def _opposite(values: Bools, peaks: Array) -> Bools:
    """Values (n, V) for the vectors (V, 2), of those opposite to each."""
    opposite: Bools = values[:, np.linalg.norm(peaks[:, None] + peaks, axis=2).argmin(axis=1)]
    return opposite


def _spacing(apart: Array, near: float) -> tuple[float, float]:
    """Mean distance of neighbours and its error, from the mean vectors to them, which noise does not lengthen.

    The outermost atoms are left out: cut by the edge of the image, they were found too far inside.
    """
    margin = 0.5 * near
    low, high = apart[:, :2].min(axis=0) + margin, apart[:, :2].max(axis=0) - margin
    whole = apart[((apart[:, :2] >= low) & (apart[:, :2] <= high)).all(axis=1)]
    apart = whole if len(whole) >= FEWEST else apart
    peaks = vector_peaks(apart, near)
    common = peaks.count >= 0.25 * peaks.count.max()
    close = common & (peaks.lengths <= SHELL * peaks.lengths[common].min())
    weight = peaks.count[close] / peaks.count[close].sum()
    error = np.sqrt((weight**2 * peaks.scatter[close] ** 2 / peaks.count[close]).sum())
    return float(weight @ peaks.lengths[close]), float(
        np.sqrt(2) * error
    )  # every vector was counted from both its ends
