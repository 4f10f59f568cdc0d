"""Windows as the model aligned them: turned, moved, scaled, strained and mirrored back by the pose in their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..models.components import UNITS

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


def screen_matrices(table: pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Matrix (N, 2, 2) and shift (N, 2), both (row, column), that put an object on the screen.

    As in `models.pose`: p = s · R(φ) · exp(ε) · D^h · u + t, with y up for φ and ε.
    """

    def column(name: str, otherwise: float) -> npt.NDArray[np.float64]:
        return table[name].to_numpy(float) if name in table else np.full(len(table), otherwise)

    angle = np.deg2rad(column("angle", 0.0))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)  # of (row, column), rows down
    xx, xy = column("strain_xx", 0.0), column("strain_xy", 0.0)
    size = np.hypot(xx, xy)
    even, odd = np.cosh(size), np.sinh(size) / np.where(size > 0, size, 1.0)
    stretch = np.stack([np.stack([even - odd * xx, -odd * xy], -1), np.stack([-odd * xy, even + odd * xx], -1)], -2)
    matrix = column("scale", 1.0)[:, None, None] * turn @ stretch
    matrix[..., 1] *= np.where(column("mirror", 0.0) == 1, -1.0, 1.0)[:, None]
    return matrix, np.stack([column("shift_y", 0.0), column("shift_x", 0.0)], -1)
