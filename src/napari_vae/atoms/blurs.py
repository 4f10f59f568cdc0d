"""Gaussian blurs of images, as products with banded matrices, which is what processors are fastest at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Bands = tuple[tuple[slice, slice, Floats], ...]  # places of results, places of the values in them, and their weights

_TOGETHER = 64  # results of one product: of more the matrix holds more zeros, of fewer the product is slower


def gaussian(image: Floats, width: float, truncate: float) -> Floats:
    """Gaussian filter that ends `truncate` widths away; beyond the border the image is mirrored."""
    rows, columns = image.shape
    return _across(_down(image, _mirrored(rows, width, truncate)), _mirrored(columns, width, truncate))


def blur(image: Floats, width: float, *, slopes: bool = True) -> Floats:
    """Gaussian blur by many pixels, done on block means and interpolated back.

    At the border slopes go on; without `slopes` it is a mean of what is there, so that variances stay positive.
    """
    block = max(1, min(int(width / 4), *image.shape))
    if block == 1:
        return gaussian(image, width, 2.5)
    rows, columns = image.shape
    small = np.asarray(block_means(image, block), dtype=np.float32)
    small = _down(small, _lines(rows, block, width / block, slopes))
    return _across(small, _lines(columns, block, width / block, slopes))


def block_means(image: npt.NDArray, size: int) -> npt.NDArray:
    """Means over blocks of `size` × `size` pixels; what does not fill one is left out."""
    if size == 1:
        return image
    rows, columns = (n // size for n in image.shape)
    means: npt.NDArray = image[: rows * size, : columns * size].reshape(rows, size, columns, size).mean(axis=(1, 3))
    return means


def _down(values: Floats, bands: Bands) -> Floats:
    result = np.empty((bands[-1][0].stop, values.shape[1]), dtype=np.float32)
    for to, of, weight in bands:
        result[to] = weight @ values[of]
    return result


def _across(values: Floats, bands: Bands) -> Floats:
    result = np.empty((len(values), bands[-1][0].stop), dtype=np.float32)
    for to, of, weight in bands:
        result[:, to] = values[:, of] @ weight.T
    return result


def _parts(length: int) -> Iterator[slice]:
    return (slice(begin, min(begin + _TOGETHER, length)) for begin in range(0, length, _TOGETHER))


@lru_cache(64)
def _mirrored(length: int, width: float, truncate: float) -> Bands:
    """A Gaussian filter along so many pixels, as `scipy.ndimage.gaussian_filter` has it."""
    reach = int(truncate * width + 0.5)
    bands = []
    for to in _parts(length):
        place = np.arange(to.start - reach, to.stop + reach)
        weight = _weights(np.arange(to.start, to.stop), place, width, reach)
        there = np.minimum(place % (2 * length), (-1 - place) % (2 * length))
        of = slice(int(there.min()), int(there.max()) + 1)
        bands.append((to, of, (weight @ (there[:, None] == np.arange(of.start, of.stop))).astype(np.float32)))
    return tuple(bands)


@lru_cache(64)
def _lines(length: int, block: int, width: float, slopes: bool) -> Bands:
    """Gaussian-weighted straight lines, or levels, through block means around every pixel of a line (Cleveland 1979).

    Away from the ends it is a blur. There, where a blur would see a slope as bright or dark, the line is not level.
    """
    number, reach = length // block, int(3 * width)
    pixel = (np.arange(length) + 0.5) / block - 0.5
    lower = np.floor(pixel).astype(np.int64).clip(0, max(number - 2, 0))
    bands = []
    for to in _parts(length):
        first, last = int(lower[to][0]), min(int(lower[to][-1]) + 1, number - 1)
        centre = np.arange(first, last + 1)
        of = slice(max(0, first - reach), min(number, last + reach + 1))
        weight = _weights(centre, np.arange(of.start, of.stop), width, reach)
        if slopes:
            offset = np.arange(of.start, of.stop) - centre[:, None]
            mean = (weight * offset).sum(axis=1, keepdims=True)
            spread = np.maximum((weight * offset**2).sum(axis=1, keepdims=True) - mean**2, 1e-12)
            weight -= mean / spread * weight * (offset - mean)
        before = lower[to] - first
        after = np.minimum(before + 1, len(centre) - 1)
        part = (pixel - lower)[to, None]
        bands.append((to, of, ((1 - part) * weight[before] + part * weight[after]).astype(np.float32)))
    return tuple(bands)


def _weights(centre: npt.NDArray, place: npt.NDArray, width: float, reach: int) -> Array:
    """Weights (centres, places) of a Gaussian around each centre that ends at its reach; their sum is 1."""
    offset = place - centre[:, None]
    weight = np.exp(-0.5 * (offset / width) ** 2) * (np.abs(offset) <= reach)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
