"""Which translations map a crystal onto itself: those that lead most of its atoms to atoms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from .lattice import reduced, sine
from .lattice_fit import FEWEST, ROWS_ONLY
from .neighbours import REACH, meetings, spread, vector_peaks

Array = npt.NDArray[np.float64]

NO_LATTICE = "The atoms make no lattice: no vector leads from atom to atom often; choose a crystalline part."
_FARTHEST = 8.0  # sides of the square with one atom; a cell of nine may be seven long
_NEAREST, _PAIRS = 200, 80_000  # atoms in a circle of this radius, and pairs of atoms that vectors are read from
_MOST = 1500  # atoms that are asked where vectors lead
_TRIED = 150  # vectors, the commonest
_FAIR = 0.5  # of the commonest vector, below which none is tried
_ORDERED = 0.3  # share of the atoms that a translation leads to atoms; by chance it is less than a tenth
AS_OFTEN = 0.95  # of the share of any longer vector: ordered vacancies may leave eight of nine atoms fellows
_BY_CHANCE = 0.01  # as likely is it that one of the vectors leads as many of scattered atoms to atoms
_FEWEST_ASKED = 16  # atoms that a vector does not lead out of the picture, to be tried
_COLLINEAR = 0.3  # sine of the angle below which two vectors are no basis


def primitive_vectors(apart: Array) -> Array:
    """The two shortest vectors (2, 2) that lead as many atoms to atoms as any longer one does.

    A vector between unlike sites leads some of the atoms to atoms; a translation of the crystal leads all of them,
    but for those whose fellow is missing. So missing and false atoms lower the shares of all alike, and a vector is a
    translation if no longer one, which is led astray more by distortion and grain boundaries, does clearly better.

    Raises
    ------
    InputError
        Where there is no lattice, or rows only.
    """
    if len(apart) < FEWEST or spread(apart) == np.inf:
        raise InputError(NO_LATTICE)
    vectors, share, error = _shares(apart, spread(apart))
    if share.max(initial=0) < _ORDERED:
        raise InputError(NO_LATTICE)
    order = np.argsort(np.linalg.norm(vectors, axis=1))
    vectors, share, error = vectors[order], share[order], error[order]
    surely = np.maximum.accumulate((share - 2 * error)[::-1])[::-1]  # of this vector and the longer ones
    holds = (share >= _ORDERED) & (share + error >= AS_OFTEN * surely)
    good = vectors[holds]
    for second in good[1:]:
        if abs(sine(good[0], second)) > _COLLINEAR:
            return reduced(np.stack([good[0], second]))
    raise InputError(ROWS_ONLY)


def _shares(apart: Array, near: float) -> tuple[Array, Array, Array]:
    """Common vectors (V, 2) of a half-plane, the share of the atoms that each leads to an atom, and its error."""
    from scipy.spatial import cKDTree
    from scipy.special import bdtrc

    distance = cKDTree(apart).query(apart, min(9, len(apart)))[0][:, -1]
    side = float(np.median(distance[distance < np.inf])) * np.sqrt(np.pi / 8)
    farthest = min(_FARTHEST * side / near, 40.0)
    peaks = vector_peaks(apart, near, farthest=farthest, nearest=_NEAREST, pairs=_PAIRS)
    size = np.ptp(apart[:, :2], axis=0) + near
    common = peaks.count / np.clip(1 - np.abs(peaks.vectors) / size, 0.1, 1).prod(axis=1)
    ahead = (peaks.vectors[:, 1] > 1e-9) | ((np.abs(peaks.vectors[:, 1]) <= 1e-9) & (peaks.vectors[:, 0] > 0))
    tried = np.flatnonzero(ahead & (common >= _FAIR * common.max(initial=0)))
    tried = tried[np.argsort(-common[tried], kind="stable")][:_TRIED]
    some = apart if len(apart) <= _MOST else apart[np.random.default_rng(0).choice(len(apart), _MOST, replace=False)]
    met, eligible = meetings(apart, some, peaks.vectors[tried], REACH * near)
    asked = eligible.sum(axis=0)
    enough = asked >= min(_FEWEST_ASKED, FEWEST / 2)
    found, asked = (met & eligible).sum(axis=0)[enough], asked[enough]
    chance = bdtrc(found - 1, asked, min(np.pi * (REACH * near / side) ** 2, 1.0)) * len(peaks.vectors)
    if chance.min(initial=1) > _BY_CHANCE:
        raise InputError(NO_LATTICE)
    share = found / asked
    error = np.sqrt(share * (1 - share) / asked)
    return peaks.vectors[tried][enough], share, error
