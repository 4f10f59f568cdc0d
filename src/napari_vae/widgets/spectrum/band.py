"""A band of energies: drawn on the plot, to be dragged, and typed in numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

from ..common.panel import row_of, side_by_side
from ..common.plot import Plot

OPACITY = 70  # of 255


class BandControl(QObject):
    """A region of a plot and two boxes for its ends, which always agree.

    Parameters
    ----------
    parent : QWidget
    plot : Plot
    color : str
    """

    changed = Signal()  # by the user, when the mouse is let go or a number is typed

    def __init__(self, parent: QWidget, plot: Plot, color: str) -> None:
        super().__init__(parent)
        brush, hover = QColor(color), QColor(color)
        brush.setAlpha(OPACITY)
        hover.setAlpha(min(255, 2 * OPACITY))
        self.region = pg.LinearRegionItem(brush=brush, hoverBrush=hover, pen=pg.mkPen(color, width=2))
        self.region.setZValue(-10)  # below the curves
        plot.addItem(self.region, ignoreBounds=True)
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for box in (self.low, self.high):
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self._on_typed)
        self.boxes = side_by_side(row_of(self.low, self.high))
        self.region.sigRegionChanged.connect(self._on_dragged)
        self.region.sigRegionChangeFinished.connect(self.changed)

    @property
    def bounds(self) -> tuple[float, float]:
        """First and last energy."""
        low, high = self.region.getRegion()
        return float(low), float(high)

    def set_energy(self, energy: npt.NDArray[np.float64], units: str) -> None:
        """Let the band lie among these energies."""
        step = float(np.diff(energy).min()) if len(energy) > 1 else 1.0
        decimals = int(np.clip(1 - np.floor(np.log10(step)), 0, 9))
        with QSignalBlocker(self.region):
            self.region.setBounds((float(energy[0]), float(energy[-1])))
        for box in (self.low, self.high):
            with QSignalBlocker(box):
                box.setDecimals(decimals)
                box.setRange(float(energy[0]), float(energy[-1]))
                box.setSingleStep(step)
                box.setSuffix(f" {units}" if units else "")

    def set_bounds(self, bounds: tuple[float, float]) -> None:
        """Show another band, without a signal."""
        with QSignalBlocker(self.region):
            self.region.setRegion(bounds)
        self._write()

    def _on_dragged(self) -> None:
        self._write()

    def _write(self) -> None:
        for box, value in zip((self.low, self.high), self.bounds, strict=True):
            with QSignalBlocker(box):
                box.setValue(value)

    def _on_typed(self, value: float) -> None:
        self.set_bounds((self.low.value(), self.high.value()))
        self.changed.emit()
