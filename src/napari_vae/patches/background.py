"""Background taken from the frames of an image before windows are cut out of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..atoms.damage import mend
from ..atoms.levelling import WAYS, background, choose
from ..core.micrograph import Micrograph
from ..core.settings import Level

Floats = npt.NDArray[np.float32]

MOST_FRAMES = 3  # that a movie is judged by


def choose_level(
    channels: Sequence[Micrograph], centres: npt.NDArray[np.float64], frames: npt.NDArray[np.int64], width: float
) -> Level:
    """How an image with columns at `centres` (N, 2) of `frames` (N,) is best levelled; that of its worst channel."""
    known = np.unique(frames)
    some = known[np.linspace(0, len(known) - 1, min(MOST_FRAMES, len(known))).astype(np.int64)]
    pixels = {int(frame): np.concatenate([m.frame(int(frame)) for m in channels]) for frame in some}
    ways = []
    for channel in range(len(pixels[int(some[0])])):
        seen = [(mend(pixels[int(n)][channel].astype(np.float64)).frame, centres[frames == n]) for n in some]
        ways.append(choose(seen, width))
    return max(ways, key=WAYS.index)


def levelled(pixels: Floats, way: Level, width: float) -> tuple[Floats, Floats]:
    """Channels (C, Y, X) without their background, and what was taken from them."""
    fields = [background(mend(channel.astype(np.float64)).frame, way, width) for channel in pixels]
    field = np.stack(fields).astype(np.float32)
    return pixels - field, field
