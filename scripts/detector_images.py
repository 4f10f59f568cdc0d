"""Simulated images that the learned detector is trained and calibrated on; see train_detector.py.

Everything is drawn at the scale of the network, in pixels, and in units of a typical column's height. No image from a
microscope is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from detector_lattices import Outline, lattice
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from napari_vae.atoms.learned import SIGMA
from napari_vae.atoms.model_image import draw_spots
from napari_vae.atoms.spots import spot_maps, standing

WRONG_BY = 0.3  # logarithm by which the measured column width may be off
RESOLVED = 2.3  # column widths that two atoms must be apart to be two marks
ALONE, ORDERED = 4.5, 2.5  # height over noise and texture from which a single atom, or a column, must be found
LOST = 0.6  # of these: below, it must not be found


@dataclass(frozen=True)
class Scene:
    """An `image` (rows, columns), the `atoms` (N, 2) to be found, and places (M, 2) that `may` be marked or not."""

    image: np.ndarray
    atoms: np.ndarray
    may: np.ndarray


@dataclass(frozen=True)
class Specimen:
    """Atoms with height and width, and the intensity of what they lie on, both without noise."""

    place: np.ndarray
    height: np.ndarray
    width: np.ndarray
    support: np.ndarray
    sure: float = ORDERED


def scene(rng: np.random.Generator, size: int) -> Scene:
    """Draw one image: a crystal, a particle on a support, single atoms on a support, or a support only."""
    sigma = SIGMA * np.exp(rng.uniform(-WRONG_BY, WRONG_BY))
    kinds: tuple[Callable[..., Specimen], ...] = (crystal, particle, single_atoms, bare)
    specimen = kinds[rng.choice(4, p=(0.14, 0.26, 0.47, 0.13))](rng, size, sigma)
    return image_of(rng, specimen, sigma)


# Specimens -----------------------------------------------------------------------------------------------------------


def crystal(rng: np.random.Generator, size: int, sigma: float) -> Specimen:
    """A lattice over the whole image, or up to an edge, or two grains; now and then on a faint support."""
    place, height = lattice(rng, size, sigma)
    cut = rng.random()
    if cut < 0.45:
        heading, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35) * size
        side = (place - size / 2) @ (np.cos(heading), np.sin(heading)) - offset
        if cut < 0.25:
            other, weight = lattice(rng, size, sigma)
            there = (other - size / 2) @ (np.cos(heading), np.sin(heading)) - offset
            place, height = (
                np.concatenate([place[side > sigma], other[there < -sigma]]),
                np.concatenate([height[side > sigma], weight[there < -sigma]]),
            )
        else:
            place, height = place[side > 0], height[side > 0]
    support = rng.uniform(0, 0.3) * texture(rng, size, sigma) if rng.random() < 0.5 else np.zeros((size, size))
    return Specimen(place, height, widths(rng, len(place), sigma), support + slow(rng, size, rng.uniform(0, 1.0)))


def particle(rng: np.random.Generator, size: int, sigma: float) -> Specimen:
    """One or a few crystals of limited size whose rims thin out, on amorphous carbon."""
    places, heights = [], []
    halo = np.zeros((size, size))
    grid = np.stack(np.mgrid[:size, :size], -1).reshape(-1, 2)
    for _ in range(rng.integers(1, 4)):
        place, height = lattice(rng, size, sigma)
        outline = Outline.random(rng, size)
        rim = rng.uniform(0.02, 0.7)  # how far in the full thickness is reached
        inside = outline.depth(place)
        thickness = np.clip(inside / rim, 0, 1) ** rng.uniform(0.3, 1.2)
        keep = (inside > 0) & (halo[tuple(place.clip(0, size - 1).astype(int).T)] < 0.1)
        places.append(place[keep])
        heights.append((height * thickness)[keep])
        halo += np.clip(outline.depth(grid).reshape(size, size) / rim, 0, 1)
    place, height = np.concatenate(places), np.concatenate(heights)
    glow = rng.uniform(0, 4) * gaussian_filter(np.minimum(halo, 1), rng.uniform(1, 4) * sigma)
    support = rng.uniform(0.05, 0.5) * texture(rng, size, sigma) + glow + slow(rng, size, rng.uniform(0, 1.0))
    return Specimen(place, height, widths(rng, len(place), sigma), support)


def single_atoms(rng: np.random.Generator, size: int, sigma: float) -> Specimen:
    """Heavy atoms of uneven brightness on an amorphous support: strewn, in pairs and in clusters."""
    distance = np.exp(rng.uniform(np.log(8), np.log(32))) * sigma
    place = rng.uniform(-8, size + 8, (rng.poisson((size + 16) ** 2 / distance**2), 2))
    grouped = rng.random(len(place)) < rng.choice([0.0, 0.15, 0.4])
    for parent in place[grouped]:
        spread = rng.uniform(2.0, 6.0) * sigma
        fellows = parent + rng.normal(0, spread, (rng.poisson(rng.uniform(1, 7)), 2))
        place = np.concatenate([place, fellows])
    apart = rng.uniform(1.6, 3.2) * sigma
    place = place[standing(place, rng.random(len(place)), apart)]
    height = np.exp(rng.normal(0, rng.uniform(0.1, 0.4), len(place)))
    support = texture(rng, size, sigma) * np.exp(rng.uniform(np.log(0.04), np.log(0.4)))
    support = support + slow(rng, size, rng.uniform(0, 4))
    if rng.random() < 0.25:  # the support ends within the image
        ground = np.clip((smooth(rng, size, 0.35 * size) + rng.uniform(0, 1.2)) * rng.uniform(1, 6), 0, 1)
        support = (support + rng.uniform(1, 5)) * ground
        height = height * (ground[tuple(place.clip(0, size - 1).astype(int).T)] > 0.2)
    return Specimen(place, height, widths(rng, len(place), sigma), support, ALONE)


def bare(rng: np.random.Generator, size: int, sigma: float) -> Specimen:
    """A support, or nothing at all."""
    support = rng.choice([0.0, 1.0]) * texture(rng, size, sigma) + slow(rng, size, rng.uniform(0, 3))
    return Specimen(np.zeros((0, 2)), np.zeros(0), np.zeros(0), support)


def widths(rng: np.random.Generator, n: int, sigma: float) -> np.ndarray:
    """Width of every column."""
    return sigma * np.exp(rng.normal(0, rng.uniform(0, 0.12), n))


# What they lie on ----------------------------------------------------------------------------------------------------


def smooth(rng: np.random.Generator, size: int, width: float) -> np.ndarray:
    """White noise blurred by `width` pixels, with standard deviation 1 over many draws."""
    step = max(1, int(width / 3))
    small = gaussian_filter(rng.normal(size=(-(-size // step) + 8,) * 2), width / step, mode="wrap")
    small = small * (2 * np.sqrt(np.pi) * width / step)
    if step == 1:
        return small[:size, :size]
    at = np.arange(size) / step + 2
    return map_coordinates(small, np.meshgrid(at, at, indexing="ij"), order=1)


def texture(rng: np.random.Generator, size: int, sigma: float) -> np.ndarray:
    """An amorphous support: blobs from the width of the probe up to several times as coarse, standard deviation 1."""
    finest = rng.uniform(0.7, 1.6) * sigma
    fall = rng.uniform(-0.5, 1.5)  # power of the amplitude with the scale
    scales = finest * 2.0 ** np.arange(rng.integers(1, 5))
    weight = (scales / finest) ** fall
    field = sum(w * smooth(rng, size, s) for w, s in zip(weight, scales, strict=True)) / np.hypot.reduce(weight)
    if rng.random() < 0.4:  # few scatterers in projection: a longer tail to the bright side
        tail = rng.uniform(0.1, 0.5)
        field = (np.exp(tail * field) - np.exp(tail**2 / 2)) / tail
    if rng.random() < 0.4:  # thicker here, thinner there
        field = field * np.exp(rng.uniform(0.1, 0.6) * smooth(rng, size, 0.2 * size))
    return field


def slow(rng: np.random.Generator, size: int, height: float) -> np.ndarray:
    """Thickness, contamination and a tilted plane."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    plane = rng.normal(size=2)
    return height * (smooth(rng, size, rng.uniform(0.2, 0.5) * size) + plane[0] * y + plane[1] * x)


