"""Which site of the unit cell every atom is on, from the positions of the atoms alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from .lattice_vectors import measure_lattice
from .neighbours import apart_by_kind, lattice_shell, meetings, vector_peaks

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_REACH = 0.3  # of the nearest distance within which an atom is where a vector leads
_OF_GRAIN = 0.5  # share of the lattice vectors around an atom of a grain that lead to an atom
_FITTING = 0.7  # the same, to count for a lattice when several are compared
_FINER = 0.45  # power of the area of the cell: at 1/2, half the cell joining 2 of 3 sites would do as well
_SMALLEST_GRAIN, _SMALLEST_PART = 24, 0.05  # atoms, and of all atoms
_PATCHES, _PATCH = 6, 200  # parts whose lattices are tried as well, and how many atoms they have
_SAMPLED = 3000  # atoms that the lattices are compared on
_GRAINS = 12  # looked for at most
_AROUND = 9  # claimed atoms, the atom itself included, that say which grain it is in
_FARTHEST = 1.3  # times the longer lattice vector, for the vectors that define the sites
_SMALLEST_SHARE = 0.06  # of the atoms, on each site
_EXPLAINED = 0.6  # share of the atoms inside that must see just what a site sees; else the sites are not known


def sites_in_cell(points: Array) -> Ints:
    """Number (N,) of the site of the unit cell that each atom is on; all 0 where there is one site or no lattice.

    Sites differ in where, modulo the lattice, the atoms of other sites lie: of two that saw the same, one would be
    the other moved by a lattice vector. So each atom is asked at which of the vectors between sites it has an atom,
    and the patterns that most atoms show are the sites. That needs no origin, so neither drift nor slow strain nor
    vacancies mislead it. The largest grain is treated first, then the largest in what is left; the numbers in one
    grain say nothing about those in another.

    Parameters
    ----------
    points : array (N, 2)
        Positions (y, x) in pixels.
    """
    grains, number = _grains(points)
    site = np.zeros(len(points), dtype=np.int64)
    for index, grain in enumerate(grains):
        rows = np.flatnonzero(number == index)
        site[rows] = grain.sites(points, rows)
    return site


@dataclass(frozen=True)
class _Grain:
    """How the sites of a grain are recognised.

    ``vectors`` (V, 2) between sites, ``group`` (V,) which of them are the same modulo the lattice, ``pattern`` (K, G)
    at which of these the atoms of each site see an atom, and the ``reach`` in pixels for that.
    """

    vectors: Array
    group: Ints
    pattern: Array
    reach: float

    def sites(self, points: Array, rows: Ints) -> Ints:
        """The site of each of some of the atoms: that whose pattern is most like what it sees."""
        if len(self.pattern) < 2:
            return np.zeros(len(rows), dtype=np.int64)
        apart = apart_by_kind(points)
        seen = _seen(*meetings(apart, apart[rows], self.vectors, self.reach), self.group)
        unlike: Any = np.abs(np.where(np.isnan(seen), 0.5, seen)[:, None] - self.pattern).sum(axis=2)
        return np.asarray(unlike.argmin(axis=1), dtype=np.int64)


def _grains(points: Array) -> tuple[list[_Grain], Ints]:
    """The grains, the largest first, and the number (N,) of that which each atom lies in: as most around it do."""
    from scipy.spatial import cKDTree

    grains: list[_Grain] = []
    number = np.full(len(points), -1, dtype=np.int64)
    for _ in range(_GRAINS):
        left = np.flatnonzero(number < 0)
        smallest = max(_SMALLEST_GRAIN, _SMALLEST_PART * len(points))
        found = _largest_lattice(points[left], smallest)
        if found is None:
            break
        basis, member, near = found
        number[left[member]] = len(grains)
        grains.append(_grain_of(points[left[member]], basis, near))
    if len(grains) < 2:
        return grains, np.zeros(len(points), dtype=np.int64)
    claimed = np.flatnonzero(number >= 0)
    around = number[claimed[cKDTree(points[claimed]).query(points, _AROUND)[1]]]
    votes = np.stack([(around == index).sum(axis=1) for index in range(len(grains))])
    return grains, votes.argmax(axis=0).astype(np.int64)


def _largest_lattice(points: Array, smallest: float) -> tuple[Array, Ints, float] | None:
    """Vectors (2, 2) of the lattice of most atoms, which atoms (M,) these are, and how far apart; None without one."""
    from scipy.spatial import cKDTree

    if len(points) < smallest:
        return None
    near = float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))
    rng = np.random.default_rng(0)
    some = points if len(points) <= _SAMPLED else points[rng.choice(len(points), _SAMPLED, replace=False)]
    best, basis = 0.0, None
    for vectors in _local_lattices(points, rng):
        share = _share(points, some, vectors, near)
        # Neither a finer lattice that joins some of the sites, nor a coarser one that two grains have in common.
        worth = float((share >= _FITTING).sum() / abs(np.linalg.det(vectors)) ** _FINER)
        if worth > best:
            best, basis = worth, vectors
    if basis is None:
        return None
    member = np.flatnonzero(_share(points, points, basis, near) >= _OF_GRAIN)
    return None if len(member) < smallest else (basis, member, near)


def _local_lattices(points: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Lattice vectors (2, 2) of all atoms and of those around some, most of which lie in one grain."""
    from scipy.spatial import cKDTree

    parts = [np.arange(len(points))]
    if len(points) > _PATCH:
        parts += list(cKDTree(points).query(points[rng.choice(len(points), _PATCHES)], _PATCH)[1])
    for part in parts:
        with suppress(InputError):
            yield measure_lattice(pd.DataFrame(points[part], columns=["y", "x"])).vectors


