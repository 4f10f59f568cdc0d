"""Sub-pixel positions: 2-D Gaussians fitted to all atoms at once, each with its neighbours taken away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from .blurs import blur
from .constants import FIXED
from .damage import filled, second_differences
from .fisher import in_common, standard_errors
from .gaussians import BACKGROUND, CIRCULAR, ELLIPTICAL, WIDTH, Fit, Prior, X, Y, fit_gaussians
from .model_image import draw_spots, grown_together

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_OWN = ("y", "x", "amplitude", "background")  # known of an atom without a fit


def refine_spots(
    frame: Array,
    atoms: pd.DataFrame,
    sigma: float,
    spacing: float,
    sign: int = 1,
    elliptical: bool = False,
    lost: Flags | None = None,
) -> pd.DataFrame:
    """Fit amplitude, background, width and position of every atom by weighted least squares.

    A first fit in small discs gives every column its Gaussian. Then the image of all of them is subtracted, each
    column is put back alone, and fitted again in a larger disc; so neighbours neither pull at the position nor pass
    for background. What varies slowly in the rest (thickness, contamination, the halo of a particle) is subtracted too.
    The variance of a pixel is taken as linear in the expected intensity (shot noise plus a constant), both coefficients
    measured on the residual of the first fit. Levenberg–Marquardt steps are taken for all atoms together.

    What columns of one image have in common, their width and the background between them, is learnt from all of them:
    one step for the whole image (`grown_together`), and then a prior as wide as they differ (`in_common`).

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
    elliptical : bool
        Fit two widths and an orientation in place of one width.
    lost : (rows, columns) array of bool, optional
        Pixels that were not measured and say nothing.

    Returns
    -------
    pandas.DataFrame
        y, x, amplitude, sigma, background, y_err, x_err, fitted in the order of `atoms`; of ellipses also sigma_major,
        sigma_minor, and the orientation of the longer axis, degrees counter-clockwise on screen from the horizontal.
        Where the fit fails, the candidate's own values with NaN for widths and errors, and fitted False; `outside` is
        True where it fails since its centre lies beyond the image, for sure.
    """
    origin, unit = float(np.median(frame)), float(frame.std())
    image = (sign * (frame - origin) / unit).astype(np.float32)
    start = np.zeros((len(atoms), ELLIPTICAL if elliptical else CIRCULAR))
    start[:, 0] = sign * atoms["amplitude"] / unit
    start[:, BACKGROUND] = sign * (atoms["background"] - origin) / unit
    start[:, Y], start[:, X], start[:, WIDTH] = atoms["y"], atoms["x"], sigma
    lost = np.zeros(image.shape, dtype=bool) if lost is None else lost
    values, errors, outside = _fit_among_neighbours(image, start, sigma, spacing, lost)
    good = np.asarray(np.isfinite(errors).all(axis=1))
    columns = {
        "y": values[:, Y],
        "x": values[:, X],
        "amplitude": sign * values[:, 0] * unit,
        "sigma": values[:, WIDTH],
        "background": sign * values[:, BACKGROUND] * unit + origin,
        "y_err": errors[:, 0],
        "x_err": errors[:, 1],
    }
    columns |= _axes(values) if elliptical else {}
    known = {name: of if name in _OWN else np.where(good, of, np.nan) for name, of in columns.items()}
    return pd.DataFrame(known | {"fitted": good, "outside": outside})


def _axes(values: Array) -> dict[str, Array]:
    """Widths along both axes of ellipses, their geometric mean, and the direction of the longer one."""
    width, flatness, slant = values[:, WIDTH:].T
    flat = np.hypot(flatness, slant)
    major, minor = width / np.sqrt(1 - flat), width / np.sqrt(1 + flat)
    orientation = np.rad2deg(np.arctan2(slant, flatness)) / 2
    return {"sigma": np.sqrt(major * minor), "sigma_major": major, "sigma_minor": minor, "orientation": orientation}


def _fit_among_neighbours(
    image: Floats, start: Array, sigma: float, spacing: float, lost: Flags
) -> tuple[Array, Array, Flags]:
    """Fit all atoms in rounds, each with the neighbours of the round before taken away: values and errors (N, 2).

    A fit that is not plausible is the start again, in the end with NaN for both errors. Third, whether (N,) its centre
    lies beyond the image by several errors.
    """

    def plausible(fit: Fit) -> npt.NDArray[np.bool_]:
        return _plausible(fit.values, start, sigma, spacing, image.shape)

    widest = FIXED.fit_widest * spacing
    prior = anything = _anything(start.shape[1], min(sigma, widest))
    known = ~lost
    weight = known * np.float32(1 / _noise_variance(image, known))
    fit = fit_gaussians(image, weight, start, FIXED.fit_first_reach * sigma, anything, FIXED.fit_first_steps)
    for number in range(FIXED.fit_most_rounds):
        anew = number % 2 == 0
        good = plausible(fit)
        values = np.where(good[:, None], fit.values, start)
        prior = in_common(fit, prior, good, anything, _shared(number, anew, start.shape[1]))
        if anew:
            grown = grown_together(image, values, weight, FIXED.fit_slow * sigma)
            values[:, (0, WIDTH)] *= grown
            prior.value[WIDTH] *= grown[1]
        spots = draw_spots(image.shape, values)
        residual = filled(image - spots, lost)
        if anew:
            slow = _slow(residual, sigma, rough=number > 0)  # a slope under a column would pull at its position
            weight = _weights(residual - slow, spots + slow, known)
        prior.value[WIDTH] = width = float(np.clip(prior.value[WIDTH], FIXED.fit_narrowest, widest))
        reach = min(FIXED.fit_reach * width, FIXED.fit_widest_reach * spacing)
        last = number >= FIXED.fit_rounds - 1
        steps = FIXED.fit_steps if last else 0
        fit = fit_gaussians(residual - slow, weight, values, reach, prior, steps, put_back=True)
        if last and not anew and _moved(fit, values) < FIXED.fit_settled:
            break
    place = np.rint(start[:, Y : X + 1]).astype(np.int64)
    fit.values[:, BACKGROUND] += slow[place[:, 0], place[:, 1]]
    good = plausible(fit)
    outside = ~good & (_beyond(fit, image.shape) > FIXED.fit_outside)
    fit = replace(fit, values=np.where(good[:, None], fit.values, start))
    errors = np.where(good[:, None], standard_errors(fit, weight, reach), np.nan)
    known = np.asarray(np.isfinite(errors).all(axis=1))
    return np.where(known[:, None], fit.values, start), errors, outside


def _slow(residual: Floats, sigma: float, rough: bool) -> Floats:
    """What varies slowly in what the columns leave; if `rough`, finer where that is clearly more than noise leaves.

    White noise leaves known shares of its variance in either blur; rough supports and the feet of steps leave more.
    """
    wide, fine = FIXED.fit_slow * sigma, FIXED.fit_rough * sigma
    slow = blur(residual, wide)
    if not rough:
        return slow
    left = blur(residual, fine)
    share = (1 / wide**2 + 1 / fine**2 - 4 / (wide**2 + fine**2)) / (4 * np.pi)
    noise = share * blur((residual - left) ** 2, wide, slopes=False)
    left -= slow
    variance = np.maximum(blur(left**2, wide, slopes=False), np.finfo(np.float32).tiny)
    return np.asarray(slow + left * np.maximum(1 - FIXED.fit_rough_clear * noise / variance, 0), dtype=np.float32)


def _beyond(fit: Fit, shape: tuple[int, ...]) -> Array:
    """How far centres (N,) lie beyond the image, in standard errors of columns that stand alone; 0 for those within."""
    centre = fit.values[:, Y : X + 1]
    precision = np.einsum("nii->ni", fit.curvature)[:, Y : X + 1] / fit.variance[:, None]
    far = np.maximum(np.maximum(-0.5 - centre, centre - (np.asarray(shape) - 0.5)), 0)
    return np.asarray(np.nan_to_num(far * np.sqrt(precision)).max(axis=1))


def _anything(n: int, width: float) -> Prior:
    """What is known of n parameters of columns of about this width before any fit."""
    value, spread = np.zeros(n), np.full(n, np.inf)
    value[WIDTH], spread[WIDTH], spread[WIDTH + 1 :] = width, FIXED.fit_alike * width, FIXED.fit_round
    return Prior(value, spread)


def _moved(fit: Fit, before: Array) -> float:
    """How far columns typically moved in a round, in standard errors of columns that stand alone."""
    precision = np.einsum("nii->ni", fit.curvature)[:, Y : X + 1]
    return float(np.median(np.abs(fit.values - before)[:, Y : X + 1] * np.sqrt(precision)))


def _shared(number: int, anew: bool, n: int) -> list[int]:
    """Of which of n parameters the fits before a round say what columns have in common.

    Of none where neighbours still made them look wider or narrower; and what a background was above the former slow
    one says nothing about the new one.
    """
    return [k for k in (BACKGROUND, *range(WIDTH, n)) if number and not (anew and k == BACKGROUND)]


def _noise_variance(image: Floats, known: Flags) -> float:
    """Variance of white noise."""
    return float(np.mean(second_differences(image)[known[1:-1, 1:-1]] ** 2) / 36 + np.finfo(np.float32).eps)


def _weights(residual: Floats, expected: Floats, known: Flags) -> Floats:
    """Inverse variance of every known pixel: shot noise linear in the expected intensity, plus a constant."""
    every = max(1, expected.size // 200_000)
    sample, squares = expected[known][::every], residual[known][::every] ** 2
    edges = np.quantile(sample, np.linspace(0, 1, 33))
    group = np.searchsorted(edges[1:-1], sample)
    count = np.maximum(np.bincount(group, minlength=32), 1)
    level, spread = (np.bincount(group, v, minlength=32) / count for v in (sample, squares))
    gain, offset = np.polyfit(level, spread, 1)
    least = max(0.05 * spread.mean(), np.finfo(np.float32).eps)  # no pixel is better than float32 can tell
    variance = max(gain, 0.0) * expected + (offset if gain > 0 else spread.mean())
    return (known / np.maximum(variance, least)).astype(np.float32)


def _plausible(
    values: Array, start: Array, sigma: float, spacing: float, shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Fits that ended near their maximum and inside the image, upright, with about the width of a column."""
    farthest = min(FIXED.fit_farthest * spacing, FIXED.fit_astray * sigma)
    near = np.hypot(*(values[:, Y : X + 1] - start[:, Y : X + 1]).T) <= farthest
    wide = (values[:, WIDTH] > FIXED.fit_thinnest * sigma) & (values[:, WIDTH] < FIXED.fit_thickest * sigma)
    inside = ((values[:, Y : X + 1] > -0.5) & (values[:, Y : X + 1] < np.asarray(shape) - 0.5)).all(axis=1)
    return np.asarray(near & wide & inside & (values[:, 0] > 0) & np.isfinite(values).all(axis=1))
