"""Targets as a Gaussian process learns them, and its answers in the units of the user: numbers, angles, classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ...analysis.circular import wrapped
from ...core.arrays import LARGEST, as_numbers, check_size
from ...core.class_colors import MOST_CLASSES
from ...core.errors import InputError
from ...core.settings import Number, Whole, about
from ..config import FEWEST
from .candidates import Prepared

Floats = npt.NDArray[np.float64]
TURN = 2 * np.pi
STEP = np.deg2rad(2.0)
GRID = np.deg2rad(np.arange(-180, 180, 2.0))
KERNEL = np.deg2rad(10.0)  # width of the density of the labels
UNHEARD = 0.02  # share of angles that occur anywhere
LEAST_DOUBT = 1e-5
CLASS_NOISE = 0.01  # α_ε of Milios et al.: how sure a label is
DRAWS = 256
CHUNK = 4096


def check_targets(y: npt.ArrayLike, n: int, kind: str) -> Floats:
    """Targets as (n, T) numbers that a model can be fitted to.

    Raises
    ------
    InputError
        If there are fewer than three, not as many as images, or they are no finite numbers, or all the same.
    """
    values = as_numbers(y, "targets")
    if values.ndim not in (1, 2) or len(values) != n:
        raise InputError(f"There are {n} images or rows, but targets of shape {values.shape}; give one row for each.")
    if n < FEWEST:
        raise InputError(f"{n} measured targets are too few to learn from; measure at least {FEWEST}.")
    values = values.reshape(n, -1)
    if not np.isfinite(values).all():
        raise InputError("Some targets are NaN or infinite; leave those images out.")
    if kind != "real" and values.shape[1] > 1:
        raise InputError("Angles and classes are learned one target at a time; give one column.")
    same = np.flatnonzero(np.ptp(values, axis=0) == 0)
    if len(same):
        which = f"of column {same[0]} " if values.shape[1] > 1 else ""
        raise InputError(f"All targets {which}are {values[0, same[0]]:g}; measure more until they differ.")
    check_size(values)
    if kind == "class" and not np.isin(values, range(MOST_CLASSES)).all():
        raise InputError(f"Classes are whole numbers from 0 to {MOST_CLASSES - 1}; number them so.")
    return values


@dataclass(frozen=True)
class Real:
    """Numbers, standardised.

    Parameters
    ----------
    centre, spread : tuple of float
        Of each target.
    """

    centre: tuple[Annotated[Number, about(ge=-LARGEST, le=LARGEST)], ...]
    spread: tuple[Annotated[Number, about(ge=1 / LARGEST, le=LARGEST)], ...]

    @property
    def width(self) -> int:
        """Numbers that are learned."""
        return len(self.centre) if len(self.centre) == len(self.spread) else 0

    @classmethod
    def of(cls, values: Floats) -> Real:
        """As these targets (n, T) are."""
        return cls(tuple(values.mean(0).tolist()), tuple(values.std(0).tolist()))

    def encode(self, values: Floats, seen: Prepared) -> tuple[Floats, Floats | None]:
        """What is learned (n, T), and its variance where that is known."""
        return (values - np.array(self.centre)) / np.array(self.spread), None

    def decode(self, mean: Floats, variance: Floats, seen: Prepared) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N, T) in the units of the targets."""
        return mean * self.spread + np.array(self.centre), np.sqrt(variance) * self.spread

    def errors(self, values: Floats, mean: Floats, sd: Floats) -> Floats:
        """Standardised errors (n, T) of predictions."""
        return (values - mean) / sd

    def draws(self, draws: Floats, seen: Prepared) -> Floats:
        """Joint draws (m, N, T) in the units of the targets."""
        return draws * np.array(self.spread) + np.array(self.centre)


@dataclass(frozen=True)
class Angle:
    """Directions on the screen, in degrees, by their first two circular harmonics.

    An angle turns with the image. Where a trained model infers how much each image is turned, what is learned is the
    angle relative to that, so one example serves all orientations. The second harmonic still has the direction of
    what looks the same after half a turn, where the first one averages out; which of the two it is, is then decided by
    how often such angles were measured.

    Parameters
    ----------
    usual : tuple of float
        How often angles on a grid over the circle occur among the labels, 1 on average.
    """

    usual: Annotated[
        tuple[Annotated[Number, about(ge=UNHEARD / 2, le=len(GRID))], ...],
        about(min_length=len(GRID), max_length=len(GRID)),
    ]
    width: ClassVar[int] = 4

    @classmethod
    def of(cls, values: Floats) -> Angle:
        """As these labels (n, 1) are."""
        near = np.exp((np.cos(GRID[:, None] - np.deg2rad(values[:, 0])) - 1) / KERNEL**2).sum(1)
        return cls(tuple((UNHEARD + (1 - UNHEARD) * near / near.mean()).tolist()))

    def encode(self, values: Floats, seen: Prepared) -> tuple[Floats, Floats | None]:
        """cos, sin of the angle and of its double (n, 4), and how unsure the trained model is of each."""
        return _waves(np.deg2rad(values[:, 0]) - _turn(seen)), _doubt(seen)

    def decode(self, mean: Floats, variance: Floats, seen: Prepared) -> tuple[Floats, Floats]:
        """The likeliest angle (N, 1) in degrees, in (−180, 180], and the circular spread about it."""
        turn, doubt, parts = _turn(seen), _doubt(seen), []
        variance = variance if doubt is None else variance + doubt
        for k in range(0, len(mean), CHUNK):
            usual = np.interp(wrapped(GRID + turn[k : k + CHUNK, None], TURN), GRID, self.usual, period=TURN)
            parts.append(_likeliest(mean[k : k + CHUNK], variance[k : k + CHUNK], np.log(usual)))
        angle, sd = (np.concatenate(part) for part in zip(*parts, strict=True))
        return np.rad2deg(wrapped(angle + turn, TURN))[:, None], np.rad2deg(sd)[:, None]

    def errors(self, values: Floats, mean: Floats, sd: Floats) -> Floats:
        """Standardised errors (n, 1) of predictions."""
        return wrapped(values - mean, 360.0) / sd

    def draws(self, draws: Floats, seen: Prepared) -> Floats:
        """Joint draws (m, N, 1) in degrees."""
        first = np.arctan2(draws[..., 1], draws[..., 0])
        second = np.arctan2(draws[..., 3], draws[..., 2]) / 2
        near = second + np.pi * np.round((first - second) / np.pi)  # the half turn of the second that fits the first
        return np.rad2deg(wrapped(near + _turn(seen), TURN))[..., None]


