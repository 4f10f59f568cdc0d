"""Points that fade on the canvas while others are selected; whoever keeps or changes their colours ends that first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from .open_runs import unwrapped

Rows = npt.NDArray[np.int64]

FADE = 0.25  # opacity that is left to what is not selected
COLORS = ("face_color", "border_color")

#: Rows that have not faded; colours of all points, their opacity before, and while they are faded: by layer, weakly.
_KEPT: WeakKeyDictionary[Any, tuple[Rows, list[tuple[npt.NDArray[Any], ...]]]] = WeakKeyDictionary()


def dim(points: Any, rows: Rows, *, drawn: bool = True) -> bool:
    """Lower the opacity of all points of a layer but these; without any, of none. Their colours stay what they are.

    Gives whether they were drawn, with the marks of those that are selected.
    """
    rows = rows[rows < len(points.data)]
    if not len(rows):
        return undim(points, drawn=drawn)
    before, kept = _kept(points)
    if len(kept) == len(COLORS) and np.array_equal(rows, before):
        return False
    undim(points, drawn=False)
    share = np.full(len(points.data), FADE)
    share[rows] = 1
    kept = []
    for colors in (getattr(points, name) for name in COLORS):
        opacity = colors[:, 3].copy()
        colors[:, 3] *= share
        kept.append((colors, opacity, colors[:, 3].copy()))
    _KEPT[unwrapped(points)] = rows, kept
    return drawn and _draw(points)


def undim(points: Any, *, drawn: bool = True) -> bool:
    """Put the opacity back, of points that were not coloured anew meanwhile; gives whether they were drawn."""
    _, kept = _kept(points)
    for colors, opacity, _ in kept:
        colors[:, 3] = opacity
    return _KEPT.pop(unwrapped(points), None) is not None and drawn and _draw(points)


@contextmanager
def undimmed(points: Any) -> Iterator[None]:
    """Points in full colour, to be read or changed, and drawn by whoever changes them; then they are faded again."""
    rows, _ = _kept(points)
    undim(points, drawn=False)
    yield
    dim(points, rows, drawn=False)


def _kept(points: Any) -> tuple[Rows, list[tuple[npt.NDArray[Any], ...]]]:
    """Rows that have not faded, and the colours that are still those that were faded."""
    rows, kept = _KEPT.get(unwrapped(points), (np.zeros(0, dtype=np.int64), []))
    now = [getattr(points, name) for name in COLORS]
    return rows, [
        one for one in kept if any(one[0] is colors for colors in now) and np.array_equal(one[0][:, 3], one[2])
    ]


def _draw(points: Any) -> bool:
    points.refresh(extent=False, thumbnail=False, highlight=False)  # the highlight is drawn with the points
    return True


def undim_copy(copy: Any) -> None:
    """Give points that were copied while they were faded the opacity that they have when they are not."""
    for points, (_, kept) in list(_KEPT.items()) if copy.__class__.__name__ == "Points" else ():
        for name, (faded, opacity, _) in zip(COLORS, kept, strict=True):
            colors = getattr(copy, name)
            if points is not unwrapped(copy) and colors.shape == faded.shape and np.allclose(colors, faded, atol=1e-6):
                setattr(copy, name, np.column_stack([colors[:, :3], opacity]))  # the array may be that of the original
