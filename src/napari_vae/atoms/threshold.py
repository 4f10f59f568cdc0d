"""From which score on a maximum is a column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .constants import FIXED

Array = npt.NDArray[np.float64]


def lattice_threshold(scores: Array) -> float:
    """Threshold between the noise and the columns of a lattice.

    The logarithms of the scores fall into groups: the columns (one group per species), and below them the spurious
    maxima between the columns. Where these make a group of their own, the threshold is the lowest density between
    the two; otherwise it is the emptiest place from the noise floor up, the lowest if there are several, so that
    weak columns stay in.
    """
    above = scores[scores > FIXED.threshold_lowest]
    columns = above[above >= FIXED.noise_floor]
    if len(columns) == 0:
        return FIXED.noise_floor
    grid = np.linspace(np.log(FIXED.threshold_lowest), np.log(above.max()) + 0.5, 400)
    density = _density(np.log(above), grid)
    typical = float(np.log(np.median(columns)))
    noisy = grid < min(np.log(FIXED.threshold_noisiest), typical - 2 * FIXED.threshold_bandwidth)
    if noisy.sum() > 2:
        mode = int(np.argmax(density[noisy]))
        peak = mode + int(np.argmax(np.where(grid[mode:] >= typical, density[mode:], -1)))
        between = density[mode : peak + 1]  # half a column more or less is no difference, here as below
        valley = mode + int(np.flatnonzero(between <= between.min() + 0.5)[0])
        below = (np.log(above) < grid[valley]).mean()
        if 0 < mode < noisy.sum() - 1 and below >= FIXED.threshold_noise_share:
            return max(FIXED.noise_floor, float(np.exp(grid[valley])))
    low = (grid >= np.log(FIXED.noise_floor)) & (grid <= max(np.log(FIXED.noise_floor) + 0.02, typical + np.log(0.6)))
    # Half a column more or less is no difference: the lowest score of the equally empty places.
    return max(FIXED.noise_floor, float(np.exp(grid[low][density[low] <= density[low].min() + 0.5][0])))


def isolated_threshold(scores: Array, decoys: Array) -> float:
    """Threshold for single atoms on a support, by comparison with the spots of the opposite polarity.

    Noise and texture make as many dark as bright spots, atoms only one kind. So the number of decoys above a score,
    and one more, estimates the number of false candidates above it (target–decoy estimate, Elias and Gygi 2007).
    Weak spots count if hardly any of them is expected to be false; spots that stand out well from what surrounds
    them on weaker evidence; a few that score twice as much as any decoy always.
    """
    strict = first_score(scores, decoys, FIXED.threshold_few_false)
    lenient = max(FIXED.threshold_clear, first_score(scores, decoys, FIXED.threshold_some_false))
    outstanding = FIXED.threshold_outstanding * float(decoys.max(initial=0))
    return max(FIXED.isolated_floor, min(strict, lenient, outstanding))


def residual_threshold(scores: Array, decoys: Array) -> float:
    """Threshold for what stands out of a residual: hardly any expected to be false, by the decoys of the other sign."""
    return max(FIXED.isolated_floor, first_score(scores, decoys, FIXED.threshold_few_false))


def first_score(scores: Array, decoys: Array, share: float) -> float:
    """Lowest score above which at most this share is expected to be false; infinite if there is none."""
    order = np.sort(scores)[::-1]
    false = len(decoys) - np.searchsorted(np.sort(decoys), order, side="left")
    good = np.flatnonzero(false + 1 <= share * np.arange(1, len(order) + 1))
    return float(order[good[-1]]) if len(good) else np.inf


def _density(values: Array, grid: Array) -> Array:
    """Kernel density of the values on an even grid, in units where one value has the peak 1."""
    step = grid[1] - grid[0]
    place = np.rint((values - grid[0]) / step).astype(np.int64)
    counts = np.bincount(place.clip(0, len(grid) - 1), minlength=len(grid)).astype(float)
    reach = np.arange(-int(4 * FIXED.threshold_bandwidth / step), int(4 * FIXED.threshold_bandwidth / step) + 1) * step
    return np.convolve(counts, np.exp(-0.5 * (reach / FIXED.threshold_bandwidth) ** 2), mode="same")[: len(grid)]
