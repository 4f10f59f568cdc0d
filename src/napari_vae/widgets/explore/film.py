"""A film along a line through the plane of two latents: what the model draws, beside the nearest windows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...analysis.figures.windows import has_pose, upright
from ...core.errors import InputError
from ...layers.open_runs import OpenRun
from ...runs.decoding import walk

GAP = 2  # px between the two pictures


def film_of(
    opened: OpenRun | None,
    windows: npt.NDArray[np.int64],
    table: pd.DataFrame,
    axes: tuple[str, str],
    corners: npt.ArrayLike,
    values: dict[str, float],
    label: int | None = None,
) -> npt.NDArray[np.float32]:
    """Pictures (T, H, 2 W + `GAP`): drawn at the left, at the right the window of the nearest atom, turned upright.

    Parameters
    ----------
    opened : OpenRun, optional
        The model.
    windows : array (N,)
        Number of the window of every row of the table, −1 for none.
    table : DataFrame
        With the two columns of the plane, and the pose where the model has one.
    axes : (str, str)
        Columns of the plane as the table names them.
    corners : array (V, 2)
        Of the line.
    values, label
        Other latents and the class that are drawn.

    Raises
    ------
    InputError
        If there is no model, or the axes are no two latents.
    """
    from scipy.spatial import cKDTree

    if opened is None:
        raise InputError("No model is open for this layer; train one on it, or load one under Manifold.")
    x, y = (name.removeprefix("vae_") for name in axes)
    drawn, places = walk(opened.run, x, y, corners, values, label)
    plane = table[list(axes)].to_numpy(float)
    known = np.flatnonzero((windows >= 0) & np.isfinite(plane).all(axis=1))
    if not len(known):
        raise InputError("None of these points has a window; describe them with the model first.")
    nearest = known[cKDTree(plane[known]).query(places)[1]]
    seen = np.stack([opened.window(int(number)) for number in windows[nearest]])
    if has_pose(table):
        seen = upright(seen[:, None], table.iloc[nearest])[:, 0]
    gap = np.ones((*drawn.shape[:2], GAP), np.float32)
    return np.concatenate([drawn, gap, np.nan_to_num(seen)], axis=2)
