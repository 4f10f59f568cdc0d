"""A crosshair over the canvas of napari: it is no layer, and to move it draws nothing of the canvas anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget

from ..common.plot import MARKED, SHADE

RADIUS = 11.0  # px, of the circle around the place, which the lines leave free


class Crosshair(QWidget):
    """Two lines through a place of the world, and a circle around it.

    Parameters
    ----------
    viewer : napari viewer
    canvas : QWidget
        That it lies on; it is destroyed with it.
    """

    def __init__(self, viewer: Any, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._viewer = viewer
        self._world: npt.NDArray[np.float64] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        canvas.installEventFilter(self)
        viewer.scene.camera.events.connect(self._on_camera)

    def show_at(self, world: npt.NDArray[np.float64] | None) -> None:
        """Mark a place of the world, its last two axes; None marks nothing."""
        self._world = world
        flat = self._viewer.dims.ndisplay == 2 and not self._viewer.canvas.grid.enabled
        self.setGeometry(self.parentWidget().rect())
        self.setVisible(world is not None and flat)
        self.update()

    def place(self) -> QPointF:
        """Where the place of the world lies on the canvas, in pixels of the widget."""
        camera = self._viewer.scene.camera
        away = (np.zeros(2) if self._world is None else self._world[-2:] - camera.center[-2:]) * camera.zoom
        up, left = camera.orientation2d[0] == "up", camera.orientation2d[1] == "left"
        y, x = away * (-1 if up else 1, -1 if left else 1)
        return QPointF(self.width() / 2 + x, self.height() / 2 + y)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Be as large as the canvas."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self.parentWidget().rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:  # Qt's name
        """Draw the lines, each twice, so that they stand out from dark and from bright."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        at = self.place()
        x, y = at.x(), at.y()
        for color, width in ((SHADE, 3.0), (MARKED, 1.2)):
            painter.setPen(QPen(QColor(color), width))
            painter.drawEllipse(at, RADIUS, RADIUS)
            painter.drawLine(QPointF(0, y), QPointF(x - RADIUS, y))
            painter.drawLine(QPointF(x + RADIUS, y), QPointF(self.width(), y))
            painter.drawLine(QPointF(x, 0), QPointF(x, y - RADIUS))
            painter.drawLine(QPointF(x, y + RADIUS), QPointF(x, self.height()))
        painter.end()

    def _on_camera(self, event: Any = None) -> None:
        if isalive(self) and self.isVisible():
            self.update()


def canvas_beside(widget: QWidget) -> QWidget | None:
    """The canvas of the window that a dock widget belongs to; None where it stands alone."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parentWidget()
    middle = None if parent is None else parent.centralWidget()
    return None if middle is None else middle.findChild(QOpenGLWidget)
