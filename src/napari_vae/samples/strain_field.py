"""A smooth random displacement of a simulated crystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WAVES = 6
GRID = 32  # the largest strain is looked for on so many points along each side


@dataclass(frozen=True)
class StrainField:
    """Displacement ``u(p) = Σ a sin(k·p + φ)`` of the points `p`, all as (row, column) in pixels.

    ``amplitude`` (W, 2) pixels, ``number`` (W, 2) wave vectors in radians per pixel, ``phase`` (W,).
    """

    amplitude: Array
    number: Array
    phase: Array

    @classmethod
    def random(cls, shape: tuple[int, int], largest: float, rng: np.random.Generator) -> StrainField:
        """Waves as long as the longer side of the image or half of it, whose traceless strain reaches `largest`."""
        heading, direction, phase = rng.uniform(0, 2 * np.pi, (3, WAVES))
        number = 2 * np.pi / max(shape) * rng.uniform(1, 2, WAVES)
        field = cls(_vectors(direction) / number[:, None], number[:, None] * _vectors(heading), phase)
        points = np.stack(np.meshgrid(*(np.linspace(0, n, GRID) for n in shape), indexing="ij"), -1).reshape(-1, 2)
        gradient = field.gradient(points)
        shear = np.hypot(gradient[:, 1, 1] - gradient[:, 0, 0], gradient[:, 0, 1] + gradient[:, 1, 0]) / 2
        return cls(field.amplitude * (largest / shear.max()), field.number, field.phase)

    def displacement(self, points: Array) -> Array:
        """Displacement (N, 2) of the points (N, 2)."""
        moved: Array = np.sin(points @ self.number.T + self.phase) @ self.amplitude
        return moved

    def gradient(self, points: Array) -> Array:
        """``∂u_i/∂p_j`` (N, 2, 2) at the points (N, 2)."""
        slope = np.cos(points @ self.number.T + self.phase)
        return np.einsum("nw,wi,wj->nij", slope, self.amplitude, self.number)


def _vectors(heading: Array) -> Array:
    return np.column_stack([np.sin(heading), np.cos(heading)])
