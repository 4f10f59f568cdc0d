"""Where atoms are missing from a crystal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.arrays import as_numbers
from ..core.errors import InputError
from ..core.positions import median_nearest
from ..core.square import square_points, table_sides
from .lattice import Lattice
from .lattice_vectors import frame_lattices
from .neighbours import Surroundings, apart_by_kind, kinds_of, lattice_shell, surroundings, turned

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SAY = 3  # neighbours that an atom needs at their places to say where another is missing
_OCCUPIED = 0.4  # of the nearest distance within which an atom of any kind fills a site
_SAME_SITE = 0.35  # of the nearest distance within which predictions are of the same site
_MOST = 0.5  # of the neighbours that lie in the image
_AGREED = 2.5  # times what a neighbour usually errs by, within which neighbours agree on a place
_EXACT = 0.01  # of the shortest lattice vector, by which neighbours err at least
_BESIDE = 8  # atoms of any kind nearest to a site
_FITTING = 0.7  # of them, that lie where the lattice says
_WIDEST_GAP = 150.0  # degrees without a neighbour that predicts: more on the border and beside holes
_PRIOR = 0.5  # weight of the lattice as it is on average, against 1 for each neighbour
_MARGIN = 0.5  # of the nearest distance, from the edge of the image
_NONE: Ints = np.zeros(0, dtype=np.int64)


@checks_arguments
def find_vacancies(atoms: pd.DataFrame, shape: Any = None, *, lattice: Lattice | None = None) -> pd.DataFrame:
    """List the sites of a crystal where an atom is missing.

    Each atom says where the atoms at the ends of the shortest lattice vectors around it should be, as the neighbours
    that it has there turn, stretch and shift the lattice. Where nothing was found but neighbours on all sides expect
    an atom, one is missing, if the surroundings are sure: more than half of the neighbours are there, agree on the
    place as closely as neighbours do of atoms that are there, and most of the nearest atoms of any kind lie where the
    lattice says. So the border, grain boundaries, distorted places and the inside of larger holes are left out. Sites
    of a honeycomb and of several sublattices are found likewise, since lattice vectors join like sites.

    Whether an atom was there and not detected cannot be known from the table.

    Parameters
    ----------
    atoms : pandas.DataFrame
        Table with ``y``, ``x`` in pixels, as of `detect_atoms`; of a movie, each frame is treated by itself. With a
        column ``sublattice`` each sublattice is completed by itself, which is the surer way where it is known.
    shape : (int, int) or image, optional
        Rows and columns of the image, or the image itself. Sites near its edge are then listed too, up to half a
        spacing from it: neighbours that would lie outside need not be there.
    lattice : Lattice, optional
        Its lattice, where it is known; by default that of each frame is measured.

    Returns
    -------
    pandas.DataFrame
        One row per missing atom: ``frame``, ``y``, ``x`` (pixels), ``neighbours`` (how many predict it, of at most 6
        or 8), and ``sublattice`` if `atoms` has it.

    Raises
    ------
    InputError
        As `measure_lattice`, and for a shape that is none.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> y, x = np.mgrid[:10, :10].reshape(2, -1) * 8.0
    >>> find_vacancies(pd.DataFrame({"y": y, "x": x}).drop(index=44))[["y", "x", "neighbours"]].round(2)
          y     x  neighbours
    0  32.0  32.0           8
    """
    sides = table_sides(atoms)
    size = _size(shape, sides)
    tables: list[pd.DataFrame] = [_table(0, np.zeros((0, 2)), _NONE, _NONE, atoms)]
    for number, rows, own in frame_lattices(atoms, lattice):
        if own is None:
            continue
        here = atoms.iloc[rows]
        tables.append(_table(number, *_missing(here, own.vectors * sides, size), here))
    return pd.concat(tables, ignore_index=True)


def _size(shape: Any, sides: tuple[float, float]) -> Array | None:
    """Rows and columns on square pixels."""
    if shape is None:
        return None
    size = np.atleast_1d(as_numbers(getattr(shape, "shape", shape), "rows and columns"))[-2:]
    if size.shape != (2,) or not (size > 0).all():
        raise InputError(f"The shape of the image is (rows, columns), not {shape!r}.")
    return (size - 1) * sides + 1


def _table(number: int, site: Array, count: Ints, kind: Ints, atoms: pd.DataFrame) -> pd.DataFrame:
    order = np.lexsort(site.T[::-1])
    columns: dict[str, Any] = {"frame": np.full(len(site), number, dtype=np.int64)}
    site = site / table_sides(atoms)
    columns |= {"y": site[order, 0], "x": site[order, 1], "neighbours": count[order]}
    if "sublattice" in atoms:
        columns["sublattice"] = pd.factorize(atoms["sublattice"])[1].take(kind[order])
    return pd.DataFrame(columns)


def _missing(atoms: pd.DataFrame, basis: Array, size: Array | None) -> tuple[Array, Ints, Ints]:
    """Missing sites (M, 2) of a frame, how many neighbours predict each, and of which kind they are."""
    from scipy.spatial import cKDTree

    points, kind = square_points(atoms), kinds_of(atoms)
    tree = cKDTree(points)
    near = median_nearest(points)
    around = surroundings(apart_by_kind(points, kind), lattice_shell(basis))
    shell = turned(around.vectors, around.turn)
    low, high = (points.min(axis=0), points.max(axis=0)) if size is None else (np.zeros(2), size - 1)
    expected, leverage = _expected(points, around)
    in_place, typical = _in_place(points, around, expected, leverage, _within(points[:, None] + shell, low, high))
    source, end = np.nonzero((around.ends < 0) & in_place[:, None])
    site = expected[source, end]
    empty = np.flatnonzero(tree.query(site, distance_upper_bound=_OCCUPIED * near)[1] == len(points))
    if not len(empty):
        return np.zeros((0, 2)), _NONE, _NONE
    source, site = source[empty], site[empty]
    name, first = _grouped(apart_by_kind(site, kind[source]), _SAME_SITE * near)
    count = np.bincount(name)
    place = np.column_stack([np.bincount(name, column) / count for column in site.T])
    scatter = np.sqrt(np.bincount(name, ((site - place[name]) ** 2).sum(axis=1)) / count)
    shell = shell[source[first]]
    there = _within(place[:, None] + shell, low, high)
    kept = (count >= _SAY) & (count > _MOST * there.sum(axis=1)) & (scatter <= _AGREED * typical)
    # Of a cell with many sites the neighbours that predict are far away; the nearest atoms of any kind are asked too.
    beside = tree.query(place, min(_BESIDE, len(points)))[1]
    kept &= in_place[beside].mean(axis=1) >= _FITTING
    edge = _MARGIN * near
    kept &= _within(place, low + edge, high - edge)
    beyond, out = np.nonzero(~there) if size is not None else (_NONE, _NONE)  # beyond the edge there may be atoms
    for group, other in ((name, source), (np.repeat(np.arange(len(place)), beside.shape[1]), beside.ravel())):
        direction = np.concatenate([points[other] - place[group], shell[beyond, out]])
        kept &= _widest_gap(direction, np.concatenate([group, beyond])) <= _WIDEST_GAP
    return place[kept], count[kept], kind[source[first]][kept]


def _within(places: Array, low: Array, high: Array) -> Bools:
    return np.asarray(((places >= low) & (places <= high)).all(axis=-1))


def _in_place(
    points: Array, around: Surroundings, expected: Array, leverage: Array, inside: Bools
) -> tuple[Bools, float]:
    """Which atoms (N,) have most of their neighbours and lie where these expect them; by how much one usually errs.

    What a neighbour expects is taken as it would be without the atom itself. `inside` (N, 2H) says which neighbours
    would lie in the image.
    """
    there = around.ends >= 0
    source, end = np.nonzero(there)
    atom = around.ends[source, end]
    miss = (expected[source, end] - points[atom]) / (1 - leverage[source, end])[:, None]
    exact = _EXACT * float(np.linalg.norm(around.vectors, axis=1).min())
    typical = max(float(np.median(np.linalg.norm(miss, axis=1))), exact) if len(miss) else exact
    n = len(points)
    heard = np.bincount(atom, minlength=n)
    mean = np.column_stack([np.bincount(atom, column, n) for column in miss.T]) / np.maximum(heard, 1)[:, None]
    enough = (there.sum(axis=1) >= _SAY) & (there.sum(axis=1) >= _MOST * inside.sum(axis=1))
    return enough & (np.linalg.norm(mean, axis=1) <= _AGREED * typical), typical


def _grouped(apart: Array, reach: float) -> tuple[Ints, Ints]:
    """Number of the group of each of the points (N, 3) that are joined within reach, and one point of each group."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(apart).query_pairs(reach, output_type="ndarray")
    joined = csr_matrix((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(apart), len(apart)))
    name = connected_components(joined, directed=False)[1].astype(np.int64)
    return name, np.unique(name, return_index=True)[1]


