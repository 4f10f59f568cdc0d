"""Measuring the lattice of a crystal: vectors, angle and spacing with errors, from the positions of the atoms alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.positions import check_some, check_table, frame_numbers
from ..core.square import square_points, table_sides
from .brightness import contrasts
from .grains import find_grains
from .lattice import SHELL, Lattice, angle_between, angle_error, pair, reduced
from .lattice_fit import FEWEST, fit_lattice
from .neighbours import apart_by_kind, kinds_of, spread, vector_peaks
from .superlattice import superlattice

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@checks_arguments
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
    return next(_grains(atoms))[1]


@checks_arguments
def measure_grains(atoms: pd.DataFrame) -> tuple[pd.DataFrame, list[Lattice]]:
    """Which grain every atom lies in, and the lattice of each grain.

    Parameters
    ----------
    atoms : pandas.DataFrame
        As for `measure_lattice`, of one image.

    Returns
    -------
    atoms : pandas.DataFrame
        A copy with the column ``grain`` (int, 0 the largest).
    lattices : list of Lattice
        In the order of these numbers; `Lattice.turn_from` says how one lies to another.

    Raises
    ------
    InputError
        As `measure_lattice`.

    Examples
    --------
    >>> from napari_vae import samples
    >>> image, truth = samples.micrograph("graphene", size=512, grains=2)
    >>> atoms, lattices = measure_grains(truth)
    >>> len(lattices), sorted(atoms["grain"].unique().tolist())
    (2, [0, 1])
    """
    number = np.zeros(len(atoms), dtype=np.int64)
    lattices = []
    for index, (rows, lattice) in enumerate(_grains(atoms)):
        number[rows] = index
        lattices.append(lattice)
    result = atoms.assign(grain=number)
    result.attrs = dict(atoms.attrs)
    return result, lattices


def _grains(atoms: pd.DataFrame) -> Iterator[tuple[Ints, Lattice]]:
    """Rows (M,) and lattice of each grain, the largest first."""
    points, sides = checked_points(atoms), table_sides(atoms)
    frame, brightness = frame_numbers(atoms), contrasts(atoms, points)
    apart, of_any_kind = apart_by_kind(points, frame, kinds_of(atoms)), apart_by_kind(points, frame)
    bases, number = find_grains(apart)
    for index, basis in enumerate(bases):
        rows = np.flatnonzero(number == index)
        cell = superlattice(apart[rows], basis, None if brightness is None else brightness[rows])
        yield rows, _fitted(apart[rows], reduced(cell @ basis), of_any_kind[rows], sides)


def _fitted(apart: Array, basis: Array, of_any_kind: Array, sides: tuple[float, float]) -> Lattice:
    """The lattice of a grain whose vectors are roughly known, on square pixels."""
    vectors, errors, residual, used = fit_lattice(apart, basis)
    spacing, spacing_err = _spacing(of_any_kind, spread(of_any_kind))
    return Lattice(
        a=pair(vectors[0] / sides),
        b=pair(vectors[1] / sides),
        a_err=pair(np.sqrt(errors[0]) / sides),
        b_err=pair(np.sqrt(errors[1]) / sides),
        spacing=spacing,
        spacing_err=spacing_err,
        angle=angle_between(vectors),
        angle_err=angle_error(vectors, np.sqrt(errors)),
        residual=residual,
        n_atoms=used,
        sides=sides,
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
    """Positions (N, 2) on square pixels, refused where they are too few or not finite.

    Raises
    ------
    InputError
        For no table, no positions, or fewer than `fewest` atoms.
    """
    check_table(atoms)
    check_some(atoms)
    points = square_points(atoms)
    if len(points) < fewest:
        raise InputError(f"A lattice takes at least {fewest} atoms, and these are {len(points)}; find more of them.")
    return points


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
