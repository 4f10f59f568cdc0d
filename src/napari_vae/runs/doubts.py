"""Latents that say nothing of the motif: the same for all windows, or following the background or the scan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.positions import frame_numbers
from ..core.square import square_points
from ..models.config import ModelConfig
from ..patches.patches import Patches

Array = npt.NDArray[np.float64]

FOLLOWS = 0.8  # correlation from which a latent tells hardly anything else
NEAREST = 9  # windows over which brightness varies slowly
FEWEST = 30  # windows; fewer may follow anything by chance
UNLEARNT = (
    "All windows have the same {} within their errors: either they do not differ, or the model has not learnt yet how; "
    "train it longer (Continue, or more epochs)."
)


def describe_doubts(config: ModelConfig, latents: pd.DataFrame, patches: Patches) -> str:
    """A sentence on latents that are the same for all windows, or follow the slow brightness or the scan; else empty.

    Parameters
    ----------
    config : ModelConfig
        Of the model.
    latents : DataFrame
        What `Run.encode` says of the windows.
    patches : Patches
        The windows.
    """
    names = [f"z{number}" for number in range(1, config.latent_dim + 1)]
    if len(patches) < FEWEST or not set(names) <= set(latents):
        return ""
    # Classes may tell apart what latents do not.
    if not config.infers_classes and all(latents[name].std() < latents[f"{name}_sd"].mean() for name in names):
        return UNLEARNT.format(" and ".join(names))
    return _followers(latents, names, patches)


def _followers(latents: pd.DataFrame, names: list[str], patches: Patches) -> str:
    followed = {f"the slow brightness of the image, channel {k}": c for k, c in enumerate(_slow(patches).T, 1)}
    if len(followed) == 1:
        followed = {"the slow brightness of the image": next(iter(followed.values()))}
    followed["the scan from its first row to its last"] = patches.atoms["y"].to_numpy(float)
    found = []
    for name in names:
        r = {what: _correlation(latents[name].to_numpy(float), values) for what, values in followed.items()}
        said = [f"{what} (r = {value:.2f})" for what, value in r.items() if abs(value) > FOLLOWS]
        if said:
            found.append(f"{name} follows {' and '.join(said)}")
    if not found:
        return ""
    remedy = "if that is background, train again with Background set to smooth (--level smooth)"
    if patches.level == "smooth":
        remedy = "it is left after all that varies slowly was subtracted, so the columns themselves differ so"
    return f"{', '.join(found)}; {remedy}."


def _slow(patches: Patches) -> Array:
    """Brightness (N, C) around every window: the mean over the nearest ones of the same frame."""
    from scipy.spatial import cKDTree

    bright = np.zeros((len(patches), 0)) if patches.brightness is None else patches.brightness.astype(np.float64)
    atoms, points = patches.atoms, square_points(patches.atoms)
    groups = frame_numbers(atoms) if "file" not in atoms else atoms.groupby(["file", "frame"]).ngroup().to_numpy()
    result = bright.copy()
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        near = cKDTree(points[rows]).query(points[rows], min(NEAREST, len(rows)))[1].reshape(len(rows), -1)
        result[rows] = bright[rows][near].mean(axis=1)
    return result


def _correlation(first: Array, second: Array) -> float:
    """Pearson's; 0 of what is constant."""
    spread = float(first.std() * second.std())
    return 0.0 if not spread > 0 else float(np.mean((first - first.mean()) * (second - second.mean())) / spread)
