"""A simulated movie of ferroelectric-like domains through a transition, whose variants and walls are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.fields import about
from ..core.micrograph import Micrograph
from ..core.settings import Positive, Seed, Share

Array = npt.NDArray[np.float64]

NO_VARIANT = -1
BEND = 0.6  # radians by which lamellae are bent, as wide as domains
WANDER = 0.15  # radians from frame to frame in the plane of two patterns: walls move by about two pixels
PIXEL = 1.0  # nm


@dataclass(frozen=True)
class DomainMovie:
    """Domains of lamellae in a movie, and the truth about them.

    Attributes
    ----------
    image : Micrograph
        ``(frames, rows, columns)`` float32, with a pixel size in nm. Lamellae are ±`order` about 0.
    temperature : (frames,) float
        In K, rising.
    order : (frames,) float
        Height of the lamellae, 1 at the lowest temperature, 0 above the transition.
    variants : (frames, rows, columns) int8
        Which way the lamellae lie, 0 …; −1 where there are none.
    walls : (frames, rows, columns) bool
        Pixels whose neighbour to the right or below is of another variant.
    transition : float
        Temperature in K above which there are no domains.
    """

    image: Micrograph
    temperature: Array
    order: Array
    variants: npt.NDArray[np.int8]
    walls: npt.NDArray[np.bool_]
    transition: float

    def __len__(self) -> int:
        return len(self.temperature)


@checks_arguments
def domains(
    frames: Annotated[int, about(ge=2, le=10**4)] = 20,
    size: Annotated[int, about(ge=32, le=2**13)] = 256,
    *,
    variants: Annotated[int, about(ge=2, le=12)] = 3,
    temperatures: tuple[Positive, Positive] = (300.0, 490.0),
    transition: Positive = 405.0,
    jump: Share = 0.5,
    width: Annotated[float, about(ge=8, le=2**13)] = 120.0,
    period: Annotated[float, about(ge=3, le=100)] = 8.0,
    noise: Annotated[float, about(ge=0, le=100)] = 0.3,
    seed: Seed = 0,
) -> DomainMovie:
    """Simulate a film with domains of fine lamellae that is heated through a transition.

    Domains differ by the direction of their lamellae alone: those of each variant lie 180° / `variants` from those of
    the next, with any phase. Their height falls as the temperature rises, with the square root of what is missing to
    the transition, and to 0 there. Walls are smooth and wander slowly.

    Parameters
    ----------
    frames : int
        Number of frames, at equal steps of temperature.
    size : int
        Rows and columns.
    variants : int
        Number of directions.
    temperatures : (float, float)
        Of the first and the last frame, in K.
    transition : float
        Temperature in K above which there are no lamellae; it may lie outside.
    jump : float
        Height at which the lamellae vanish: 0 for a continuous transition, towards 1 for a sudden one.
    width : float
        About how wide domains are, in pixels.
    period : float
        Of the lamellae, in pixels.
    noise : float
        Standard deviation of every pixel; lamellae are at most 1 high.
    seed : int
        Seed of a local random generator: the same arguments give the same movie.

    Returns
    -------
    DomainMovie

    Raises
    ------
    InputError
        If a parameter is out of range, or the temperatures do not rise.

    Examples
    --------
    >>> movie = domains(4, 64)
    >>> movie.image.shape, movie.order.round(2).tolist()
    ((4, 64, 64), [1.0, 0.74, 0.0, 0.0])
    """
    if not temperatures[0] < temperatures[1]:
        raise InputError("Temperatures rise from the first to the last; give the lower one first.")
    rng = np.random.default_rng(seed)
    heat = np.linspace(*temperatures, frames)
    missing = (transition - heat).clip(0) / max(transition - heat[0], 1e-12)
    order = np.where(heat < transition, np.sqrt(jump**2 + (1 - jump**2) * missing), 0.0)
    pattern = _smooth((2, variants, size, size), width / 3, rng)
    lamellae = _lamellae(variants, size, period, width, rng)
    image, which = np.empty((frames, size, size), np.float32), np.empty((frames, size, size), np.int8)
    for frame in range(frames):
        turn = WANDER * frame
        there = (np.cos(turn) * pattern[0] + np.sin(turn) * pattern[1]).argmax(0)
        image[frame] = order[frame] * np.take_along_axis(lamellae, there[None], 0)[0]
        image[frame] += noise * rng.standard_normal((size, size))
        which[frame] = there if order[frame] > 0 else NO_VARIANT
    micrograph = Micrograph(image, PIXEL, "nm", "TYX", "simulated domains", {"seed": seed, "simulated": True})
    return DomainMovie(micrograph, heat, order, which, walls_of(which), transition)


def walls_of(classes: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Pixels (…, Y, X) whose neighbour to the right or below is of another class.

    >>> walls_of(np.array([[0, 0, 1], [0, 0, 1]])).astype(int).tolist()
    [[0, 1, 0], [0, 1, 0]]
    """
    walls = np.zeros(classes.shape, dtype=bool)
    walls[..., :-1, :] |= classes[..., :-1, :] != classes[..., 1:, :]
    walls[..., :-1] |= classes[..., :-1] != classes[..., 1:]
    return walls


def _smooth(shape: tuple[int, ...], width: float, rng: np.random.Generator) -> Array:
    """Random fields (…, Y, X) of mean 0 and standard deviation 1 that vary over about `width` pixels."""
    from scipy.ndimage import gaussian_filter

    drawn = rng.standard_normal(shape)
    fields: Array = gaussian_filter(drawn, (*(0,) * (len(shape) - 2), width, width), mode="wrap")
    fields -= fields.mean(axis=(-2, -1), keepdims=True)  # so that no variant fills nearly all
    return fields / fields.std(axis=(-2, -1), keepdims=True)


def _lamellae(variants: int, size: int, period: float, width: float, rng: np.random.Generator) -> Array:
    """Waves (variants, Y, X) of height 1 of every direction, each slightly bent, over the whole image."""
    y, x = np.mgrid[:size, :size]
    heading = np.pi * (np.arange(variants) / variants + rng.uniform())[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (variants, 1, 1)) + BEND * _smooth((variants, size, size), width / 3, rng)
    waves: Array = np.cos(2 * np.pi / period * (np.cos(heading) * x + np.sin(heading) * y) + phase)
    return waves
