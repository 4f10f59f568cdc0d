"""What the canvas shows: a place in its middle, the square of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QWidget

from ...core.placement import Placement
from ...layers.points import placement_of
from .data_form import DataForm
from .overlay import PENS, Overlay, shown_over_canvas

CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])  # of a square of one pixel, from its middle


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


class Square(Overlay):
    """A square, or what has become of it on a canvas that turns or shears it, through its corners."""

    def paint(self, painter: QPainter) -> None:
        """Draw the sides."""
        for color, width in PENS:
            painter.setPen(QPen(QColor(color), width))
            painter.drawPolygon(self.places())


class WindowSquare(QObject):
    """Shows on the canvas how much of the image a window holds.

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
        self.square: Overlay | None = None
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
        """Take the square away."""
        self._show(None)

    def _draw(self) -> None:
        image, centre = self._data.image.layer(), self._data.example_centre()
        if image is None or centre is None or not self._dock.isVisible() or not self._wanted():
            self.hide()
        else:
            corners = centre + CORNERS * self._data.window_px.value()
            self._show(Placement.of_canvas(self._viewer).points_from(corners, placement_of(image).last(2)))

    def _show(self, corners: npt.NDArray[np.float64] | None) -> None:
        self.square = shown_over_canvas(self.square, Square, self._viewer, self._dock, corners)