@dataclass(frozen=True)
class Class:
    """Classes 0 … K − 1, as logarithms of Gamma variables with the labels as counts.

    Parameters
    ----------
    n : int
        Classes.

    References
    ----------
    D. Milios et al., "Dirichlet-based Gaussian processes for large-scale calibrated classification", NeurIPS (2018).
    """

    n: Annotated[Whole, about(ge=1, le=MOST_CLASSES)]

    @property
    def width(self) -> int:
        """Numbers that are learned."""
        return self.n

    @classmethod
    def of(cls, values: Floats) -> Class:
        """As many as these labels (n, 1) need."""
        return cls(int(values.max()) + 1)

    def encode(self, values: Floats, seen: Prepared) -> tuple[Floats, Floats | None]:
        """Means and variances (n, K)."""
        counts = np.eye(self.n)[values[:, 0].astype(int)] + CLASS_NOISE
        variance = np.log1p(1 / counts)
        return np.log(counts) - variance / 2, variance

    def decode(self, mean: Floats, variance: Floats, seen: Prepared) -> tuple[Floats, Floats]:
        """Probabilities (N, K) of the classes and their standard deviations."""
        noise = np.random.default_rng(0).standard_normal((DRAWS, 1, self.n))  # the same for all: no noise between them
        found = []
        for k in range(0, len(mean), CHUNK):
            shares = softmax(mean[k : k + CHUNK] + np.sqrt(variance[k : k + CHUNK]) * noise, axis=-1)
            found.append((shares.mean(0), shares.std(0)))
        probability, sd = (np.concatenate(part) for part in zip(*found, strict=True))
        return probability, sd

    def draws(self, draws: Floats, seen: Prepared) -> Floats:
        """Joint draws (m, N, K) of the probabilities."""
        return np.asarray(softmax(draws, axis=-1))


Outcome = Real | Angle | Class


def outcome_of(kind: str, values: Floats) -> Outcome:
    """How targets (n, T) of a kind are learned."""
    return Angle.of(values) if kind == "angle" else Class.of(values) if kind == "class" else Real.of(values)


def _turn(seen: Prepared) -> Floats:
    return np.zeros(len(seen)) if seen.turn is None else seen.turn


def _doubt(seen: Prepared) -> Floats | None:
    """Variance (N, 4) of both harmonics from the angles that compete in the trained model."""
    if seen.circular is None:
        return None
    lengths = np.stack([(seen.circular[:, k : k + 2] ** 2).sum(1) for k in (0, 2)], -1)
    return np.repeat((1 - lengths).clip(LEAST_DOUBT) / 2, 2, axis=1)


def _waves(angle: Floats) -> Floats:
    return np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], -1)


def _likeliest(mean: Floats, variance: Floats, log_usual: Floats) -> tuple[Floats, Floats]:
    """Mode (N,) and spread about it of the density usual(φ) exp(−Σ |wave(φ) − mean|² / 2 variance) on the circle."""
    precision = 1 / np.maximum(variance, 1e-6)
    pull = precision * mean
    waves = _waves(GRID)
    # |w − m|² without what does not depend on φ.
    energy = precision @ (waves**2).T / 2 - pull @ waves.T - log_usual
    share = np.exp(-(energy - energy.min(1, keepdims=True)))
    angle, curvature = _descend(GRID[energy.argmin(1)], precision, pull)
    away = wrapped(GRID - angle[:, None], TURN)
    elsewhere = np.where(np.abs(away) > np.pi / 4, share, 0) / share.sum(1, keepdims=True)
    return angle, np.sqrt((1 - elsewhere.sum(1)) / curvature + (elsewhere * away**2).sum(1))


def _descend(angle: Floats, precision: Floats, pull: Floats) -> tuple[Floats, Floats]:
    """Newton's steps from a grid point to the minimum of the energy; also its curvature there."""
    stiff = precision[:, 1::2] - precision[:, ::2]  # of sin² against cos², for φ and 2φ
    order = np.array([1.0, 2.0])
    for _ in range(4):
        k = order * angle[:, None]
        cos, sin = np.cos(k), np.sin(k)
        slope = (order * (stiff * sin * cos + pull[:, ::2] * sin - pull[:, 1::2] * cos)).sum(1)
        bend = (order**2 * (stiff * (cos**2 - sin**2) + pull[:, ::2] * cos + pull[:, 1::2] * sin)).sum(1)
        bend = np.maximum(bend, 0.05)
        angle = angle - np.clip(slope / bend, -STEP, STEP)
    return angle, bend
