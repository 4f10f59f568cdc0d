"""How precise positions can be: the Cramér–Rao limit of simulated columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree


def cramer_rao(truth: pd.DataFrame, background: float, among: bool, sample: int = 300) -> float:
    """Smallest 2-D RMS error in pixels that Poisson noise allows for Gaussian columns of one known width.

    Each is taken alone, with its own noise; or `among` its neighbours, whose noise it has too, and whose heights and
    positions are as unknown as its own. From columns away from the border.
    """
    sigma, points, peaks = float(truth["sigma"].iloc[0]), truth[["y", "x"]].to_numpy(), truth["peak"].to_numpy()
    reach = int(5 * sigma)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    tree = cKDTree(points)
    inner = ((points > 3 * reach) & (points < points.max(axis=0) - 3 * reach)).all(axis=1) & (peaks > 0)
    variances = []
    for one in np.flatnonzero(inner)[:: max(1, int(inner.sum()) // sample)]:
        near = [one, *(k for k in tree.query_ball_point(points[one], 2 * reach) if k != one and peaks[k] > 0)]
        near = near if among else near[:1]
        down, across = (
            grid - (points[near, axis] - np.rint(points[one, axis]))[:, None, None] for axis, grid in ((0, y), (1, x))
        )
        shape = np.exp(-(down**2 + across**2) / (2 * sigma**2))
        derivatives = np.stack(
            [
                shape,
                peaks[near, None, None] * shape * down / sigma**2,
                peaks[near, None, None] * shape * across / sigma**2,
            ],
            1,
        )
        expected = (peaks[near, None, None] * shape).sum(0) + background
        flat = derivatives.reshape(3 * len(near), -1)
        flat = flat[(flat**2).sum(axis=1) > 1e-12 * (flat**2).sum(axis=1).max()]
        information = (flat / expected.ravel()) @ flat.T
        information[np.diag_indices(len(information))] *= 1 + 1e-9  # neighbours at the rim are hardly seen
        variances.append(np.linalg.inv(information)[1:3, 1:3].trace())
    return float(np.sqrt(np.mean(variances)))