def _share(points: Array, some: Array, basis: Array, near: float) -> Array:
    """Share of the nearest lattice vectors that lead from each of some atoms (M, 2) to another one."""
    met, eligible = meetings(apart_by_kind(points), apart_by_kind(some), lattice_shell(basis), _REACH * near)
    share: Array = (met & eligible).sum(axis=1) / np.maximum(eligible.sum(axis=1), 1)
    return share


def _grain_of(points: Array, basis: Array, near: float) -> _Grain:
    """How the sites of the one grain of these atoms (N, 2) are recognised."""
    vectors, group = _between_sites(points, basis, near)
    one = _Grain(vectors, group, np.zeros((1, 0)), _REACH * near)
    if not len(vectors):
        return one
    apart = apart_by_kind(points)
    seen = _seen(*meetings(apart, apart, vectors, _REACH * near), group)
    inside = ~np.isnan(seen).any(axis=1)
    if not inside.any():
        return one
    pattern, count = np.unique(seen[inside] > 0.5, axis=0, return_counts=True)
    common = count >= _SMALLEST_SHARE * inside.sum()
    if count[common].sum() < _EXPLAINED * inside.sum():
        return one
    return replace(one, pattern=pattern[common][::-1].astype(float))


def _between_sites(points: Array, basis: Array, near: float) -> tuple[Array, Ints]:
    """The vectors (V, 2) that lead to atoms of another site, and which (V,) are the same modulo the lattice."""
    peaks = vector_peaks(apart_by_kind(points), near).vectors
    peaks = peaks[np.linalg.norm(peaks, axis=1) <= _FARTHEST * np.linalg.norm(basis, axis=1).max()]
    peaks = peaks[np.lexsort(np.round(np.arctan2(-peaks[:, 0], peaks[:, 1]), 3)[None])]
    peaks = peaks[_modulo(peaks, basis) > _REACH * near]
    group = np.full(len(peaks), -1, dtype=np.int64)
    for number in range(len(peaks)):
        if group[number] < 0:
            alike = _modulo(peaks - peaks[number], basis) <= _REACH * near
            group[alike & (group < 0)] = number
    return peaks, np.unique(group, return_inverse=True)[1].astype(np.int64)


def _modulo(vectors: Array, basis: Array) -> Array:
    """Distance (N,) of the ends of vectors from the nearest points of a lattice, for a reduced basis."""
    cell = vectors @ np.linalg.inv(basis)
    corner = np.floor(cell)[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    distance: Array = np.linalg.norm((cell[:, None] - corner) @ basis, axis=2).min(axis=1)
    return distance


def _seen(met: Bools, eligible: Bools, group: Ints) -> Array:
    """Share (N, G) of the vectors of each group that meet an atom, NaN where none stays among the atoms."""
    member = np.eye(int(group.max()) + 1)[group]
    possible = eligible @ member
    with np.errstate(invalid="ignore"):
        share: Array = (met & eligible) @ member / possible
    return share
