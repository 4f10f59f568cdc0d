"""Simulated images of the kinds that a choice of width, polarity and threshold may fail on, with their atoms."""

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_vae.atoms.model_image import draw_spots


def spots(shape, places, height, width):
    """Gaussians of these heights and widths."""
    values = np.zeros((len(places), 5))
    values[:, 0], values[:, 2:4], values[:, 4] = height, places, width
    return draw_spots(shape, values).astype(float)


def lattice(shape, first, second, angle=0.1):
    """Sites (N, 2) of a lattice that covers the image, turned by an angle."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    steps = np.stack(np.mgrid[-60:61, -60:61], -1).reshape(-1, 2)
    places = steps @ np.array([first, second]) @ turn.T + np.array(shape) / 2
    return places[((places > -5) & (places < np.array(shape) + 4)).all(axis=1)]


def texture(shape, width, rng):
    rough = gaussian_filter(rng.normal(size=shape), width)
    return rough / rough.std()


def apart(shape, number, distance, rng):
    """Random places of which no two are nearer than a distance."""
    places = np.empty((0, 2))
    while len(places) < number:
        place = rng.uniform(0, 1, 2) * shape
        if not len(places) or np.hypot(*(places - place).T).min() > distance:
            places = np.vstack([places, place])
    return places


def rows_of_pixels(shape):
    return np.mgrid[: shape[0], : shape[1]].astype(float)


def layers(rng, shape=(200, 200)):
    """Columns in layers that are stronger than they are."""
    places = lattice(shape, (8.0, 0.0), (4.0, 7.0), 0.03)
    y, x = rows_of_pixels(shape)

    def strong(rows, columns):
        return 0.75 + 0.25 * np.sin((rows - 0.03 * columns) * 2 * np.pi / 21)

    image = spots(shape, places, strong(*places.T), 1.8) + 0.5 * strong(y, x)
    return rng.poisson(40 * image + 4).astype(float), places


def dumbbells(rng, shape=(160, 160)):
    """Pairs of columns resolved by four pixels."""
    places = lattice(shape, (15.0, 0.0), (7.5, 10.6))
    half = 2.0 * np.array([np.cos(0.1), np.sin(0.1)])
    places = np.concatenate([places - half, places + half])
    return rng.poisson(25 * spots(shape, places, 1.0, 1.25) + 4).astype(float), places


def island(rng, shape=(160, 160)):
    """Adatoms with ordered vacancies on an island above a gap, in noisy scan lines, the last of which are lost."""
    first, second = np.array([[13.0, 0.0], [6.5, 11.3]])
    places = lattice(shape, first, second, 0.0)
    number = np.rint((places - places[0]) @ np.linalg.inv([first, second])).astype(int)
    y, _ = rows_of_pixels(shape)
    edge = 110 + 6 * np.sin(np.arange(shape[1]) / 14)
    kept = ((number[:, 0] - number[:, 1]) % 3 != 0) & (places[:, 0] < np.interp(places[:, 1], range(160), edge) - 5)
    image = spots(shape, places[kept], 1.0, 3.0) + 4 * gaussian_filter((y < edge).astype(float), 1.5)
    image += 0.05 * rng.normal(size=shape) + 0.06 * rng.normal(size=(shape[0], 1))
    image[150:] = image[:150].min()
    return 1e-10 * image, places[kept]


def adatoms(rng, shape=(160, 160)):
    """Adatoms with vacancies on an uneven, tilted surface."""
    places = lattice(shape, (11.0, 0.0), (5.5, 9.5), 0.3)
    places = places[rng.random(len(places)) > 0.15]
    y, x = rows_of_pixels(shape)
    image = spots(shape, places, 1.0, 2.8) + 0.4 * texture(shape, 12, rng) + 0.15 * y + 0.05 * x
    return image + 0.06 * rng.normal(size=shape) + 0.08 * rng.normal(size=(shape[0], 1)), places


def molecules(rng, shape=(200, 200)):
    """Dense spots without a lattice, below a bright step."""
    places = apart((115, 200), 100, 12.0, rng)
    y, x = rows_of_pixels(shape)
    image = spots(shape, places, rng.uniform(0.6, 1.4, len(places)), 3.0) + 6 / (
        1 + np.exp(-(y - 130 - 0.05 * x) / 1.5)
    )
    return image + 0.1 * rng.normal(size=shape) + 0.05 * rng.normal(size=(shape[0], 1)), places


def two_kinds(rng, ordered=False, height=0.15, width=2.2, noise=0.02, shape=(200, 200)):
    """Dense strong spots and lower ones of another width below a bright step: the image, and both."""
    places = lattice(shape, (12.6, 0.0), (6.3, 10.9), 0.2) if ordered else _packed((115, 200), 12.0, rng)
    places = places + rng.normal(0, 0.5, places.shape) * ordered
    places = places[(places[:, 0] < 115) & (places > 0).all(axis=1)]
    low = rng.random(len(places)) < 0.35
    heights = rng.uniform(0.8, 1.2, len(places))
    y, x = rows_of_pixels(shape)
    image = spots(shape, places[~low], heights[~low], 3.0) + spots(shape, places[low], height * heights[low], width)
    image += 6 / (1 + np.exp(-(y - 130 - 0.05 * x) / 1.5)) + noise * rng.normal(size=shape)
    return image + noise / 2 * rng.normal(size=(shape[0], 1)), places[~low], places[low]


def _packed(shape, distance, rng):
    """Random places, so many that none is left that is farther than a distance from all."""
    places = np.empty((0, 2))
    for place in rng.uniform(0, 1, (6000, 2)) * shape:
        if not len(places) or np.hypot(*(places - place).T).min() > distance:
            places = np.vstack([places, place])
    return places


def terraces(rng, shape=(200, 200)):
    """A lattice on terraces, whose steps are five times as high as its columns."""
    places = lattice(shape, (12.0, 0.0), (0.0, 12.0), 0.2)
    y, x = rows_of_pixels(shape)
    steps = 5.0 * (y + 0.4 * x > 120) + 5.0 * (y + 0.4 * x > 220)
    image = spots(shape, places, 1.0, 2.6) + gaussian_filter(steps, 1)
    return image + 0.08 * rng.normal(size=shape) + 0.08 * rng.normal(size=(shape[0], 1)), places


def faint_particle(rng, shape=(256, 256)):
    """A particle at less than two electrons per pixel, in vacuum."""
    places = lattice(shape, (26.0, 0.0), (13.0, 22.5), 0.3)
    away = np.hypot(*(places - 128).T)
    places, away = places[away < 100], away[away < 100]
    halo = np.sqrt((1 - (np.hypot(*(rows_of_pixels(shape) - 128)) / 110) ** 2).clip(0))
    image = 1.6 * spots(shape, places, np.sqrt(1 - (away / 110) ** 2), 5.0) + halo + 0.3
    return rng.poisson(image).astype(float), places


def heavy_and_light(rng, shape=(200, 200)):
    """Heavy columns, and light ones of a third of their height in between: the image and both."""
    heavy = lattice(shape, (20.0, 0.0), (0.0, 20.0))
    middle = np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]) @ [10.0, 10.0]
    light = heavy + middle
    image = spots(shape, heavy, 1.0, 3.0) + spots(shape, light, 0.3, 3.0)
    return rng.poisson(60 * image + 6).astype(float), heavy, light


def single_atoms(rng, shape=(256, 256), width=3.0):
    """Single atoms of uneven brightness on a support that is finer than they are."""
    places = apart(shape, 40, 4 * width, rng)
    image = spots(shape, places, rng.uniform(0.8, 1.4, len(places)), width) + 0.15 * texture(shape, 1.5 * width, rng)
    return image + 0.15 * rng.normal(size=shape), places
