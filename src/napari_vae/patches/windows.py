"""The arithmetic of windows at sub-pixel positions: cutting them out of a frame and blending them back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..core.square import cubic_weights

Floats = npt.NDArray[np.float32]
CHUNK_PIXELS = (
    400_000  # windows are cut and blended in chunks of this many pixels: little memory, short holds of the GIL
)


def _chunks(n: int, pixels: int) -> Iterator[slice]:
    step = max(1, CHUNK_PIXELS // pixels)
    for start in range(0, n, step):
        yield slice(start, start + step)


def _interpolate(block: Floats, fraction: npt.NDArray[np.float64]) -> Floats:
    """Values (N, C, H, W) a fraction (N, 2) of a pixel beyond the pixels of `block` (N, C, H + 3, W + 3)."""
    rows, columns = (cubic_weights(fraction[:, axis]).astype(np.float32)[:, :, None, None, None] for axis in (0, 1))
    height, width = block.shape[2] - 3, block.shape[3] - 3
    tall = rows[:, 0] * block[:, :, :height]
    for k in (1, 2, 3):
        tall += rows[:, k] * block[:, :, k : k + height]
    result: Floats = columns[:, 0] * tall[..., :width]
    for k in (1, 2, 3):
        result += columns[:, k] * tall[..., k : k + width]
    return result


def cut_windows(pixels: Floats, centres: npt.NDArray[np.float64], size: tuple[int, int]) -> Floats:
    """Windows (N, C, H, W) of `pixels` (C, Y, X) about `centres` (N, 2), each wholly inside."""
    padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2)), mode="reflect", reflect_type="odd")
    corner = centres - (np.asarray(size) - 1) / 2
    whole = np.floor(corner).astype(np.int64)
    start = whole + 1  # the first of the four taps lies one pixel before; the padding adds two
    result = np.empty((len(centres), len(pixels), *size), dtype=np.float32)
    for part in _chunks(len(centres), len(pixels) * (size[0] + 3) * (size[1] + 3)):
        rows = start[part, 0, None] + np.arange(size[0] + 3)
        columns = start[part, 1, None] + np.arange(size[1] + 3)
        block = padded[:, rows[:, :, None], columns[:, None, :]].swapaxes(0, 1)
        result[part] = _interpolate(block, corner[part] - whole[part])
    return result


def blend_windows(windows: Floats, centres: npt.NDArray[np.float64], shape: tuple[int, int], fill: float) -> Floats:
    """Weighted mean of windows (N, C, H, W) on a frame (C, Y, X) of `shape` (Y, X), and `fill` where there is none.

    The weight falls from the centre of a window to its border. Each whole pixel between samples of a window takes
    its value by cubic convolution.
    """
    n_channels, size = windows.shape[1], windows.shape[-2:]
    corner = centres - (np.asarray(size) - 1) / 2
    first = np.ceil(corner - 1e-9).astype(np.int64)  # the tolerance keeps the edge row of a window at a whole position
    fraction = np.where(first - corner < 1e-9, 0, first - corner)  # as it keeps the last one
    taper = np.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) for n in size))
    total = np.zeros((n_channels, shape[0] * shape[1]))
    weight = np.zeros(shape[0] * shape[1])
    for part in _chunks(len(windows), n_channels * size[0] * size[1]):
        rows = first[part, 0, None] + np.arange(size[0])
        columns = first[part, 1, None] + np.arange(size[1])
        inside = ((rows >= 0) & (rows < shape[0]))[:, :, None] & ((columns >= 0) & (columns < shape[1]))[:, None, :]
        # beyond its last sample a window at a fractional position has no value
        inside[:, -1, :] &= (fraction[part, 0] == 0)[:, None]
        inside[:, :, -1] &= (fraction[part, 1] == 0)[:, None]
        target = (rows[:, :, None] * shape[1] + columns[:, None, :])[inside]
        mass = np.broadcast_to(taper, inside.shape)[inside]
        weight += np.bincount(target, mass, len(weight))
        padded = np.pad(windows[part], ((0, 0), (0, 0), (1, 2), (1, 2)), mode="reflect", reflect_type="odd")
        values = _interpolate(padded, fraction[part])
        for channel in range(n_channels):
            total[channel] += np.bincount(target, mass * values[:, channel][inside], len(weight))
    mean = np.full_like(total, fill)
    np.divide(total, weight, out=mean, where=weight > 0)
    return mean.reshape(-1, *shape).astype(np.float32)