# What the microscope makes of it -------------------------------------------------------------------------------------


def image_of(rng: np.random.Generator, specimen: Specimen, sigma: float) -> Scene:
    """Scan the specimen: streaks, row jitter and row noise, dose, clipping; and say which atoms can be seen."""
    shape = specimen.support.shape
    values = np.column_stack([specimen.height, 0 * specimen.height, specimen.place, specimen.width])
    spots = draw_spots(shape, values) if len(values) else np.zeros(shape, np.float32)
    spots = scanned(rng, spots, sigma)
    typical = float(np.median(specimen.height[specimen.height > 0])) if (specimen.height > 0).any() else 1.0
    spread = typical / np.exp(rng.uniform(np.log(1.4), np.log(12)))  # of the noise
    clean = spots + specimen.support
    noisy = detected(rng, clean, spread)
    rows = rng.choice([0.0, 0.1, 0.3], p=(0.5, 0.3, 0.2)) * spread * rng.normal(size=(shape[0], 1))
    noisy = noisy + rows
    if rng.random() < 0.12:  # hum
        y, x = np.mgrid[: shape[0], : shape[1]]
        k = rng.normal(0, 0.8, 2)
        noisy = noisy + rng.uniform(0.1, 0.6) * spread * np.sin(k[0] * y + k[1] * x)
    if rng.random() < 0.5:  # what resampling does to the noise
        blur = rng.uniform(0.3, 0.7)
        noisy, spots = gaussian_filter(noisy, blur), gaussian_filter(spots, blur)
    atoms, may = visible(specimen, noisy - spots, sigma)
    if rng.random() < 0.2:
        low, high = np.quantile(noisy, [rng.choice([0, 0.02, 0.1]), rng.choice([0.97, 0.995, 1])])
        noisy = np.clip(noisy, low, max(high, low + 1e-3))
    return Scene(noisy.astype(np.float32), atoms, may)


