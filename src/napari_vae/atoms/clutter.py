"""Single atoms on a support: their score against the noise of the fit and against the support around."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .blurs import blur
from .constants import FIXED
from .spots import SpotMaps

Floats = npt.NDArray[np.float32]


def score_above_clutter(maps: SpotMaps, sigma: float) -> Floats:
    """Amplitude at every pixel (rows, columns) in units of the noise, which is estimated twice.

    The residual of the local fit (see `spot_maps`) holds the noise of this very place, but takes pixels for
    independent, which those of a texture are not. The amplitudes that the filter finds in the wider surroundings hold
    the texture, but not whether it is rougher right here. On a flat support without texture both are the same. The
    noise is their geometric mean, that is the mean of the two on a logarithmic scale.

    Parameters
    ----------
    maps : SpotMaps
        The frame seen through the filter.
    sigma : float
        Width of the columns in pixels.
    """
    square = maps.amplitude**2
    for _ in range(2):  # the first pass says what an outlier is
        variance = blur(square, FIXED.clutter_around * sigma, slopes=False)
        square = np.minimum(square, FIXED.clutter_outlier**2 * variance)
    level = np.sqrt(np.maximum(blur(square, FIXED.clutter_around * sigma, slopes=False), np.finfo(np.float32).tiny))
    return np.asarray(np.sign(maps.score) * np.sqrt(np.abs(maps.score * maps.amplitude) / level))
