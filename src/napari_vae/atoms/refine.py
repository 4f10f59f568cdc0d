"""Sub-pixel positions: 2-D Gaussians fitted to all atoms at once, each with its neighbours taken away."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .spots import blur

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_FIRST_REACH, _REACH = 2.0, 3.0  # radius of the fitted disc in column widths, before and after neighbours are removed
_FIRST_STEPS = 4
_ROUNDS, _STEPS = 4, 2  # one step each round, because the neighbours move as well; these in the last one
_SLOW = 6.0  # column widths over which what the columns leave is blurred to the slow background
_WIDEST = 0.3  # of the spacing; wider columns would not be seen apart
_ALIKE = 0.15  # columns of one image have widths within about this fraction of each other
_NARROWEST = 0.3  # px
_CHUNK = 1024  # atoms fitted together; their windows stay in the processor's cache
_THREADS = 4  # more would wait for the memory
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

    The errors are those of the inverse Fisher matrix, scaled by the residual variance of each atom.

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
    fit = _fit_among_neighbours(image, start, sigma, spacing)
    good = np.isfinite(fit.errors).all(axis=1)
    return pd.DataFrame(
        {
            "y": fit.values[:, 2],
            "x": fit.values[:, 3],
            "amplitude": sign * fit.values[:, 0] * unit,
            "sigma": np.where(good, fit.values[:, 4], np.nan),
            "background": sign * fit.values[:, 1] * unit + origin,
            "y_err": fit.errors[:, 0],
            "x_err": fit.errors[:, 1],
        }
    )


def _fit_among_neighbours(image: Floats, start: Array, sigma: float, spacing: float) -> _Fit:
    """Fit all atoms in rounds, each with the neighbours of the round before taken away.

    A fit that is not plausible is the start again, in the end with NaN for both errors.
    """

    def plausible(fit: _Fit) -> npt.NDArray[np.bool_]:
        return _plausible(fit.values, start, sigma, spacing, image.shape)

    widest = _WIDEST * spacing
    width = min(sigma, widest)
    noise = np.full(image.shape, 1 / _noise_variance(image), dtype=np.float32)
    fit = _fit(image, noise, start, _FIRST_REACH * sigma, Width(width, _ALIKE), _FIRST_STEPS)
    for number in range(_ROUNDS):
        values = np.where(plausible(fit)[:, None], fit.values, start)
        # The prior holds the width back, so the median has come only about half of the way.
        width = min(width + 2 * (float(np.median(values[:, 4])) - width), widest)
        spots = draw_spots(image.shape, values)
        residual = image - spots
        if number in (0, _ROUNDS // 2):
            weight = _weights(residual, spots, sigma)
            slow = blur(residual, _SLOW * sigma)  # a slope under a column would pull at its position
        reach = min(_REACH * width, _WIDEST_REACH * spacing)
        steps = _STEPS if number == _ROUNDS - 1 else 0
        fit = _fit(residual - slow, weight, values, reach, Width(width, _ALIKE), steps, put_back=True)
    place = np.rint(start[:, 2:4]).astype(np.int64)
    fit.values[:, 1] += slow[place[:, 0], place[:, 1]]
    good = plausible(fit) & np.isfinite(fit.errors).all(axis=1)
    return _Fit(np.where(good[:, None], fit.values, start), np.where(good[:, None], fit.errors, np.nan))


def draw_spots(shape: tuple[int, ...], values: Array) -> Floats:
    """Sum of Gaussians (N, 5: amplitude, background, y, x, width) without backgrounds, on a (rows, columns) grid."""
    reach = int(np.ceil(3.5 * np.quantile(values[:, 4], 0.95)))
    offset = np.arange(-reach, reach + 1)
    total = np.zeros(shape[0] * shape[1])
    for begin in range(0, len(values), 4 * _CHUNK):
        height, _, y, x, width = values[begin : begin + 4 * _CHUNK].T[:, :, None]
        rows, columns = np.rint(y).astype(np.int64) + offset, np.rint(x).astype(np.int64) + offset
        down = height * np.exp(-0.5 * ((rows - y) / width) ** 2) * ((rows >= 0) & (rows < shape[0]))
        across = np.exp(-0.5 * ((columns - x) / width) ** 2) * ((columns >= 0) & (columns < shape[1]))
        spots = down[:, :, None] * across[:, None, :]
        pixel = rows.clip(0, shape[0] - 1)[:, :, None] * shape[1] + columns.clip(0, shape[1] - 1)[:, None, :]
        total += np.bincount(pixel.ravel(), spots.ravel(), minlength=len(total))
    return total.reshape(shape).astype(np.float32)


@dataclass(frozen=True)
class Width:
    """What is known about the width of a column before the fit: `value` in pixels, give or take a fraction `spread`."""

    value: float
    spread: float


@dataclass(frozen=True)
class _Fit:
    """Parameters (N, 5: amplitude, background, y, x, width) and standard errors (N, 2) of y and x."""

    values: Array
    errors: Array


def _fit(
    image: Floats, weight: Floats, start: Array, reach: float, width: Width, steps: int, put_back: bool = False
) -> _Fit:
    """Fit every atom in its disc; with `put_back` the image is a residual to which each atom is added back alone."""

    def fit(begin: int) -> _Fit:
        return _Windows(image, weight, start[begin : begin + _CHUNK], reach, put_back).fit(steps, width)

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:  # numpy lets other threads run meanwhile
        fits = list(pool.map(fit, range(0, len(start), _CHUNK)))
    return _Fit(*(np.concatenate(column) for column in zip(*((f.values, f.errors) for f in fits), strict=True)))


class _Windows:
    """Pixels in a disc around each of N atoms: `data`, `weight` (N, K) and offsets `y`, `x` (K,) from the centres."""

    def __init__(self, image: Floats, weight: Floats, start: Array, reach: float, put_back: bool) -> None:
        span = int(np.ceil(reach))
        y, x = np.mgrid[-span : span + 1, -span : span + 1]
        disc = np.hypot(y, x) <= reach
        self.centre = np.rint(start[:, 2:4]).astype(np.int64)
        rows, columns = self.centre[:, :1] + y[disc], self.centre[:, 1:] + x[disc]
        inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
        at = rows.clip(0, image.shape[0] - 1), columns.clip(0, image.shape[1] - 1)
        self.y, self.x = y[disc].astype(np.float32), x[disc].astype(np.float32)
        self.weight = weight[at] * inside
        self.count = inside.sum(axis=1)
        self.start = start.copy()
        self.start[:, 2:4] -= self.centre
        self.data = image[at]
        if put_back:
            alone = self.start.copy()
            alone[:, 1] = 0
            self.data = self.data + self._model(alone)[0]

    def fit(self, steps: int, width: Width) -> _Fit:
        """Levenberg–Marquardt from the start; an atom leaves the loop when its steps have become negligible.

        Without steps it is a single one of Gauss and Newton, whose end is not looked at: neighbours move as well.
        """
        values = self.start.copy()
        damping = np.full(len(values), 1e-3)
        everyone = np.arange(len(values))
        active = everyone
        curvature, slope, loss = self._normal_equations(values, everyone, width)
        if not steps:
            values += _solve(curvature, slope, damping)
            values[:, 4] = np.clip(values[:, 4], _NARROWEST, None)
        for _ in range(steps):
            step = _solve(curvature[active], slope[active], damping[active])
            trial = values[active] + step
            trial[:, 4] = np.clip(trial[:, 4], _NARROWEST, None)
            new = self._normal_equations(trial, active, width)
            better = new[2] <= loss[active]
            kept = active[better]
            values[kept] = trial[better]
            curvature[kept], slope[kept], loss[kept] = (part[better] for part in new)
            damping[active] *= np.where(better, 0.2, 10.0)
            moving = np.abs(step[:, 2:]).max(axis=1) > 2e-4 * values[active, 4]
            active = active[moving]
            if len(active) == 0:
                break
        errors = _errors(curvature, loss / np.maximum(self.count - 5, 1))
        values[:, 2:4] += self.centre
        return _Fit(values, errors)

    def _model(self, values: Array, who: npt.NDArray[np.int64] | slice = slice(None)) -> tuple[Floats, ...]:
        """The Gaussians with background (M, K), their unit shapes and the offsets from their centres."""
        height, background, y, x, width = values.astype(np.float32).T[:, :, None]
        down, across = self.y - y, self.x - x
        shape = np.exp((down * down + across * across) * (-0.5 / (width * width)))
        return height * shape + background, shape, down, across

    def _normal_equations(
        self, values: Array, who: npt.NDArray[np.int64], expected: Width
    ) -> tuple[Array, Array, Array]:
        """J'WJ (M, 5, 5), J'Wr (M, 5) and r'Wr (M,) of the atoms `who` at `values`, the prior width counted in."""
        model, shape, down, across = self._model(values)
        height, width = values[:, :1].astype(np.float32), values[:, 4:].astype(np.float32)
        everyone = len(who) == len(self.data)
        weight = self.weight if everyone else self.weight[who]
        residual = (self.data if everyone else self.data[who]) - model
        jacobian = np.empty((len(values), 5, len(self.y)), dtype=np.float32)
        jacobian[:, 0], jacobian[:, 1] = shape, 1
        pull = shape * (height / (width * width))
        np.multiply(pull, down, out=jacobian[:, 2])
        np.multiply(pull, across, out=jacobian[:, 3])
        np.multiply(pull, (down * down + across * across) / width, out=jacobian[:, 4])
        weighted = jacobian * weight[:, None, :]
        curvature = weighted @ jacobian.transpose(0, 2, 1)
        slope = (weighted @ residual[:, :, None])[:, :, 0]
        loss = np.einsum("nk,nk,nk->n", weight, residual, residual)
        certainty = 1 / (expected.spread * expected.value) ** 2
        off = expected.value - values[:, 4]
        curvature, slope = curvature.astype(np.float64), slope.astype(np.float64)
        curvature[:, 4, 4] += certainty
        slope[:, 4] += certainty * off
        return curvature, slope, loss + certainty * off**2


