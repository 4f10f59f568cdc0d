"""Sites of a cell that are alike: a rotation or mirror of the crystal leads one to the other."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SAME_PLACE = 0.15  # of the nearest distance, by which a site may lie off another that a symmetry leads to
_SAME_CELL = 0.1  # of the product of their lengths, by which the scalar products of two vectors may change


def site_classes(centres: Array, basis: Array, near: float) -> Ints:
    """Class (K,) of each site of a cell, whose places (K, 2) are shares of the lattice vectors (2, 2).

    Every rotation and mirror that maps the lattice onto itself, about, is tried with every shift that maps the first
    site to a site. Where all sites come to lie on sites, those that lie on each other are of one class.
    """
    kind = np.arange(len(centres))
    for turn, target in product(_point_operations(basis), range(len(centres))):
        moved = centres @ turn + centres[target] - centres[0] @ turn
        distance = np.stack([modulo(moved - one, basis) for one in centres], axis=1)
        onto = distance.argmin(axis=1)
        if distance.min(axis=1).max() < _SAME_PLACE * near and len(set(onto)) == len(centres):
            for one, other in zip(kind.copy(), kind[onto], strict=True):
                kind[kind == max(one, other)] = min(one, other)
    return np.asarray(np.unique(kind, return_inverse=True)[1], dtype=np.int64)


def modulo(shares: Array, basis: Array) -> Array:
    """Distance (N,) in pixels of places in the cell (N, 2) from the nearest lattice point, for a reduced basis."""
    corner = np.floor(shares)[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    distance: Array = np.linalg.norm((shares[:, None] - corner) @ basis, axis=2).min(axis=1)
    return distance


def _point_operations(basis: Array) -> list[Array]:
    """Whole-numbered matrices (2, 2), in terms of a reduced basis, that map the lattice onto itself, about."""
    metric, length = basis @ basis.T, np.linalg.norm(basis, axis=1)
    matrices = [
        np.array([[a, b], [c, d]], dtype=float) for a, b, c, d in product((-1, 0, 1), repeat=4) if a * d - b * c
    ]
    unit = [m for m in matrices if abs(abs(np.linalg.det(m)) - 1) < 1e-9]
    return [m for m in unit if (np.abs(m @ metric @ m.T - metric) <= _SAME_CELL * np.outer(length, length)).all()]
