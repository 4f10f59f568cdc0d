"""Sub-pixel positions: 2-D Gaussians fitted to all atoms at once, each with its neighbours taken away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from .gaussians import Fit, Width, fit_gaussians, standard_errors
from .spots import blur

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_FIRST_REACH, _REACH = 2.0, 3.0  # radius of the fitted disc in column widths, before and after neighbours are removed
_FIRST_STEPS = 4
_ROUNDS, _STEPS = 4, 2  # one step each round, because the neighbours move as well; these in the last one
_SLOW = 6.0  # column widths over which what the columns leave is blurred to the slow background
_WIDEST = 0.3  # of the spacing; wider columns would not be seen apart
_ALIKE = 0.15  # columns of one image have widths within about this fraction of each other
_CHUNK = 4096  # atoms drawn together
_WIDEST_REACH = 0.75  # of the spacing: farther out, what is left of the neighbours weighs more than the column
# Of the spacing and of the width, from the maximum: a fit that ends beyond either has followed something else.
_FARTHEST, _ASTRAY = 0.25, 1.25


def refine_spots(frame: Array, atoms: pd.DataFrame, sigma: float, spacing: float, sign: int = 1) -> pd.DataFrame:
    """Fit amplitude, background, width and position of every atom by weighted least squares.

    A first fit in small discs gives every column its Gaussian. Then the image of all of them is subtracted, each
    column is put back alone, and fitted again in a larger disc; so neighbours neither pull at the position nor pass
    for background. What varies slowly in the rest (thickness, contamination, the halo of a particle) is subtracted too.
    The variance of a pixel is taken as linear in the expected intensity (shot noise plus a constant), both coefficients
    measured on the residual of the first fit. Levenberg–Marquardt steps are taken for all atoms together.

    The errors are those of the inverse Fisher matrix with overlapping neighbours as unknown as the atom itself, scaled
    by the residual variance.

    Parameters
    ----------
    frame : (rows, columns) array
        The image.
    atoms : pandas.DataFrame
        Candidates with y, x, amplitude, background.
    sigma : float
        Approximate column width in pixels.
    spacing : float
        Distance of neighbouring columns in pixels.
    sign : int
        1 for bright columns, −1 for dark ones.

    Returns
    -------
    pandas.DataFrame
        y, x, amplitude, sigma, background, y_err, x_err in the order of `atoms`. Where the fit fails, the candidate's
        own values with NaN for sigma and errors.
    """
    origin, unit = float(np.median(frame)), float(frame.std())
    image = (sign * (frame - origin) / unit).astype(np.float32)
    start = np.column_stack(
        [
            sign * atoms["amplitude"] / unit,
            sign * (atoms["background"] - origin) / unit,
            atoms["y"],
            atoms["x"],
            np.full(len(atoms), sigma),
        ]
    )
    values, errors = _fit_among_neighbours(image, start, sigma, spacing)
    good = np.isfinite(errors).all(axis=1)
    return pd.DataFrame(
        {
            "y": values[:, 2],
            "x": values[:, 3],
            "amplitude": sign * values[:, 0] * unit,
            "sigma": np.where(good, values[:, 4], np.nan),
            "background": sign * values[:, 1] * unit + origin,
            "y_err": errors[:, 0],
            "x_err": errors[:, 1],
        }
    )


def _fit_among_neighbours(image: Floats, start: Array, sigma: float, spacing: float) -> tuple[Array, Array]:
    """Fit all atoms in rounds, each with the neighbours of the round before taken away: values and errors (N, 2).

    A fit that is not plausible is the start again, in the end with NaN for both errors.
    """

    def plausible(fit: Fit) -> npt.NDArray[np.bool_]:
        return _plausible(fit.values, start, sigma, spacing, image.shape)

    widest = _WIDEST * spacing
    width = min(sigma, widest)
    noise = np.full(image.shape, 1 / _noise_variance(image), dtype=np.float32)
    fit = fit_gaussians(image, noise, start, _FIRST_REACH * sigma, Width(width, _ALIKE), _FIRST_STEPS)
    for number in range(_ROUNDS):
        values = np.where(plausible(fit)[:, None], fit.values, start)
        # The prior holds the width back, so the median has come only about half of the way.
        width = float(np.clip(width + 2 * (np.median(values[:, 4]) - width), 0.3 * sigma, widest))
        spots = draw_spots(image.shape, values)
        residual = image - spots
        if number in (0, _ROUNDS // 2):
            weight = _weights(residual, spots, sigma)
            slow = blur(residual, _SLOW * sigma)  # a slope under a column would pull at its position
        reach = min(_REACH * width, _WIDEST_REACH * spacing)
        steps = _STEPS if number == _ROUNDS - 1 else 0
        fit = fit_gaussians(residual - slow, weight, values, reach, Width(width, _ALIKE), steps, put_back=True)
    place = np.rint(start[:, 2:4]).astype(np.int64)
    fit.values[:, 1] += slow[place[:, 0], place[:, 1]]
    errors = standard_errors(fit, weight, reach)
    good = plausible(fit) & np.isfinite(errors).all(axis=1)
    return np.where(good[:, None], fit.values, start), np.where(good[:, None], errors, np.nan)


def draw_spots(shape: tuple[int, ...], values: Array) -> Floats:
    """Sum of Gaussians (N, 5: amplitude, background, y, x, width) without backgrounds, on a (rows, columns) grid."""
    reach = int(np.ceil(3.5 * np.quantile(values[:, 4], 0.95)))
    offset = np.arange(-reach, reach + 1)
    total = np.zeros(shape[0] * shape[1])
    for begin in range(0, len(values), _CHUNK):
        height, _, y, x, width = values[begin : begin + _CHUNK].T[:, :, None]
        rows, columns = np.rint(y).astype(np.int64) + offset, np.rint(x).astype(np.int64) + offset
        down = height * np.exp(-0.5 * ((rows - y) / width) ** 2) * ((rows >= 0) & (rows < shape[0]))
        across = np.exp(-0.5 * ((columns - x) / width) ** 2) * ((columns >= 0) & (columns < shape[1]))
        spots = down[:, :, None] * across[:, None, :]
        pixel = rows.clip(0, shape[0] - 1)[:, :, None] * shape[1] + columns.clip(0, shape[1] - 1)[:, None, :]
        total += np.bincount(pixel.ravel(), spots.ravel(), minlength=len(total))
    return total.reshape(shape).astype(np.float32)


def _noise_variance(image: Floats) -> float:
    """Variance of white noise, from second differences along both axes, which hardly see columns (Immerkær 1996)."""
    second = image[:, :-2] - 2 * image[:, 1:-1] + image[:, 2:]
    both = second[:-2] - 2 * second[1:-1] + second[2:]
    return float(np.mean(both**2) / 36 + np.finfo(np.float32).eps)


def _weights(residual: Floats, spots: Floats, sigma: float) -> Floats:
    """Inverse variance of every pixel: shot noise linear in the expected intensity, plus a constant."""
    from scipy.ndimage import gaussian_filter

    background = gaussian_filter(residual, 2 * sigma, truncate=3.0)
    expected = spots + background
    square = (residual - background) ** 2
    sample = expected.ravel()[:: max(1, expected.size // 200_000)]
    squares = square.ravel()[:: max(1, expected.size // 200_000)]
    edges = np.quantile(sample, np.linspace(0, 1, 33))
    group = np.searchsorted(edges[1:-1], sample)
    count = np.maximum(np.bincount(group, minlength=32), 1)
    level, spread = (np.bincount(group, v, minlength=32) / count for v in (sample, squares))
    gain, offset = np.polyfit(level, spread, 1)
    variance = np.maximum(max(gain, 0.0) * expected + (offset if gain > 0 else spread.mean()), 0.05 * spread.mean())
    return (1 / np.maximum(variance, np.finfo(np.float32).tiny)).astype(np.float32)


def _plausible(
    values: Array, start: Array, sigma: float, spacing: float, shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Fits that ended near their maximum and inside the image, upright, with about the width of a column."""
    near = np.hypot(*(values[:, 2:4] - start[:, 2:4]).T) <= min(_FARTHEST * spacing, _ASTRAY * sigma)
    wide = (values[:, 4] > 0.3 * sigma) & (values[:, 4] < 2.5 * sigma)
    inside = ((values[:, 2:4] > -0.5) & (values[:, 2:4] < np.asarray(shape) - 0.5)).all(axis=1)
    return np.asarray(near & wide & inside & (values[:, 0] > 0) & np.isfinite(values).all(axis=1))
