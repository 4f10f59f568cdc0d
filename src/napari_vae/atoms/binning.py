"""Pixels put together as far as the width of the columns allows, so that wide ones cost no more than narrow ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from .blurs import block_means
from .constants import FIXED

Array = npt.NDArray[np.float64]

_PLACE, _ERRORS, _AXES = ["y", "x"], ["y_err", "x_err"], ["sigma_major", "sigma_minor"]


class Binning:
    """Square blocks of `side` × `side` pixels, whose means are the pixels of a smaller image.

    A mean over a block is wider than the column by the variance of the block, and nothing else by far as long as a
    column is two blocks wide; so what is fitted to the means is that of the column after this is taken away. The
    position is less certain by the same share of the variance, at most 0.5 %.

    Parameters
    ----------
    shape : (rows, columns)
        Shape of the image. Of what does not fill blocks, half is left out on either side.
    sigma : float
        Width of the columns in pixels.
    fewest : float
        Blocks per width that are enough. Below twice this width every pixel is a block of its own.

    Examples
    --------
    >>> Binning((100, 81), 12.0).side
    4
    """

    def __init__(self, shape: tuple[int, ...], sigma: float, fewest: float = FIXED.fit_fewest_pixels) -> None:
        self.side = max(1, min(int(sigma / fewest), *shape))
        self._blocks = [n // self.side for n in shape]
        self._low = [n % self.side // 2 for n in shape]
        self._first = np.add(self._low, (self.side - 1) / 2)  # centre of the first block
        self._added = (self.side**2 - 1) / 12  # variance of a block

    def image(self, frame: npt.NDArray) -> Array:
        """Means of the blocks of a (rows, columns) image."""
        return block_means(frame[self._low[0] :, self._low[1] :], self.side)

    def width(self, sigma: float) -> float:
        """Width in blocks of columns that are `sigma` pixels wide."""
        return float(np.sqrt(sigma**2 + self._added)) / self.side

    def pixels(self, place: Array) -> Array:
        """Positions (N, 2) in blocks as positions in the image."""
        return place * self.side + self._first

    def start(self, atoms: pd.DataFrame) -> pd.DataFrame:
        """Candidates as seen in the blocks, none beyond them."""
        place = (atoms[_PLACE].to_numpy() - self._first) / self.side
        return atoms.assign(**dict(zip(_PLACE, place.clip(-0.5, np.subtract(self._blocks, 0.51)).T, strict=True)))

    def in_pixels(self, placed: pd.DataFrame) -> pd.DataFrame:
        """Atoms placed in the blocks as they are in the image: positions, errors, widths and amplitudes."""
        if self.side == 1:
            return placed
        table = placed.copy()
        table[_PLACE] = self.pixels(placed[_PLACE].to_numpy())
        if "sigma" not in placed:
            return table
        table[_ERRORS] = placed[_ERRORS] * self.side
        widths = [name for name in ("sigma", *_AXES) if name in placed]
        table[widths] = np.sqrt((placed[widths] * self.side) ** 2 - self._added)
        if _AXES[0] in placed:
            table["sigma"] = np.sqrt(table[_AXES[0]] * table[_AXES[1]])
        table["amplitude"] *= (self.side * placed["sigma"] / table["sigma"]) ** 2  # the volume is the same
        return table
