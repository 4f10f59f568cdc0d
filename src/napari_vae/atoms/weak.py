"""Weak columns between heavy ones: a second look, at what is left after the fitted heavy ones are subtracted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.micrograph import Micrograph
from ..core.square import square_points, squared
from .binning import Binning
from .candidates import Filtered
from .constants import FIXED
from .damage import Mended, filled, mended_frame
from .folding import folded
from .model_image import draw_spots
from .recipe import SIGNS, Recipe
from .spots import flatten, local_maxima, score_that_explains, spot_maps, sub_pixel
from .subpixel import place_atoms
from .threshold import residual_threshold

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_DRAWN = ["amplitude", "background", "y", "x", "sigma"]
_KEY, _SHOW = "napari_vae", "weak_columns_show"


def note_weak(atoms: pd.DataFrame, image: Micrograph) -> pd.DataFrame:
    """Note in a table of atoms, found in one pass, whether a second look would find weak ones.

    A part of the first of their frames, in their midst, is looked at.
    """
    frame = atoms[atoms["frame"] == atoms["frame"].min()]
    frame = frame.assign(**dict(zip("yx", square_points(frame).T, strict=True)))
    sigma = float(frame["sigma"].median())
    if np.isfinite(sigma):
        scale = atoms.attrs[_KEY]
        spacing, side = scale["spacing"], FIXED.weak_part * scale["spacing"]
        middle = frame[["y", "x"]].median().to_numpy()
        low = np.maximum(middle - side / 2, 0).astype(np.int64)
        window = tuple(slice(start, int(start + side)) for start in low.tolist())
        mended = mended_frame(squared(image), int(frame["frame"].iloc[0]), (window[0], window[1]))
        heavy = frame.assign(y=frame["y"] - low[0], x=frame["x"] - low[1])
        inside = heavy[["y", "x"]].ge(-spacing) & heavy[["y", "x"]].lt(np.add(mended.frame.shape, spacing))
        heavy = heavy[inside.all(axis=1)]
        heavy = heavy.assign(amplitude=np.ldexp(heavy["amplitude"], -mended.exponent))
        recipe = Recipe("filter", sigma, sigma, spacing, SIGNS[scale["polarity"]], 0.0, periodic=True)
        seen = not mended.blank and len(heavy) > 0
        shows = seen and len(_between(mended, heavy, recipe, sigma)) >= FIXED.weak_worth * len(heavy)
        atoms.attrs[_KEY] = scale | {_SHOW: bool(shows)}
    return atoms


def weak_columns_show(atoms: pd.DataFrame) -> bool:
    """Whether `note_weak` has seen weak columns."""
    return bool(atoms.attrs.get(_KEY, {}).get(_SHOW, False))


def add_weak(filtered: Filtered, strong: pd.DataFrame, recipe: Recipe, how: str) -> pd.DataFrame:
    """The fitted atoms and those that show when these are subtracted, fitted again together.

    In a lattice the rest is averaged over columns with the same surroundings (`folded`), so that weak columns stand out
    of the noise; then each must show by itself, too. The matched filter scores the rest in its own noise. Its maxima of
    the opposite sign, which are no atoms, say how many of the right sign are expected to be false. One further pass.

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
    if not table["sigma"].notna().any():
        return table
    sigma = float(table["sigma"].median())
    weak = _between(filtered.mended, table, recipe, sigma)
    while len(weak):
        weak = weak.assign(frame=table["frame"].iloc[0], found_in=2, fitted=False).reindex(columns=table.columns)
        both = pd.concat([table, weak], ignore_index=True)
        both["outside"] = place_atoms(filtered.mended, both, sigma, _spacing(both), recipe.sign, how)
        first, second = (both.loc[both["found_in"] == number, ["y", "x"]].to_numpy() for number in (1, 2))
        apart = _away(second, first) > FIXED.weak_stays_clear * recipe.spacing
        if apart.all():
            return both
        weak = weak[apart]  # the others went back to where the shape of a heavy column is no Gaussian
    return table


