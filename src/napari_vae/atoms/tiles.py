"""Frames too large to be looked at in one piece: overlapping tiles, read one by one, and their atoms put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pandas as pd

from .constants import FIXED
from .recipe import Recipe
from .spots import standing
from .threads import n_threads

Window = tuple[slice, slice]
Part = TypeVar("Part")

_AT_ONCE = 2  # tiles in memory
_BLOCKS = 60  # pixels that blocks of 1 … 6 fill: a blur by blocks then sees in a tile the blocks of the whole image


@dataclass(frozen=True)
class Tile:
    """A `window` of the frame to look at, and its `own` part, whose atoms it reports (row and column, low and high)."""

    window: Window
    own: tuple[tuple[int, int], tuple[int, int]]


def is_large(shape: tuple[int, ...]) -> bool:
    """Whether a (rows, columns) frame is divided."""
    return shape[0] * shape[1] > 2 * FIXED.tile**2


def tiles_of(shape: tuple[int, ...], recipe: Recipe) -> list[Tile]:
    """Tiles of about equal size that cover a frame and overlap by what an atom may feel."""
    margin = int(np.ceil(max(FIXED.tile_margin * recipe.width, FIXED.tile_neighbours * recipe.spacing)))

    def parts(length: int) -> Iterator[tuple[slice, tuple[int, int]]]:
        edges = np.linspace(0, length, -(-length // FIXED.tile) + 1).astype(np.int64).tolist()
        for low, high in pairwise(edges):
            yield slice(max(0, low - margin) // _BLOCKS * _BLOCKS, min(length, high + margin)), (low, high)

    return [Tile((y[0], x[0]), (y[1], x[1])) for y in parts(shape[0]) for x in parts(shape[1])]


def samples_of(shape: tuple[int, ...]) -> list[Window]:
    """Three parts of a large frame, from corner to corner, to measure it on."""
    side = [min(n, FIXED.tile_sample) for n in shape]
    low = [[round(place * (n - s)) for n, s in zip(shape, side, strict=True)] for place in (0.5, 0.2, 0.8)]
    return [(slice(y, y + side[0]), slice(x, x + side[1])) for y, x in dict.fromkeys(map(tuple, low))]


def each(tiles: Sequence[Tile], call: Callable[[Tile], Part]) -> Iterator[Part]:
    """The call for every tile in order, few of them at a time."""
    with ThreadPoolExecutor(n_threads(_AT_ONCE)) as pool:
        yield from pool.map(call, tiles)


def put_together(tables: Sequence[pd.DataFrame], tiles: Sequence[Tile]) -> pd.DataFrame:
    """One table of the atoms of all tiles, each in pixels of its window: those of its own part, none of them twice."""
    parts = []
    for table, tile in zip(tables, tiles, strict=True):
        points = table[["y", "x"]].to_numpy() + [side.start for side in tile.window]
        low, high = np.array(tile.own).T
        kept = ((points >= low - FIXED.tile_seam) & (points < high + FIXED.tile_seam)).all(axis=1)
        part = table.assign(y=points[:, 0], x=points[:, 1])[kept]
        inner = ((points >= low + FIXED.tile_seam) & (points < high - FIXED.tile_seam)).all(axis=1)
        parts.append(part.assign(seam=~inner[kept]))
    whole = pd.concat(parts, ignore_index=True)
    seam = np.flatnonzero(whole["seam"])
    twice = ~standing(whole.loc[seam, ["y", "x"]].to_numpy(), whole.loc[seam, "score"].to_numpy(), FIXED.tile_seam)
    return whole.drop(columns="seam").drop(index=seam[twice]).reset_index(drop=True)
