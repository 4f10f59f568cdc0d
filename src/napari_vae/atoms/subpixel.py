"""Positions to a fraction of a pixel, in one of the ways there are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from .binning import Binning
from .centres import centres_of_mass
from .constants import FIXED
from .damage import Mended
from .refine import refine_spots

COLUMNS = ("frame", "y", "x", "amplitude", "sigma", "background", "y_err", "x_err", "score", "fitted")
Flags = npt.NDArray[np.bool_]
_KNOWN = ["y", "x", "amplitude", "background"]  # of an atom without a fit
_AXES = ("sigma_major", "sigma_minor", "orientation")


def place_atoms(mended: Mended, atoms: pd.DataFrame, sigma: float, spacing: float, sign: int, how: str) -> Flags:
    """Refine the positions in a table of candidates; what comes with them (widths, errors, `fitted`) is filled in.

    Gives which (N,) of them are flanks of columns whose centres lie beyond the image.

    Parameters
    ----------
    mended : Mended
        The image; its gaps take no part in fits.
    atoms : pandas.DataFrame
        Made by `blank_table`, with y, x, amplitude and background known.
    sigma, spacing : float
        Width and distance of the columns in pixels.
    sign : int
        1 for bright columns, −1 for dark ones.
    how : str
        ``"none"``, ``"centre of mass"``, ``"gaussian"`` or ``"elliptical"``.
    """
    if how == "none" or not len(atoms):
        return np.zeros(len(atoms), dtype=bool)
    binning = Binning(mended.frame.shape, sigma)
    image, start = binning.image(mended.frame), binning.start(atoms)
    scale = (binning.width(sigma), spacing / binning.side, sign)
    if how == "centre of mass":
        placed = centres_of_mass(image, start, *scale)
    else:
        lost = binning.image(mended.lost) > FIXED.fit_most_lost
        placed = refine_spots(image, start, *scale, elliptical=how == "elliptical", lost=lost)
    placed = binning.in_pixels(placed)
    outside = placed.pop("outside").to_numpy() if "outside" in placed else np.zeros(len(atoms), dtype=bool)
    fitted = placed["fitted"].to_numpy()
    for name in placed:
        atoms[name] = np.where(fitted, placed[name], atoms[name]) if name in _KNOWN else placed[name].to_numpy()
    return outside


def blank_table(length: int, number: int, how: str) -> pd.DataFrame:
    """A table of `length` atoms about which nothing is known but the frame."""
    names = [*COLUMNS[:5], *(_AXES if how == "elliptical" else ()), *COLUMNS[5:]]
    columns: dict[str, npt.NDArray] = {name: np.full(length, np.nan) for name in names}
    columns["frame"] = np.full(length, number, dtype=np.int64)
    columns["fitted"] = np.zeros(length, dtype=bool)
    return pd.DataFrame(columns)
