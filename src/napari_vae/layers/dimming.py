"""Points that fade on the canvas while others are selected; whoever keeps or changes their colours ends that first."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from .open_runs import unwrapped

FADE = 0.25  # opacity that is left to what is not selected
MOST = 300_000  # points; napari would take longer than half a second to draw more of them in other colours

#: Colours of faded points, their opacity before, and while they are faded: by layer, weakly.
_KEPT: WeakKeyDictionary[Any, list[tuple[npt.NDArray[Any], ...]]] = WeakKeyDictionary()


def dim(points: Any, rows: npt.NDArray[np.int64]) -> bool:
    """Lower the opacity of all points of a layer but these; without any, of none. Their colours stay what they are.

    Gives whether they were drawn, with the marks of those that are selected.
    """
    drawn = undim(points, drawn=not len(rows))
    rows = rows[rows < len(points.data)]
    if not len(rows) or len(points.data) > MOST:
        return drawn
    others = np.ones(len(points.data), dtype=bool)
    others[rows] = False
    kept = _KEPT[unwrapped(points)] = []
    for colors in (points.face_color, points.border_color):
        before = colors[:, 3].copy()
        colors[others, 3] *= FADE
        kept.append((colors, before, colors[:, 3].copy()))
    points.refresh(extent=False, thumbnail=False)
    return True


def undim(points: Any, *, drawn: bool = True) -> bool:
    """Put the opacity back, of points that were not coloured anew meanwhile; gives whether they were drawn."""
    kept = _KEPT.pop(unwrapped(points), None)
    if kept is None:
        return False
    for colors, opacity, faded in kept:
        there = colors is points.face_color or colors is points.border_color
        if there and np.array_equal(colors[:, 3], faded):
            colors[:, 3] = opacity
    if drawn:
        points.refresh(extent=False, thumbnail=False)
    return drawn


def undim_copy(copy: Any) -> None:
    """Give points that were copied while they were faded the opacity that they have when they are not."""
    for points, kept in list(_KEPT.items()) if copy.__class__.__name__ == "Points" else ():
        for name, (faded, opacity, _) in zip(("face_color", "border_color"), kept, strict=True):
            colors = getattr(copy, name)
            if points is not unwrapped(copy) and colors.shape == faded.shape and np.allclose(colors, faded, atol=1e-6):
                setattr(copy, name, np.column_stack([colors[:, :3], opacity]))  # the array may be that of the original
