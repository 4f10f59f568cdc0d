"""The plane of a scatter as the mouse works on it: panned, zoomed, outlined, clicked."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, Signal

from .plot import ORANGE

Mode = Literal["pan", "lasso", "rectangle", "path"]

STEP = 3.0  # px between two corners of a lasso


class SelectBox(pg.ViewBox):
    """A view that also lets the user draw an outline.

    In mode ``"pan"`` a drag moves the view, in the others it draws an outline or a path. The wheel zooms (in a dock
    with Ctrl), and the middle button always moves. Shift adds to the selection, Alt takes away.
    """

    outlined = Signal(object, str)  # corners (V, 2), and "replace" | "add" | "remove"
    led = Signal(object)  # corners (V, 2) of a path
    clicked = Signal(QPointF, str)
    double_clicked = Signal(QPointF)
    moved = Signal(QPointF)
    left = Signal()

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.mode: Mode = "pan"
        self._corners: list[tuple[float, float]] = []
        self._last = QPointF()
        self.line = pg.PlotCurveItem(pen=pg.mkPen(ORANGE, width=1.5), brush=pg.mkBrush(ORANGE + "28"))
        self.line.setZValue(100)
        self.line.hide()
        self.addItem(self.line, ignoreBounds=True)

    def set_mode(self, mode: Mode) -> None:
        """What a drag does from now on."""
        self.mode = mode
        self.forget()

    def forget(self) -> None:
        """Take away a path that was drawn."""
        self.line.hide()

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:  # pyqtgraph's name
        """Move the view, or draw."""
        if self.mode == "pan" or axis is not None or event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        start, here = self.mapToView(event.buttonDownPos()), self.mapToView(event.pos())
        if self.mode == "rectangle":
            (a, b), (c, d) = (start.x(), start.y()), (here.x(), here.y())
            self._corners = [(a, b), (c, b), (c, d), (a, d)]
        elif event.isStart():
            self._corners, self._last = [(start.x(), start.y())], event.buttonDownPos()
        elif event.isFinish() or (event.pos() - self._last).manhattanLength() >= STEP:
            self._corners.append((here.x(), here.y()))
            self._last = event.pos()
        corners = np.array(self._corners)
        is_path = self.mode == "path"
        self.line.setData(*np.concatenate([corners, corners[: 0 if is_path else 1]]).T)
        self.line.setVisible(is_path or not event.isFinish())
        if event.isFinish() and is_path:
            self.led.emit(corners)
        elif event.isFinish():
            self.outlined.emit(corners, _how(event.modifiers()))

    def mouseClickEvent(self, event: Any) -> None:  # pyqtgraph's name
        """Choose what is under the cursor."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        place = self.mapToView(event.pos())
        if event.double():
            self.double_clicked.emit(place)
        else:
            self.clicked.emit(place, _how(event.modifiers()))

    def hoverEvent(self, event: Any) -> None:  # pyqtgraph's name
        """Say where the cursor is."""
        if event.isExit():
            self.left.emit()
        else:
            self.moved.emit(self.mapToView(event.pos()))


def _how(modifiers: Qt.KeyboardModifier) -> str:
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    return "remove" if modifiers & Qt.KeyboardModifier.AltModifier else "replace"
