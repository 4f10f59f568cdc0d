"""Whether new images look like those that a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.positions import nearest_distance
from ..core.units import size_ratio
from ..patches.patches import Patches

if TYPE_CHECKING:
    from .run import Run

MANY = 0.2  # share of unlikely windows from which on an image counts as another kind
FENCE = 5  # an image is never quite another one: so many times the distance from the median to the 5 % point
# But not nearer nor farther than so many nats a pixel: few windows that overlap have learnt each other's noise, and
# rare defects stretch the spread.
NEAREST, FARTHEST = 2.0, 6.0
OTHER_SCALE = 1.25  # ratio of pixel sizes from which on the same window shows another part of the motif


@dataclass(frozen=True)
class Likeness:
    """How an image compares with the training data of a model.

    Attributes
    ----------
    unlike : float
        Share of windows that the model finds less likely than almost all windows like those it was trained on.
    pixel_size_ratio : float or None
        Pixel size of the image relative to that of the training data; ``None`` if one of them has none.
    sentence : str or None
        What is unlike, for the user; ``None`` when nothing is.
    below_usual : float
        Share of windows whose ELBO is under the 5 % quantile of images like those of the training: about 0.05 for an
        image of the same kind.
    spacing_ratio : float or None
        Median distance in pixels from an atom to the nearest one, relative to that of the training data; ``None`` where
        both are calibrated, or one of them has no such distance.
    """

    unlike: float
    pixel_size_ratio: float | None
    sentence: str | None
    below_usual: float
    spacing_ratio: float | None


@checks_arguments
def compare(run: Run, patches: Patches, latents: pd.DataFrame) -> Likeness:
    """Compare the windows of an image with the training data of a run.

    Parameters
    ----------
    run : Run
        The trained model.
    patches : Patches
        Windows of the image.
    latents : DataFrame
        ``run.encode(patches)``; its column ``elbo`` is judged.

    Returns
    -------
    Likeness

    Examples
    --------
    >>> likeness = compare(run, patches, run.encode(patches))  # doctest: +SKIP
    >>> likeness.sentence  # doctest: +SKIP
    """
    low, middle = run.usual_elbo
    pixels = run.n_channels * run.window[0] * run.window[1]
    fence = middle - float(np.clip(FENCE * (middle - low), NEAREST * pixels, FARTHEST * pixels))
    elbo = latents["elbo"].dropna()  # of whole windows
    unlike, below = (float(np.mean(elbo < limit)) if len(elbo) else 0.0 for limit in (fence, low))
    ratio = _pixel_size_ratio(run, patches)
    apart = _spacing_ratio(run, patches) if ratio is None else None  # calibrations say it better
    reasons = []
    if unlike > MANY:
        reasons.append(f"{unlike:.0%} of the windows do not look like those that the model was trained on")
    if ratio is not None and max(ratio, 1 / ratio) > OTHER_SCALE:
        reasons.append(f"the pixels are {ratio:.2g} times as large as those of the training")
    if apart is not None and max(apart, 1 / apart) > OTHER_SCALE:
        other = "only part" if apart > 1 else "more"  # a sublattice lies in wider steps than the whole
        reasons.append(
            f"the atoms are {apart:.2g} times as far apart in pixels as in the training data, by another magnification "
            f"or because they are {other} of the atoms"
        )
    if not reasons:
        return Likeness(unlike, ratio, None, below, apart)
    words = " and ".join(reasons)
    sentence = f"{words[0].upper()}{words[1:]}; train on this image, or take the results with care."
    return Likeness(unlike, ratio, sentence, below, apart)


def _pixel_size_ratio(run: Run, patches: Patches) -> float | None:
    trained, unit = run.provenance.get("pixel_size"), run.provenance.get("units", "px")
    return size_ratio(patches.pixel_size, patches.units, trained, unit)


def _spacing_ratio(run: Run, patches: Patches) -> float | None:
    trained, now = run.provenance.get("nearest_distance"), nearest_distance(patches.atoms)
    return now / trained if trained and now > 0 else None  # runs of earlier versions know none
