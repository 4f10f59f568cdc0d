"""Decoded planes of latents, and several of them as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .run import Run


def class_manifolds(run: Run, n: int = 9) -> dict[str, npt.NDArray[np.float32]]:
    """Decoded planes of the first two latents (n, n, H, W) by the name of what each shows.

    A model of classes has one for each of them; a model of one number has one for its mean over the training images and
    one standard deviation to either side; any other model has one, without a name.
    """
    scale = run.scale
    if scale.classes:
        names = scale.names or [f"class {number}" for number in range(scale.classes)]
        return {name: run.manifold(n, label=number) for number, name in enumerate(names)}
    if scale.n == 1:
        (centre,), (spread,) = scale.centre, scale.spread
        word = "condition" if run.model_config.knows.conditional else "target"
        values = [centre - spread, centre, centre + spread]
        return {f"{word} {value:.3g}": run.manifold(n, condition=[value]) for value in values}
    return {"": run.manifold(n)}


def blocks_across(n: int) -> int:
    """Blocks in a row of `n` that are to look well together: rows of equal length where that is possible."""
    widest = max(1, round(n**0.5 + 0.4))
    return next((width for width in range(widest, widest + 2) if n % width == 0), widest)


def side_by_side(planes: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Planes as one picture, a tenth of a plane apart, clear (NaN) in between."""
    pictures = [tile(tiles) for tiles in planes.values()]
    if len(pictures) == 1:
        return pictures[0]
    height, width = pictures[0].shape
    across, gap = blocks_across(len(pictures)), max(2, round(0.1 * width))
    down = -(-len(pictures) // across)
    whole = np.full((down * (height + gap) - gap, across * (width + gap) - gap), np.nan, np.float32)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, across)
        top, left = row * (height + gap), column * (width + gap)
        whole[top : top + height, left : left + width] = picture
    return whole


def tile(tiles: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Pictures (n, m, H, W), or (n, m, C, H, W) with channels one below the other, as a single picture."""
    if tiles.ndim == 5:
        tiles = tiles.reshape(*tiles.shape[:2], -1, tiles.shape[-1])
    n, m, height, width = tiles.shape
    return np.ascontiguousarray(tiles.transpose(0, 2, 1, 3).reshape(n * height, m * width), dtype=np.float32)
