"""The square on the canvas that shows how much of the image one window takes in."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers import KEY
from ..placement import Placement

NAME = "window size"
COLOR = "#ffd400"


class WindowSquare:
    """A Shapes layer with one square; it comes and goes with the widget and takes no part in the selection."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    def show(self, centre: tuple[float, float], size: int, placement: Placement) -> None:
        """Draw the square of `size` pixels about `centre` (row, column) of the image that lies at `placement`."""
        half = size / 2
        corners = np.array([[-half, -half], [-half, half], [half, half], [half, -half]]) + centre
        self.hide()
        selected = list(self._viewer.layers.selection)
        self._viewer.add_shapes(
            [corners],
            shape_type="polygon",
            name=NAME,
            edge_color=COLOR,
            edge_width=max(0.5, size / 16),
            face_color="transparent",
            metadata={KEY: {"kind": "window"}},
            **placement.last(2).kwargs(),
        )
        self._viewer.layers.selection = selected

    def hide(self) -> None:
        """Take the square away, if the user has not done so."""
        for layer in [layer for layer in self._viewer.layers if layer.metadata.get(KEY, {}).get("kind") == "window"]:
            self._viewer.layers.remove(layer)
