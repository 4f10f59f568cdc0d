"""How far the whole sample moves from frame to frame, from the positions of the atoms and, if given, the images."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..micrograph import Micrograph
from .frames import checked_frame
from .spots import flatten

Array = npt.NDArray[np.float64]

_NOWHERE = np.zeros(2)
_NEAREST = 9  # atoms of the next frame around each whose vectors are counted: out to the second shell of a lattice
_BIN = 0.1  # of the spacing, of the histogram of vectors
_BLUR = 1.0  # bins
_ALIKE = 0.8  # of the commonest vector: others as common are the drift plus a lattice vector, and the shortest is it
_NEAR = 0.25  # of the spacing, around the commonest vector, whose median is taken
_PIXELS = 12.0  # per spacing, to which images are binned before they are correlated
_SMOOTH = 0.12  # of the spacing, so that an image may be shifted by parts of a pixel without losing noise
_OVERLAP = 0.5  # of either side, at least, of two images that are compared
_SURE = 5.0  # standard errors by which a large shift must agree better with the images than the smallest possible


def iter_drift(points: Sequence[Array], spacing: float, image: Micrograph | None = None) -> Generator[int, None, Array]:
    """Measure where the sample is in every frame, relative to the first; yields the number of every frame it has done.

    Parameters
    ----------
    points : sequence of (N, 2) arrays
        Atoms of every frame, row and column in pixels. The drift of a frame without atoms is interpolated.
    spacing : float
        Distance between neighbours in pixels.
    image : Micrograph, optional
        The movie. From positions alone a lattice that moves by more than half its period looks like one that moves by
        less; defects, dopants and edges in the images tell.

    Returns
    -------
    array (frames, 2)
        To be subtracted from the positions of each frame.
    """
    filled = [frame for frame, atoms in enumerate(points) if len(atoms)]
    if len(filled) < 2 or not spacing > 0:
        return np.zeros((len(points), 2))
    path = np.zeros((len(filled), 2))
    before: Array | None = None
    for i, frame in enumerate(filled):
        now = None if image is None else _binned(image, frame, spacing)
        if i:
            path[i] = path[i - 1] + _step(points[filled[i - 1]], points[frame], spacing, before, now)
        before = now
        yield frame
    return np.column_stack([np.interp(np.arange(len(points)), filled, axis) for axis in path.T])


def _step(first: Array, second: Array, spacing: float, before: Array | None, now: Array | None) -> Array:
    """Drift (2,) between two frames: the smallest that the atoms allow, unless the images clearly say another."""
    smallest = positions_shift(first, second, spacing)
    if before is None or now is None:
        return smallest
    block = _block(spacing)
    seen = positions_shift(first, second, spacing, image_shift(before, now) * block)
    if np.linalg.norm(seen - smallest) < _NEAR * spacing:
        return smallest
    return seen if agreement(before, now, seen / block, smallest / block, spacing / block) > _SURE else smallest


def positions_shift(first: Array, second: Array, spacing: float, around: Array = _NOWHERE) -> Array:
    """The shift (2,) nearest to `around` that carries most atoms of one frame (N, 2) onto atoms of another (M, 2).

    All vectors from every atom to those near it in the other frame are counted; the true shift is the vector that most
    atoms share. A lattice shares the shift plus every lattice vector as well, so of the vectors that are about as
    common as the commonest the one nearest to `around` is taken, and then the median of what lies next to it.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter
    from scipy.spatial import cKDTree

    moved = first + around
    near = cKDTree(second).query(moved, k=range(1, min(_NEAREST, len(second)) + 1))[1]
    vectors = (second[near] - moved[:, None]).reshape(-1, 2)
    reach = _NEAREST**0.5 * spacing
    vectors = vectors[(np.abs(vectors) < reach).all(axis=1)]
    if not len(vectors):
        return around
    bins = 2 * round(reach / (_BIN * spacing)) + 1
    counts = np.histogram2d(vectors[:, 0], vectors[:, 1], bins, np.array([[-reach, reach]] * 2))[0]
    counts = gaussian_filter(counts, _BLUR, mode="constant")
    peaks = np.argwhere((counts == maximum_filter(counts, 3)) & (counts > counts.max() / 3))
    at = (peaks + 0.5) * (2 * reach / bins) - reach
    shared = (np.linalg.norm(vectors - at[:, None], axis=2) < _NEAR * spacing).sum(axis=1)
    at = at[shared >= _ALIKE * shared.max()]
    best = at[np.linalg.norm(at, axis=1).argmin()]
    for _ in range(2):  # the second time around the median
        close = vectors[np.linalg.norm(vectors - best, axis=1) < _NEAR * spacing]
        best = np.median(close, axis=0) if len(close) else best
    return np.asarray(around + best)


