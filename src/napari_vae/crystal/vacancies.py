"""Where atoms are missing from a crystal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..core.square import square_points, table_sides
from .lattice_vectors import frame_lattices
from .neighbours import Surroundings, apart_by_kind, kinds_of, lattice_shell, surroundings, turned

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SAY = 3  # neighbours that an atom needs at their places to say where another is missing
_OCCUPIED = 0.4  # of the nearest distance within which an atom of any kind fills a site
_SAME_SITE = 0.35  # of the nearest distance within which predictions are of the same site
_WIDEST_GAP = 150.0  # degrees without a neighbour that predicts: more on the border and beside holes
_PRIOR = 0.5  # weight of the lattice as it is on average, against 1 for each neighbour
_MARGIN = 0.5  # of the nearest distance, from the edge of the image
_NONE: Ints = np.zeros(0, dtype=np.int64)


def find_vacancies(atoms: pd.DataFrame, shape: Any = None) -> pd.DataFrame:
    """List the sites of a crystal where an atom is missing.

    Each atom says where the atoms at the ends of the shortest lattice vectors around it should be, as the neighbours
    that it has there turn, stretch and shift the lattice. Where nothing was found but neighbours on all sides expect
    an atom, one is missing; so the border, grain boundaries and the inside of larger holes are left out. Sites of a
    honeycomb and of several sublattices are found likewise, since lattice vectors join like sites.

    Whether an atom was there and not detected cannot be known from the table.

    Parameters
    ----------
    atoms : pandas.DataFrame
        Table with ``y``, ``x`` in pixels, as of `detect_atoms`; of a movie, each frame is treated by itself. With a
        column ``sublattice`` each sublattice is completed by itself, which is the surer way where it is known.
    shape : (int, int) or image, optional
        Rows and columns of the image, or the image itself. Sites near its edge are then listed too, up to half a
        spacing from it: neighbours that would lie outside need not be there.

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
    for number, rows, lattice in frame_lattices(atoms):
        if lattice is None:
            continue
        here = atoms.iloc[rows]
        tables.append(_table(number, *_missing(here, lattice.vectors * sides, size), here))
    return pd.concat(tables, ignore_index=True)


def _size(shape: Any, sides: tuple[float, float]) -> Array | None:
    """Rows and columns on square pixels."""
    if shape is None:
        return None
    size = np.atleast_1d(np.asarray(getattr(shape, "shape", shape), dtype=float))[-2:]
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
    near = float(np.median(tree.query(points, 2)[0][:, 1]))
    around = surroundings(apart_by_kind(points, kind), lattice_shell(basis))
    source, end = np.nonzero((around.ends < 0) & ((around.ends >= 0).sum(axis=1) >= _SAY)[:, None])
    site = _expected(points, around)[source, end]
    empty = np.flatnonzero(tree.query(site, distance_upper_bound=_OCCUPIED * near)[1] == len(points))
    if not len(empty):
        return np.zeros((0, 2)), _NONE, _NONE
    source, site = source[empty], site[empty]
    name, first = _grouped(apart_by_kind(site, kind[source]), _SAME_SITE * near)
    count = np.bincount(name)
    place = np.column_stack([np.bincount(name, column) / count for column in site.T])
    direction, group = points[source] - place[name], name
    kept = count >= _SAY
    if size is not None:
        out, where = _beyond(place, turned(around.vectors, around.turn[source[first]]), size)
        direction, group = np.concatenate([direction, out]), np.concatenate([group, where])
        edge = _MARGIN * near
        kept &= ((place >= edge) & (place <= size - 1 - edge)).all(axis=1)
    kept &= _widest_gap(direction, group) <= _WIDEST_GAP
    return place[kept], count[kept], kind[source[first]][kept]


def _grouped(apart: Array, reach: float) -> tuple[Ints, Ints]:
    """Number of the group of each of the points (N, 3) that are joined within reach, and one point of each group."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(apart).query_pairs(reach, output_type="ndarray")
    joined = csr_matrix((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(apart), len(apart)))
    name = connected_components(joined, directed=False)[1].astype(np.int64)
    return name, np.unique(name, return_index=True)[1]


def _beyond(place: Array, shell: Array, size: Array) -> tuple[Array, Ints]:
    """Vectors of the shells (M, 2H, 2) around the sites (M, 2) that lead out of the image, and their sites."""
    target = place[:, None] + shell
    site, end = np.nonzero(((target < 0) | (target > size - 1)).any(axis=2))
    return shell[site, end], site


def _expected(points: Array, around: Surroundings) -> Array:
    """Where each atom expects its neighbours (N, 2H, 2).

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
    expected: Array = points[:, None] + shell + design @ change
    return expected


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
