"""Simulated movies of a drifting crystal in which every atom keeps its number."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.micrograph import Micrograph
from ..core.settings import Seed, Share, about
from .crystals import Crystal, Layout, crystal_site_names
from .micrographs import CRYSTALS, VACANT, Crystals, Dose, Drift, Length, Much, PixelSize, Side, occupy, shape_of
from .scan import render

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Frames = Annotated[int, about(ge=1, le=10**5)]
_BEND = 0.5  # radians by which the heading of the drift sways to either side
_EMPTY = -1  # the atom on a site without one


@checks_arguments
def movie(
    kind: Crystals = "graphene",
    frames: Frames = 20,
    size: Side | tuple[Side, Side] = 256,
    dose: Dose = 100.0,
    seed: Seed = 0,
    *,
    drift: Drift = 1.0,
    hops: Share = 0.02,
    vanish: Share = 0.0005,
    appear: Share = 0.02,
    flicker: Share = 0.002,
    exchange: tuple[Share, Share] = (0.0, 0.0),
    thermal: Length = 0.003,
    pixel_size: PixelSize | None = None,
    angle: float = 7.0,
    vacancies: Share = 0.01,
    dopants: Share = 0.02,
    displacement: Length = 0.003,
    background: Much = 0.1,
) -> tuple[Micrograph, pd.DataFrame]:
    """Simulate a movie of one crystal that drifts and changes, with the truth about every atom in every frame.

    The crystals are those of `micrograph`. From frame to frame all atoms drift together along a smooth path, each jumps
    about its site, some hop to an empty site next to theirs, some vanish, and empty sites are filled anew.

    Parameters
    ----------
    kind, size, dose, seed, pixel_size, angle, vacancies, dopants, displacement, background
        As in `micrograph`; the vacancies are those of the first frame.
    frames : int
        Number of frames.
    drift : float
        Pixels that the crystal moves from one frame to the next.
    hops : float
        Probability per frame that an empty site is taken by an atom of a neighbouring site, which keeps its number.
    vanish : float
        Probability per frame that an atom is knocked out for good.
    appear : float
        Probability per frame that an empty site is filled by a new atom.
    flicker : float
        Probability that an atom does not show in a frame and is back in the next; it is in the truth when it shows.
    exchange : (float, float)
        Probability per frame that an atom of the host is exchanged for one of another species (silicon in graphene),
        and that one of that species is exchanged for one of the host. They keep their number: what is followed is
        the place.
    thermal : float
        Standard deviation of each atom about its site along each axis, in nm, drawn anew for every frame.

    Returns
    -------
    Micrograph
        ``(frames, rows, columns)`` float32 electron counts, with its pixel size in nm.
    pandas.DataFrame
        One row per atom and frame that shows it: ``frame``, ``y``, ``x`` (pixels), ``species``, ``sublattice`` (of the
        site), ``peak`` (expected electrons per pixel), ``sigma`` (pixels), and ``track``, the number of the atom, from
        0 in order of first appearance. ``attrs["drift"]`` is the path as a list of (y, x) in pixels, from (0, 0).

    Raises
    ------
    InputError
        For an unknown kind or a parameter out of range.

    Examples
    --------
    >>> images, truth = movie("graphene", frames=4, size=64)
    >>> images.shape, truth["frame"].nunique()
    ((4, 64, 64), 4)
    """
    shape, rng = shape_of(size), np.random.default_rng(seed)
    path = _path(frames, drift, rng)
    crystal: Crystal = CRYSTALS[kind](Layout(shape, angle, 1, (0, 0, 0), np.abs(path).max()), pixel_size, 0.0, rng)
    place = crystal.sites + rng.normal(0.0, displacement / crystal.pixel_size, crystal.sites.shape)
    sites = _Sites(crystal, occupy(crystal, vacancies, dopants, rng))
    images, tables = np.empty((frames, *shape), np.float32), []
    for frame in range(frames):
        if frame:
            sites.change(hops, vanish, appear, rng)
            if any(exchange):
                sites.exchange(*exchange, rng)
        position = place + path[frame] + rng.normal(0.0, thermal / crystal.pixel_size, place.shape)
        peak = dose * crystal.brightness(sites.species) * (rng.random(len(place)) >= flicker)
        expected = render(shape, position, peak, crystal.sigma, np.zeros(shape[0])) + dose * background
        images[frame] = rng.poisson(expected)
        shown = (peak > 0) & ((position >= 0) & (position <= np.array(shape) - 1)).all(axis=1)
        tables.append(_truth(crystal, sites, frame, position, peak)[shown])
    truth = pd.concat(tables, ignore_index=True)
    truth["track"] = pd.factorize(truth["track"])[0].astype(np.int64)
    truth.attrs["drift"] = path.tolist()
    settings: dict[str, Any] = {"kind": kind, "dose": dose, "seed": seed, "simulated": True}
    return Micrograph(images, crystal.pixel_size, "nm", "TYX", f"simulated movie of {kind}", settings), truth


class _Sites:
    """Which atom of which species is on every site, as it changes from frame to frame."""

    def __init__(self, crystal: Crystal, species: npt.NDArray[np.str_]) -> None:
        from scipy.spatial import cKDTree

        self.species = species
        self.atom: Ints = np.where(species == VACANT, _EMPTY, np.arange(len(species)))
        self._host = crystal_site_names(crystal)[0]
        self._guest = np.array([names[-1] for names in crystal.guests])[crystal.sublattice]
        self._tree, self._bond = cKDTree(crystal.sites), crystal.bond
        self._next = len(species)  # number of the next new atom

    def change(self, hops: float, vanish: float, appear: float, rng: np.random.Generator) -> None:
        """Let atoms hop into empty sites, vanish, and appear on empty sites."""
        empty = np.flatnonzero(self.atom == _EMPTY)
        for site in empty[rng.random(len(empty)) < hops]:
            around = np.array(self._tree.query_ball_point(self._tree.data[site], 1.2 * self._bond))
            around = around[self.atom[around] != _EMPTY]
            if len(around):
                self._move(rng.choice(around), site)
        filled = np.flatnonzero(self.atom == _EMPTY)
        filled = filled[rng.random(len(filled)) < appear]
        lost = (self.atom != _EMPTY) & (rng.random(len(self.atom)) < vanish)
        self.atom[lost], self.species[lost] = _EMPTY, VACANT
        self.atom[filled] = self._next + np.arange(len(filled))
        self.species[filled] = self._host[filled]
        self._next += len(filled)

    def exchange(self, to: float, back: float, rng: np.random.Generator) -> None:
        """Let atoms become others, and others become those of the host."""
        draw = rng.random(len(self.species))
        ours, others = self.species == self._host, self.species == self._guest
        self.species = np.where(ours & (draw < to), self._guest, self.species)
        self.species = np.where(others & (draw < back), self._host, self.species)

    def _move(self, start: int, end: int) -> None:
        self.atom[end], self.species[end] = self.atom[start], self.species[start]
        self.atom[start], self.species[start] = _EMPTY, VACANT


def _path(frames: int, drift: float, rng: np.random.Generator) -> Array:
    """Where the crystal is (frames, 2) in pixels: steps of one length whose heading sways once."""
    heading, phase = rng.uniform(0, 2 * np.pi, 2)
    turn = heading + _BEND * np.sin(2 * np.pi * np.arange(frames) / frames + phase)
    steps = drift * np.column_stack([np.sin(turn), np.cos(turn)])
    return np.cumsum(steps, axis=0) - steps[0]


def _truth(crystal: Crystal, sites: _Sites, frame: int, position: Array, peak: Array) -> pd.DataFrame:
    """The table of all sites in one frame."""
    return pd.DataFrame(
        {
            "frame": np.full(len(position), frame, dtype=np.int64),
            "y": position[:, 0],
            "x": position[:, 1],
            "species": sites.species,
            "sublattice": crystal.sublattice,
            "peak": peak,
            "sigma": crystal.sigma,
            "track": sites.atom,
        }
    )
