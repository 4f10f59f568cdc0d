"""Windows of which a part was measured: those that reach beyond the image, or over a gap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]

LEAST = 0.6  # share of a window that must be measured; below it latents are guessed more than seen
MOST = 2**28  # pixels of all such windows: a gigabyte; of windows nearly as large as the image there would be no end


def worth_cutting(centres: npt.NDArray[np.float64], size: tuple[int, int], shape: tuple[int, ...], planes: int) -> Mask:
    """Which windows (N,) lie on the image of a shape (Y, X) far enough; none if they would fill the memory."""
    half = np.array(size) / 2
    reach = np.minimum(centres + half, np.array(shape) - 0.5) - np.maximum(centres - half, -0.5)
    enough = (reach.clip(0) / size).prod(axis=1) >= LEAST
    return np.asarray(enough & (enough.sum() * planes * size[0] * size[1] <= MOST))


def joined(whole: Rows, windows: Floats, rest: Rows, more: Floats) -> tuple[Rows, Rows, Floats, Mask]:
    """Whole windows, and others of which enough was measured.

    Parameters
    ----------
    whole, rest : array (N,), (M,) of int
        Rows of the atoms table.
    windows, more : array (N, C, H, W), (M, C, H, W)
        Their windows; NaN in `more` where nothing was measured.

    Returns
    -------
    rows : array (K,) of int
        Of the table, in its order.
    source : array (K,) of int
        Where in `whole` and then `rest` each comes from.
    windows : array (K, C, H, W)
        Without NaN: what was not measured has the mean of the rest of its window.
    seen : array (K, H, W) of bool
    """
    shown = measured(more)
    enough = np.flatnonzero(shown.mean(axis=(1, 2)) >= LEAST)
    rows = np.concatenate([whole, rest[enough]])
    order = np.argsort(rows)
    source = np.concatenate([np.arange(len(whole)), len(whole) + enough])[order]
    everything = np.concatenate([windows, filled(more[enough])])[order]
    seen = np.concatenate([np.ones((len(whole), *windows.shape[2:]), dtype=bool), shown[enough]])[order]
    return rows[order], source, everything, seen


def measured(windows: Floats) -> Mask:
    """Which pixels (N, H, W) of windows (N, C, H, W) were measured."""
    return np.asarray(np.isfinite(windows).all(axis=1))


def filled(windows: Floats) -> Floats:
    """Windows whose pixels that were not measured have the mean of the others."""
    there = measured(windows)[:, None]
    total = np.where(there, windows, 0).sum(axis=(2, 3), keepdims=True, dtype=np.float64)
    mean = total / np.maximum(there.sum(axis=(2, 3), keepdims=True), 1)
    return np.where(there, windows, mean).astype(np.float32)
