"""What the scan does to a simulated image: spots on the pixel grid, line jitter, drift, contamination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scan:
    """The misplacement of the probe during one frame: `jitter` (rows,) and a slow `path` (rows, 2), both in pixels."""

    jitter: Array
    path: Array

    @classmethod
    def random(cls, rows: int, jitter: float, drift: float, rng: np.random.Generator) -> Scan:
        """Draw a scan with line jitter of standard deviation `jitter` and `drift` pixels of drift in all."""
        time = np.linspace(-0.5, 0.5, rows)[:, None]
        heading, bend = rng.uniform(0, 2 * np.pi, 2)
        along = np.array([np.sin(heading), np.cos(heading)])
        across = along[::-1] * (1, -1)
        path = drift * (time * along + 0.2 * np.sin(2 * np.pi * time + bend) * across)
        return cls(rng.normal(0.0, jitter, rows), path)

    def drifted(self, position: Array) -> Array:
        """Where the atoms at `position` (N, 2) show up when the sample drifts along the path."""
        rows = np.arange(len(self.path))
        return position + np.column_stack([np.interp(position[:, 0], rows, path) for path in self.path.T])

    def gradient(self, position: Array) -> Array:
        """Derivative (N, 2, 2) of `drifted` by the position, in (row, column)."""
        rows = np.arange(len(self.path))
        gradient = np.tile(np.eye(2), (len(position), 1, 1))
        for i, path in enumerate(self.path.T):
            gradient[:, i, 0] += np.interp(position[:, 0], rows, np.gradient(path))
        return gradient


def render(shape: tuple[int, int], position: Array, peak: Array, sigma: float, jitter: Array) -> Array:
    """Sum of Gaussian spots on a pixel grid, every scan line shifted by its jitter.

    Each spot is drawn in a window of ±5 σ; all windows are filled at once and summed by pixel number.
    """
    reach = int(np.ceil(5 * sigma))
    inside = ((position > -reach) & (position < np.array(shape) + reach)).all(axis=1) & (peak > 0)
    position, peak = position[inside], peak[inside]
    offset = np.arange(-reach, reach + 1)
    corner = np.rint(position).astype(np.int64)
    rows = corner[:, :1] + offset  # (N, W)
    columns = corner[:, 1:] + offset
    line = jitter[rows.clip(0, shape[0] - 1)]
    down = peak[:, None] * np.exp(-0.5 * ((rows - position[:, :1]) / sigma) ** 2) * ((rows >= 0) & (rows < shape[0]))
    across = (columns - position[:, 1:])[:, None, :] - line[:, :, None]  # (N, W, W)
    spots = down[:, :, None] * np.exp(-0.5 * (across / sigma) ** 2)
    spots *= ((columns >= 0) & (columns < shape[1]))[:, None, :]
    pixel = rows.clip(0, shape[0] - 1)[:, :, None] * shape[1] + columns.clip(0, shape[1] - 1)[:, None, :]
    image = np.bincount(pixel.ravel(), spots.ravel(), minlength=shape[0] * shape[1]).astype(np.float64)
    return image.reshape(shape)


def smooth_field(y: Array, x: Array, wavelength: float, rng: np.random.Generator, waves: int = 6) -> Array:
    """A smooth random field in [−1, 1] at the points: a few plane waves longer than `wavelength` pixels."""
    heading, phase = rng.uniform(0, 2 * np.pi, (2, waves))
    number = 2 * np.pi / wavelength * rng.uniform(0.3, 1.0, waves)
    total = np.zeros(np.broadcast(y, x).shape)
    for k, h, p in zip(number, heading, phase, strict=True):
        total += np.cos(k * (np.cos(h) * x + np.sin(h) * y) + p)
    return total / waves


def contamination(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """A smooth patchy layer between 0 and 1."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    field = smooth_field(y.astype(float), x.astype(float), 0.4 * max(shape), rng)
    scaled: Array = (field - field.min()) / np.ptp(field)
    return scaled