def _between(mended: Mended, heavy: pd.DataFrame, recipe: Recipe, sigma: float) -> pd.DataFrame:
    """What shows between columns when they are subtracted: y, x, amplitude, background and score of weak ones."""
    sign = recipe.sign
    spots = draw_spots(mended.frame.shape, heavy.fillna({"sigma": sigma})[_DRAWN].to_numpy())
    binning = Binning(spots.shape, sigma)
    points, spacing = binning.start(heavy)[["y", "x"]].to_numpy(), recipe.spacing / binning.side
    width = binning.width(sigma)
    rest, slow, unit = flatten(binning.image(filled(mended.frame - spots, mended.lost)), width)
    drawn = np.asarray(binning.image(spots) / unit, dtype=np.float32)
    rest -= _oblong(rest, drawn)
    own = maps = spot_maps(rest, width)
    least = 0.0
    if recipe.periodic and len(points) > 1:
        maps = spot_maps(folded(rest, drawn, points, spacing), width)
        least = score_that_explains(FIXED.weak_explains, width)
    at, away = _clear(sign * maps.amplitude, width, points, spacing)
    decoys, decoys_away = _clear(-sign * maps.amplitude, width, points, spacing)
    score, false = (np.abs(maps.score[tuple(peaks.T)]).astype(np.float64) for peaks in (at, decoys))
    there = sign * (own.amplitude - FIXED.weak_present * maps.amplitude)[tuple(at.T)] > 0
    at = at[there & (score >= np.maximum(least, _thresholds(score, away, false, decoys_away)))]
    at = _nearest(at, local_maxima(sign * own.amplitude, width), width)
    index, place = tuple(at.T), sub_pixel(sign * own.amplitude, at)
    weak = pd.DataFrame(
        {
            "y": place[:, 0],
            "x": place[:, 1],
            "amplitude": own.amplitude[index].astype(np.float64) * unit,
            "background": own.background[index].astype(np.float64) * unit + slow[index],
            "score": sign * own.score[index].astype(np.float64),
        }
    )
    weak = binning.in_pixels(weak)
    return weak[~mended.in_gap(weak[["y", "x"]].to_numpy(), 2 * sigma, deep=True)]


def _oblong(rest: Floats, drawn: Floats) -> Floats:
    """What columns leave because all of them are longer in one direction than they were `drawn`."""
    down, across = np.gradient(drawn)
    (twice_down, both), (_, twice_across) = np.gradient(down), np.gradient(across)
    parts = [twice_down - twice_across, both]
    normal = [[float(np.vdot(one, other)) for other in parts] for one in parts]
    share = np.linalg.lstsq(normal, [float(np.vdot(part, rest)) for part in parts], rcond=None)[0]
    return np.asarray(share[0] * parts[0] + share[1] * parts[1], dtype=np.float32)


def _thresholds(score: Array, away: Array, decoys: Array, decoys_away: Array) -> Array:
    """Smallest score (N,) of maxima that lie so far away from columns, by decoys that are about as far or farther.

    What the shape of a column differs from a Gaussian by shows near it, and says nothing about what is farther.
    """
    result = np.full(len(score), np.inf)
    step = np.floor(np.log(away) / -np.log(FIXED.weak_as_far))
    for number in np.unique(step):
        least = FIXED.weak_as_far ** (1 - number)
        result[step == number] = residual_threshold(score[away >= least], decoys[decoys_away >= least])
    return result


def _nearest(at: Ints, peaks: Ints, reach: float) -> Ints:
    """The nearest of the peaks to every place (N, 2), or the place itself where there is none within reach."""
    from scipy.spatial import cKDTree

    far, which = cKDTree(peaks).query(at)
    return np.where((far < reach)[:, None], peaks[which], at)


def _clear(amplitude: Floats, sigma: float, heavy: Array, spacing: float) -> tuple[Ints, Array]:
    """Maxima (N, 2) that are clear of the heavy columns, and how far they are away from these."""
    peaks = local_maxima(amplitude, sigma)
    away = _away(peaks, heavy)
    clear = away > FIXED.weak_clear_of * spacing
    return peaks[clear], away[clear]


def _away(points: npt.NDArray, heavy: Array) -> Array:
    """Distances (N,) to the nearest heavy column."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(heavy).query(points)[0])


def _spacing(atoms: pd.DataFrame) -> float:
    """Median distance from the weak columns to their nearest neighbours."""
    from scipy.spatial import cKDTree

    points = atoms[["y", "x"]].to_numpy()
    return float(np.median(cKDTree(points).query(points[atoms["found_in"] == 2], 2)[0][:, 1]))
