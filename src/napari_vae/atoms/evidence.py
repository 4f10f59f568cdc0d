"""How much of an image a set of spots explains: the likelihood of its waves, with and without them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .blurs import blur
from .constants import FIXED

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Waves = npt.NDArray[np.complexfloating]


@dataclass(frozen=True)
class _Bins:
    """Where the waves of a window belong, each (waves,): the `bin` of equal power, the `ring` of one wave length."""

    bin: Ints
    ring: Ints
    twice: Array  # how many waves each stands for: the real transform holds half of them
    count: Array  # of waves in each bin
    taper: Floats
    independent: float  # share of the waves that the taper leaves independent


@lru_cache(8)
def _bins(shape: tuple[int, int]) -> _Bins:
    """Rings in sectors; waves along the two axes, which scan lines and hum are made of, in bins of their own."""
    from scipy.signal.windows import tukey

    down, across = np.meshgrid(np.fft.fftfreq(shape[0], 1 / shape[0]), np.arange(shape[1] // 2 + 1), indexing="ij")
    y, x = down / shape[0], across / shape[1]
    ring = (np.hypot(y, x) * max(shape) // FIXED.evidence_ring).astype(np.int64)
    sector = ((np.arctan2(y, x) % np.pi) / np.pi * FIXED.evidence_sectors).astype(np.int64) % FIXED.evidence_sectors
    name = ring * FIXED.evidence_sectors + sector
    for beside, (one, along) in enumerate(((across, down), (down, across)), 1):
        apart = beside * 10**6 + (np.abs(along) // FIXED.evidence_ring).astype(np.int64)
        name = np.where(np.abs(one) <= FIXED.evidence_axis, apart, name)
    label = np.unique(name.ravel(), return_inverse=True)[1]
    twice = np.where((across == 0) | (across == shape[1] / 2), 1.0, 2.0).ravel()
    taper = tukey(shape[0], FIXED.evidence_taper)[:, None] * tukey(shape[1], FIXED.evidence_taper)
    independent = (taper**2).mean() ** 2 / (taper**4).mean()
    count = np.bincount(label, twice)
    return _Bins(
        label, ring.ravel(), twice, np.asarray(count, dtype=np.float64), taper.astype(np.float32), float(independent)
    )


class Spectrum:
    """The waves of a window (rows, columns), against which sets of spots are judged.

    The window is worth its Whittle likelihood: noise whose power varies smoothly with direction and length of the
    waves, and freely along the two axes. So slow background, layers, terraces, coloured noise and scan lines need no
    model of their own, and cost every set of spots the same.
    """

    def __init__(self, image: Array) -> None:
        self.image = image
        self._bins = _bins((image.shape[0], image.shape[1]))
        self._waves = self._transform(image)
        self._power = self._mean_power(self._waves)
        every = np.bincount(self._bins.bin, self._bins.twice)
        self._floor = FIXED.evidence_floor * float((self._power * every)[1:].sum() / every[1:].sum()) + 1e-30
        self._weight = self._bins.twice / (self._power + self._floor)[self._bins.bin]

    def gain(self, place: Array, height: Array) -> float:
        """Nats that spots (N, 2) of such heights (N,) explain, whatever their common shape.

        The shape is what fits best: one number for every ring of waves, the form factor of a round column.
        """
        bins = self._bins
        spots = self._transform(self._drawn(place, height), level=False)
        both = self._weight * (spots.real * self._waves.real + spots.imag * self._waves.imag)
        own = self._weight * (spots.real**2 + spots.imag**2)
        form = np.bincount(bins.ring, both) / np.maximum(np.bincount(bins.ring, own), 1e-30)
        rest = self._mean_power(self._waves - np.maximum(form, 0)[bins.ring] * spots)
        ratio = np.log((self._power + self._floor) / (rest + self._floor))
        return 0.5 * bins.independent * float((bins.count * ratio).sum())

    def surrogate(self) -> Array:
        """Noise of the same power as the window, without the outliers of its fine part; all else is random.

        What spots gain here they gain by being chosen, so parameters need not be counted. A step has power at all
        waves, and noise of that power would drown the texture that it stands for.
        """
        from scipy.fft import irfft2, rfft2

        fine = self.image - blur(self.image.astype(np.float32), min(self.image.shape) / 16)
        fine -= np.median(fine)
        limit = FIXED.evidence_outlier * 1.4826 * float(np.median(np.abs(fine)))
        power = self._mean_power(self._transform(fine.clip(-limit, limit)))
        noise = rfft2(np.random.default_rng(0).normal(size=self.image.shape))
        scale = np.sqrt(power[self._bins.bin] / (self.image.size * float((self._bins.taper**2).mean())))
        return np.asarray(irfft2(scale.reshape(noise.shape) * noise, s=self.image.shape))

    def _transform(self, image: npt.NDArray, level: bool = True) -> Waves:
        from scipy.fft import rfft2

        taper = self._bins.taper
        mean = float((image * taper).sum() / taper.sum()) if level else 0.0
        return np.asarray(rfft2(((image - mean) * taper).astype(np.float32))).ravel()

    def _mean_power(self, waves: Waves) -> Array:
        bins = self._bins
        return np.asarray(np.bincount(bins.bin, bins.twice * (waves.real**2 + waves.imag**2)) / bins.count)

    def _drawn(self, place: Array, height: Array) -> Array:
        """The spots as points, each shared among the four pixels around it."""
        rows, columns = self.image.shape
        corner = np.floor(place).astype(np.int64).clip(0, [rows - 1, columns - 1])
        part = (place - corner).clip(0, 1)
        beside = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])[:, None]
        share = np.abs(1 - beside - part).prod(axis=2) * height
        where = (corner + beside) @ [columns + 1, 1]
        flat: Array = np.bincount(where.ravel(), share.ravel(), (rows + 1) * (columns + 1)).astype(np.float64)
        return flat.reshape(rows + 1, columns + 1)[:-1, :-1]
