"""Which site of the unit cell every atom is on: where in the cell it lies, and how bright its like are there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from .grains import find_grains
from .lattice_fit import joined_places, places_through
from .neighbours import REACH, apart_by_kind, spread
from .site_classes import modulo, site_classes
from .superlattice import cosets, superlattice

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_AROUND = 16  # atoms beside each that say where in the cell it lies
_PATCH, _PATCH_SHARE = 12, 0.01  # atoms, and of all of the grain, that are joined by lattice vectors, to be trusted
_PAIRS = 5  # of near atoms, to say how two patches lie to each other
_AGREED = 0.6  # mean resultant length of what they say
_SAMPLED, _TRIED = 4000, 200  # atoms that the sites are read from, and places that are tried
_SMALLEST = 0.35  # of the atoms on the fullest site; what is rarer is false or foreign


def sites_in_cell(points: Array, contrast: Array | None = None, *, classes: bool = False) -> Ints:
    """Number (N,) of the site of the unit cell that each atom is on; all 0 where there is one site or no lattice.

    Atoms that lattice vectors join are on one site. How the sites lie to each other, modulo the lattice, is averaged
    over atoms near to each other, so neither drift nor slow strain nor missing atoms mislead it. Where like sites are
    bright and weak by turns, or displaced by turns, the cell is the larger one after which that repeats. The largest
    grain is treated first; the numbers in one grain say nothing about those in another.

    Parameters
    ----------
    points : array (N, 2)
        Positions (y, x) in pixels.
    contrast : array (N,), optional
        Logarithm of the brightness, relative to what is around.
    classes : bool
        Give sites that a rotation or mirror of the crystal leads to each other one number.
    """
    site = np.zeros(len(points), dtype=np.int64)
    try:
        bases, number = find_grains(apart_by_kind(points))
    except InputError:
        return site
    for index, basis in enumerate(bases):
        rows = np.flatnonzero(number == index)
        site[rows] = _sites(points[rows], basis, None if contrast is None else contrast[rows], classes)
    return site


def _sites(points: Array, basis: Array, contrast: Array | None, classes: bool) -> Ints:
    """The sites (N,) of the atoms of one grain."""
    from scipy.spatial import cKDTree

    near = spread(apart_by_kind(points))
    around = cKDTree(points).query(points, min(_AROUND + 1, len(points)))[1][:, 1:]
    where = _phases(points, basis, around, near)
    site, centre = _grouped(where, basis, near)
    if classes:
        return site_classes(centre, basis, near)[site]
    cell: Ints = superlattice(apart_by_kind(points, site), basis, contrast)
    if round(abs(float(np.linalg.det(cell)))) == 1:
        return site
    upright = points - centre[site] @ basis  # as if all were on one site
    start, stop = np.repeat(np.arange(len(points)), around.shape[1]), around.ravel()
    step = np.asarray((upright[stop] - upright[start]) @ np.linalg.inv(basis))
    true = np.linalg.norm((step - np.rint(step)) @ basis, axis=1) < REACH * near
    place = places_through(upright, basis, start[true], stop[true])[0]
    return _numbered(site * 1000 + cosets(place, cell))


def _phases(points: Array, basis: Array, around: Ints, near: float) -> Array:
    """Where in the cell (N, 2) each atom lies, as shares of the lattice vectors from an origin that all have in common.

    Patches of joined atoms first, each beside one that is known; then the others, as the atoms around them say.
    """
    patch = joined_places(apart_by_kind(points), basis)[1]
    size = np.bincount(patch)
    largest = np.argsort(-size, kind="stable")
    trusted = largest[size[largest] >= max(_PATCH, _PATCH_SHARE * len(points))]
    start, stop = np.repeat(np.arange(len(points)), around.shape[1]), around.ravel()
    turns = np.exp(2j * np.pi * (points[stop] - points[start]) @ np.linalg.inv(basis))
    known = np.full(len(size), -1, dtype=np.int64)
    known[trusted] = np.arange(len(trusted))
    phase = np.zeros((len(points), 2), dtype=complex)
    if len(trusted):
        at = _patch_phases(known[patch[start]], known[patch[stop]], turns, len(trusted))
        there = known[patch] >= 0
        phase[there] = at[known[patch[there]]]
    rest = np.flatnonzero(phase[:, 0] == 0)
    told = np.einsum(
        "nk,nkc->nc", phase[around[rest], 0] != 0, phase[around[rest]] / turns.reshape(*around.shape, 2)[rest]
    )
    phase[rest] = told
    return np.asarray(np.angle(phase) / (2 * np.pi))


def _patch_phases(one: Ints, other: Ints, turns: npt.NDArray[np.complex128], n: int) -> npt.NDArray[np.complex128]:
    """Phases (n, 2) of patches, 0 where unknown, from those of pairs of atoms in two of them, along a spanning tree."""
    between = (one >= 0) & (other >= 0) & (one != other)
    count = np.zeros((n, n))
    mean = np.zeros((n, n, 2), dtype=complex)
    np.add.at(count, (one[between], other[between]), 1)
    np.add.at(mean, (one[between], other[between]), turns[between])
    mean /= np.maximum(count, 1)[..., None]
    worth = np.where((count >= _PAIRS) & (np.abs(mean).min(axis=2) >= _AGREED), count, 0)
    phase = np.zeros((n, 2), dtype=complex)
    phase[0] = 1
    for _ in range(n - 1):
        done = phase[:, 0] != 0
        reachable = np.where(done[:, None] & ~done, worth, 0)
        source, target = np.unravel_index(int(reachable.argmax()), reachable.shape)
        if not reachable[source, target]:
            break
        phase[target] = phase[source] * mean[source, target] / np.abs(mean[source, target])
    return phase


def _grouped(where: Array, basis: Array, near: float) -> tuple[Ints, Array]:
    """Sites (N,) of the atoms, and where in the cell they lie (K, 2): the fullest places, apart as neighbours are."""
    rng = np.random.default_rng(0)
    left = where if len(where) <= _SAMPLED else where[rng.choice(len(where), _SAMPLED, replace=False)]
    centres: list[Array] = []
    fullest = 0
    while len(left):
        tried = left[rng.choice(len(left), min(_TRIED, len(left)), replace=False)]
        inside = [modulo(left - centre, basis) < REACH * near for centre in tried]
        best = max(inside, key=np.count_nonzero)
        count = int(best.sum())
        if count < _SMALLEST * fullest:
            break
        fullest = max(fullest, count)
        centres.append(_mean_phase(left[best]))
        left = left[modulo(left - centres[-1], basis) >= REACH * near]
    centre = np.array(centres)
    distance = np.stack([modulo(where - one, basis) for one in centre])
    return distance.argmin(axis=0).astype(np.int64), centre


def _numbered(names: Ints) -> Ints:
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def _mean_phase(where: Array) -> Array:
    return np.asarray(np.angle(np.exp(2j * np.pi * where).mean(axis=0)) / (2 * np.pi))