def scanned(rng: np.random.Generator, spots: np.ndarray, sigma: float) -> np.ndarray:
    """Atoms that flicker from row to row, rows out of place, and a slow detector."""
    if rng.random() < 0.4:
        gain = gaussian_filter1d(rng.normal(size=spots.shape), 1.5 * sigma, axis=1) * np.sqrt(
            2 * np.sqrt(np.pi) * 1.5 * sigma
        )
        spots = spots * np.exp(rng.uniform(0.1, 0.6) * gain)
    if rng.random() < 0.5:
        y, x = np.mgrid[: spots.shape[0], : spots.shape[1]].astype(float)
        offset = rng.normal(0, rng.uniform(0.05, 0.5) * sigma, spots.shape[0])
        spots = map_coordinates(spots, [y, x + offset[:, None]], order=1, mode="nearest")
    if rng.random() < 0.3:
        spots = gaussian_filter1d(spots, rng.uniform(0.2, 1.0) * sigma, axis=1)
    return spots


def detected(rng: np.random.Generator, clean: np.ndarray, spread: float) -> np.ndarray:
    """Noise of about the standard deviation `spread`: of the detector, or of counted electrons, or correlated."""
    if rng.random() < 0.6:
        level = clean - min(clean.min(), 0) + rng.uniform(0, 1)
        gain = max(float(level.mean()), 1e-3) / spread**2
        return rng.poisson(np.minimum(level * gain, 1e6)) / gain
    noise = rng.normal(size=clean.shape)
    blur = rng.choice([0.0, 0.5, 0.8])
    return clean + spread * (gaussian_filter(noise, blur) * max(1.0, 2 * np.sqrt(np.pi) * blur) if blur else noise)


def visible(specimen: Specimen, rest: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Which atoms stand out of the `rest` of the image and of each other, and which may or may not be marked."""
    shape = np.array(rest.shape)
    inside = ((specimen.place > -0.5) & (specimen.place < shape - 0.5)).all(axis=1) & (specimen.height > 0)
    place, height = specimen.place[inside], specimen.height[inside]
    if not len(place):
        return np.zeros((0, 2)), np.zeros((0, 2))
    around = spot_maps(rest.astype(np.float32), sigma).amplitude
    level = np.sqrt(gaussian_filter(around**2, 8 * sigma))[tuple(np.rint(place).astype(int).T)]
    standout = height / np.maximum(level, 1e-9)
    seen = (standout >= specimen.sure) & standing(place, height, RESOLVED * sigma)
    return place[seen], place[~seen & (standout > LOST * specimen.sure)]
