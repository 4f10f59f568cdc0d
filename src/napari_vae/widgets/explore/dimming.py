"""Points that fade on the canvas while others are selected."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FADE = 0.25  # opacity that is left to what is not selected
MOST = 300_000  # points; napari would take longer than half a second to draw more of them in other colours


class Dimming:
    """Lowers the opacity of some points, and puts it back: only that, so that their colours stay what they are."""

    def __init__(self) -> None:
        self._layer: Any | None = None
        self._kept: list[tuple[npt.NDArray[Any], ...]] = []  # colours, their opacity before, and while they are faded

    def begin(self, layer: Any, rows: npt.NDArray[np.int64]) -> None:
        """Let all points of a layer fade but these; without any, none does."""
        self.end(drawn=not len(rows))
        rows = rows[rows < len(layer.data)]
        if not len(rows) or len(layer.data) > MOST:
            return
        others = np.ones(len(layer.data), dtype=bool)
        others[rows] = False
        for colors in (layer.face_color, layer.border_color):
            before = colors[:, 3].copy()
            colors[others, 3] *= FADE
            self._kept.append((colors, before, colors[:, 3].copy()))
        self._layer = layer
        layer.refresh(extent=False, thumbnail=False)

    def clear(self, copy: Any) -> None:
        """Give a copy that was made of the faded points the opacity that these have when they are not faded."""
        if self._layer is None or copy.__class__.__name__ != "Points" or copy is self._layer:
            return
        for name, (faded, opacity, _) in zip(("face_color", "border_color"), self._kept, strict=True):
            colors = getattr(copy, name)
            if colors.shape == faded.shape and np.allclose(colors, faded, atol=1e-6):
                setattr(copy, name, np.column_stack([colors[:, :3], opacity]))  # the array may be that of the original

    def end(self, *, drawn: bool = True) -> None:
        """Put the opacity back, of points that were not coloured anew meanwhile."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        for colors, opacity, faded in self._kept:
            there = colors is layer.face_color or colors is layer.border_color
            if there and np.array_equal(colors[:, 3], faded):
                colors[:, 3] = opacity
        self._kept.clear()
        if drawn:
            layer.refresh(extent=False, thumbnail=False)
