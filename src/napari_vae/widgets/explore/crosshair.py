"""What the plot marks over the canvas of napari: the atom under the cursor, and what is selected."""

from __future__ import annotations

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from ..common.overlay import PENS, Overlay

RADIUS = 11.0  # px, of the circle around the place, which the lines leave free
DOT = 2.0  # px, that dots are wider than lines


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


class Dots(Overlay):
    """A dot at every place of the world."""

    def paint(self, painter: QPainter) -> None:
        """Draw the dots."""
        places = QPolygonF(self.places())
        for color, width in PENS:
            painter.setPen(QPen(QBrush(QColor(color)), width + DOT, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPoints(places)
