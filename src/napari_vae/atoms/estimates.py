"""What the user left open of a detection, measured on a frame: distances, contrast, threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.micrograph import Micrograph
from .candidates import Filtered
from .constants import FIXED
from .damage import Mended, mended_frame, usable_frame
from .frames import refuse_frame
from .learned import learned_threshold
from .recipe import SIGNS, Options, Recipe
from .scale import Scale, measure_scale, skew
from .threshold import isolated_threshold, lattice_threshold
from .tiles import is_large, samples_of, typical

Array = npt.NDArray[np.float64]


def measure_frame(micrograph: Micrograph, number: int, asked: Options) -> Recipe:
    """The recipe by which all frames of a movie are searched, from one of them.

    Raises
    ------
    BadFrameError
        If the frame shows nothing.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):  # as in the detection, to the last digit
        if is_large(micrograph.shape[-2:]):
            return measure_large(micrograph, number, asked)
        return measure(usable_frame(micrograph, number), asked)[0]


def measure_large(micrograph: Micrograph, number: int, asked: Options) -> Recipe:
    """The recipe of a large frame, from parts of it that have any contrast."""
    windows = samples_of(micrograph.shape[-2:])
    parts = [mended_frame(micrograph, number, window) for window in windows]
    parts = [part for part in parts if not part.blank]
    if not parts:
        refuse_frame(micrograph, number, "is constant in its middle and towards its corners, or was not measured there")
    return typical([measure(part, asked)[0] for part in parts])


def measure(frame: Mended, asked: Options) -> tuple[Recipe, Filtered]:
    """Fill in what the user left open from a frame.

    Raises
    ------
    InputError
        If the spacing that the user gave is larger than the frame.
    """
    spacing, threshold = asked.spacing, asked.threshold
    smaller = min(frame.frame.shape)
    if spacing is not None and spacing > smaller:
        raise InputError(
            f"A spacing of {spacing:g} pixels does not fit into {smaller} pixels of the image; give the distance of "
            "neighbouring columns in pixels, or leave it out to have it estimated."
        )
    scale = measure_scale(frame.frame)
    sigma = scale.sigma
    if spacing is not None:
        sigma = float(np.clip(sigma, FIXED.scale_narrowest * spacing, FIXED.scale_widest * spacing))
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


def _measured_spacing(peaks: Array, scale: Scale) -> float:
    """Median nearest-neighbour distance in a lattice; else what two columns need to stand apart."""
    from scipy.spatial import cKDTree

    if not scale.periodic:
        return FIXED.scale_isolated * scale.sigma
    if len(peaks) < 8:
        return scale.ring
    return float(np.median(cKDTree(peaks).query(peaks, 2)[0][:, 1]))
