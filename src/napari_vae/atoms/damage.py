"""Gaps of a frame, which are no part of the picture: pixels that were not measured, lost scan lines, dead pixels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..core.micrograph import Micrograph
from .blurs import blur
from .constants import FIXED
from .frames import BadFrameError, Searched, read_frame, refuse_frame
from .levelling import background

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True)
class Mended:
    """A `frame` (rows, columns) without gaps, and the pixels that were `lost` and are filled from those around.

    Intensities of the image are those of the frame, and of the `background` that was subtracted from it if any, times
    2 ** `exponent`.
    """

    frame: Array
    lost: Flags
    exponent: int = 0
    background: Array | None = None

    @property
    def blank(self) -> bool:
        """Whether it shows nothing."""
        return bool(np.ptp(self.frame) == 0)

    @cached_property
    def _depth(self) -> Array:
        """How far every lost pixel is from those that were measured; 0 of these."""
        from scipy.ndimage import distance_transform_edt

        return np.asarray(distance_transform_edt(self.lost) if self.lost.any() else self.lost, dtype=np.float64)

    def in_gap(self, points: npt.NDArray, width: float, *, deep: bool = False) -> Flags:
        """Which points (N, 2) lie in a gap wider than `width` pixels; or only those `deep` in it, half of that or more.

        Of an atom just inside there is a flank to be seen, which must be fitted, or it would pull at its neighbours.
        """
        from scipy.ndimage import distance_transform_edt

        inner = self._depth > width / 2
        if not len(points) or not inner.any():
            return np.zeros(len(points), dtype=bool)
        there = inner if deep else distance_transform_edt(~inner) <= width / 2
        return np.asarray(there[tuple(np.rint(points).astype(np.int64).clip(0, np.array(there.shape) - 1).T)])


def mended_frame(micrograph: Micrograph, number: int, window: tuple[slice, slice] | None = None) -> Mended:
    """One frame, or a window of it, without gaps, levelled as the image asks, and with intensities of order one.

    These are divided by a power of two, which rounds nothing, so that no square of them is too large or too small for a
    float, whatever the unit of the image.
    """
    frame = read_frame(micrograph, number, window)
    exponent = int(np.frexp(np.abs(frame).max(where=~np.isnan(frame), initial=0))[1])
    mended = replace(mend(np.ldexp(frame, -exponent)), exponent=exponent)
    way = micrograph.level if isinstance(micrograph, Searched) else "none"
    if way == "none" or mended.blank:
        return mended
    taken = background(mended.frame, way, min(frame.shape) / FIXED.level_slowest)
    return replace(mended, frame=mended.frame - taken, background=taken) if taken.any() else mended


def usable_frame(micrograph: Micrograph, number: int) -> Mended:
    """One frame as `mended_frame` gives it.

    Raises
    ------
    BadFrameError
        If it shows nothing.
    """
    mended = mended_frame(micrograph, number)
    if mended.lost.all():
        refuse_frame(micrograph, number, "was not measured: all pixels are NaN or infinite")
    if mended.blank:
        refuse_frame(micrograph, number, "is constant, or but for single bright or dark pixels, which are no atoms")
    return mended


def first_usable(micrograph: Micrograph, numbers: Sequence[int]) -> int:
    """The first of the frames that shows something; the last where none before it does."""
    for number in numbers[:-1]:
        with suppress(BadFrameError):
            usable_frame(micrograph, number)
            return number
    return numbers[-1]


def mend(frame: Array) -> Mended:
    """Fill what was not measured (NaN), lines that were not recorded, and pixels unlike all around them.

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
    >>> np.flatnonzero(mend(image).lost.all(axis=1)).tolist()
    [20, 21, 22]
    """
    lost = np.isnan(frame) | _lost_lines(frame)[:, None] | _lost_lines(frame.T)
    whole = filled(frame, lost)
    sound = _without_defects(whole)
    return Mended(sound, lost | (sound != whole))


def _lost_lines(frame: Array) -> Flags:
    """Rows that are constant, or the same as the one before; pixels that were not measured say nothing."""
    known = ~np.isnan(frame)
    constant = frame.max(axis=1, where=known, initial=-np.inf) <= frame.min(axis=1, where=known, initial=np.inf)
    repeated = np.zeros(len(frame), dtype=bool)
    repeated[1:] = (frame[1:] == frame[:-1]).all(axis=1, where=known[1:] | known[:-1])
    lost = constant | repeated if repeated.mean() <= FIXED.damage_most_repeated else constant
    return lost if (~lost).sum() >= FIXED.damage_fewest_lines else np.zeros(len(frame), dtype=bool)


def filled(frame: npt.NDArray[Real], lost: Flags) -> npt.NDArray[Real]:
    """The frame with each of its lost pixels replaced by a mean over what lies around it, as near as is enough."""
    if not lost.any():
        return frame
    if lost.all():
        return np.zeros_like(frame)
    level = float(np.median(frame[~lost]))  # float32 would not resolve small contrast on a large offset
    known = (~lost).astype(np.float32)
    values = np.where(lost, 0, frame - level).astype(np.float32)
    result, open_, width = frame.copy(), lost, 1.0
    while open_.any() and width < max(frame.shape):
        weight = blur(known, width, slopes=False)
        there = open_ & (weight > FIXED.damage_around)
        result[there] = blur(values, width, slopes=False)[there] / weight[there] + level
        open_, width = open_ & ~there, 2 * width
    result[open_] = level
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
