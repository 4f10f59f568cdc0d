"""Simulated images without any atom, of what detection could take for some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.settings import Seed, about

Array = npt.NDArray[np.float64]

_MODES = 8  # of a partly coherent beam


@checks_arguments
def without_atoms(kind: str, size: Annotated[int, about(ge=32, le=2**14)] = 256, seed: Seed = 0) -> Micrograph:
    """An image without atoms: what instrument, support or surface make of their own.

    Parameters
    ----------
    kind : str
        ``"noise"`` (white), ``"grain"`` (as wide as small columns), ``"scan lines"``, ``"hum"``, ``"fringes"``,
        ``"terraces"``, ``"rims"`` (terraces whose edges stand out), ``"drift"`` (creep and a drifting offset),
        ``"speckle"``, ``"amorphous"``, or ``"blobs"`` (broad bumps, as of a photograph).
    size : int
        Rows and columns.
    seed : int
        Seed of a local random generator: the same arguments give the same image.

    Raises
    ------
    InputError
        For an unknown kind.

    Examples
    --------
    >>> without_atoms("terraces", size=64).shape
    (64, 64)
    """
    if kind not in KINDS:
        raise InputError(f'There is no image "{kind}" without atoms; choose one of {", ".join(map(repr, KINDS))}.')
    image = KINDS[kind](size, np.random.default_rng(seed)).astype(np.float32)
    return Micrograph(image, name=f"simulated {kind}", metadata={"kind": kind, "seed": seed, "simulated": True})


def _noise(size: int, rng: np.random.Generator) -> Array:
    return rng.normal(size=(size, size))


def _texture(size: int, width: float, rng: np.random.Generator) -> Array:
    """Noise as wide as `width` pixels, of standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    blurred: Array = gaussian_filter(_noise(size, rng), width)
    return blurred / blurred.std()


def _grain(size: int, rng: np.random.Generator) -> Array:
    return _texture(size, rng.uniform(1.0, 4.0), rng) + rng.uniform(0.05, 0.5) * _noise(size, rng)


def _scan_lines(size: int, rng: np.random.Generator) -> Array:
    """Every line with an offset of its own, and a part of them with steps along the line."""
    image = _noise(size, rng) + rng.uniform(1, 4) * rng.normal(size=(size, 1))
    for row in rng.integers(0, size, size // 8):
        image[row, rng.integers(0, size) :] += rng.normal(0, 3)
    return image


def _waves(size: int, rng: np.random.Generator, along: tuple[float, float]) -> Array:
    y, x = np.mgrid[:size, :size]
    phase = 2 * np.pi * (along[0] * y + along[1] * x + rng.uniform())
    return rng.uniform(1, 3) * np.sin(phase) + _noise(size, rng)


def _hum(size: int, rng: np.random.Generator) -> Array:
    """The mains in every line, which begins at another phase of it."""
    return _waves(size, rng, (rng.uniform(0, 1), 1 / rng.uniform(20, 60)))


def _fringes(size: int, rng: np.random.Generator) -> Array:
    angle, period = rng.uniform(0, np.pi), rng.uniform(7, 20)
    return _waves(size, rng, (np.sin(angle) / period, np.cos(angle) / period))


def _steps(size: int, rng: np.random.Generator) -> Array:
    """How far up a stair of winding steps every pixel is; a step is where a whole number is passed."""
    y, x = np.mgrid[:size, :size] / size
    angle = rng.uniform(0, 2 * np.pi)
    up: Array = 4 * (np.sin(angle) * y + np.cos(angle) * x)
    return up + 0.3 * np.sin(7 * x + rng.uniform(0, 6)) * np.cos(5 * y)


def _terraces(size: int, rng: np.random.Generator) -> Array:
    from scipy.ndimage import gaussian_filter

    stairs = gaussian_filter(np.floor(_steps(size, rng)), rng.uniform(0.7, 2))
    return 3 * stairs + 0.1 * _noise(size, rng) + 0.1 * rng.normal(size=(size, 1))


def _rims(size: int, rng: np.random.Generator) -> Array:
    """Terraces whose edges are brighter than either side, unevenly so."""
    away = np.abs((_steps(size, rng) + 0.5) % 1 - 0.5) * size / 4
    bright = 1 + 0.3 * _texture(size, 6.0, rng)
    return bright * np.exp(-0.5 * (away / rng.uniform(1.5, 4)) ** 2) + 0.1 * _noise(size, rng)


def _drift(size: int, rng: np.random.Generator) -> Array:
    """A tip that creeps and an offset that wanders: slow along the lines, a random walk across them."""
    walk = np.cumsum(rng.normal(0, 0.5, (size, 1)), axis=0)
    y, x = np.mgrid[:size, :size] / size
    return walk + 20 * np.exp(-4 * x) + 10 * y**2 + _texture(size, 0.7, rng)


def _speckle(size: int, rng: np.random.Generator) -> Array:
    """Interference of scattered waves in several independent modes, of which the detector counts few quanta."""
    waves = np.array([_texture(size, 2.0, rng) for _ in range(2 * _MODES)])
    return rng.poisson(rng.uniform(2, 20) * (waves**2).mean(axis=0)).astype(np.float64)


def _amorphous(size: int, rng: np.random.Generator) -> Array:
    """A support of uneven thickness, with a phase contrast of its own."""
    from scipy.ndimage import gaussian_filter

    fine = _noise(size, rng)
    width = rng.uniform(1.2, 3)
    ring = gaussian_filter(fine, width) - gaussian_filter(fine, 1.6 * width)
    uneven = 20 + 3 * _texture(size, 15.0, rng) + 4 * ring / ring.std()
    return rng.poisson(uneven.clip(0)).astype(np.float64)


def _blobs(size: int, rng: np.random.Generator) -> Array:
    y, x = np.mgrid[:size, :size] / size
    image = 0.5 * _noise(size, rng)
    for _ in range(6):
        (row, column), width = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.3)
        image += rng.uniform(2, 10) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    return image


KINDS: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "noise": _noise,
    "grain": _grain,
    "scan lines": _scan_lines,
    "hum": _hum,
    "fringes": _fringes,
    "terraces": _terraces,
    "rims": _rims,
    "drift": _drift,
    "speckle": _speckle,
    "amorphous": _amorphous,
    "blobs": _blobs,
}
