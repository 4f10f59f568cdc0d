"""Playing cards: the four suits, rotated, sheared and shifted by known amounts.

The data set of Valleti et al. (arXiv 2303.18236), on which every invariance can be checked against truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.fields import about
from ..core.settings import Count, Seed

SUITS = "♣♠♥♦"
GLYPH_SIZE = 64  # the glyphs fill 60 % of this frame, of which the middle `size` pixels are kept
FILL = 0.6
OVERSAMPLE = 16
CHUNK = 2000


@dataclass(frozen=True)
class Cards:
    """Images of suits with the truth behind each.

    Attributes
    ----------
    images : (N, size, size) float32
        Grey values in [0, 1].
    angle : (N,) float
        Rotation in degrees, counter-clockwise on screen.
    shear : (N,) float
        Shear in degrees, the same along x and y.
    shift : (N, 2) float
        Screen shift (row, column) in pixels.
    scale : (N,) float
        Size relative to the glyph.
    suit : (N,) int
        0 ♣, 1 ♠, 2 ♥, 3 ♦ (♦ is its own image after 180°).
    """

    images: npt.NDArray[np.float32]
    angle: npt.NDArray[np.float64]
    shear: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    suit: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)


Scale = Annotated[float, about(gt=0, le=100)]


@checks_arguments
def cards(
    n_per_suit: Count = 3000,
    max_angle: Annotated[float, about(ge=0, le=360)] = 120,
    max_shear: Annotated[float, about(ge=0, lt=90)] = 1,
    max_shift: Annotated[float, about(ge=0, le=GLYPH_SIZE)] = 0.1,
    size: Annotated[int, about(ge=8, le=GLYPH_SIZE)] = 48,
    seed: Seed = 0,
    *,
    scale: tuple[Scale, Scale] = (1, 1),
) -> Cards:
    """Simulate rotated, sheared and shifted suits of playing cards.

    Each image is a glyph in a 64² frame under the affine map *rotation · shear* about its centre, cut to the middle.
    The data sets of the paper are i ``(12, 1)``, ii ``(12, 20)``, iii ``(120, 1)`` and iv ``(120, 20)`` as
    ``(max_angle, max_shear)``.

    Parameters
    ----------
    n_per_suit : int
        Images of each suit, in the order ♣ ♠ ♥ ♦.
    max_angle, max_shear : float
        Angles and shears are uniform within ± these, in degrees.
    max_shift : float
        Shifts along rows and columns are uniform within ± this, in pixels.
    size : int
        Side of the images, at most 64.
    seed : int
        Seed of the random numbers.
    scale : (float, float)
        Smallest and largest scale; their logarithms are uniform between.

    Raises
    ------
    InputError
        If `size` is not within 8 … 64 or `n_per_suit` is not positive.

    References
    ----------
    .. [1] Valleti et al., arXiv 2303.18236.

    Examples
    --------
    >>> sample = cards(2, max_angle=120, max_shear=20)
    >>> sample.images.shape, sample.suit.tolist()
    ((8, 48, 48), [0, 0, 1, 1, 2, 2, 3, 3])
    """
    if scale[0] > scale[1]:
        raise InputError(f"A range of scales must be rising, not {scale}.")
    rng = np.random.default_rng(seed)
    n = len(SUITS) * n_per_suit
    angle = rng.uniform(-max_angle, max_angle, n)
    shear = rng.uniform(-max_shear, max_shear, n)
    shift = rng.uniform(-max_shift, max_shift, (n, 2))
    suit = np.repeat(np.arange(len(SUITS)), n_per_suit)
    scales = np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1]), n))
    images = draw_cards(suit, angle, shear, shift, scales, size)
    return Cards(images, angle, shear, shift, scales, suit)


def draw_cards(
    suit: npt.NDArray[np.int64],
    angle: npt.NDArray[np.float64],
    shear: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    size: int,
) -> npt.NDArray[np.float32]:
    """Images (N, size, size) of suits in given poses; each quantity as in `Cards`."""
    forward = _forward_maps(np.deg2rad(angle), np.deg2rad(shear)) * scale[:, None, None]
    inverse = np.linalg.inv(forward).astype(np.float64)
    images = np.empty((len(suit), size, size), np.float32)
    for start in range(0, len(suit), CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _draw(suit[part], inverse[part], shift[part], size)
    return images


def _forward_maps(angle: npt.NDArray[np.float64], shear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Matrices (N, 2, 2) that take object to screen, in (x to the right, y down)."""
    c, s, t, one = np.cos(angle), np.sin(angle), np.tan(shear), np.ones_like(angle)
    rotation = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)
    shearing = np.stack([np.stack([one, -t], -1), np.stack([-t, 1 + t * t], -1)], -2)
    return rotation @ shearing


def _draw(
    suit: npt.NDArray[np.int64], inverse: npt.NDArray[np.float64], shift: npt.NDArray[np.float64], size: int
) -> npt.NDArray[np.float32]:
    """Sample the glyphs bilinearly where the inverse maps lead: (n, size, size)."""
    glyphs = np.stack([np.pad(_glyph(suit_char), 1) for suit_char in SUITS])  # a border of zeros for the outside
    axis = np.arange(size) - (size - 1) / 2
    x = axis[None, None, :] - shift[:, 1, None, None]
    y = axis[None, :, None] - shift[:, 0, None, None]
    m = inverse[:, :, :, None, None]
    centre = (glyphs.shape[-1] - 1) / 2
    u = np.clip(m[:, 0, 0] * x + m[:, 0, 1] * y + centre, 0, glyphs.shape[-1] - 1.001)
    v = np.clip(m[:, 1, 0] * x + m[:, 1, 1] * y + centre, 0, glyphs.shape[-1] - 1.001)
    column, row = u.astype(np.int64), v.astype(np.int64)
    u, v, k = u - column, v - row, suit[:, None, None]
    top = glyphs[k, row, column] * (1 - u) + glyphs[k, row, column + 1] * u
    bottom = glyphs[k, row + 1, column] * (1 - u) + glyphs[k, row + 1, column + 1] * u
    return (top * (1 - v) + bottom * v).astype(np.float32)


@cache
def _glyph(char: str) -> npt.NDArray[np.float64]:
    """One suit in a 64² frame, anti-aliased by oversampling."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), char, size=100, prop=FontProperties(family="DejaVu Sans"))
    box = path.get_extents()
    side = GLYPH_SIZE * OVERSAMPLE
    unit = FILL * side / max(box.width, box.height)
    yy, xx = np.mgrid[0:side, 0:side] + 0.5
    x = (xx - side / 2) / unit + (box.x0 + box.x1) / 2
    y = -(yy - side / 2) / unit + (box.y0 + box.y1) / 2
    inside = Path(path.vertices, path.codes).contains_points(np.c_[x.ravel(), y.ravel()])
    return inside.reshape(GLYPH_SIZE, OVERSAMPLE, GLYPH_SIZE, OVERSAMPLE).mean((1, 3))
