"""The crystals of the simulated micrographs: where the sites are, what may sit on them, how they are strained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .scan import smooth_field

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# Peak relative to the host's, about Z^1.7 for single atoms; for columns the mixed filling of A and B is included.
_PEAKS = {"C": 1.0, "N": 1.3, "Si": 4.2, "Sr": 1.0, "Ba": 1.5, "Ti": 0.55, "Nb": 0.85, "vacancy": 0.0}
WAVES = 6
GRID = 32  # the largest strain is looked for on so many points along each side


@dataclass(frozen=True)
class Layout:
    """How the lattice lies in the image.

    ``shape`` of the image, ``angle`` of the first grain in degrees, number of ``grains``, uniform ``strain``
    (e_yy, e_xx, e_xy), and how many pixels of crystal there are beyond the image (``margin``, on top of two cells).
    """

    shape: tuple[int, int]
    angle: float
    grains: int
    strain: tuple[float, float, float]
    margin: float

    @property
    def stretch(self) -> Array:
        """The uniform strain as a matrix in (row, column)."""
        yy, xx, xy = self.strain
        return np.array([[1 + yy, xy], [xy, 1 + xx]])


@dataclass(frozen=True)
class Crystal:
    """Sites of a crystal in and around the image, in pixels.

    ``sites`` (N, 2) row and column, ``sublattice`` (N,), ``grain`` (N,), ``angles`` (grains,) in degrees, ``polar``
    (N, 2) polar shift, ``bond`` distance of nearest sites, ``hosts`` and ``guests`` species by sublattice.
    """

    sites: Array
    sublattice: Ints
    grain: Ints
    angles: Array
    polar: Array
    bond: float
    sigma: float
    pixel_size: float
    hosts: tuple[str, str]
    guests: tuple[tuple[str, ...], tuple[str, ...]]

    def brightness(self, species: npt.NDArray[np.str_]) -> Array:
        """Peak of each column relative to the brightest host."""
        names, which = np.unique(species, return_inverse=True)
        return np.array([_PEAKS[str(name)] for name in names])[which]

    def count_neighbours(self, which: npt.NDArray[np.bool_]) -> Ints:
        """How many of the nearest sites of every site are in the boolean mask `which`."""
        from scipy.spatial import cKDTree

        first, second = cKDTree(self.sites).query_pairs(1.2 * self.bond, output_type="ndarray").T
        ends, others = np.concatenate([first, second]), np.concatenate([second, first])
        return np.bincount(ends, which[others], minlength=len(self.sites)).astype(np.int64)


def crystal_site_names(crystal: Crystal) -> tuple[npt.NDArray[np.str_], Callable[..., npt.NDArray[np.str_]]]:
    """Host of every site, and a function of a generator that draws a guest for every site."""
    host = np.asarray(crystal.hosts)[crystal.sublattice]

    def guest(rng: np.random.Generator) -> npt.NDArray[np.str_]:
        drawn = [rng.choice(names, len(host)) for names in crystal.guests]
        return np.where(crystal.sublattice == 0, *drawn)

    return host, guest


def graphene(layout: Layout, pixel_size: float | None, polar: float, rng: np.random.Generator) -> Crystal:
    """Graphene: bond 0.142 nm, σ 0.035 nm, N and Si in place of C; `polar` has no meaning for it."""
    pixel = pixel_size or 0.0115
    bond = 0.142 / pixel
    vectors = bond * np.array([[0.0, np.sqrt(3)], [1.5, np.sqrt(3) / 2]])
    basis = bond * np.array([[0.0, 0.0], [1.0, 0.0]])
    sites, sublattice, grain, angles = _grains(layout, vectors, basis, bond, rng)
    dopants = ("N", "Si")
    return Crystal(
        sites,
        sublattice,
        grain,
        angles,
        np.zeros_like(sites),
        bond,
        0.035 / pixel,
        pixel,
        ("C", "C"),
        (dopants, dopants),
    )


def perovskite(layout: Layout, pixel_size: float | None, polar: float, rng: np.random.Generator) -> Crystal:
    """Perovskite along <100>: cell 0.39 nm, σ 0.05 nm, Sr (Ba) and Ti (Nb); B shifted by at most `polar` nm."""
    pixel = pixel_size or 0.012
    cell = 0.39 / pixel
    basis = cell * np.array([[0.0, 0.0], [0.5, 0.5]])
    bond = cell / np.sqrt(2)
    sites, sublattice, grain, angles = _grains(layout, cell * np.eye(2), basis, bond, rng)
    y, x = sites.T
    field = np.column_stack([smooth_field(y, x, 0.5 * max(layout.shape), rng) for _ in range(2)])
    largest = np.hypot(*field.T).max(initial=1e-12)
    shift = np.where(sublattice[:, None] == 1, field / largest * (polar / pixel), 0.0)
    return Crystal(sites, sublattice, grain, angles, shift, bond, 0.05 / pixel, pixel, ("Sr", "Ti"), (("Ba",), ("Nb",)))


def _grains(
    layout: Layout, vectors: Array, basis: Array, bond: float, rng: np.random.Generator
) -> tuple[Array, Ints, Ints, Array]:
    """Sites of all grains: each fills the cell of its seed, cut where another grain comes closer than a bond."""
    grains = layout.grains
    angles = np.concatenate([[layout.angle], layout.angle + rng.uniform(-180, 180, grains - 1)])
    angles = (angles + 180) % 360 - 180
    seeds = rng.uniform(0, 1, (grains, 2)) * layout.shape
    parts = []
    for number, turn in enumerate(angles):
        sites, sublattice = _lattice(layout, vectors, basis, float(turn), rng.uniform(0, 1, 2))
        distance = np.linalg.norm(sites[:, None] - seeds, axis=2)
        others = np.delete(distance, number, axis=1).min(axis=1, initial=np.inf)
        gap = distance[:, number] + (0.35 * bond if grains > 1 else 0.0)
        parts.append((sites[gap < others], sublattice[gap < others], np.full((gap < others).sum(), number)))
    sites, sublattice, grain = (np.concatenate(column) for column in zip(*parts, strict=True))
    return sites, sublattice, grain, angles


def _lattice(layout: Layout, vectors: Array, basis: Array, angle: float, origin: Array) -> tuple[Array, Ints]:
    """Sites of one lattice that covers the image and a margin; angle counter-clockwise on screen (rows run down)."""
    turn = np.deg2rad(angle)
    deform = layout.stretch @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    vectors, basis = vectors @ deform.T, basis @ deform.T
    half = np.array(layout.shape) / 2
    margin = 2 * np.abs(vectors).max() + layout.margin
    corners = (half + margin) * np.array([[1, 1], [1, -1]])  # and what lies opposite
    reach = np.ceil(np.abs(corners @ np.linalg.inv(vectors)).max(axis=0)).astype(int) + 1
    i, j = (np.arange(-n, n + 1) for n in reach)
    cells = np.stack(np.meshgrid(i, j, indexing="ij"), axis=-1).reshape(-1, 2) + origin
    sites = half + (cells @ vectors)[:, None, :] + basis
    sublattice = np.tile(np.arange(len(basis)), len(cells))
    sites = sites.reshape(-1, 2)
    inside = (np.abs(sites - half) < half + margin).all(axis=1)
    return sites[inside], sublattice[inside]


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
