"""The grains of a crystal: the lattice of each, and which atoms lie in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from .neighbours import REACH, lattice_shell, nearest_within, spread
from .translations import AS_OFTEN, NO_LATTICE, primitive_vectors

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_OF_GRAIN = 0.6  # of the share of the lattice vectors that lead to an atom inside a grain, to be in it
_FITTING = 0.7  # share of them around an atom, for the atom to count when lattices are compared
_MOSTLY = 0.8  # of the atoms of one region, to lie in another
_BEST = 0.15  # of the misses, those in the grain where a lattice fits best, which tell how much atoms scatter
_SCATTERS, _TIGHT = 2.5, 0.07  # within which an atom is where a vector leads, and of the nearest distance at least
_NEARLY_ALL = 0.95  # of the atoms: no need to look at them again
_SMALLEST_GRAIN, _SMALLEST_PART = 24, 0.05  # atoms, and of all atoms
_PATCHES, _PATCH = 4, (200, 60)  # parts whose lattices are tried as well, and how many atoms they have
_GRAINS = 12  # looked for at most
_AROUND = 9  # claimed atoms, the atom itself included, that say which grain it is in
_WHOLE = 0.06  # by which the vectors of one lattice may miss whole numbers in terms of another that is the same


def find_grains(apart: Array) -> tuple[list[Array], Ints]:
    """Lattice vectors (2, 2) of the grains, the largest first, and the number (N,) of that which each atom lies in.

    The largest lattice is looked for among all atoms (N, 3 as of `apart_by_kind`), the next among what is left. In
    the end an atom lies in the grain that most around it lie in.

    Raises
    ------
    InputError
        As `primitive_vectors`, where there is no grain.
    """
    from scipy.spatial import cKDTree

    spread(apart)  # which refuses atoms on top of each other
    bases: list[Array] = []
    number = np.full(len(apart), -1, dtype=np.int64)
    smallest = max(_SMALLEST_GRAIN, _SMALLEST_PART * len(apart))
    for _ in range(_GRAINS):
        left = np.flatnonzero(number < 0)
        if bases and len(left) < smallest:
            break
        try:
            found = _largest(apart[left])
        except InputError:
            if bases:
                break
            raise
        same = [known for known, other in enumerate(bases) if _alike(found.basis, other)]
        if bases and not same and len(found.member) < smallest:
            break
        number[left[found.member]] = same[0] if same else len(bases)
        if not same:
            bases.append(found.basis)
    if len(bases) < 2:
        return bases, np.zeros(len(apart), dtype=np.int64)
    claimed = np.flatnonzero(number >= 0)
    around = number[claimed[cKDTree(apart[claimed]).query(apart, _AROUND)[1]]]
    votes = np.stack([(around == index).sum(axis=1) for index in range(len(bases))])
    number = votes.argmax(axis=0)
    largest = np.argsort(-np.bincount(number, minlength=len(bases)), kind="stable")
    return [bases[index] for index in largest], np.argsort(largest)[number].astype(np.int64)


@dataclass(frozen=True)
class _Region:
    """Where a lattice ``basis`` (2, 2) fits.

    Rows ``member`` (M,), mean ``share`` of its vectors that lead to atoms there, and how many ``cells`` fit well.
    """

    basis: Array
    member: Ints
    share: float
    cells: float

    def is_finer_part_of(self, other: _Region) -> bool:
        """Whether another lattice leads more of these atoms to atoms, so that this one joins only some of the sites."""
        inside = np.isin(self.member, other.member).mean()
        return bool(inside >= _MOSTLY and self.share < AS_OFTEN * other.share)


def _largest(apart: Array) -> _Region:
    """The lattice of most cells. Not of most atoms: two grains have a coarser lattice in common.

    Raises
    ------
    InputError
        Where there is none.
    """
    from scipy.spatial import cKDTree

    around = cKDTree(apart).query(apart, min(_AROUND, len(apart)))[1]
    tried: list[Array] = []
    misses: list[_Misses] = []
    for part, rough in _local_lattices(apart):
        if any(_alike(rough, other, exactly=True) for other in tried):
            continue
        tried.append(rough)
        miss = _Misses(apart, rough, around)
        member = miss.region(miss.reach).member
        with suppress(InputError):
            # A few atoms may show too fine a lattice, which joins some of the sites; all where it is show theirs.
            if min(len(part), len(member)) < _NEARLY_ALL * len(apart):
                miss = _Misses(apart, primitive_vectors(apart[member]), around)
            misses.append(miss)
    if not misses:
        raise InputError(NO_LATTICE)
    reach = min(miss.reach for miss in misses)  # a lattice between those of two grains misses both
    regions = [miss.region(reach) for miss in misses]
    regions = [one for one in regions if not any(one.is_finer_part_of(other) for other in regions)]
    return max(regions, key=lambda region: region.cells)


class _Misses:
    """By how much the shortest vectors of a lattice miss the atoms that they lead to."""

    def __init__(self, apart: Array, basis: Array, around: Ints) -> None:
        from scipy.spatial import cKDTree

        self._basis, self._around = basis, around
        near, shell = spread(apart), lattice_shell(basis)
        target = apart[:, None, :2] + shell
        ends = nearest_within(cKDTree(apart), target, apart[:, 2], REACH * near)
        self._miss = np.where(ends >= 0, np.linalg.norm(apart[ends, :2] - target, axis=2), np.inf)
        low, high = apart[:, :2].min(axis=0) - REACH * near, apart[:, :2].max(axis=0) + REACH * near
        self._eligible = ((target >= low) & (target <= high)).all(axis=2)
        hits = self._miss[np.isfinite(self._miss)]
        scatter = float(np.quantile(hits, _BEST)) / np.sqrt(-2 * np.log(1 - _BEST)) if len(hits) else 0.0
        self.reach = near * float(np.clip(_SCATTERS * scatter / near, _TIGHT, REACH))

    def region(self, reach: float) -> _Region:
        """Where the lattice fits the atoms around, compared with where it fits best."""
        share = ((self._miss <= reach) & self._eligible).sum(axis=1) / np.maximum(self._eligible.sum(axis=1), 1)
        here = share[self._around].mean(axis=1)
        member = np.flatnonzero(here >= _OF_GRAIN * np.quantile(here, 0.9))
        cells = (share >= _FITTING).sum() / abs(np.linalg.det(self._basis))
        return _Region(self._basis, member, float(share[member].mean()), float(cells))


def _local_lattices(apart: Array) -> Iterator[tuple[Ints, Array]]:
    """Rows (M,) and lattice vectors (2, 2) of all atoms, and of those around some, most of which lie in one grain.

    Raises
    ------
    InputError
        What is said of all atoms, where there is none.
    """
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    parts = [np.arange(len(apart))]
    for size in (size for size in _PATCH if len(apart) > size):
        parts += list(cKDTree(apart).query(apart[rng.choice(len(apart), _PATCHES)], size)[1])
    failures = []
    for part in parts:
        try:
            yield part, primitive_vectors(apart[part])
        except InputError as failure:
            failures.append(failure)
    if len(failures) == len(parts):
        raise failures[0]


def _alike(one: Array, other: Array, *, exactly: bool = False) -> bool:
    """Whether two lattices are the same or, unless exactly, one is a part of the other."""
    across = one @ np.linalg.inv(other)
    whole = [bool((np.abs(m - np.rint(m)) < _WHOLE).all()) for m in (across, np.linalg.inv(across))]
    return all(whole) if exactly else any(whole)
