"""The grains of a crystal: the lattice of each, and which atoms lie in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from .neighbours import lattice_shell, meetings
from .translations import REACH, primitive_vectors, spread

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_OF_GRAIN = 0.5  # share of the lattice vectors around an atom of a grain that lead to an atom
_FITTING = 0.7  # the same, to count for a lattice when several are compared
_SMALLEST_GRAIN, _SMALLEST_PART = 24, 0.05  # atoms, and of all atoms
_PATCHES, _PATCH = 4, (200, 60)  # parts whose lattices are tried as well, and how many atoms they have
_SAMPLED = 3000  # atoms that the lattices are compared on
_GRAINS = 12  # looked for at most
_AROUND = 9  # claimed atoms, the atom itself included, that say which grain it is in
_WHOLE = 0.12  # by which the vectors of one lattice may miss whole numbers in terms of another that is the same


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

    bases: list[Array] = []
    number = np.full(len(apart), -1, dtype=np.int64)
    smallest = max(_SMALLEST_GRAIN, _SMALLEST_PART * len(apart))
    for _ in range(_GRAINS):
        left = np.flatnonzero(number < 0)
        if bases and len(left) < smallest:
            break
        try:
            basis, member = _largest(apart[left])
        except InputError:
            if bases:
                break
            raise
        same = [known for known, other in enumerate(bases) if _alike(basis, other)]
        if bases and not same and len(member) < smallest:
            break
        number[left[member]] = same[0] if same else len(bases)
        if not same:
            bases.append(basis)
        elif not len(member):
            break
    if len(bases) < 2:
        return bases, np.zeros(len(apart), dtype=np.int64)
    claimed = np.flatnonzero(number >= 0)
    around = number[claimed[cKDTree(apart[claimed]).query(apart, _AROUND)[1]]]
    votes = np.stack([(around == index).sum(axis=1) for index in range(len(bases))])
    return bases, votes.argmax(axis=0).astype(np.int64)


def _largest(apart: Array) -> tuple[Array, Ints]:
    """Vectors (2, 2) of the lattice of most atoms, and which atoms (M,) lie where it is.

    Most cells, not most atoms: two grains have a coarser lattice in common. So the lattice that is found may be too
    fine, and join only some of the sites; but most atoms where it is are of one grain, whose lattice is then measured.
    """
    from scipy.spatial import cKDTree

    near = spread(apart)
    rng = np.random.default_rng(0)
    some = apart if len(apart) <= _SAMPLED else apart[rng.choice(len(apart), _SAMPLED, replace=False)]
    candidates = list(_local_lattices(apart, rng)) or [primitive_vectors(apart)]  # which says why there is none
    cells = [(_share(apart, some, basis, near) >= _FITTING).sum() / abs(np.linalg.det(basis)) for basis in candidates]
    basis = candidates[int(np.argmax(cells))]
    fitting = _share(apart, apart, basis, near) >= _OF_GRAIN
    around = cKDTree(apart).query(apart, min(_AROUND, len(apart)))[1]
    member = np.flatnonzero(fitting[around].mean(axis=1) >= 0.5)
    return primitive_vectors(apart[member]), member


def _local_lattices(apart: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Lattice vectors (2, 2) of all atoms and of those around some, most of which lie in one grain."""
    from scipy.spatial import cKDTree

    parts = [np.arange(len(apart))]
    for size in (size for size in _PATCH if len(apart) > size):
        parts += list(cKDTree(apart).query(apart[rng.choice(len(apart), _PATCHES)], size)[1])
    for part in parts:
        with suppress(InputError):
            yield primitive_vectors(apart[part])


def _share(apart: Array, some: Array, basis: Array, near: float) -> Array:
    """Share of the nearest lattice vectors that lead from each of some atoms (M, 3) to another one."""
    met, eligible = meetings(apart, some, lattice_shell(basis), REACH * near)
    share: Array = (met & eligible).sum(axis=1) / np.maximum(eligible.sum(axis=1), 1)
    return share


def _alike(one: Array, other: Array) -> bool:
    """Whether two lattices are the same, or one is a part of the other."""
    across = one @ np.linalg.inv(other)
    return any(bool((np.abs(m - np.rint(m)) < _WHOLE).all()) for m in (across, np.linalg.inv(across)))
