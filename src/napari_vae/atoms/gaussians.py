"""Gaussians fitted to many atoms at once, each in a disc of its own, by Levenberg–Marquardt steps.

A Gaussian and its derivatives are polynomials of second degree in the offsets from the pixel at the centre of the disc,
times one exponential. So the normal equations of all atoms are sums of weight × exponential × monomial, which two
matrix products give.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .constants import FIXED
from .threads import in_threads

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# Parameters: amplitude, background, y, x, width; of an ellipse also flatness p and slant r:
# amplitude × exp(−q/2) + background, where q = ((1 + p) dy² + 2 r dy dx + (1 − p) dx²) / width².
AMPLITUDE, BACKGROUND, Y, X, WIDTH, FLATNESS, SLANT = range(7)
CIRCULAR, ELLIPTICAL = 5, 7

_MONOMIALS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))  # powers of the offsets down and across
_PRODUCTS = tuple((i, degree - i) for degree in range(5) for i in range(degree, -1, -1))
_PRODUCT = np.array([[_PRODUCTS.index((a + c, b + d)) for c, d in _MONOMIALS] for a, b in _MONOMIALS])


@dataclass(frozen=True)
class Prior:
    """What is known before the fit: every parameter's `value`, give or take `spread`, which may be infinite."""

    value: Array
    spread: Array

    @property
    def precision(self) -> Array:
        """Inverse variances."""
        return np.asarray(1 / self.spread**2)


@dataclass(frozen=True)
class Fit:
    """Gaussians of P parameters that were fitted to N atoms.

    Attributes
    ----------
    values : array (N, P)
        Amplitude, background, y, x, width, and of ellipses flatness and slant.
    curvature : array (N, P, P)
        Fisher matrix for a residual variance of 1, with what the prior adds.
    variance : array (N,)
        Weighted variance of the residual.
    """

    values: Array
    curvature: Array
    variance: Array


def fit_gaussians(
    image: Floats, weight: Floats, start: Array, reach: float, prior: Prior, steps: int, put_back: bool = False
) -> Fit:
    """Fit every atom in its disc; with `put_back` the image is a residual to which each atom is added back alone.

    `start` (N, P) says by P whether circles or ellipses are fitted.
    """
    image, weight = padded(image, reach), padded(weight, reach)

    def fit(part: slice) -> Fit:
        return _Windows(image, weight, Discs(image.shape, start[part], reach), start[part], put_back).fit(steps, prior)

    fits = in_threads(fit, len(start))
    return Fit(*(np.concatenate(c) for c in zip(*((f.values, f.curvature, f.variance) for f in fits), strict=True)))


def padded(image: Floats, reach: float) -> Floats:
    """The image among so many zeros that discs around its pixels do not leave it."""
    return np.pad(image, int(np.ceil(reach)))


@lru_cache(4)
def _disc(reach: float) -> tuple[Ints, Ints, Floats, Floats]:
    """Offsets (K,) down and across of the pixels of a disc; products (K, 15) of them to degree 4, and the first six."""
    span = int(np.ceil(reach))
    y, x = np.mgrid[-span : span + 1, -span : span + 1]
    disc = np.hypot(y, x) <= reach
    y, x = y[disc], x[disc]
    products = np.stack([y**i * x**j for i, j in _PRODUCTS], axis=1).astype(np.float32)
    return y, x, products, np.ascontiguousarray(products[:, : len(_MONOMIALS)])


class Discs:
    """Pixels around each of N atoms: flat indices `at` (N, K) in the padded image of this `shape`, and the `centre`."""

    def __init__(self, shape: tuple[int, ...], values: Array, reach: float) -> None:
        self.centre = np.rint(values[:, Y : X + 1]).astype(np.int64)
        y, x, self.products, self.monomials = _disc(reach)
        self.at = ((self.centre + int(np.ceil(reach))) @ [shape[1], 1])[:, None] + (y * shape[1] + x)

    def from_centre(self, values: Array, who: Ints | slice = slice(None)) -> Array:
        """Values (N, P) with positions relative to the centres of discs."""
        result = values.copy()
        result[:, Y : X + 1] -= self.centre[who]
        return result

    def shapes(self, values: Array) -> Floats:
        """Gaussians (N, K) of height one, at positions relative to the centres."""
        exponent = np.einsum("nk,nkm->nm", -0.5 * _square(values), _shift(values)).astype(np.float32)
        drawn = exponent @ self.monomials.T
        return np.asarray(np.exp(drawn, out=drawn))

    def moments(self, weighted: Floats, sum_of_squares: bool) -> Array:
        """Sums (N, 6) of `weighted` × monomial, or (N, 6, 6) of × products of two of them."""
        if sum_of_squares:
            return (weighted @ self.products).astype(np.float64)[:, _PRODUCT]
        return (weighted @ self.monomials).astype(np.float64)


def _square(values: Array) -> Array:
    """Coefficients (N, 6) of the squared distance from the atoms in column widths."""
    result = np.zeros((len(values), 6))
    result[:, 3] = result[:, 5] = values[:, WIDTH] ** -2
    if values.shape[1] == ELLIPTICAL:
        result[:, 3] *= 1 + values[:, FLATNESS]
        result[:, 4] = 2 * values[:, SLANT] * values[:, WIDTH] ** -2
        result[:, 5] *= 1 - values[:, FLATNESS]
    return result


def _shift(values: Array) -> Array:
    """Matrices (N, 6, 6) that turn monomials of offsets from the centre into those of offsets from the atom."""
    y, x = values[:, Y], values[:, X]
    shift = np.zeros((len(values), 6, 6))
    shift[:, range(6), range(6)] = 1
    shift[:, 1, 0], shift[:, 2, 0] = -y, -x
    shift[:, 3, 0], shift[:, 3, 1] = y * y, -2 * y
    shift[:, 4, 0], shift[:, 4, 1], shift[:, 4, 2] = y * x, -x, -y
    shift[:, 5, 0], shift[:, 5, 2] = x * x, -2 * x
    return shift


