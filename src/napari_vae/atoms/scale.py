"""The scale of a micrograph: how wide its columns are, whether they repeat, and how far apart they stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .constants import FIXED
from .spots import SpotMaps, blur, flatten, local_maxima, spot_maps

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Column width `sigma` in pixels, whether the columns are `periodic`, and the radius of the first ring."""

    sigma: float
    periodic: bool
    ring: float


def measure_scale(frame: Array) -> Scale:
    """Column width and periodicity of a (rows, columns) frame from its radial autocorrelation.

    Slow background is taken out first, from narrow to wide, until it is wide enough for the columns that are left: so
    neither a tilted plane nor contamination nor the outline of a particle passes for a column. What repeats along one
    direction only (noise of scan lines, hum, fringes) is no lattice. Without a lattice the width is the one at which
    the spots stand out best: the skewness of the filtered image levels off there.
    """
    for background in FIXED.scale_backgrounds:
        if background > min(frame.shape) / 64:
            break
        columns = _evened(flatten(frame, background)[0], FIXED.scale_patch * background)
        sigma, ring, height = _read_profile(radial_autocorrelation(columns))
        if height >= FIXED.scale_ring and sigma <= FIXED.scale_resolved * background:
            if _read_profile(radial_autocorrelation(columns, stripes=False))[2] < FIXED.scale_ring / 2:
                break
            return Scale(sigma, True, ring)
    return Scale(_width_of_spots(frame), False, float("nan"))


def radial_autocorrelation(image: npt.NDArray, stripes: bool = True) -> Array:
    """Autocorrelation of a (rows, columns) image against distance in pixels, up to a quarter of its smaller side.

    Normalised to 1 at distance 0 (where white noise adds a spike). Without `stripes`, what varies along the strongest
    direction of the image only is left out.
    """
    from scipy.fft import irfft2, rfft2

    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    tapered = ((image - image.mean()) * window).astype(np.float32)
    power = np.abs(rfft2(tapered)) ** 2
    if not stripes:
        power *= _off_axis(power, image.shape)
    correlation = irfft2(power, s=image.shape)
    reach = max(4, min(image.shape) // 4)
    lag = np.arange(-reach, reach + 1)
    distance = np.rint(np.hypot(lag[:, None], lag)).astype(np.int64).ravel()
    total = np.bincount(distance, correlation[np.ix_(lag, lag)].ravel())
    profile = (total / np.bincount(distance))[: reach + 1]
    return profile / max(profile[0], np.finfo(np.float32).tiny)


def _evened(columns: npt.NDArray[np.float32], width: float) -> npt.NDArray[np.float32]:
    """Columns with the contrast of strong places brought down to the usual, so that a particle outweighs no lattice."""
    contrast = np.sqrt(np.maximum(blur(columns * columns, width, slopes=False), 0))
    usual = max(float(np.median(contrast)), float(np.finfo(np.float32).tiny))
    return np.asarray(columns / np.maximum(contrast, usual), dtype=np.float32)


def _off_axis(power: npt.NDArray, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Frequencies (as of `rfft2`) away from the line through the origin along which the strongest ones lie."""
    down, across = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    weight = (power / power.max()) ** 2
    tensor = [[float((weight * one * other).sum()) for other in (down, across)] for one in (down, across)]
    normal = np.linalg.eigh(tensor)[1][:, 0]
    return np.abs(normal[0] * down + normal[1] * across) > FIXED.scale_stripe / min(shape)


def _read_profile(profile: Array) -> tuple[float, float, float]:
    """Column width, radius and height of the first ring (relative to the centre) from a radial autocorrelation."""
    smooth = np.convolve(np.pad(profile, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    smooth[:2] = profile[:2]
    falling = np.flatnonzero((smooth[1:-1] <= smooth[:-2]) & (smooth[1:-1] < smooth[2:])) + 1
    valley = int(falling[0]) if len(falling) else len(profile) - 1
    centre = profile[1] + (profile[1] - profile[2]) / 3  # without the spike of white noise
    if centre <= 0 or valley < 2:
        return 1.0, float("nan"), 0.0
    half = (centre + profile[valley]) / 2
    first = int(np.flatnonzero(profile[1:] < half)[0]) + 1
    before = centre if first == 1 else profile[first - 1]
    radius = first - 1 + (before - half) / max(before - profile[first], 1e-12)
    # Two Gaussians of width σ correlate as a Gaussian of width √2 σ, half of which is reached at 2 √ln2 σ.
    sigma = max(1.0, radius / (2 * np.sqrt(np.log(2))))
    beyond = smooth[valley : 3 * valley]
    top = valley + int(np.argmax(beyond))
    height = float((beyond.max() - max(smooth[valley], 0)) / centre) if centre > 0.01 else 0.0
    return float(sigma), float(top), height


def _width_of_spots(frame: Array) -> float:
    """Width of isolated spots: where the filtered frame stops getting more skewed, then where the spots fit best.

    Compact spots make a tail in the filtered values, noise and texture do not. The first width where the tail stops
    growing counts, because clusters of spots make a tail of their own at larger ones. Strong spots make a tail long
    before the filter has their width; from there on the width follows the quality of the fit.
    """
    widths = np.geomspace(1.5, max(2.0, min(8.0, min(frame.shape) / 24)), FIXED.scale_widths)
    maps = [spot_maps(flatten(frame, width)[0], width) for width in widths]
    skewness = np.abs([skew(m.amplitude) for m in maps])
    level = np.flatnonzero(np.diff(skewness) < FIXED.scale_gain * skewness[:-1])
    best = int(level[0]) if len(level) else len(widths) - 1
    sign = 1 if skew(maps[best].amplitude) >= 0 else -1
    quality = [_quality(m, sign, width) for m, width in zip(maps, widths, strict=True)]
    while best + 1 < len(widths) and quality[best + 1] > (1 + FIXED.scale_gain) * quality[best]:
        best += 1
    return float(widths[best])


def _quality(maps: SpotMaps, sign: int, sigma: float) -> float:
    """Median score of the spots that beat every one of the opposite sign; 0 without any.

    Divided by the width, because the score grows with the root of the number of pixels.
    """
    scores, decoys = (s * maps.score[tuple(local_maxima(s * maps.amplitude, sigma).T)] for s in (sign, -sign))
    strong = np.sort(scores[scores > decoys.max(initial=0)])[-FIXED.scale_strongest :]
    return float(np.median(strong) / sigma) if len(strong) else 0.0


def skew(values: npt.NDArray) -> float:
    """Third standardised moment."""
    centred = values.astype(np.float64).ravel()
    centred -= centred.mean()
    square = centred * centred
    return float(np.mean(square * centred) / max(float(np.mean(square)), 1e-30) ** 1.5)
