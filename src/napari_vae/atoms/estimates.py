"""What the user left open of a detection, measured on frames: width, contrast, threshold, distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.positions import median_nearest
from ..core.square import squared
from .candidates import Filtered
from .choice import Choice, choose
from .constants import FIXED
from .crowd import find_crowd
from .damage import Mended, first_usable, mended_frame, usable_frame
from .frames import BadFrameError, refuse_frame
from .hypotheses import Hypothesis
from .learned import learned_threshold
from .recipe import Options, Recipe
from .texture import share_ordered
from .threshold import isolated_threshold
from .tiles import is_large, samples_of

Array = npt.NDArray[np.float64]


def measure(micrograph: Micrograph, numbers: Sequence[int], asked: Options) -> tuple[Recipe, dict[int, Filtered]]:
    """The recipe for all these frames, from a few of them; and the frame that it is taken from, if seen as a whole.

    Raises
    ------
    BadFrameError
        If no frame shows anything.
    InputError
        If the spacing that the user gave is larger than the frame.
    """
    from threadpoolctl import threadpool_limits

    micrograph = squared(micrograph)
    smaller = min(micrograph.shape[-2:])
    if asked.spacing is not None and asked.spacing > smaller:
        raise InputError(
            f"A spacing of {asked.spacing:g} pixels does not fit into {smaller} pixels of the image; give the distance "
            "of neighbouring columns in pixels, or leave it out to have it estimated."
        )
    with threadpool_limits(1, user_api="blas"):  # as in the detection, to the last digit
        which, looks = zip(*_looks(micrograph, numbers), strict=True)
        choice = choose(looks, asked)
        side = min(micrograph.pixel_size) if micrograph.pixel_size else None
        recipe, filtered = _recipe(looks[choice.frame], choice, choice.doubt(asked, side, micrograph.units), asked)
    return recipe, {} if is_large(micrograph.shape[-2:]) else {which[choice.frame]: filtered}


def _looks(micrograph: Micrograph, numbers: Sequence[int]) -> list[tuple[int, Mended]]:
    """Some frames, from first to last, by number; of large ones parts."""
    spread = np.linspace(0, len(numbers) - 1, min(FIXED.hypothesis_frames, len(numbers)))
    some = [numbers[int(n)] for n in spread]
    if is_large(micrograph.shape[-2:]):
        windows = samples_of(micrograph.shape[-2:])
        looks = [(n, mended_frame(micrograph, n, window)) for n in some for window in windows[: 1 + 2 // len(some)]]
        looks = [(n, look) for n, look in looks if not look.blank]
        if not looks:
            why = "is constant in its middle and towards its corners, or was not measured there"
            refuse_frame(micrograph, some[0], why)
        return looks
    looks = []
    for number in some:
        try:
            looks.append((number, usable_frame(micrograph, number)))
        except BadFrameError:
            continue
    if not looks:
        number = first_usable(micrograph, numbers)
        looks = [(number, usable_frame(micrograph, number))]
    return looks


def _recipe(frame: Mended, choice: Choice, doubt: str, asked: Options) -> tuple[Recipe, Filtered]:
    """What was chosen, with threshold and distance as the frame says."""
    one, spacing, threshold = choice.hypothesis, asked.spacing, asked.threshold
    sigma = one.sigma
    if spacing is not None:
        sigma = float(np.clip(sigma, FIXED.scale_narrowest * spacing, FIXED.scale_widest * spacing))
    filtered = Filtered(frame, sigma)
    method = "filter" if asked.method == "auto" else asked.method
    found = filtered.found(method, one.sign, one.periodic)
    crowd = None
    if method == "filter" or threshold is None:
        automatic = _threshold(filtered, method, choice)
        threshold = automatic if threshold is None else threshold
        crowd = find_crowd(filtered, found, automatic, one.sign) if method == "filter" else None
    if spacing is None:
        spacing = _measured_spacing(found.place[found.score >= threshold], one)
    width = float(np.clip(choice.width, FIXED.scale_narrowest * spacing, FIXED.scale_widest * spacing))
    recipe = Recipe(
        method,
        sigma,
        width,
        spacing,
        one.sign,
        threshold,
        one.periodic,
        crowd,
        choice.sure,
        choice.alternatives,
        doubt,
    )
    return recipe, filtered


def _threshold(filtered: Filtered, method: str, choice: Choice) -> float:
    """Smallest score of an atom: of single ones, for which parts have too few decoys, from the whole frame."""
    one = choice.hypothesis
    score = filtered.found(method, one.sign, one.periodic).score
    if method == "learned":
        decoys = np.zeros(0) if one.periodic else filtered.found(method, -one.sign, False).score
        least = learned_threshold(score, decoys)
    elif one.periodic:
        least = choice.threshold
    else:
        least = isolated_threshold(filtered.isolated_scores(one.sign), filtered.isolated_scores(-one.sign))
    return least if choice.any_atoms else max(least, float(score.max(initial=0)) + FIXED.noise_floor)


def _measured_spacing(places: Array, one: Hypothesis) -> float:
    """Median nearest-neighbour distance where atoms are dense or ordered; else what two columns need to stand apart."""
    if len(places) < FIXED.hypothesis_fewest or not (one.periodic or share_ordered(places) >= FIXED.texture_columns):
        return FIXED.scale_isolated * one.sigma
    return median_nearest(places)
