"""Positions as centres of mass: quick, without a model of the columns, and without errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from .constants import FIXED
from .threads import in_threads

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


def centres_of_mass(frame: Array, atoms: pd.DataFrame, sigma: float, spacing: float, sign: int = 1) -> pd.DataFrame:
    """Move every atom to the centre of mass of the disc around it, again and again until it stays.

    The mass is the image above the median of the rim of the disc. The disc moves by fractions of a pixel, its edge is
    soft; so a symmetric spot is found without bias wherever it lies.

    Parameters
    ----------
    frame : (rows, columns) array
        The image.
    atoms : pandas.DataFrame
        Candidates with y, x.
    sigma, spacing : float
        Approximate column width, and distance of neighbouring columns, in pixels.
    sign : int
        1 for bright columns, −1 for dark ones.

    Returns
    -------
    pandas.DataFrame
        y, x, fitted in the order of `atoms`; those whose centre runs away stay, with ``fitted`` False.
    """
    unit = float(frame.std())
    image = (sign * (frame - np.median(frame)) / unit).astype(np.float32)
    start = atoms[["y", "x"]].to_numpy(dtype=np.float64)
    radius = max(1.5, min(FIXED.centre_reach * sigma, FIXED.centre_widest_reach * spacing))
    centre = np.concatenate(in_threads(lambda part: _settled(image, start[part], radius), len(start)))
    inside = ((centre > -0.5) & (centre < np.asarray(frame.shape) - 0.5)).all(axis=1)
    good = inside & (np.hypot(*(centre - start).T) <= FIXED.centre_farthest * sigma)
    centre = np.where(good[:, None], centre, start)
    return pd.DataFrame({"y": centre[:, 0], "x": centre[:, 1], "fitted": good})


def _settled(image: Floats, start: Array, radius: float) -> Array:
    """Centres (N, 2) that no longer move; NaN for those without mass."""
    centre, moving = start.copy(), np.arange(len(start))
    for _ in range(FIXED.centre_moves):
        # The centre of mass falls short of the spot as long as the disc does, by about half.
        step = 1.5 * (_centre_of_mass(image, centre[moving], radius) - centre[moving])
        centre[moving] += step
        moving = moving[np.abs(step).max(axis=1) > FIXED.centre_still]
        if len(moving) == 0:
            break
    return centre


def _centre_of_mass(image: Floats, around: Array, radius: float) -> Array:
    """Centre of mass of soft-edged discs; NaN where there is no mass above the background."""
    span = int(np.ceil(radius + 1))
    offset = np.arange(-span, span + 1)
    rows, columns = (np.rint(axis).astype(np.int64)[:, None] + offset for axis in around.T)
    seen = (
        (((rows >= 0) & (rows < image.shape[0]))[:, :, None]) & ((columns >= 0) & (columns < image.shape[1]))[:, None]
    )
    values = image[rows.clip(0, image.shape[0] - 1)[:, :, None], columns.clip(0, image.shape[1] - 1)[:, None]]
    down, across = rows[:, :, None] - around[:, :1, None], columns[:, None] - around[:, 1:, None]
    distance = np.hypot(down, across)
    disc = np.clip(radius + 0.5 - distance, 0, 1) * seen
    rim = np.where((np.abs(distance - radius) < FIXED.centre_rim) & seen, values, np.nan)
    background = np.nanmedian(rim.reshape(len(rim), -1), axis=1)
    mass = disc * np.maximum(values - background[:, None, None], 0)
    total = mass.sum(axis=(1, 2))
    moments = np.stack([(mass * down).sum(axis=(1, 2)), (mass * across).sum(axis=(1, 2))], axis=1)
    return around + np.divide(moments, total[:, None], out=np.full_like(moments, np.nan), where=total[:, None] > 0)
