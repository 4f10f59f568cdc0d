"""Damage of a frame that is no part of the picture: scan lines that were not recorded, hot and dead pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.micrograph import Micrograph
from .constants import FIXED
from .frames import checked_frame

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Mended:
    """A `frame` (rows, columns) without damage, and which of its rows and columns were `lost` and are interpolated.

    Intensities of the image are those of the frame times 2 ** `exponent`.
    """

    frame: Array
    lost: tuple[Flags, Flags]
    exponent: int = 0

    def in_gap(self, points: npt.NDArray, width: float) -> Flags:
        """Which points (N, 2) lie in a gap wider than `width` pixels, or as near to one as half of that."""
        inside = np.zeros(len(points), dtype=bool)
        for place, lost in zip(points.T, self.lost, strict=True):
            for first, last in _runs(lost):
                if last - first + 1 > width:
                    inside |= (place > first - width / 2) & (place < last + width / 2)
        return inside


def mended_frame(
    micrograph: Micrograph, number: int, blank_ok: bool = False, window: tuple[slice, slice] | None = None
) -> Mended:
    """One frame, or a window of it, without damage and with intensities of order one.

    These are divided by a power of two, which rounds nothing, so that no square of them is too large or too small for a
    float, whatever the unit of the image.

    Raises
    ------
    InputError
        As `checked_frame`; or if nothing but damage is left of the frame.
    """
    frame = checked_frame(micrograph, number, blank_ok, window)
    exponent = int(np.frexp(np.abs(frame).max())[1])
    mended = mend(np.ldexp(frame, -exponent))
    if not blank_ok and np.ptp(mended.frame) == 0:
        raise InputError(
            "The image is constant but for single bright or dark pixels, which are no atoms; choose one with contrast."
        )
    return replace(mended, exponent=exponent)


def mend(frame: Array) -> Mended:
    """Interpolate lines that were not recorded, and pixels that differ from all around them as no column does.

    A line that is constant, or the same as the one before, was not recorded. A hot or dead pixel is three times as far
    from the level two pixels away as the nearest pixels are, in which any column that is a pixel wide shows.

    Parameters
    ----------
    frame : (rows, columns) array
        The image.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((64, 64))
    >>> image[20:23] = 0
    >>> np.flatnonzero(mend(image).lost[0]).tolist()
    [20, 21, 22]
    """
    lost = _lost_lines(frame), _lost_lines(frame.T)
    if any(flags.any() for flags in lost):
        frame = _interpolated(_interpolated(frame, lost[0]).T, lost[1]).T
    return Mended(_without_defects(frame), lost)


def _lost_lines(frame: Array) -> Flags:
    """Rows that are constant, or the same as the one before."""
    constant = np.ptp(frame, axis=1) == 0
    repeated = np.zeros(len(frame), dtype=bool)
    repeated[1:] = (frame[1:] == frame[:-1]).all(axis=1)
    lost = constant | repeated if repeated.mean() <= FIXED.damage_most_repeated else constant
    return lost if (~lost).sum() >= FIXED.damage_fewest_lines else np.zeros(len(frame), dtype=bool)


def _interpolated(frame: Array, lost: Flags) -> Array:
    """The frame with its lost rows replaced by straight lines between those beside them."""
    if not lost.any():
        return frame
    result = frame.copy()
    good = np.flatnonzero(~lost)
    where = np.flatnonzero(lost)
    after = np.searchsorted(good, where).clip(0, len(good) - 1)
    before = (np.searchsorted(good, where) - 1).clip(0)
    length = np.maximum(good[after] - good[before], 1)
    part = ((where - good[before]) / length).clip(0, 1)[:, None]
    result[where] = frame[good[before]] * (1 - part) + frame[good[after]] * part
    return result


def _without_defects(frame: Array) -> Array:
    """The frame with single pixels that stand out of their neighbours replaced by the median of these."""
    noise = _noise(frame)
    around = np.pad(frame, 2, mode="reflect")
    rows, columns = frame.shape
    defects = []
    for sign in (1, -1):
        nearest = sign * around[1:-1, 1:-1]
        wide = np.maximum(np.maximum(nearest[:, :-2], nearest[:, 2:]), nearest[:, 1:-1])
        beside = np.maximum(nearest[1:-1, :-2], nearest[1:-1, 2:])
        highest = np.maximum(np.maximum(wide[:-2], wide[2:]), beside)
        suspects = np.argwhere(sign * frame > highest + FIXED.damage_clear * noise)
        if not 0 < len(suspects) <= FIXED.damage_most_defects * rows * columns:
            continue
        ring = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if max(abs(i), abs(j)) == 2]
        there = suspects[:, None] + 2 + np.array(ring)
        level = np.median(sign * around[there[..., 0], there[..., 1]], axis=1)
        value, near = sign * frame[tuple(suspects.T)], highest[tuple(suspects.T)]
        defects.append(suspects[value - level > FIXED.damage_sharp * (near - level) + FIXED.damage_clear * noise])
    bad = np.concatenate(defects) if defects else np.zeros((0, 2), dtype=np.int64)
    if not len(bad):
        return frame
    result = frame.copy()
    offsets = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    near = bad[:, None] + 2 + offsets
    result[tuple(bad.T)] = np.median(around[near[..., 0], near[..., 1]], axis=1)
    return result


def _noise(frame: Array) -> float:
    """Standard deviation of white noise, from all but the largest second differences."""
    square = second_differences(frame).ravel() ** 2
    square.partition(int(FIXED.damage_typical * len(square)))
    return float(np.sqrt(square[: int(FIXED.damage_typical * len(square))].mean()) / 6)


def second_differences(image: npt.NDArray) -> npt.NDArray:
    """Second differences along both axes, which hardly see columns (Immerkær 1996).

    The mean square of those of white noise is 36 times its variance. `skimage.restoration.estimate_sigma` would need
    PyWavelets, a package more.
    """
    second = image[:, :-2] - 2 * image[:, 1:-1] + image[:, 2:]
    both: npt.NDArray = second[:-2] - 2 * second[1:-1] + second[2:]
    return both


def _runs(flags: Flags) -> npt.NDArray[np.int64]:
    """First and last index (M, 2) of each run of true flags."""
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    return np.column_stack([np.flatnonzero(edges > 0), np.flatnonzero(edges < 0) - 1])
