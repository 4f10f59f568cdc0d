"""Marks over the canvas of napari: they are no layers, and to move them draws nothing of the canvas anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget

from .plot import MARKED, SHADE

PENS = (SHADE, 3.0), (MARKED, 1.2)  # every line is drawn twice, so that it stands out from dark and from bright


class Overlay(QWidget):
    """Lies on a canvas and paints something at places of the world.

    Parameters
    ----------
    viewer : napari viewer
    canvas : QWidget
        That it lies on; it is destroyed with it.
    """

    def __init__(self, viewer: Any, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._viewer = viewer
        self._world = np.zeros((0, 2))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        canvas.installEventFilter(self)
        viewer.scene.camera.events.connect(self._on_camera)

    def show_at(self, world: npt.NDArray[np.float64] | None) -> None:
        """Mark one or more places of the world, by their last two axes; None marks nothing."""
        self._world = np.zeros((0, 2)) if world is None else np.atleast_2d(world)[:, -2:]
        flat = self._viewer.dims.ndisplay == 2 and not self._viewer.canvas.grid.enabled
        self.setGeometry(self.parentWidget().rect())
        self.setVisible(world is not None and flat)
        self.update()

    def places(self) -> list[QPointF]:
        """Where the places of the world lie on the canvas, in pixels of the widget."""
        camera = self._viewer.scene.camera
        away = (self._world - camera.center[-2:]) * camera.zoom
        up, left = camera.orientation2d[0] == "up", camera.orientation2d[1] == "left"
        signed = away * (-1 if up else 1, -1 if left else 1)
        return [QPointF(self.width() / 2 + x, self.height() / 2 + y) for y, x in signed.tolist()]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Be as large as the canvas."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self.parentWidget().rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:  # Qt's name
        """Draw what is marked."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint(painter)
        painter.end()

    def paint(self, painter: QPainter) -> None:
        """Draw at `places`, with `PENS`."""
        raise NotImplementedError

    def _on_camera(self, event: Any = None) -> None:
        if isalive(self) and self.isVisible():
            self.update()


def shown_over_canvas(
    mark: Overlay | None, kind: type[Overlay], viewer: Any, dock: QWidget, world: npt.NDArray[np.float64] | None
) -> Overlay | None:
    """Show a mark at places of the world on the canvas beside a dock; it is made when there is none, and returned."""
    if world is not None and (mark is None or not isalive(mark)):
        canvas = canvas_beside(dock)
        mark = None if canvas is None else kind(viewer, canvas)
    if mark is not None and isalive(mark):
        mark.show_at(world)
    return mark


def canvas_beside(widget: QWidget) -> QWidget | None:
    """The canvas of the window that a dock widget belongs to; None where it stands alone."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parentWidget()
    middle = None if parent is None else parent.centralWidget()
    return None if middle is None else middle.findChild(QOpenGLWidget)