def derivatives(values: Array) -> Array:
    """Coefficients (N, P, 6) of the derivatives by the parameters, over the Gaussians of height one.

    The derivative by the background, which is no Gaussian but one everywhere, is left out.
    """
    height, square = values[:, AMPLITUDE], _square(values)
    result = np.zeros((len(values), values.shape[1], 6))
    result[:, AMPLITUDE, 0] = 1
    result[:, Y, 1], result[:, X, 2] = height * square[:, 3], height * square[:, 5]
    result[:, Y, 2] = result[:, X, 1] = height * square[:, 4] / 2
    result[:, WIDTH] = square * (height / values[:, WIDTH])[:, None]
    if values.shape[1] == ELLIPTICAL:
        pull = height / values[:, WIDTH] ** 2
        result[:, FLATNESS, 3], result[:, FLATNESS, 5] = -pull / 2, pull / 2
        result[:, SLANT, 4] = -pull
    return result @ _shift(values)


class _Windows:
    """What atoms look like in their discs: `data` and `weight` (N, K), and where the fit starts."""

    def __init__(self, image: Floats, weight: Floats, discs: Discs, start: Array, put_back: bool) -> None:
        self.discs, self.weight = discs, np.take(weight, discs.at)
        self.start = discs.from_centre(start)
        self.total = discs.moments(self.weight, False)[:, 0]
        self.count = np.count_nonzero(self.weight, axis=1)
        self.data = np.take(image, discs.at)
        if put_back:
            self.data += discs.shapes(self.start) * self.start[:, :1].astype(np.float32)

    def fit(self, steps: int, prior: Prior) -> Fit:
        """Levenberg–Marquardt from the start; an atom leaves the loop when its steps have become negligible.

        Without steps it is a single one of Gauss and Newton, whose end is not looked at: neighbours move as well.
        """
        values = self.start.copy()
        damping = np.full(len(values), 1e-3)
        everyone = np.arange(len(values))
        active = everyone
        curvature, slope, loss = self._normal_equations(values, everyone, prior)
        if not steps:
            values = _bounded(values + _solve(curvature, slope, damping))
        for _ in range(steps):
            step = _solve(curvature[active], slope[active], damping[active])
            trial = _bounded(values[active] + step)
            new = self._normal_equations(trial, active, prior)
            better = new[2] <= loss[active]
            kept = active[better]
            values[kept] = trial[better]
            curvature[kept], slope[kept], loss[kept] = (part[better] for part in new)
            damping[active] *= np.where(better, 0.2, 10.0)
            moving = np.abs(step[:, Y:]).max(axis=1) > 2e-4 * values[active, WIDTH]
            active = active[moving]
            if len(active) == 0:
                break
        values[:, Y : X + 1] += self.discs.centre
        return Fit(values, curvature, loss / np.maximum(self.count - values.shape[1], 1))

    def _normal_equations(self, values: Array, who: Ints, prior: Prior) -> tuple[Array, Array, Array]:
        """J'WJ (M, P, P), J'Wr (M, P) and r'Wr (M,) of the atoms `who` at `values`, the prior counted in."""
        everyone = len(who) == len(self.data)
        data, weight = (self.data, self.weight) if everyone else (self.data[who], self.weight[who])
        shape, discs = self.discs.shapes(values), self.discs
        residual = data - shape * values[:, :1].astype(np.float32)
        residual -= values[:, 1:2].astype(np.float32)
        weighted = weight * residual
        loss = np.einsum("nk,nk->n", weighted, residual).astype(np.float64)
        rest = discs.moments(weighted, False)[:, 0]
        np.multiply(weighted, shape, out=weighted)
        part = derivatives(values)
        slope = np.einsum("npm,nm->np", part, discs.moments(weighted, False))
        slope[:, BACKGROUND] = rest
        np.multiply(weight, shape, out=weighted)
        across = np.einsum("npm,nm->np", part, discs.moments(weighted, False))
        across[:, BACKGROUND] = self.total[who]
        np.multiply(weighted, shape, out=weighted)
        curvature = part @ discs.moments(weighted, True) @ part.transpose(0, 2, 1)
        curvature[:, BACKGROUND] = curvature[:, :, BACKGROUND] = across
        off = prior.value - values
        curvature[:, range(len(off.T)), range(len(off.T))] += prior.precision
        return curvature, slope + prior.precision * off, loss + off**2 @ prior.precision


def _bounded(values: Array) -> Array:
    """The values with widths and ellipses that can be drawn."""
    values[:, WIDTH] = np.clip(values[:, WIDTH], FIXED.fit_narrowest, None)
    if values.shape[1] == ELLIPTICAL:
        flat = np.hypot(values[:, FLATNESS], values[:, SLANT])[:, None]
        values[:, FLATNESS:] *= np.minimum(1, FIXED.fit_flattest / np.maximum(flat, FIXED.fit_flattest))
    return values


def _solve(curvature: Array, slope: Array, damping: Array) -> Array:
    """One damped step for every atom; zero where the equations are singular or not finite."""
    diagonal = np.einsum("nii->ni", curvature)
    damped = curvature + (damping[:, None] * diagonal + 1e-12)[:, :, None] * np.eye(slope.shape[1])
    usable = np.isfinite(damped).all(axis=(1, 2)) & (diagonal > 0).all(axis=1)
    step = np.zeros_like(slope)
    step[usable] = np.linalg.solve(damped[usable], slope[usable][:, :, None])[:, :, 0]
    return step
