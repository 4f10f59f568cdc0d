"""Background that is no part of the motif: tilt, uneven rows of the scan, thickness, contamination, terraces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..core.settings import Level
from .blurs import block_means, blur
from .constants import FIXED

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

#: What can be taken away, from the simplest: nothing, a plane, that and an offset of every row, all that varies slowly.
WAYS: tuple[Level, ...] = ("none", "plane", "rows", "smooth")


def choose(frames: Sequence[tuple[Array, Array]], width: float) -> Level:
    """The simplest way to level after which the brightness of columns follows no background; "none" if it follows none.

    Parameters
    ----------
    frames : sequence of ((rows, columns) array, (N, 2) array)
        Frames without gaps, and positions of columns in each, in pixels.
    width : float
        Distance of neighbouring columns in pixels.
    """
    size = max(1, int(width / FIXED.level_pixels))
    small = [(block_means(frame, size), (at + 0.5) / size - 0.5) for frame, at in frames if np.ptp(frame) > 0]
    parted = [(frame, at, _repeated(frame, width / size)) for frame, at in small]
    left: dict[Level, float] = {}
    slow: dict[Level, float] = {}
    for way in WAYS if small else ():
        rests = [frame - motif - background(frame - motif, way, width / size) for frame, _, motif in parted]
        shares = [_share(rest, at, width / size, motif) for rest, (_, at, motif) in zip(rests, parted, strict=True)]
        left[way] = float(np.mean(shares))
        slow[way] = left[way] * float(np.mean([rest.var() for rest in rests]))
        if left[way] < (FIXED.level_some if way == "none" else FIXED.level_done):
            break
    best: Level = min(left, key=lambda way: left[way], default="none")
    if best == "none" or slow[best] > slow["none"] / 2:
        return "rows" if frames and _uneven_rows(frames[0][0], width) else "none"
    return best


def _share(frame: Array, at: Array, width: float, repeated: Array | None = None) -> float:
    """Share of the variance of the brightness around columns that is background.

    The brightness around a column is that of the background plus that of the columns, which goes with their contrast:
    a grain of heavier atoms or a thicker part is brighter and of higher contrast alike. What is left when a multiple
    of the contrast is subtracted, so much that it is the level between typical columns, is background. What is shared
    with columns two spacings away, which have no pixels in common, varies slowly; what varies more than columns of
    this contrast can differ, than noise and than what was `repeated` before it was taken from the frame, varies too.
    """
    from scipy.spatial import cKDTree

    nearest, farthest = (reach * width for reach in FIXED.level_ring)
    pairs = cKDTree(at).query_pairs(farthest, output_type="ndarray")
    pairs = pairs[np.hypot(*(at[pairs[:, 0]] - at[pairs[:, 1]]).T) > nearest]
    if len(pairs) < FIXED.level_fewest:
        return 0.0
    tiny = float(np.finfo(np.float32).tiny)
    around = FIXED.level_around
    scale = max(float(frame.std()), np.finfo(float).tiny)
    image = ((frame - np.median(frame)) / scale).astype(np.float32)
    mean = blur(image, around * width)
    noise = np.pad(np.diff(np.diff(image, 2, axis=0), 2, axis=1) ** 2 / 36, 1, mode="edge")
    power = blur(((image - mean) ** 2 - noise).astype(np.float32), width, slopes=False)
    columns = blur(image - mean, FIXED.level_fine * width)
    columns -= columns.mean()
    place = tuple(np.rint(at).astype(np.int64).clip(0, np.array(frame.shape) - 1).T)
    brightness = mean[place].astype(np.float64)
    contrast = np.sqrt(np.maximum(power[place], 0)).astype(np.float64)
    usual = max(float(np.median(contrast)), tiny)
    below = brightness + np.quantile(columns, 0.05 if np.mean(columns**3) > 0 else 0.95) / usual * contrast
    shared = [np.mean(np.prod((values - values.mean())[pairs], axis=1)) for values in (brightness, below)]
    motif = 0.0 if repeated is None else float(np.var(repeated[place] / scale))
    slow = min(shared) / max(motif + brightness.var(), tiny)
    explained = motif + FIXED.level_columns * usual**2 + float(noise.mean()) / (4 * np.pi * (around * width) ** 2)
    strong = 1 - explained / max(motif + min(brightness.var(), below.var()), tiny)
    return float(max(slow, strong))


def background(frame: Array, way: Level, width: float) -> Array:
    """What levelling takes from a (rows, columns) frame without gaps; its median is 0.

    Parameters
    ----------
    frame : (rows, columns) array
        The image.
    way : {"auto", "none", "plane", "rows", "smooth"}
        A plane; that and an offset of every row; or what varies over more than about four columns. Without knowing the
        columns, ``"auto"`` can only tell whether rows are uneven, and is ``"rows"`` or ``"none"``; see `choose`.
    width : float
        Distance of neighbouring columns in pixels. What repeats after two of them, as sublattices do, stays, and so
        do waves that stand out of the spectrum, as those of a moiré do.
    """
    if way == "auto":
        way = "rows" if _uneven_rows(frame, width) else "none"
    if way == "none":
        return np.zeros_like(frame)
    field = _plane(frame, width)
    if way == "rows":
        field += _row_offsets(frame - field, width)[:, None]
    if way == "smooth":
        rest = (frame - field - _repeated(frame, width)).astype(np.float32)
        for _ in range(FIXED.level_rounds):  # what a blur leaves of bends is blurred again, so that it becomes sharp
            slow = blur(rest, FIXED.level_width * width)
            field += slow
            rest -= slow
    return np.asarray(field - np.median(field))


def _plane(frame: Array, width: float) -> Array:
    """The plane through means over columns, of least absolute distances, which steps and islands hardly tilt."""
    size = max(1, min(round(width), *(n // 4 for n in frame.shape)))
    blocks = block_means(frame, size)
    y, x = (np.mgrid[: blocks.shape[0], : blocks.shape[1]] + 0.5) * size - 0.5
    design = np.column_stack([y.ravel(), x.ravel(), np.ones(blocks.size)])
    values, weight = blocks.ravel(), np.ones(blocks.size)
    for _ in range(FIXED.level_reweighted):
        root = np.sqrt(weight)
        plane = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        distance = np.abs(values - design @ plane)
        weight = 1 / np.maximum(distance, 0.01 * distance.mean() + np.finfo(float).tiny)
    down, across = (float(slope) * np.arange(n) for slope, n in zip(plane[:2], frame.shape, strict=True))
    return np.asarray(np.add.outer(down, across))


def _repeated(frame: Array, width: float) -> Array:
    """Slow waves of a moiré or a reconstruction, which vary as background does but repeat, and so belong to the motif.

    Around each frequency that stands out of the spectrum, amplitude and phase vary over about a period, as where a
    moiré is distorted.
    """
    from scipy.ndimage import affine_transform

    size = max(1, int(width / FIXED.level_wave_pixels))
    rest = block_means(frame - _plane(frame, width), size)
    rest -= np.median(rest)
    found = np.zeros_like(rest)
    y, x = (2 * np.pi * np.arange(n) for n in rest.shape)
    for down, across in _waves(rest, width / size):
        wave = np.exp(1j * np.add.outer(down * y, across * x))
        period = 1 / float(np.hypot(down, across))
        for _ in range(3):  # what a blur leaves is blurred again
            left = (rest - found).astype(np.float32)
            turned = (left - blur(left, period / 2)) * wave.conj()
            real, imaginary = (blur(part.astype(np.float32), period) for part in (turned.real, turned.imag))
            found += 2 * (real * wave.real - imaginary * wave.imag)
    if not found.any():
        return np.zeros_like(frame)
    return np.asarray(affine_transform(found, [1 / size] * 2, 0.5 / size - 0.5, frame.shape, order=1, mode="nearest"))


def _waves(frame: Array, width: float) -> Array:
    """Frequencies (N, 2) per pixel of slow waves that stand out of the spectrum; none, if all go in one direction."""
    from scipy.ndimage import maximum_filter, percentile_filter

    bins = [np.arange(-n, n + 1) for n in (min(int(0.5 * n / width) + 5, (n - 1) // 2) for n in frame.shape)]
    taper = np.outer(*(np.hanning(n) for n in frame.shape))
    slower = blur(frame.astype(np.float32), min(frame.shape) / (2 * FIXED.level_periods))
    power = np.abs(np.fft.fft2((frame - slower) * taper)[np.ix_(*bins)]) ** 2
    ring = np.ones((11, 11), dtype=bool)
    ring[3:-3, 3:-3] = False  # to which the taper widens a wave
    clear = power > FIXED.level_wave * percentile_filter(power, 25, footprint=ring)
    places = np.argwhere(clear & (power == maximum_filter(power, 3)))
    number = np.stack([of[place] for of, place in zip(bins, places.T, strict=True)], axis=1)
    waves = number / frame.shape
    slow = (np.hypot(*number.T) >= FIXED.level_periods) & (np.hypot(*waves.T) < 0.5 / width)
    waves = waves[slow & ((number[:, 0] > 0) | ((number[:, 0] == 0) & (number[:, 1] > 0)))]
    angle = np.arctan2(*waves.T)
    return waves if (np.abs(np.sin(angle[:, None] - angle)) > 0.5).any() else waves[:0]


def _row_offsets(frame: Array, width: float) -> Array:
    """Medians of the rows, as far as these vary more than medians of columns, which differ by the atoms alone.

    Waves as a lattice along the rows has them, which stand out of their spectrum, are no offsets either.
    """
    from scipy.fft import dct, idct

    offsets = np.median(frame, axis=1)
    frequency, power, usual = _spectrum(offsets)
    lattice = (power > FIXED.level_peak * usual) & (frequency > 1 / (FIXED.level_longest * width))
    lattice = np.convolve(lattice, np.ones(3), mode="same") > 0
    if lattice.any():
        phase = 2 * np.pi * np.outer(np.arange(len(offsets)), frequency[lattice])
        waves = np.hstack([np.cos(phase), np.sin(phase)])
        offsets = offsets - waves @ np.linalg.lstsq(waves, offsets, rcond=None)[0]
    across, _, by_atoms = _spectrum(np.median(frame, axis=0))
    by_atoms = np.interp(frequency, across, by_atoms) * frame.shape[0] / frame.shape[1]
    share = np.clip(1 - by_atoms / np.maximum(usual, np.finfo(float).tiny), 0, 1)
    share = np.interp(np.arange(len(offsets)) / (2 * len(offsets)), frequency, share)
    return np.asarray(idct(share * dct(offsets, norm="ortho"), norm="ortho"))


def _spectrum(profile: Array) -> tuple[Array, Array, Array]:
    """Frequencies per pixel of a profile, the power of its waves, and the usual power around each."""
    from scipy.ndimage import median_filter

    taper = np.hanning(len(profile))
    power = np.abs(np.fft.rfft((profile - profile.mean()) * taper)) ** 2 / np.sum(taper**2)
    frequency = np.asarray(np.fft.rfftfreq(len(profile)), dtype=np.float64)
    return frequency, power, median_filter(power, FIXED.level_usual, mode="nearest")


def _uneven_rows(frame: Array, width: float) -> bool:
    """Whether rows differ much more from each other than columns do, and so much that it matters."""
    rest = frame - _plane(frame, width)
    rows, columns = (_quick(rest.mean(axis=axis)) for axis in (1, 0))
    height, length = frame.shape
    return bool(rows * length > FIXED.level_uneven * columns * height and rows > FIXED.level_strong * rest.var())


def _quick(profile: Array) -> float:
    """Variance of a profile as the quicker half of its waves have it."""
    power = _spectrum(profile)[1]
    return float(np.median(power[len(power) // 2 :]) / np.log(2))
