"""Weak columns between heavy ones: a second look, at what is left after the fitted heavy ones are subtracted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from .candidates import Filtered
from .constants import FIXED
from .damage import filled
from .model_image import draw_spots
from .recipe import Recipe
from .spots import flatten, local_maxima, spot_maps, sub_pixel
from .subpixel import place_atoms
from .threshold import residual_threshold

Array = npt.NDArray[np.float64]


def add_weak(filtered: Filtered, strong: pd.DataFrame, recipe: Recipe, how: str) -> pd.DataFrame:
    """The fitted atoms and those that show when these are subtracted, fitted again together.

    The matched filter scores the rest in its own noise. Its maxima of the opposite sign, which are no atoms, say how
    many of the right sign are expected to be false. One further pass.

    Parameters
    ----------
    filtered : Filtered
        The frame.
    strong : pandas.DataFrame
        Fitted atoms.
    recipe : Recipe
        Width, spacing and sign of the columns.
    how : str
        The fit, ``"gaussian"`` or ``"elliptical"``.

    Returns
    -------
    pandas.DataFrame
        The atoms with a column ``found_in``, the pass: 1, or 2 for weak ones, whose score is in standard errors of the
        rest.
    """
    table = strong.assign(found_in=1)
    seen = table[table["sigma"].notna()]
    if seen.empty:
        return table
    sigma = float(seen["sigma"].median())
    values = seen[["amplitude", "background", "y", "x", "sigma"]].to_numpy()
    left = filled(filtered.frame - draw_spots(filtered.frame.shape, values), filtered.mended.lost)
    rest, slow, unit = flatten(left, sigma)
    maps = spot_maps(rest, sigma)
    heavy = table[["y", "x"]].to_numpy()
    at, decoys = (
        _clear(s * maps.amplitude, sigma, heavy, recipe.spacing, filtered) for s in (recipe.sign, -recipe.sign)
    )
    score = recipe.sign * maps.score[tuple(at.T)].astype(np.float64)
    kept = score >= residual_threshold(score, -recipe.sign * maps.score[tuple(decoys.T)].astype(np.float64))
    if not kept.any():
        return table
    at = at[kept]
    place = sub_pixel(recipe.sign * maps.amplitude, at)
    index = tuple(at.T)
    weak = pd.DataFrame(
        {
            "frame": table["frame"].iloc[0],
            "y": place[:, 0],
            "x": place[:, 1],
            "amplitude": maps.amplitude[index].astype(np.float64) * unit,
            "background": maps.background[index].astype(np.float64) * unit + slow[index],
            "score": score[kept],
            "found_in": 2,
        }
    )
    weak = weak.assign(fitted=False).reindex(columns=table.columns)
    both = pd.concat([table, weak], ignore_index=True)
    place_atoms(filtered.mended, both, replace(recipe, sigma=sigma, spacing=_spacing(both)), how)
    return both


def _clear(
    amplitude: npt.NDArray[np.float32], sigma: float, heavy: Array, spacing: float, filtered: Filtered
) -> npt.NDArray[np.int64]:
    """Maxima (N, 2) that are clear of the heavy columns and of gaps."""
    from scipy.spatial import cKDTree

    peaks = local_maxima(amplitude, sigma)
    peaks = peaks[~filtered.mended.in_gap(peaks, 2 * sigma)]
    return peaks[cKDTree(heavy).query(peaks)[0] > FIXED.weak_clear_of * spacing]


def _spacing(atoms: pd.DataFrame) -> float:
    """Median distance from the weak columns to their nearest neighbours."""
    from scipy.spatial import cKDTree

    points = atoms[["y", "x"]].to_numpy()
    return float(np.median(cKDTree(points).query(points[atoms["found_in"] == 2], 2)[0][:, 1]))
