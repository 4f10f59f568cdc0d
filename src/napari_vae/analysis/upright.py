"""Windows as the model aligned them: turned, moved, scaled, strained and mirrored back by the pose in their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..models.components import UNITS, screen_matrices

if TYPE_CHECKING:
    import pandas as pd


def has_pose(table: pd.DataFrame) -> bool:
    """Whether a table has any column of a pose."""
    return any(name in table for name in UNITS)


def upright(windows: npt.NDArray[np.float32], table: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Windows with their pose taken away, so that equal motifs lie on one another.

    Parameters
    ----------
    windows : array (N, C, H, W)
    table : DataFrame
        One row per window, with those columns of a pose that there are; see `Run.encode`.

    Returns
    -------
    array (N, C, H, W) float32
        Bilinear between pixels; NaN beyond the border of the window as it was seen.
    """
    from scipy.ndimage import affine_transform

    forward, shift = screen_matrices(table)
    centre = (np.asarray(windows.shape[-2:]) - 1) / 2
    result = np.empty(windows.shape, np.float32)
    for number, (matrix, moved) in enumerate(zip(forward, shift, strict=True)):
        offset = centre + moved - matrix @ centre
        for channel, window in enumerate(windows[number]):
            result[number, channel] = affine_transform(window, matrix, offset, order=1, cval=np.nan)
    return result
