"""Where the atoms are: columns of a lattice or single atoms, bright or dark, in an image or a movie."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import InputError
from ..progress import drain
from .frames import checked_frame, frame_list, open_frames
from .lattice import ISOLATED, Scale, measure_scale, skew
from .refine import refine_spots
from .spots import flatten, local_maxima, spot_maps, standing, sub_pixel
from .texture import score_above_texture
from .threshold import isolated_threshold, lattice_threshold

Array = npt.NDArray[np.float64]
Frames = int | slice | Iterable[int] | None

COLUMNS = ("frame", "y", "x", "amplitude", "sigma", "background", "y_err", "x_err", "score")
_SIGNS = {"bright": 1, "dark": -1}
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

    The width of the columns is measured from the autocorrelation; a matched filter of that width scores every
    place by the amplitude of a local least-squares fit in standard errors; maxima above the threshold are the atoms.
    All of them are then fitted at once, with their neighbours, to sub-pixel positions (see `refine_spots`).

    Parameters
    ----------
    image : Micrograph, numpy or dask array
        (rows, columns), or (frames, rows, columns), which is read one frame at a time.
    method : {"auto", "filter"}
        How to find the candidates; there is one method so far, the matched filter.
    polarity : {"auto", "bright", "dark"}
        What the columns look like. ``"auto"``: whichever makes compact spots.
    spacing : float, optional
        Distance of neighbouring columns in pixels; estimated from the first frame by default.
    threshold : float, optional
        Smallest score of an atom. By default it is found from the scores of the first frame.
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
        its maximum with NaN errors. ``attrs["napari_vae"]`` holds spacing, polarity, method and threshold.

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
    asked = _options(options)
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
    table.attrs["napari_vae"] = {"method": "filter"} | (recipe.summary if recipe else {})
    return table


@dataclass(frozen=True)
class Options:
    """What detection is asked for; see `detect_atoms`. ``None``: to be found."""

    method: str = "auto"
    polarity: str = "auto"
    spacing: float | None = None
    threshold: float | None = None
    refine: bool = True
    frames: Frames = None

    def __post_init__(self) -> None:
        if self.method not in ("auto", "filter"):
            raise InputError(f'There is no detection method "{self.method}"; choose "auto" or "filter".')
        if self.polarity not in ("auto", *_SIGNS):
            raise InputError(f'The polarity is "auto", "bright" or "dark", not "{self.polarity}".')
        spacing, threshold = self.spacing, self.threshold
        if spacing is not None and not (_is_number(spacing) and spacing >= 2):
            raise InputError(
                f"The spacing must be at least 2 pixels, not {spacing}; leave it out to have it estimated."
            )
        if threshold is not None and not _is_number(threshold):
            raise InputError(f"The threshold is a score in standard errors, a finite number, not {threshold}.")


@dataclass(frozen=True)
class Recipe:
    """Everything detection needs to know, measured on one frame and used for all: widths in pixels, sign ±1."""

    sigma: float
    spacing: float
    sign: int
    threshold: float
    periodic: bool

    @property
    def summary(self) -> dict[str, Any]:
        """What the atoms table carries along, in plain types."""
        polarity = "bright" if self.sign > 0 else "dark"
        return {"spacing": float(self.spacing), "polarity": polarity, "threshold": float(self.threshold)}


class Filtered:
    """A (rows, columns) frame seen through the filter for columns of width `sigma`, and the candidates in it."""

    def __init__(self, frame: Array, sigma: float) -> None:
        self.frame, self.sigma = frame, sigma
        self.blank = bool(np.ptp(frame) == 0)
        if not self.blank:
            columns, self.slow, self.unit = flatten(frame, sigma)
            self.maps = spot_maps(columns, sigma)
        self._found: dict[int, tuple[npt.NDArray[np.int64], Array]] = {}
        self._told: dict[int, Array] = {}

    def candidates(self, sign: int) -> tuple[npt.NDArray[np.int64], Array]:
        """Maxima (N, 2) of the fitted amplitude of this sign and their scores."""
        if sign not in self._found:
            peaks = local_maxima(sign * self.maps.amplitude, self.sigma)
            self._found[sign] = peaks, sign * self.maps.score[tuple(peaks.T)].astype(np.float64)
        return self._found[sign]

    def lattice_scores(self, sign: int) -> Array:
        """Scores of the candidates with those of an uneven support told from the columns of the lattice."""
        if sign not in self._told:
            peaks, scores = self.candidates(sign)
            seen = scores >= lattice_threshold(scores)
            amplitude = sign * self.maps.amplitude[tuple(peaks[seen].T)].astype(np.float64)
            self._told[sign] = scores.copy()
            self._told[sign][seen] = score_above_texture(peaks[seen].astype(np.float64), amplitude, scores[seen])
        return self._told[sign]

    def prominence(self, sign: int) -> float:
        """Median and upper quartile of score and amplitude of the candidates, all multiplied."""
        peaks, scores = self.candidates(sign)
        amplitudes = np.abs(self.maps.amplitude[tuple(peaks.T)])
        return (
            float(np.prod([np.quantile(v, q) for v in (scores, amplitudes) for q in (0.5, 0.75)]))
            if len(peaks)
            else 0.0
        )


def _measure(frame: Array, asked: Options) -> tuple[Recipe, Filtered]:
    """Fill in what the user left open from a frame."""
    spacing, threshold = asked.spacing, asked.threshold
    scale = measure_scale(frame)
    sigma = scale.sigma if spacing is None else float(np.clip(scale.sigma, 0.1 * spacing, 0.25 * spacing))
    filtered = Filtered(frame, sigma)
    sign = _SIGNS.get(asked.polarity) or _sign(filtered, scale)
    peaks, scores = filtered.candidates(sign)
    if threshold is None:
        decoys = None if scale.periodic else filtered.candidates(-sign)[1]
        threshold = lattice_threshold(scores) if decoys is None else isolated_threshold(scores, decoys)
    if spacing is None:
        scores = filtered.lattice_scores(sign) if scale.periodic else scores
        columns = sub_pixel(sign * filtered.maps.amplitude, peaks[scores >= threshold])
        spacing = _measured_spacing(columns, scale)
    return Recipe(sigma, spacing, sign, threshold, scale.periodic), filtered


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
    peaks, scores = filtered.candidates(sign)
    scores = filtered.lattice_scores(sign) if recipe.periodic else scores
    peaks, scores = peaks[scores >= recipe.threshold], scores[scores >= recipe.threshold]
    keep = standing(peaks, sign * maps.amplitude[tuple(peaks.T)], _CLOSEST * recipe.spacing)
    peaks, at = peaks[keep], tuple(peaks[keep].T)
    table = _table(len(peaks), number)
    table["score"] = scores[keep]
    table["amplitude"] = maps.amplitude[at].astype(np.float64) * filtered.unit
    table["background"] = maps.background[at].astype(np.float64) * filtered.unit + filtered.slow[at]
    table[["y", "x"]] = sub_pixel(sign * maps.amplitude, peaks)
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


def _options(options: dict[str, Any]) -> Options:
    known = [field.name for field in fields(Options)]
    unknown = ", ".join(sorted(set(options) - set(known)))
    if unknown:
        raise InputError(f"There is no detection option {unknown}; there are {', '.join(known)}.")
    return Options(**options)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))