def _expected(points: Array, around: Surroundings) -> tuple[Array, Array]:
    """Where each atom expects its neighbours (N, 2H, 2), and by which share (N, 2H) each of these decides on its own.

    An affine map from the shell to the neighbours found is fitted, its offset included, held by a weak prior: the
    lattice as it is on average, turned as it is here, around the atom itself.
    """
    there = (around.ends >= 0).astype(float)
    target = points[around.ends] - points[:, None]
    shell = turned(around.vectors, around.turn)
    design = np.concatenate([np.ones((*there.shape, 1)), shell], axis=2)  # (N, 2H, 3)
    length = float((around.vectors**2).sum(axis=1).mean())
    prior = _PRIOR * np.diag([1.0, length, length])
    normal = np.einsum("nk,nki,nkj->nij", there, design, design) + prior
    right = np.einsum("nk,nki,nkj->nij", there, design, target - shell)
    change = np.linalg.solve(normal, right)  # of the map from that of the prior
    leverage = there * np.einsum("nki,nij,nkj->nk", design, np.linalg.inv(normal), design)
    return points[:, None] + shell + design @ change, leverage


def _widest_gap(direction: Array, name: Ints) -> Array:
    """For each group 0 … M − 1 of directions, the widest angle in degrees in which none lies."""
    angle = np.degrees(np.arctan2(direction[:, 0], direction[:, 1]))
    order = np.lexsort((angle, name))
    angle, name = angle[order], name[order]
    first = np.flatnonzero(np.r_[True, name[1:] != name[:-1]])
    last = np.r_[first[1:], len(name)] - 1
    following = np.r_[angle[1:], 0.0]
    following[last] = angle[first] + 360
    widest: Array = np.maximum.reduceat(following - angle, first)
    return widest
