"""Where the atoms are: columns of a lattice or single atoms, bright or dark, in an image or a movie."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..progress import drain
from .filtered import Filtered
from .frames import checked_frame, frame_list, open_frames
from .lattice import ISOLATED, Scale, measure_scale, skew
from .learned import learned_threshold
from .recipe import SIGNS, Frames, Options, Recipe, options_of
from .refine import refine_spots
from .spots import standing
from .threshold import isolated_threshold, lattice_threshold

Array = npt.NDArray[np.float64]

COLUMNS = ("frame", "y", "x", "amplitude", "sigma", "background", "y_err", "x_err", "score")
_CLOSEST = 0.3  # of the spacing: nearer than this, the weaker of two maxima is not a column


def detect_atoms(
    image: Any,
    *,
    method: str = "auto",
    polarity: str = "auto",
    spacing: float | None = None,
    threshold: float | None = None,
    refine: bool = True,
    frames: Frames = None,
) -> pd.DataFrame:
    """Find the atoms of an image or a movie and fit a 2-D Gaussian to each.

    The width of the columns is measured from the autocorrelation. A matched filter of that width scores every place
    by the amplitude of a local least-squares fit in standard errors; or a small network, trained on simulated images,
    scores it by the probability of an atom. Maxima above the threshold are the atoms. All of them are then fitted at
    once, with their neighbours, to sub-pixel positions (see `refine_spots`).

    Parameters
    ----------
    image : Micrograph, numpy or dask array
        (rows, columns), or (frames, rows, columns), which is read one frame at a time.
    method : {"auto", "filter", "learned"}
        How to find the candidates: matched filter or network. ``"auto"`` is the filter, which agrees better with
        people on the real images that we measure.
    polarity : {"auto", "bright", "dark"}
        What the columns look like. ``"auto"``: whichever makes compact spots.
    spacing : float, optional
        Distance of neighbouring columns in pixels; estimated from the first frame by default.
    threshold : float, optional
        Smallest score of an atom: standard errors for the filter, a probability for the network. By default it is found
        from the scores of the first frame.
    refine : bool
        Fit sub-pixel Gaussians; otherwise positions come from a parabola through the maximum.
    frames : int, slice or sequence of int, optional
        Frames of a movie to look at; all by default.

    Returns
    -------
    pandas.DataFrame
        One row per atom: ``frame``, ``y``, ``x`` (pixels), ``amplitude``, ``sigma`` (pixels), ``background``,
        ``y_err``, ``x_err`` (standard errors in pixels), ``score``. Amplitude and background are in the units of the
        image; the amplitude of dark columns is negative. What is not known is NaN: an atom whose fit fails stays at
        its maximum with NaN errors. ``attrs["napari_vae"]`` holds spacing, polarity, threshold and
        the method that was used.

    Raises
    ------
    InputError
        For images without contrast, with NaN or infinite pixels, in colour, complex or too small, and for unknown
        options.

    Examples
    --------
    >>> from napari_vae import samples
    >>> image, truth = samples.micrograph("graphene", size=256)
    >>> atoms = detect_atoms(image)
    >>> abs(len(atoms) - len(truth)) < 20
    True
    """
    events = iter_detect_atoms(
        image,
        method=method,
        polarity=polarity,
        spacing=spacing,
        threshold=threshold,
        refine=refine,
        frames=frames,
    )
    return drain(events)


def iter_detect_atoms(
    image: Any, *, stop: Callable[[], bool] | None = None, **options: Any
) -> Generator[tuple[int, int], None, pd.DataFrame]:
    """Detect like `detect_atoms`, frame by frame: yields (frames done, frames in all) and returns the table.

    Parameters
    ----------
    stop : callable, optional
        Asked before every frame; when it returns True, the frames done so far are returned.
    **options
        Those of `detect_atoms`.

    Raises
    ------
    InputError
        As `detect_atoms`, when the first event is asked for.
    """
    micrograph = open_frames(image)
    asked = options_of(options)
    numbers = frame_list(micrograph, asked.frames)
    recipe: Recipe | None = None
    tables: list[pd.DataFrame] = []
    for done, number in enumerate(numbers):
        if stop is not None and stop():
            break
        frame = checked_frame(micrograph, number, blank_ok=recipe is not None)
        if recipe is None:
            recipe, filtered = _measure(frame, asked)
        else:
            filtered = Filtered(frame, recipe.sigma)
        tables.append(_detect(filtered, recipe, number, asked.refine))
        yield done + 1, len(numbers)
    table = pd.concat(tables, ignore_index=True) if tables else _table(0, 0)
    table.attrs["napari_vae"] = {"method": asked.method} | (recipe.summary if recipe else {})
    return table


def _measure(frame: Array, asked: Options) -> tuple[Recipe, Filtered]:
    """Fill in what the user left open from a frame."""
    spacing, threshold = asked.spacing, asked.threshold
    scale = measure_scale(frame)
    sigma = scale.sigma if spacing is None else float(np.clip(scale.sigma, 0.1 * spacing, 0.25 * spacing))
    filtered = Filtered(frame, sigma)
    sign = SIGNS.get(asked.polarity) or _sign(filtered, scale)
    method = "filter" if asked.method == "auto" else asked.method
    if threshold is None:
        threshold = _threshold(filtered, method, sign, scale)
    if spacing is None:
        found = filtered.found(method, sign, scale.periodic)
        spacing = _measured_spacing(found.place[found.score >= threshold], scale)
    return Recipe(method, sigma, spacing, sign, threshold, scale.periodic), filtered


def _threshold(filtered: Filtered, method: str, sign: int, scale: Scale) -> float:
    """Smallest score of an atom, from the scores themselves."""
    if method == "learned":
        decoys = np.zeros(0) if scale.periodic else filtered.found(method, -sign, False).score
        return learned_threshold(filtered.found(method, sign, scale.periodic).score, decoys)
    if scale.periodic:
        return lattice_threshold(filtered.candidates(sign)[1])
    return isolated_threshold(filtered.isolated_scores(sign), filtered.isolated_scores(-sign))


def _sign(filtered: Filtered, scale: Scale) -> int:
    """1 for bright columns, −1 for dark ones.

    In a lattice columns stand out more than the gaps between them, the typical ones and the stronger ones together;
    quartiles, because vacancies may stand out more than either. Elsewhere the spots make the longer tail.
    """
    if not scale.periodic:
        return 1 if skew(filtered.maps.amplitude) >= 0 else -1
    return 1 if filtered.prominence(1) >= filtered.prominence(-1) else -1


def _detect(filtered: Filtered, recipe: Recipe, number: int, refine: bool) -> pd.DataFrame:
    """The atoms of one frame; none in a blank one."""
    if filtered.blank:
        return _table(0, number)
    maps, sign = filtered.maps, recipe.sign
    found = filtered.found(recipe.method, sign, recipe.periodic)
    kept = np.flatnonzero(found.score >= recipe.threshold)
    height = sign * maps.amplitude[tuple(found.at[kept].T)]
    kept = kept[standing(found.at[kept], height, _CLOSEST * recipe.spacing)]
    at = tuple(found.at[kept].T)
    table = _table(len(kept), number)
    table["score"] = found.score[kept]
    table["amplitude"] = maps.amplitude[at].astype(np.float64) * filtered.unit
    table["background"] = maps.background[at].astype(np.float64) * filtered.unit + filtered.slow[at]
    table[["y", "x"]] = found.place[kept]
    if refine and len(table):
        fit = refine_spots(filtered.frame, table, recipe.sigma, recipe.spacing, sign)
        table[list(fit.columns)] = fit
    return table


def _measured_spacing(peaks: Array, scale: Scale) -> float:
    """Median nearest-neighbour distance in a lattice; else what two columns need to stand apart."""
    from scipy.spatial import cKDTree

    if not scale.periodic:
        return ISOLATED * scale.sigma
    if len(peaks) < 8:
        return scale.ring
    return float(np.median(cKDTree(peaks).query(peaks, 2)[0][:, 1]))


def _table(length: int, number: int) -> pd.DataFrame:
    """A table of `length` atoms about which nothing is known but the frame."""
    columns: dict[str, npt.NDArray] = {name: np.full(length, np.nan) for name in COLUMNS}
    columns["frame"] = np.full(length, number, dtype=np.int64)
    return pd.DataFrame(columns)