def _solve(curvature: Array, slope: Array, damping: Array) -> Array:
    """One damped step for every atom; zero where the equations are singular or not finite."""
    diagonal = np.einsum("nii->ni", curvature)
    damped = curvature + (damping[:, None] * diagonal + 1e-12)[:, :, None] * np.eye(5)
    usable = np.isfinite(damped).all(axis=(1, 2)) & (diagonal > 0).all(axis=1)
    step = np.zeros_like(slope)
    step[usable] = np.linalg.solve(damped[usable], slope[usable][:, :, None])[:, :, 0]
    return step


def _errors(curvature: Array, variance: Array) -> Array:
    """Standard errors (N, 2) of y and x; NaN where the Fisher matrix cannot be inverted."""
    scale = np.sqrt(np.maximum(np.einsum("nii->ni", curvature), 1e-30))
    normal = curvature / (scale[:, :, None] * scale[:, None, :])
    usable = np.isfinite(normal).all(axis=(1, 2)) & (np.linalg.det(np.where(np.isfinite(normal), normal, 0)) > 1e-9)
    diagonal = np.einsum("nii->ni", np.linalg.inv(normal[usable]))[:, 2:4]
    errors = np.full((len(curvature), 2), np.nan)
    errors[usable] = np.sqrt(np.maximum(diagonal * variance[usable, None], 0)) / scale[usable, 2:4]
    return errors


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
