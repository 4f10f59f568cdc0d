"""Lattices and outlines of particles for the simulated images of the learned detector; see detector_images.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def lattice(rng: np.random.Generator, size: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and heights of a lattice of any symmetry with one to four columns in the cell, and its defects."""
    cell, basis, height = unit_cell(rng)
    nearest = np.exp(rng.uniform(np.log(2.8), np.log(8.0))) * sigma
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shear = np.eye(2) + rng.normal(0, 0.03, (2, 2))
    cell = cell @ rotation @ shear
    shift = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
    gaps = np.linalg.norm((basis[:, None] - basis + shift[:, None, None]) @ cell, axis=-1)
    cell = cell * nearest / gaps[gaps > 1e-6].min()
    reach = int(np.ceil(np.abs(0.75 * size * np.array([[1, 1], [1, -1]]) @ np.linalg.inv(cell)).max())) + 2
    n = np.arange(-reach, reach + 1)
    cells = np.stack(np.meshgrid(n, n), -1).reshape(-1, 1, 2) + basis + rng.uniform(0, 1, 2)
    place = (cells @ cell + size / 2).reshape(-1, 2)
    height = np.tile(height, len(cells))
    inside = ((place > -8) & (place < size + 8)).all(axis=1)
    place, height = place[inside], height[inside]
    place = place + rng.normal(0, rng.choice([0.0, 0.03, 0.08]) * nearest, place.shape)
    dopant = rng.random(len(place)) < rng.choice([0.0, 0.03, 0.15])
    height = (
        height * np.where(dopant, rng.uniform(0.5, 3.0), 1) * np.exp(rng.normal(0, rng.uniform(0, 0.15), len(place)))
    )
    return place, height * (rng.random(len(place)) >= rng.choice([0.0, 0.02, 0.12]))


def unit_cell(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, fractional positions and relative heights."""
    weak = np.exp(rng.uniform(np.log(0.12), 0))
    square, hexagonal = np.eye(2), np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    angle, ratio = np.deg2rad(rng.uniform(60, 90)), rng.uniform(1, 1.7)
    oblique = np.array([[1.0, 0.0], [ratio * np.cos(angle), ratio * np.sin(angle)]])
    one, two = np.zeros((1, 2)), np.array([[0.0, 0.0], [0.5, 0.5]])
    split = rng.uniform(0.12, 0.4)
    cells = (
        (square, one, [1.0]),
        (hexagonal, one, [1.0]),
        (oblique, one, [1.0]),
        (square, two, [1.0, weak]),
        (hexagonal, np.array([[0.0, 0.0], [1 / 3, 1 / 3]]), [1.0, rng.choice([1.0, weak])]),
        (np.diag([1.0, rng.uniform(1.2, 1.8)]), two, [1.0, rng.choice([1.0, weak])]),
        (square, np.array([[0.0, 0.0], [0.5, 0.5], [0.5, 0.0], [0.0, 0.5]]), [1.0, rng.uniform(0.4, 1), weak, weak]),
        (
            np.diag([1.0, 1.414]),
            np.array([[0, 0], [split, 0], [0.5, 0.5], [0.5 + split, 0.5]]),
            [1.0, weak**0.5, 1.0, weak**0.5],
        ),
    )
    cell, basis, height = cells[rng.integers(len(cells))]
    return cell, basis, np.asarray(height, dtype=float)


@dataclass(frozen=True)
class Outline:
    """The outline of a particle: an ellipse with bulges."""

    centre: np.ndarray
    radius: float
    stretch: float
    heading: float
    lobes: int
    bend: float
    phase: float

    @classmethod
    def random(cls, rng: np.random.Generator, size: int) -> Outline:
        """Draw an outline in or around an image."""
        centre, radius = rng.uniform(0, size, 2), rng.uniform(0.15, 0.8) * size
        stretch, heading = rng.uniform(0.6, 1.0), rng.uniform(0, np.pi)
        return cls(
            centre, radius, stretch, heading, int(rng.integers(2, 7)), rng.uniform(0, 0.15), rng.uniform(0, 2 * np.pi)
        )

    def depth(self, place: np.ndarray) -> np.ndarray:
        """How deep inside places (N, 2) lie: 1 at the centre, 0 on the outline, negative outside."""
        down, across = (place - self.centre).T
        u = down * np.cos(self.heading) + across * np.sin(self.heading)
        v = (across * np.cos(self.heading) - down * np.sin(self.heading)) / self.stretch
        return 1 - np.hypot(u, v) / (self.radius * (1 + self.bend * np.cos(self.lobes * np.arctan2(v, u) + self.phase)))
