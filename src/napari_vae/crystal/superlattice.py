"""The larger cell after which unlike columns of a lattice repeat: bright and weak ones, or displaced ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .lattice import reduced
from .lattice_fit import joined_places
from .neighbours import lattice_shell

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LARGEST = 9  # cells of the lattice in one of the superlattice
_MOST = 2000  # atoms that are compared with others
_FEWEST = 30  # pairs, for a vector
_UNLIKE = 1.15  # times the change along the superlattice, of that along any other vector, beyond what chance does
_SURE = 4.0  # standard errors
_EVEN = 0.02  # change of the logarithm of the brightness that says nothing
_STILL = 0.01  # of the shorter vector: displacement that says nothing
_REPRESENTED = 3  # vectors, the shortest, of those that lead to like places of the superlattice


def superlattice(apart: Array, basis: Array, brightness: Array | None = None) -> Ints:
    """Whole-numbered vectors (2, 2), in terms of the lattice vectors, after which the atoms repeat; else the identity.

    Along every lattice vector the mean square change is taken, of the logarithm of the brightness and of each
    coordinate. Along those of the superlattice it is noise alone; along all others it is more. That needs no origin,
    so neither slow change nor vacancies mislead it, and scan lines that jitter look alike along both.

    Parameters
    ----------
    apart : array (N, 3)
        Positions as of `apart_by_kind`.
    basis : array (2, 2)
        Lattice vectors.
    brightness : array (N,), optional
        Logarithm of the brightness, relative to what is around.
    """
    cell: Ints = np.eye(2, dtype=np.int64)
    changes = Changes(apart, basis, brightness)
    while True:
        ratio, better = max(
            ((changes.ratio(found @ cell, cell), found) for found in _coarser(int(_LARGEST / _index(cell)))),
            key=lambda known: known[0],
            default=(0.0, cell),
        )
        if ratio <= 1:
            return cell
        cell = _reduced(better @ cell, basis)


class Changes:
    """The mean square change of positions and brightness along lattice vectors."""

    def __init__(self, apart: Array, basis: Array, brightness: Array | None) -> None:
        place, patch = joined_places(apart, basis)
        self._basis = basis
        values = apart[:, :2] if brightness is None else np.column_stack([apart[:, :2], brightness])
        self._values = values
        self._floor = np.array([(_STILL * np.linalg.norm(basis, axis=1).min()) ** 2] * 2 + [_EVEN**2])[
            : values.shape[1]
        ]
        place = place - place.min(axis=0) + 2 * _LARGEST
        self._wide = int(place.max()) + 4 * _LARGEST
        self._key = (patch * self._wide + place[:, 0]) * self._wide + place[:, 1]
        self._order = np.argsort(self._key, kind="stable")
        rng = np.random.default_rng(0)
        self._some = np.arange(len(apart)) if len(apart) <= _MOST else rng.choice(len(apart), _MOST, replace=False)
        self._known: dict[tuple[int, int], tuple[Array, int]] = {}

    def along(self, steps: Ints) -> tuple[Array, int]:
        """Half the mean square change of each value along a lattice vector (2,), and of how many pairs."""
        name = int(steps[0]), int(steps[1])
        if name not in self._known:
            wanted = self._key[self._some] + name[0] * self._wide + name[1]
            at = np.searchsorted(self._key, wanted, sorter=self._order).clip(max=len(self._key) - 1)
            end = self._order[at]
            there = self._key[end] == wanted
            change = self._values[end[there]] - self._values[self._some[there]]
            change[:, :2] -= change[:, :2].mean(axis=0) if len(change) else 0.0
            self._known[name] = ((change**2).mean(axis=0) / 2 if len(change) else self._floor, int(there.sum()))
        return self._known[name]

    def ratio(self, cell: Ints, within: Ints) -> float:
        """How much less the values change along a superlattice than along any vector of `within`, of what is sure."""
        shell = np.rint(lattice_shell(cell @ self._basis) @ np.linalg.inv(self._basis)).astype(np.int64)
        inside = [self.along(steps) for steps in shell[: len(shell) // 2]]
        outside = [self.along(steps) for steps in _unlike(cell, within, self._basis)]
        fewest = min(count for _, count in (*inside, *outside))
        if fewest < _FEWEST:
            return 0.0
        most = np.max([change for change, _ in inside], axis=0) + self._floor
        least = np.min([change for change, _ in outside], axis=0) + self._floor
        return float((least / most).max() / (_UNLIKE + _SURE * np.sqrt(2 / fewest)))


def cosets(place: Ints, cell: Ints) -> Ints:
    """Which of the places (N, 2) are the same modulo a superlattice (2, 2), as numbers (N,) from 0."""
    index = _index(cell)
    adjugate = np.array([[cell[1, 1], -cell[0, 1]], [-cell[1, 0], cell[0, 0]]])
    modulo = np.mod(place @ adjugate, index)
    return np.unique(modulo[:, 0] * index + modulo[:, 1], return_inverse=True)[1].astype(np.int64)


def _unlike(cell: Ints, within: Ints, basis: Array) -> Ints:
    """The shortest vectors (V, 2) of `within` that lead to unlike places of a superlattice, some to each.

    Where the lattice changes slowly, positions change more along longer vectors; so each must show more change than
    those of the superlattice, not their mean.
    """
    half = range(-_LARGEST, _LARGEST + 1)
    steps = np.array([(i, j) for i in half for j in half if (i, j) > (0, 0)]) @ within
    steps = steps[np.argsort(np.linalg.norm(steps @ basis, axis=1), kind="stable")][: 12 * _LARGEST]
    name = cosets(np.concatenate([np.zeros((1, 2), dtype=np.int64), steps]), cell)
    return np.concatenate([steps[name[1:] == other][:_REPRESENTED] for other in np.unique(name) if other != name[0]])


def _coarser(largest: int) -> Iterator[Ints]:
    """All sublattices of up to so many cells, each once (Hermite normal forms)."""
    for index in range(2, largest + 1):
        for first in (n for n in range(1, index + 1) if index % n == 0):
            second = index // first
            for shear in range(second):
                yield np.array([[first, shear], [0, second]])


def _index(cell: Ints) -> int:
    return abs(round(float(np.linalg.det(cell))))


def _reduced(cell: Ints, basis: Array) -> Ints:
    return np.rint(reduced(cell @ basis) @ np.linalg.inv(basis)).astype(np.int64)
