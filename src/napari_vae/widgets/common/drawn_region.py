"""Where atoms are looked for: everywhere, in the frame in view, or inside shapes that the user has drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Shapes
from qtpy.compat import isalive
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from ...core.errors import InputError
from ...core.placement import Placement
from ...core.region import Mask, region_mask
from .layer_box import follow_layers
from .panel import offer

ALL, IN_VIEW, REGION = "all", "in view", "region"
OF_IMAGE = {"whole image": ALL, "drawn region": REGION}
OF_MOVIE = {"all frames": ALL, "the frame in view": IN_VIEW, "drawn region, in view": REGION}
AREAS = ("rectangle", "ellipse", "polygon")
HOW_TO_DRAW = (
    "No region is drawn here: add a Shapes layer with the button above the layer list, and draw a rectangle, ellipse "
    "or polygon around the atoms."
)
WHICH = "There are several Shapes layers; select the one with the region in the layer list."


class WhereBox(QComboBox):
    """Drop-down list of where to look; ``redrawn`` says that the region is another one now."""

    changed = Signal()
    redrawn = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._drawing: Shapes | None = None
        self._fill(OF_MOVIE)
        self.currentIndexChanged.connect(self.changed)
        follow_layers(viewer, self._on_layers_changed)
        viewer.layers.selection.events.changed.connect(self._on_layers_changed)
        self._on_layers_changed()

    def offer(self, frames: bool) -> None:
        """Offer what makes sense for a movie, or for a single image."""
        self._fill(OF_MOVIE if frames else OF_IMAGE)

    def region(self, placement: Placement, shape: tuple[int, int], frame: int) -> Mask | None:
        """Pixels (rows, columns) of the frame inside the drawn shapes; ``None`` if all count.

        Raises
        ------
        InputError
            If a region is asked for, but none is drawn on the image.
        """
        if self.currentData() != REGION:
            return None
        if self._drawing is None and self._shapes_layers():
            raise InputError(WHICH)
        polygons = [] if self._drawing is None else drawn_polygons(self._drawing, placement, frame)
        if not polygons:
            raise InputError(HOW_TO_DRAW)
        return region_mask(polygons, shape)

    def _fill(self, entries: dict[str, str]) -> None:
        offer(self, {value: words for words, value in entries.items()}, self.currentData())

    def _on_layers_changed(self, event: Any = None) -> None:
        """Take the Shapes layer that is selected, else the one that was, else the only one."""
        if not isalive(self):
            return
        before, layers = self._drawing, self._shapes_layers()
        selected = [layer for layer in layers if layer in self._viewer.layers.selection]
        if len(selected) == 1:
            self._drawing = selected[0]
        elif before not in layers:
            self._drawing = layers[0] if len(layers) == 1 else None
        for layer in layers:
            layer.events.data.connect(self._on_drawn)  # napari does not connect the same twice
        if self._drawing != before:
            self._on_drawn()

    def _on_drawn(self, event: Any = None) -> None:
        if isalive(self) and self.currentData() == REGION:
            self.redrawn.emit()

    def _shapes_layers(self) -> list[Shapes]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes)]


def drawn_polygons(layer: Shapes, placement: Placement, frame: int) -> list[npt.NDArray[np.float64]]:
    """Corners (N, 2) of the shapes with an inside, in pixels of the image at `placement`, on one of its frames."""
    theirs, polygons = Placement.of_layer(layer), []
    for corners, kind in zip(layer.data, layer.shape_type, strict=True):
        if kind not in AREAS or len(corners) < 3:  # a polygon that is being drawn has fewer
            continue
        points = placement.points_from(_round(corners) if kind == "ellipse" else corners, theirs)
        if points.shape[1] < 3 or np.rint(points[0, -3]) == frame:
            polygons.append(points[:, -2:])
    return polygons


def _round(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """An ellipse, which napari gives by the corners of the rectangle around it, as a polygon."""
    centre, angle = corners.mean(axis=0), np.linspace(0, 2 * np.pi, 72, endpoint=False)[:, None]
    first, second = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    return np.asarray(centre + np.cos(angle) * first + np.sin(angle) * second)
