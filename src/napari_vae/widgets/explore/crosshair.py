"""A crosshair over the canvas of napari."""

from __future__ import annotations

from qtpy.QtCore import QPointF
from qtpy.QtGui import QColor, QPainter, QPen

from ..common.overlay import PENS, Overlay

RADIUS = 11.0  # px, of the circle around the place, which the lines leave free


class Crosshair(Overlay):
    """Two lines through a place of the world, and a circle around it."""

    def paint(self, painter: QPainter) -> None:
        """Draw the lines."""
        for at in self.places():
            x, y = at.x(), at.y()
            for color, width in PENS:
                painter.setPen(QPen(QColor(color), width))
                painter.drawEllipse(at, RADIUS, RADIUS)
                painter.drawLine(QPointF(0, y), QPointF(x - RADIUS, y))
                painter.drawLine(QPointF(x + RADIUS, y), QPointF(self.width(), y))
                painter.drawLine(QPointF(x, 0), QPointF(x, y - RADIUS))
                painter.drawLine(QPointF(x, y + RADIUS), QPointF(x, self.height()))
