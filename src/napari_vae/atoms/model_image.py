"""Columns drawn into an image, and what the image says of all of them together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .blurs import blur
from .constants import FIXED
from .damage import filled
from .gaussians import WIDTH, Discs, X, Y

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_CHUNK = 256  # atoms drawn together
_ENOUGH = 512  # px, side of the part of a large image that gives the common width


def draw_spots(shape: tuple[int, ...], values: Array) -> Floats:
    """Sum of Gaussians (N, P; see `gaussians`) without backgrounds, on a (rows, columns) grid."""
    reach = FIXED.drawn_reach * float(np.quantile(values[:, WIDTH], 0.95))
    margin = int(np.ceil(reach))  # of the image; its discs need another one
    points = values[:, Y : X + 1]
    values = values[((points > -margin) & (points < np.asarray(shape) + margin - 1)).all(axis=1)]
    values = values[np.argsort(values[:, Y])]  # so that each chunk touches few rows
    values[:, Y : X + 1] += margin
    total = np.zeros([n + 4 * margin for n in shape], dtype=np.float32)
    flat = total.ravel()
    for begin in range(0, len(values), _CHUNK):
        part = values[begin : begin + _CHUNK]
        discs = Discs(total.shape, part, reach)
        spots = discs.shapes(discs.from_centre(part)) * part[:, :1].astype(np.float32)
        first = int(discs.at[:, 0].min())
        drawn = np.bincount((discs.at - first).ravel(), spots.ravel())
        flat[first : first + len(drawn)] += drawn
    return total[2 * margin : -2 * margin, 2 * margin : -2 * margin]


def grown_together(image: Floats, values: Array, weight: Floats, slow: float) -> Array:
    """Factors of all amplitudes and of all widths that fit the whole image best, apart from its slow background.

    Columns that overlap hand on to each other what is wrong with all of them, so that one by one they hardly get there.
    """
    image, values, weight = _sample(image, values, weight)
    wider = values.copy()
    wider[:, WIDTH] *= 1 + FIXED.grown_little
    spots = draw_spots(image.shape, values)
    growth = (draw_spots(image.shape, wider) - spots) / np.float32(FIXED.grown_little)
    rest, *parts = (part - blur(part, slow) for part in (filled(image - spots, weight == 0), spots, growth))
    design = [weight * part for part in parts]
    normal = [[float(np.vdot(one, other)) for other in parts] for one in design]
    step = np.linalg.lstsq(normal, [float(np.vdot(one, rest)) for one in design], rcond=None)[0]
    return np.asarray(1 + np.clip(step, -FIXED.grown_most, FIXED.grown_most))


def _sample(image: Floats, values: Array, weight: Floats) -> tuple[Floats, Array, Floats]:
    """A part of a large image that is full of atoms, the atoms as seen from its corner, and its weights."""
    middle = np.median(values[:, Y : X + 1], axis=0).astype(np.int64)
    low = np.clip(middle - _ENOUGH // 2, 0, np.maximum(np.asarray(image.shape) - _ENOUGH, 0))
    window = tuple(slice(start, start + _ENOUGH) for start in low)
    values = values.copy()
    values[:, Y : X + 1] -= low
    return image[window], values, weight[window]
