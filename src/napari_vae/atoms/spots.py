"""Spots of one width in one frame: a matched filter that scores every pixel, and its local maxima."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .blurs import blur, gaussian
from .constants import FIXED

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SpotMaps:
    """What a local fit of spot + constant at every pixel gives: `amplitude`, `background`, `score` (rows, columns).

    The score is the amplitude in standard errors, negative for dark spots.
    """

    amplitude: Floats
    background: Floats
    score: Floats


def spot_maps(image: Floats, sigma: float) -> SpotMaps:
    """Fit amplitude × Gaussian + constant around every pixel, by linear least squares in a Gaussian window.

    The fit needs three Gaussian filters only. Its residual holds shot noise, the texture of the support and whatever
    else does not look like a column, so one threshold on the score means the same everywhere in the image and for
    every unit of the intensities.

    Parameters
    ----------
    image : (rows, columns) float array
        The frame, of order one and without slow background (see `flatten`).
    sigma : float
        Width of the columns in pixels.
    """
    window = FIXED.filter_window * sigma
    product = sigma * window / float(np.hypot(sigma, window))  # window × template is a Gaussian again
    weighted = gaussian(image, product, 3.5)
    mean = gaussian(image, window, 3.0)
    variance = np.maximum(gaussian(image * image, window, 3.0) - mean**2, 0)
    template_mean = (product / window) ** 2
    template_square = 1 / (1 + 2 * (window / sigma) ** 2)
    template_variance = template_square - template_mean**2
    amplitude = template_mean * (weighted - mean) / template_variance
    explained = amplitude**2 * template_variance
    # A perfect fit would score infinitely; float32 resolves no better than about a millionth of the variance.
    left = np.maximum(variance - explained, 1e-6 * variance + np.finfo(np.float32).tiny)
    samples = _samples(sigma)
    score = np.sign(amplitude) * np.sqrt(samples * explained / left)
    return SpotMaps(amplitude, mean - amplitude * template_mean, score)


def _samples(sigma: float) -> float:
    """Pixels that the window of the fit is worth."""
    return float(4 * np.pi * (FIXED.filter_window * sigma) ** 2)


def score_that_explains(share: float, sigma: float) -> float:
    """Score of a spot that explains such a share of the variance in its window."""
    return float(np.sqrt(_samples(sigma) * share / (1 - share)))


def flatten(image: npt.NDArray[np.float64], sigma: float) -> tuple[Floats, Floats, float]:
    """Split an image into columns and slow background: (columns / unit, background, unit), columns of order one.

    Dividing by the unit keeps heights of 1e-10 and counts of 1e9 alike within float32.
    """
    origin, unit = float(image.mean()), float(image.std())
    scaled = ((image - origin) / unit).astype(np.float32)
    slow = blur(scaled, FIXED.filter_slow * sigma)
    columns = scaled - slow
    if columns.std() < FIXED.filter_resolution:  # a bare slope, and what rounding left of it
        columns = np.zeros_like(columns)
    return columns, slow * np.float32(unit) + np.float32(origin), unit


def local_maxima(values: Floats, sigma: float) -> Ints:
    """Row and column (N, 2) of positive maxima, none within `filter_separation` column widths of a higher one."""
    reach = max(1, round(FIXED.filter_separation * sigma / np.sqrt(2)))
    peaks = np.argwhere((values > 0) & (values == _highest(values, reach)))
    return np.asarray(peaks[standing(peaks, values[tuple(peaks.T)], FIXED.filter_separation * sigma)])


def _highest(values: Floats, reach: int) -> Floats:
    """Highest value in the square around every pixel, in steps that double what was looked at."""
    result = np.pad(values, reach, constant_values=-np.inf)
    seen, side = 1, 2 * reach + 1
    while seen < side:
        step = min(seen, side - seen)
        result = np.maximum(result[step:], result[:-step])
        result = np.maximum(result[:, step:], result[:, :-step])
        seen += step
    return result


def standing(points: npt.NDArray, height: npt.NDArray, distance: float) -> npt.NDArray[np.bool_]:
    """Which points stay when all go that have a higher one which stays within `distance`; of equal ones the first."""
    from scipy.spatial import cKDTree

    keep = np.ones(len(points), dtype=bool)
    if len(points) < 2:
        return keep
    first, second = cKDTree(points).query_pairs(distance, output_type="ndarray").T
    swap = (height[second] > height[first]) | ((height[second] == height[first]) & (second < first))
    higher, lower = np.where(swap, second, first), np.where(swap, first, second)
    while len(higher):  # those that no remaining point beats stay, and what they beat goes
        beaten = np.zeros(len(points), dtype=bool)
        beaten[lower] = True
        keep[lower[~beaten[higher]]] = False
        open_ = keep[higher] & keep[lower]
        higher, lower = higher[open_], lower[open_]
    return keep


def elongation(values: Floats, peaks: Ints) -> npt.NDArray[np.float64]:
    """How elongated maxima (N, 2) are, and along which direction: vectors (N, 2) of length 0 (round) to 1 (a ridge).

    The length is the difference of the two curvatures over their sum; the direction has twice the angle of the ridge.
    """
    inner = peaks.clip(1, np.array(values.shape) - 2)

    def at(down: int, across: int) -> npt.NDArray[np.float64]:
        return values[inner[:, 0] + down, inner[:, 1] + across].astype(np.float64)

    top = 2 * at(0, 0)
    down, across = at(1, 0) + at(-1, 0) - top, at(0, 1) + at(0, -1) - top
    slant = (at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)) / 2
    bend = np.minimum(down + across, -np.finfo(np.float32).tiny)
    return np.stack([(down - across) / bend, slant / bend], axis=1)


def sub_pixel(values: Floats, peaks: Ints) -> npt.NDArray[np.float64]:
    """Refine maxima (N, 2) by a parabola through each and its neighbours along rows and columns."""
    result = peaks.astype(np.float64)
    for axis in (0, 1):
        step = np.zeros(2, dtype=np.int64)
        step[axis] = 1
        last = values.shape[axis] - 1
        inner = (peaks[:, axis] > 0) & (peaks[:, axis] < last)
        at = peaks[inner]
        before, centre, after = (values[tuple((at + k * step).T)].astype(np.float64) for k in (-1, 0, 1))
        bend = before - 2 * centre + after
        shift = np.divide(0.5 * (before - after), bend, out=np.zeros_like(bend), where=bend < 0)
        result[inner, axis] += shift.clip(-0.5, 0.5)
    return result
