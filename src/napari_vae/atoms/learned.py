"""Candidates of the learned detector: the image at the scale of the network, evened out, and what it says of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .blurs import blur
from .constants import FIXED
from .network import apply, resampled
from .spots import local_maxima, sub_pixel
from .threshold import first_score

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

SIGMA = 1.6  # px, the width of the columns at the scale of the network
# Pixels at the scale of the network over which brightness and contrast are evened out, for each channel.
_EVEN = ((6.0, 20.0), (20.0, 40.0), (6.0, 60.0))
_FLOOR = 0.02  # of the contrast of the whole image: nothing is amplified more than to this


def learned_candidates(columns: Floats, sigma: float) -> tuple[Array, Array]:
    """Where the network sees bright atoms (N, 2; pixels) and with which probability (N,).

    Parameters
    ----------
    columns : (rows, columns) float array
        The frame without slow background, bright on dark.
    sigma : float
        Width of the columns in pixels.
    """
    shape = tuple(max(16, round(n * SIGMA / sigma)) for n in columns.shape)
    place, probability = peaks(apply(normalized(resampled(columns, shape))))
    zoom = np.array(columns.shape) / shape
    inside = np.array(columns.shape) - 1
    return ((place + 0.5) * zoom - 0.5).clip(0, inside), probability


def normalized(image: Floats) -> Floats:
    """What the network sees of a (rows, columns) image: (3, rows, columns), even in brightness and contrast.

    The channels are evened out over a few columns or over many; very bright and dark pixels are drawn in.
    """
    centred = image - np.float32(np.median(image))
    unit = float(centred.std())
    centred = centred / np.float32(unit or 1.0)
    channels = []
    for brightness, contrast in _EVEN:
        rest = centred - blur(centred, brightness, slopes=False)
        spread = np.sqrt(np.maximum(blur(rest * rest, contrast, slopes=False), 0)) + np.float32(_FLOOR)
        channels.append(np.arcsinh(rest / spread))
    return np.stack(channels)


def peaks(logits: Floats) -> tuple[Array, Array]:
    """Maxima (N, 2) of a map of logits, to a fraction of a pixel, and their probabilities (N,)."""
    above = logits - np.float32(FIXED.learned_least)
    found = local_maxima(above, SIGMA)
    height = logits[tuple(found.T)].astype(np.float64)
    return sub_pixel(above, found), 1 / (1 + np.exp(-height))


def learned_threshold(probability: Array, decoys: Array) -> float:
    """Probability from which candidates count: a half, or more where the texture of the support deceives the network.

    The decoys are what the network finds in the negative of the image, as for `isolated_threshold`: texture and noise
    look alike there, atoms do not. In a lattice the gaps would be decoys, so pass none.
    """
    highest = float(decoys.max(initial=0))
    beyond = FIXED.learned_beyond * highest / (1 + (FIXED.learned_beyond - 1) * highest)
    return min(1.0, max(FIXED.learned_likely, min(first_score(probability, decoys, FIXED.learned_false), beyond)))
