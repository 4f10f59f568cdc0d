"""A simulated spectrum image: structures whose local spectra are known functions of what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.fields import about
from ..core.micrograph import Micrograph
from ..core.settings import Seed, Share
from ..core.spectra import SpectrumImage

Array = npt.NDArray[np.float64]

CELL = 28  # pixels between two structures
WIDTH = 2.0  # of their spots, in pixels
#: Of each species the height of its third spot, and how far that is off the axis, in pixels: to the side, and back.
THIRD = np.array([[0.0, 0.0, 0.0], [0.7, 5.0, 0.0], [0.7, 0.0, 6.0]])
#: Of each species the energies of two peaks in V, and their heights.
PEAKS = np.array([[[-0.5, 1.0], [0.3, 0.5]], [[-0.2, 0.8], [0.5, 0.8]], [[0.0, 1.0], [0.6, 0.4]]])
MOVED, PEAK_WIDTH = 0.15, 0.12  # V that the first peak moves as a structure is stretched fully; width of the peaks


@dataclass(frozen=True)
class SpectrumSample:
    """An image of structures on a square grid, and a spectrum of each.

    Attributes
    ----------
    image : Micrograph
        Of the structures, with a pixel size in nm.
    structures : DataFrame
        A row each, row by row of the grid: centre ``y``, ``x`` in pixels, ``angle`` (degrees, counter-clockwise on
        screen), ``species`` (0, 1, 2) and ``stretch`` (−1 … 1). Spectra depend on the last two.
    energy : (L,) float
        In V.
    spectra : (N, L) float32
        As measured.
    expected : (N, L) float
        The same without noise.
    noise : (N, L) float
        Standard deviation of every number of `spectra`.
    side : int
        Structures along each side of the grid: ``spectra.reshape(side, side, -1)`` is the spectrum image.
    """

    image: Micrograph
    structures: pd.DataFrame
    energy: Array
    spectra: npt.NDArray[np.float32]
    expected: Array
    noise: Array
    side: int

    def __len__(self) -> int:
        return len(self.structures)

    @property
    def spectrum_image(self) -> SpectrumImage:
        """The spectra as a map with `image` as its survey, as a file has them."""
        data, (step, _) = self.spectra.reshape(self.side, self.side, -1), self.image.scale
        return SpectrumImage(
            data, self.energy, "energy", "V", CELL * step, self.image.units, self.image, "simulated spectra"
        )


@checks_arguments
def spectrum_image(
    side: Annotated[int, about(ge=1, le=500)] = 40,
    max_angle: Annotated[float, about(ge=0, le=180)] = 180.0,
    *,
    noise: Share = 0.03,
    growth: Share = 0.0,
    image_noise: Share = 0.02,
    points: Annotated[int, about(ge=2, le=10_000)] = 80,
    seed: Seed = 0,
) -> SpectrumSample:
    """Simulate an image of small structures, and their spectra, which do not depend on how they are turned.

    A structure is a bright spot with a second one at a distance that says how far it is stretched, and a third one that
    says its species. Species give the peaks of the spectrum; stretching moves the first of them and strengthens the
    second.

    Parameters
    ----------
    side : int
        Structures along each side of the image, which has 28 pixels for each.
    max_angle : float
        They are turned by angles uniform within ± this, in degrees.
    noise : float
        Standard deviation of the spectra where these are 0; peaks are about 1 high.
    growth : float
        By how much that grows for every unit of the signal.
    image_noise : float
        Standard deviation of the pixels; spots are about 1 high.
    points : int
        Energies in a spectrum.
    seed : int
        Seed of a local random generator: the same arguments give the same sample.

    Returns
    -------
    SpectrumSample

    Examples
    --------
    >>> sample = spectrum_image(4)
    >>> sample.image.shape, sample.spectra.shape
    ((112, 112), (16, 80))
    """
    rng, n = np.random.default_rng(seed), side * side
    row, column = (index.ravel() * CELL + (CELL - 1) / 2 for index in np.indices((side, side)))
    species, stretch = rng.integers(len(PEAKS), size=n), rng.uniform(-1, 1, n)
    angle = rng.uniform(-max_angle, max_angle, n)
    tiles = _drawn(species, stretch, np.deg2rad(angle))
    pixels = tiles.reshape(side, side, CELL, CELL).swapaxes(1, 2).reshape(side * CELL, side * CELL)
    pixels = pixels + image_noise * rng.standard_normal(pixels.shape)
    energy = np.linspace(-1, 1, points)
    expected = _spectra(species, stretch, energy)
    spread = noise + growth * expected
    measured = expected + spread * rng.standard_normal(expected.shape)
    table = {"y": row, "x": column, "angle": angle, "species": species, "stretch": stretch}
    image = Micrograph(pixels.astype(np.float32), 0.02, "nm", name="simulated structures")
    return SpectrumSample(image, pd.DataFrame(table), energy, measured.astype(np.float32), expected, spread, side)


def _drawn(species: npt.NDArray[np.int64], stretch: Array, angle: Array) -> Array:
    """Structures without noise (N, CELL, CELL), turned counter-clockwise on screen by angles in radians."""
    height, aside, back = THIRD[species].T
    nothing = np.zeros_like(stretch)
    along = np.stack([nothing, 5 + 1.5 * stretch, -back])  # the three spots in the frame of the structure, x …
    across = np.stack([nothing, nothing, aside])  # … and y up
    x, y = along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)
    grid = np.arange(CELL) - (CELL - 1) / 2
    in_x = np.exp(-0.5 * ((grid - x[..., None]) / WIDTH) ** 2)
    in_y = np.exp(-0.5 * ((grid + y[..., None]) / WIDTH) ** 2)  # rows go down
    heights = np.stack([np.ones_like(height), np.full_like(height, 0.7), height])
    tiles: Array = np.einsum("sn,snr,snc->nrc", heights, in_y, in_x)
    return tiles


def _spectra(species: npt.NDArray[np.int64], stretch: Array, energy: Array) -> Array:
    """Expected spectra (N, L)."""
    (first, height), (second, other) = PEAKS[species].transpose(1, 2, 0)
    first, other = first + MOVED * stretch, other * (1 + 0.5 * stretch)
    peaks = [
        size[:, None] * np.exp(-0.5 * ((energy - place[:, None]) / PEAK_WIDTH) ** 2)
        for place, size in ((first, height), (second, other))
    ]
    result: Array = 0.1 + 0.2 * energy**2 + peaks[0] + peaks[1]
    return result
