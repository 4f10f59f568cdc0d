"""A smooth random displacement of a simulated crystal, and what a deformation is in terms of strain."""

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


def strain_of(deformation: Array) -> dict[str, Array]:
    """What deformation gradients (N, 2, 2) in (row, column) do, as seen on screen: x to the right, y up.

    ``F = exp(dilation) · exp(ε) · R``: a rotation counter-clockwise on screen in degrees, then the traceless symmetric
    strain with ``ε_xx = −ε_yy`` and ``ε_xy``, then a dilation; these are the screen strain and the logarithm of the
    scale in the pose of the models.
    """
    f = deformation[:, ::-1, ::-1] * np.array([[1, -1], [-1, 1]])  # (x, y up)
    left = f @ f.transpose(0, 2, 1)  # exp(2 dilation) · exp(2 ε)
    mean = (left[:, 0, 0] + left[:, 1, 1]) / 2
    xx, xy = (left[:, 0, 0] - left[:, 1, 1]) / 2, left[:, 0, 1]
    size = np.maximum(np.hypot(xx, xy), 1e-300)
    factor = np.arctanh(size / mean) / (2 * size)
    return {
        "strain_xx": factor * xx,
        "strain_xy": factor * xy,
        "dilation": np.log(np.linalg.det(f)) / 2,
        "rotation": np.degrees(np.arctan2(f[:, 1, 0] - f[:, 0, 1], f[:, 0, 0] + f[:, 1, 1])),
    }


def _vectors(heading: Array) -> Array:
    return np.column_stack([np.sin(heading), np.cos(heading)])
