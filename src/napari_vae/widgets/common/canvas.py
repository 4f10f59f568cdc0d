"""What the canvas shows: a place in its middle, the square of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

from ...core.placement import Placement
from ...layers.identity import made_of
from ...layers.points import KEY, placement_of
from .data_form import DataForm

NAME = "window size"
COLOR = "#ffd400"


def show_frame(viewer: Any, placement: Placement, pixel: Any) -> npt.NDArray[np.float64]:
    """Show the frame of a pixel of what lies at `placement`; returns where the pixel is in the world."""
    world = Placement.of_canvas(viewer).points_from([pixel], placement)[0]
    for axis, value in enumerate(world[:-2], start=viewer.dims.ndim - len(world)):
        viewer.dims.set_point(axis, float(value))
    return world


def go_to(viewer: Any, placement: Placement, pixel: Any) -> None:
    """Centre the view on a pixel of what lies at `placement`, in its frame."""
    world = show_frame(viewer, placement, pixel)
    viewer.scene.camera.center = (0.0, *world[-2:].tolist())


class WindowSquare(QObject):
    """Four lines in a Vectors layer, the lightest that turns with the image; takes no part in the selection.

    Parameters
    ----------
    viewer : napari viewer
    dock : QWidget
        Drawn while this is visible.
    data : DataForm
        Image, example and size of the window.
    wanted : callable
        Whether it is of use now.
    """

    def __init__(self, viewer: Any, dock: QWidget, data: DataForm, wanted: Callable[[], bool]) -> None:
        super().__init__(dock)
        self._viewer, self._dock, self._data, self._wanted = viewer, dock, data, wanted
        self._timer = QTimer(self, singleShot=True, interval=150)
        self._timer.timeout.connect(self._draw)
        data.changed.connect(self._timer.start)
        data.image.layer_changed.connect(self.hide)
        dock.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Draw the square when the dock is shown, take it off the canvas with it."""
        if event.type() == QEvent.Type.Show:
            self._timer.start()
        elif event.type() == QEvent.Type.Hide:
            self._timer.stop()
            self.hide()
        return False

    def hide(self) -> None:
        """Take the square away, if the user has not done so."""
        for layer in made_of(self._viewer.layers, ("window",)):
            self._viewer.layers.remove(layer)

    def _draw(self) -> None:
        image, centre = self._data.image.layer(), self._data.example_centre()
        if image is None or centre is None or not self._dock.isVisible() or not self._wanted():
            self.hide()
        else:
            self._show(centre, self._data.window_px.value(), placement_of(image))

    def _show(self, centre: tuple[float, float], size: int, placement: Placement) -> None:
        """Draw the square of `size` pixels about `centre` (row, column) of the image that lies at `placement`."""
        width = max(0.5, size / 16)
        look = {"edge_width": width, **placement.last(2).kwargs()}
        sides = _sides(np.asarray(centre), size, width)
        for layer in made_of(self._viewer.layers, ("window",)):
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


def _sides(centre: npt.NDArray[np.float64], size: int, width: float) -> npt.NDArray[np.float64]:
    """Start and direction (4, 2, 2) of the sides, each longer by its width so that the corners are filled."""
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * size / 2
    directions = np.roll(corners, -1, axis=0) - corners
    overlap = directions / size * width / 2
    return np.stack([centre + corners - overlap, directions + 2 * overlap], axis=1)
