"""Gaussians fitted to many atoms at once, each in a disc of its own, by Levenberg–Marquardt steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_NARROWEST = 0.3  # px
_CHUNK = 1024  # atoms fitted together; their windows stay in the processor's cache
_THREADS = 4  # more would wait for the memory
# Column widths up to which neighbours count in the errors, and how many of them: beyond, they hardly overlap.
_OVERLAP, _OVERLAPPING = 5.0, 6
_OWN = [0, 2, 3, 4]  # parameters of a neighbour; the background under both is one


@dataclass(frozen=True)
class Width:
    """What is known about the width of a column before the fit: `value` in pixels, give or take a fraction `spread`."""

    value: float
    spread: float


@dataclass(frozen=True)
class Fit:
    """Gaussians that were fitted to N atoms.

    Attributes
    ----------
    values : array (N, 5)
        Amplitude, background, y, x, width.
    curvature : array (N, 5, 5)
        Fisher matrix for a residual variance of 1.
    variance : array (N,)
        Weighted variance of the residual.
    """

    values: Array
    curvature: Array
    variance: Array


def fit_gaussians(
    image: Floats, weight: Floats, start: Array, reach: float, width: Width, steps: int, put_back: bool = False
) -> Fit:
    """Fit every atom in its disc; with `put_back` the image is a residual to which each atom is added back alone."""

    def fit(begin: int) -> Fit:
        part = start[begin : begin + _CHUNK]
        return _Windows(image, _Discs(weight, part, reach), part, put_back).fit(steps, width)

    fits = _in_threads(fit, len(start))
    return Fit(*(np.concatenate(c) for c in zip(*((f.values, f.curvature, f.variance) for f in fits), strict=True)))


def standard_errors(fit: Fit, weight: Floats, reach: float) -> Array:
    """Standard errors (N, 2) of y and x, with the neighbours as unknown as the atom; NaN where there are none.

    What an atom shares with a neighbour j tells less about it, so its Fisher matrix loses ``B F_j⁻¹ Bᵀ`` (the Schur
    complement), where B holds the products of their derivatives.
    """
    from scipy.spatial import cKDTree

    far = _OVERLAP * float(np.median(fit.values[:, 4]))
    near = cKDTree(fit.values[:, 2:4]).query(fit.values[:, 2:4], _OVERLAPPING + 1, distance_upper_bound=far)[1][:, 1:]

    def shared(begin: int) -> Array:
        part = slice(begin, begin + _CHUNK)
        return _shared(_Discs(weight, fit.values[part], reach), fit, near[part], fit.values[part])

    return _errors(fit.curvature - np.concatenate(_in_threads(shared, len(near))), fit.variance)


def _shared(discs: _Discs, fit: Fit, near: Ints, values: Array) -> Array:
    """What the Fisher matrices (N, 5, 5) of atoms lose to their neighbours `near` (N, K), N standing for none."""
    lost = np.zeros((len(near), 5, 5))
    if (near == len(fit.values)).all():
        return lost
    weighted = _derivatives(discs.from_centre(values), discs)[0] * discs.weight[:, None]
    for neighbour in near.T:
        who = np.flatnonzero(neighbour < len(fit.values))
        other = neighbour[who]
        theirs = _derivatives(discs.from_centre(fit.values[other], who), discs)[0][:, _OWN]
        both = (weighted[who] @ theirs.transpose(0, 2, 1)).astype(np.float64)
        known = fit.curvature[other][:, _OWN][:, :, _OWN]
        usable = np.isfinite(known).all(axis=(1, 2)) & (np.linalg.det(known) > 0)
        lost[who[usable]] += both[usable] @ np.linalg.solve(known[usable], both[usable].transpose(0, 2, 1))
    return lost


def _in_threads(call: Callable[[int], object], n: int) -> list:
    """The call for each chunk of n atoms; numpy lets other threads run meanwhile."""
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(call, range(0, n, _CHUNK)))


class _Discs:
    """Pixels around each of N atoms: indices `at`, offsets `y`, `x` (K,) from `centre` (N, 2), and `weight` (N, K)."""

    def __init__(self, weight: Floats, values: Array, reach: float) -> None:
        span = int(np.ceil(reach))
        y, x = np.mgrid[-span : span + 1, -span : span + 1]
        disc = np.hypot(y, x) <= reach
        shape = weight.shape
        self.centre = np.rint(values[:, 2:4]).astype(np.int64)
        rows, columns = self.centre[:, :1] + y[disc], self.centre[:, 1:] + x[disc]
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        self.at = rows.clip(0, shape[0] - 1), columns.clip(0, shape[1] - 1)
        self.y, self.x = y[disc].astype(np.float32), x[disc].astype(np.float32)
        self.weight = weight[self.at] * inside
        self.count = inside.sum(axis=1)

    def from_centre(self, values: Array, who: Ints | slice = slice(None)) -> Array:
        """Values (N, 5) with positions relative to the centres of discs."""
        result = values.copy()
        result[:, 2:4] -= self.centre[who]
        return result


def _model(values: Array, discs: _Discs) -> tuple[Floats, ...]:
    """Gaussians with background (N, K), their unit shapes and the offsets from their centres."""
    height, background, y, x, width = values.astype(np.float32).T[:, :, None]
    down, across = discs.y - y, discs.x - x
    shape = np.exp((down * down + across * across) * (-0.5 / (width * width)))
    return height * shape + background, shape, down, across


def _derivatives(values: Array, discs: _Discs) -> tuple[Floats, Floats]:
    """Derivatives (N, 5, K) of the Gaussians by their parameters, and the Gaussians (N, K) themselves."""
    model, shape, down, across = _model(values, discs)
    height, width = values[:, :1].astype(np.float32), values[:, 4:].astype(np.float32)
    jacobian = np.empty((len(values), 5, len(discs.y)), dtype=np.float32)
    jacobian[:, 0], jacobian[:, 1] = shape, 1
    pull = shape * (height / (width * width))
    np.multiply(pull, down, out=jacobian[:, 2])
    np.multiply(pull, across, out=jacobian[:, 3])
    np.multiply(pull, (down * down + across * across) / width, out=jacobian[:, 4])
    return jacobian, model


class _Windows:
    """What atoms look like in their discs: `data` (N, K), and where the fit starts."""

    def __init__(self, image: Floats, discs: _Discs, start: Array, put_back: bool) -> None:
        self.discs, self.weight = discs, discs.weight
        self.start = discs.from_centre(start)
        self.data = image[discs.at]
        if put_back:
            alone = self.start.copy()
            alone[:, 1] = 0
            self.data = self.data + _model(alone, discs)[0]

    def fit(self, steps: int, width: Width) -> Fit:
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
        values[:, 2:4] += self.discs.centre
        return Fit(values, curvature, loss / np.maximum(self.discs.count - 5, 1))

    def _normal_equations(
        self, values: Array, who: npt.NDArray[np.int64], expected: Width
    ) -> tuple[Array, Array, Array]:
        """J'WJ (M, 5, 5), J'Wr (M, 5) and r'Wr (M,) of the atoms `who` at `values`, the prior width counted in."""
        jacobian, model = _derivatives(values, self.discs)
        everyone = len(who) == len(self.data)
        weight = self.weight if everyone else self.weight[who]
        residual = (self.data if everyone else self.data[who]) - model
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
