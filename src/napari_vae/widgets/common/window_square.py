"""The square on the canvas that shows how much of the image one window takes in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.placement import Placement
from ...layers.identity import made_of
from ...layers.points import KEY

NAME = "window size"
COLOR = "#ffd400"


class WindowSquare:
    """Four lines in a Vectors layer, the lightest that turns with the image; takes no part in the selection."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    def show(self, centre: tuple[float, float], size: int, placement: Placement) -> None:
        """Draw the square of `size` pixels about `centre` (row, column) of the image that lies at `placement`."""
        width = max(0.5, size / 16)
        look = {"edge_width": width, **placement.last(2).kwargs()}
        sides = _sides(np.asarray(centre), size, width)
        layer = self._layer()
        if layer is not None:
            layer.data = sides
            for name, value in look.items():
                setattr(layer, name, value)
            return
        selected = list(self._viewer.layers.selection)
        self._viewer.add_vectors(
            sides,
            name=NAME,
            vector_style="line",
            edge_color=COLOR,
            opacity=1.0,
            metadata={KEY: {"kind": "window"}},
            **look,
        )
        self._viewer.layers.selection = selected

    def hide(self) -> None:
        """Take the square away, if the user has not done so."""
        layer = self._layer()
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _layer(self) -> Any | None:
        found = made_of(self._viewer.layers, ("window",))
        return found[0] if found else None


def _sides(centre: npt.NDArray[np.float64], size: int, width: float) -> npt.NDArray[np.float64]:
    """Start and direction (4, 2, 2) of the sides, each longer by its width so that the corners are filled."""
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * size / 2
    directions = np.roll(corners, -1, axis=0) - corners
    overlap = directions / size * width / 2
    return np.stack([centre + corners - overlap, directions + 2 * overlap], axis=1)
