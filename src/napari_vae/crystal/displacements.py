"""How far atoms are displaced from where their neighbours would have them, and the local strain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.square import square_points, table_sides
from .deformation import strain_of
from .lattice import Lattice
from .lattice_vectors import frame_lattices
from .neighbours import Surroundings, apart_by_kind, kinds_of, lattice_shell, surroundings, vector_peaks

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_FLAT = 0.1  # determinant over the square of the trace, below which pairs of neighbours lie on one line; 1/4 at best
_COMMON = 0.3  # of the commonest vector to the other sublattice, for a neighbour in the cage
_CAGE = 1.3  # times its shortest vector
_LOPSIDED = 0.15  # of its size by which the centre of a cage may lie off the atom; else it is none
NAMES = ("displacement_y", "displacement_x", "strain_xx", "strain_xy", "dilation", "local_rotation")


@checks_arguments
def measure_displacements(atoms: pd.DataFrame, reference: Lattice | None = None) -> pd.DataFrame:
    """Displacement, strain and polarisation of every atom, from the positions of its neighbours alone.

    The neighbours are those at the ends of the shortest lattice vectors, taken in opposite pairs. The middle of every
    pair should be the atom: the displacement is its distance from the mean of these middles. The vectors across the
    pairs, against those of the reference lattice, give the deformation ``F`` by least squares; it is taken apart as
    ``F = exp(dilation) · exp(ε) · R`` with a traceless symmetric ε. The polarisation is the distance of the atom from
    the centre of the nearest atoms of the other sublattices, the cage around it. No zone axis needs to be known. A
    deformation that is the same over a few cells makes no displacement.

    Parameters
    ----------
    atoms : pandas.DataFrame
        Table with ``y``, ``x`` in pixels, as of `detect_atoms`; of a movie, each frame is treated by itself. With a
        column ``sublattice`` the neighbours are those of the same sublattice, and there is a polarisation.
    reference : Lattice, optional
        What is unstrained, for example `measure_lattice` of a part that is, or ``Lattice.ideal(a, b)``. By default the
        mean lattice of each frame.

    Returns
    -------
    pandas.DataFrame
        A copy of `atoms` with ``displacement_y``, ``displacement_x`` (pixels), ``strain_xx``, ``strain_xy`` (of ε, on
        screen with y up; ``strain_yy = −strain_xx``), ``dilation`` (logarithm of the scale) and ``local_rotation``
        (degrees, counter-clockwise on screen; in another grain modulo the symmetry of the lattice), and with
        sublattices ``polarisation_y``, ``polarisation_x`` (pixels). NaN where neighbours are missing, so on the
        border.

    Raises
    ------
    InputError
        As `measure_lattice`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> y, x = np.mgrid[:10, :10].reshape(2, -1) * 8.0
    >>> atoms = pd.DataFrame({"y": y, "x": x})
    >>> atoms.loc[44, "x"] += 1.0
    >>> float(measure_displacements(atoms).loc[44, "displacement_x"].round(3))
    1.0
    """
    polar, sides = "sublattice" in atoms, table_sides(atoms)
    names = [*NAMES, *(("polarisation_y", "polarisation_x") if polar else ())]
    values = np.full((len(atoms), len(names)), np.nan)
    for _, rows, lattice in frame_lattices(atoms, reference):
        if lattice is None:
            continue
        points, kind = square_points(atoms)[rows], kinds_of(atoms.iloc[rows])
        around = surroundings(apart_by_kind(points, kind), lattice_shell(lattice.vectors * sides))
        values[rows, :6] = _from_pairs(points, around)
        values[rows, :2] /= sides
        if polar:
            values[rows, 6:] = _polarisation(points, kind, around.turn, lattice.spacing) / sides
    result = atoms.assign(**dict(zip(names, values.T, strict=True)))
    result.attrs = dict(atoms.attrs)
    return result


def _from_pairs(points: Array, around: Surroundings) -> Array:
    """Displacement, strain, dilation and rotation (N, 6), NaN where the pairs do not span the plane."""
    half = len(around.vectors) // 2
    shell, there = around.vectors[:half], around.paired().astype(float)
    ahead, behind = points[around.ends[:, :half]], points[around.ends[:, half:]]
    square = np.einsum("nk,ki,kj->nij", there, shell, shell)
    trace = np.trace(square, axis1=1, axis2=2)
    spanned = np.linalg.det(square) > _FLAT * np.maximum(trace, 1e-12) ** 2
    result = np.full((len(points), 6), np.nan)
    if not spanned.any():
        return result
    weight = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
    centre = np.einsum("nk,nki->ni", weight, (ahead + behind) / 2)
    product = np.einsum("nk,nki,kj->nij", there, (ahead - behind) / 2, shell)
    deformation = product[spanned] @ np.linalg.inv(square[spanned])
    strain = strain_of(deformation)
    result[spanned, :2] = (points - centre)[spanned]
    result[spanned, 2:] = np.column_stack([strain[name] for name in ("strain_xx", "strain_xy", "dilation", "rotation")])
    return result


def _polarisation(points: Array, kind: Ints, turn: Array, near: float) -> Array:
    """Distance (N, 2) of the atoms from the centres of their cages, NaN where a cage is open or there is none."""
    result = np.full((len(points), 2), np.nan)
    for own in np.unique(kind):
        here, there = np.flatnonzero(kind == own), np.flatnonzero(kind != own)
        if not len(there):
            continue
        flat = apart_by_kind(points, np.zeros(len(points), dtype=np.int64))
        upright = here[np.abs(turn[here] - np.median(turn[here])) < np.deg2rad(5)]
        cage = _cage(flat[upright], flat[there], near)
        if cage is None:
            continue
        ends = surroundings(flat[here], cage, flat[there], turn[here]).ends
        closed = (ends >= 0).all(axis=1)
        result[here[closed]] = points[here[closed]] - points[there][ends[closed]].mean(axis=1)
    return result


def _cage(atoms: Array, others: Array, near: float) -> Array | None:
    """Vectors (K, 2) from atoms to the nearest of the others, if these lie around them."""
    peaks = vector_peaks(atoms, near, others)
    common = peaks.count >= _COMMON * peaks.count.max(initial=0)
    if common.sum() < 2:
        return None
    cage = peaks.vectors[common & (peaks.lengths <= _CAGE * peaks.lengths[common].min())]
    size = float(np.linalg.norm(cage, axis=1).mean())
    return cage if len(cage) > 1 and np.linalg.norm(cage.mean(axis=0)) < _LOPSIDED * size else None
