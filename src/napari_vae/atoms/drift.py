"""How far the whole sample moves from frame to frame, from the positions of the atoms and, if given, the images."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.micrograph import Micrograph
from .blurs import block_means
from .constants import FIXED
from .damage import mended_frame
from .spots import flatten

Array = npt.NDArray[np.float64]

_NOWHERE = np.zeros(2)


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
        less; defects, dopants and edges in the images help.

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
    if np.linalg.norm(seen - smallest) < FIXED.drift_near * spacing:
        return smallest
    better = agreement(before, now, seen / block, smallest / block, spacing / block)
    return seen if better > FIXED.drift_sure else smallest


def positions_shift(first: Array, second: Array, spacing: float, around: Array = _NOWHERE) -> Array:
    """The shift (2,) nearest to `around` that carries most atoms of one frame (N, 2) onto atoms of another (M, 2).

    All vectors from every atom to those near it in the other frame are counted; the true shift is the vector that most
    atoms share. A lattice shares the shift plus every lattice vector as well, so of the vectors that are about as
    common as the commonest the one nearest to `around` is taken, and then the median of what lies next to it.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter
    from scipy.spatial import cKDTree

    moved = first + around
    near = cKDTree(second).query(moved, k=range(1, min(FIXED.drift_nearest, len(second)) + 1))[1]
    vectors = second[near] - moved[:, None]
    votes = vectors[:: 1 + len(vectors) // FIXED.drift_voters].reshape(-1, 2)
    vectors = vectors.reshape(-1, 2)
    reach = FIXED.drift_nearest**0.5 * spacing
    votes = votes[(np.abs(votes) < reach).all(axis=1)]
    if not len(votes):
        return around
    bins = 2 * round(reach / (FIXED.drift_bin * spacing)) + 1
    counts = np.histogram2d(votes[:, 0], votes[:, 1], bins, np.array([[-reach, reach]] * 2))[0]
    counts = gaussian_filter(counts, FIXED.drift_blur, mode="constant")
    peaks = np.argwhere((counts == maximum_filter(counts, 3)) & (counts > counts.max() / 3))
    at = (peaks + 0.5) * (2 * reach / bins) - reach
    shared = (np.linalg.norm(votes - at[:, None], axis=2) < FIXED.drift_near * spacing).sum(axis=1)
    at = at[shared >= FIXED.drift_alike * shared.max()]
    best = at[np.linalg.norm(at, axis=1).argmin()]
    for _ in range(2):  # the second time around the median
        close = vectors[np.linalg.norm(vectors - best, axis=1) < FIXED.drift_near * spacing]
        best = np.median(close, axis=0) if len(close) else best
    return np.asarray(around + best)


def image_shift(first: Array, second: Array) -> Array:
    """The shift (2,) in whole pixels at which an image (rows, columns) agrees best with a later one of the same shape.

    The normalised cross-correlation of what overlaps, for all shifts of up to half the image, by Fourier transforms and
    sums over rectangles (Lewis 1995, Fast Normalized Cross-Correlation). `skimage.registration.phase_cross_correlation`
    with masks finds the same in five times the time, for its masks may be of any shape, and says nothing of the other
    maxima, which in a lattice are about as high.
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
    """Normalised cross-correlation of what overlaps, for every shift of the second image; zero shift in the middle."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    shape = first.shape
    a, b = first - first.mean(), second - second.mean()
    lags = [np.arange(-int(FIXED.drift_overlap * n), int(FIXED.drift_overlap * n) + 1) for n in shape]
    size = [next_fast_len(n + int(FIXED.drift_overlap * n), real=True) for n in shape]
    products = irfft2(rfft2(a, s=size).conj() * rfft2(b, s=size), s=size)[np.ix_(*lags)]
    ahead, behind = [np.maximum(0, lag) for lag in lags], [np.maximum(0, -lag) for lag in lags]
    pixels = np.multiply.outer(*(n - np.abs(lag) for n, lag in zip(shape, lags, strict=True)))
    sum_a, sum_b = _sums(a, behind, ahead), _sums(b, ahead, behind)
    spread = (_sums(a**2, behind, ahead) - sum_a**2 / pixels) * (_sums(b**2, ahead, behind) - sum_b**2 / pixels)
    floor = 1e-6 * spread.max() + np.finfo(float).tiny  # blank parts overlap
    return np.asarray((products - sum_a * sum_b / pixels) / np.sqrt(np.maximum(spread, floor)))


def _sums(image: Array, before: Sequence[Any], after: Sequence[Any]) -> Array:
    """Sums of an image without its first `before` and last `after` rows (L,) and columns (M,), for all pairs (L, M)."""
    total = np.pad(image, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    (top, left), (bottom, right) = before, (n - cut for n, cut in zip(image.shape, after, strict=True))
    return np.asarray(
        total[np.ix_(bottom, right)]
        - total[np.ix_(top, right)]
        - total[np.ix_(bottom, left)]
        + total[np.ix_(top, left)]
    )


def _binned(image: Micrograph, frame: int, spacing: float) -> Array | None:
    """A frame without slow background as means over blocks that still show the atoms; None when it is blank."""
    from scipy.ndimage import gaussian_filter

    mended = mended_frame(image, frame)
    if mended.blank:
        return None
    n = _block(spacing)
    columns = gaussian_filter(flatten(mended.frame, spacing / 5)[0], FIXED.drift_smooth * spacing)
    return np.asarray(block_means(columns, n), dtype=np.float64)


def _block(spacing: float) -> int:
    return max(1, int(spacing / FIXED.drift_pixels))
