"""Statistics of angles, which know that 179° and −179° are neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHANCE = 0.05  # of directions without a preference to look as concentrated
CONCENTRATED, ONE_WAY = 0.8, 0.45  # mean resultant lengths: angles that agree but for whole parts of a turn, or as such
FOLDS = (2, 3, 4, 6)


@dataclass(frozen=True)
class Direction:
    """Where angles point.

    Attributes
    ----------
    mean : float
        Degrees, within half a period of 0.
    spread : float
        Circular standard deviation in degrees.
    n : int
        Angles that are known.
    preferred : bool
        Whether there is a direction at all: Rayleigh's test tells the angles from ones at random.
    """

    mean: float
    spread: float
    n: int
    preferred: bool


def wrapped(angles: npt.ArrayLike, period: float) -> npt.NDArray[np.float64]:
    """Angles in degrees moved by whole periods into (−period/2, period/2].

    >>> wrapped([50.0, 180.0], 90.0)
    array([-40.,   0.])
    """
    half = period / 2
    return half - np.mod(half - np.asarray(angles, dtype=np.float64), period)


def direction_of(angles: npt.ArrayLike, period: float = 360.0) -> Direction:
    """Mean and spread of angles that are known modulo a period.

    Parameters
    ----------
    angles : array (N,)
        Degrees; those that are not finite are left out.
    period : float
        360 divided by the order of the symmetry.

    References
    ----------
    K. V. Mardia and P. E. Jupp, "Directional Statistics", Wiley 2000, sections 2.2, 2.3 and 6.3.

    Examples
    --------
    >>> direction_of([178.0, -178.0]).mean
    180.0
    """
    known = np.asarray(angles, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Direction(float("nan"), float("nan"), 0, False)
    turns = np.exp(2j * np.pi * known / period).mean()
    length = min(float(np.abs(turns)), 1.0)
    unit = period / (2 * np.pi)
    mean = round(float(wrapped(np.angle(turns) * unit, period)), 9)
    spread = unit * float(np.sqrt(-2 * np.log(length))) if length > 0 else float("inf")
    return Direction(mean, abs(spread), len(known), bool(np.exp(-len(known) * length**2) < CHANCE))


def folded_period(angles: npt.ArrayLike, period: float = 360.0) -> float:
    """The part of a period modulo which angles agree, where they agree modulo a part only; else the period itself.

    A motif that nearly looks the same after a part of a turn is given any of its nearly equal orientations.

    >>> folded_period([1.0, 91.0, -89.0, 179.0, 92.0])
    90.0
    """
    known = np.asarray(angles, dtype=np.float64)
    known = known[np.isfinite(known)]
    lengths = {n: np.abs(np.exp(2j * np.pi * n * known / period).mean()) if len(known) else 0.0 for n in (1, *FOLDS)}
    if lengths[1] >= ONE_WAY:
        return period
    return period / next((n for n in FOLDS if lengths[n] >= CONCENTRATED), 1)


def counted(angles: npt.ArrayLike, bins: int, period: float = 360.0) -> npt.NDArray[np.int64]:
    """How many angles lie in each of `bins` (bins,) parts of the period, the first of them centred on 0.

    >>> counted([0.0, 2.0, 92.0, 181.0], 4).tolist()
    [2, 1, 1, 0]
    """
    known = np.asarray(angles, dtype=np.float64)
    known = known[np.isfinite(known)]
    return np.bincount(np.rint(known / (period / bins)).astype(np.int64) % bins, minlength=bins)