def image_shift(first: Array, second: Array) -> Array:
    """The shift (2,) in whole pixels at which an image (rows, columns) agrees best with a later one of the same shape.

    The normalised cross-correlation of what overlaps, for all shifts of up to half the image, by Fourier transforms
    (Padfield 2012, https://doi.org/10.1109/TIP.2011.2181402).
    """
    from scipy.ndimage import maximum_filter

    correlation = _correlation(first, second)
    inner = (slice(1, -1),) * 2
    at = np.argwhere((correlation == maximum_filter(correlation, 3))[inner] & (correlation > 0)[inner]) + 1
    if not len(at):
        return np.zeros(2)
    best = at[_summits(correlation, at).argmax()]
    return np.asarray(best - np.array(correlation.shape) // 2, dtype=np.float64)


def agreement(first: Array, second: Array, one: Array, other: Array, cell: float) -> float:
    """By how many standard errors two images (rows, columns) agree better with one shift (2,) than with another.

    The logarithms of the squared differences are compared cell by cell, a cell being about an atom: an atom that moves
    about its site disturbs all its pixels together, and a few defects that do not fit would make a plain mean too
    uncertain. Only what both shifts show is compared; 0 when that is too little.
    """
    from scipy.ndimage import shift

    size = max(1, round(cell))
    low, high = np.minimum(0, np.minimum(one, other)), np.maximum(0, np.maximum(one, other))
    region = tuple(slice(int(np.ceil(-b)), int(n - np.ceil(t))) for b, t, n in zip(low, high, first.shape, strict=True))
    shape = tuple(max(0, part.stop - part.start) // size for part in region)
    if min(shape) < 2:
        return 0.0

    def misfit(move: Array) -> Array:
        squares = (shift(second, -move, order=3, mode="nearest") - first)[region] ** 2
        cells = squares[: shape[0] * size, : shape[1] * size].reshape(shape[0], size, shape[1], size)
        return np.log(cells.mean(axis=(1, 3)) + np.finfo(float).tiny)

    gain = misfit(other) - misfit(one)
    return float(gain.mean() / max(gain.std() / np.sqrt(gain.size), np.finfo(float).tiny))


def _summits(values: Array, at: npt.NDArray[np.int64]) -> Array:
    """Heights of maxima (N, 2) between the pixels, by a parabola along either axis."""
    top = values[tuple(at.T)]
    height = top.copy()
    for step in np.eye(2, dtype=np.int64):
        before, after = values[tuple((at - step).T)], values[tuple((at + step).T)]
        height += np.divide(
            (after - before) ** 2,
            8 * (2 * top - before - after),
            out=np.zeros_like(top),
            where=2 * top > before + after,
        )
    return height


def _correlation(first: Array, second: Array) -> Array:
    """Normalised cross-correlation for every shift, zero in the middle."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    shape = first.shape
    lags = [int(_OVERLAP * n) for n in shape]
    size = [next_fast_len(n + lag, real=True) for n, lag in zip(shape, lags, strict=True)]

    def spectra(image: Array) -> list[Any]:
        centred = image - image.mean()
        return [rfft2(part, s=size) for part in (centred, centred**2, np.ones(shape))]

    (a, aa, here), (b, bb, there) = spectra(first), spectra(second)

    def at_lags(one: Any, other: Any) -> Array:
        total = irfft2(one.conj() * other, s=size)
        return np.asarray(total[np.ix_(*(np.arange(-lag, lag + 1) for lag in lags))])

    pixels = at_lags(here, there)
    sum_a, sum_b = at_lags(a, there), at_lags(here, b)
    spread = (at_lags(aa, there) - sum_a**2 / pixels) * (at_lags(here, bb) - sum_b**2 / pixels)
    covariance = at_lags(a, b) - sum_a * sum_b / pixels
    floor = 1e-6 * spread.max() + np.finfo(float).tiny  # blank parts overlap
    return np.asarray(covariance / np.sqrt(np.maximum(spread, floor)))


def _binned(image: Micrograph, frame: int, spacing: float) -> Array | None:
    """A frame without slow background as means over blocks that still show the atoms; None when it is blank."""
    from scipy.ndimage import gaussian_filter

    data = checked_frame(image, frame, blank_ok=True)
    if np.ptp(data) == 0:
        return None
    n = _block(spacing)
    columns = gaussian_filter(flatten(data, spacing / 5)[0], _SMOOTH * spacing)
    rows, cols = (length // n for length in columns.shape)
    return np.asarray(columns[: rows * n, : cols * n].reshape(rows, n, cols, n).mean(axis=(1, 3)), dtype=np.float64)


def _block(spacing: float) -> int:
    return max(1, int(spacing / _PIXELS))
