"""The learning curve: how good the best measurement is, or how wrong the prediction, after so many measurements."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtWidgets import QLabel, QWidget

from ..common.panel import stacked
from ..common.plot import BLUE, GREEN, ORANGE, StillPlot, swatch

VALUES, LINE, WANTED = BLUE, ORANGE, GREEN
TOOLTIP = (
    "Learning curve, in the unit of the target, against the number of measurements. Dots: what was measured. "
    "Line: the best so far; of a class, how many were found. Dashed: the value that is sought. Where the "
    "target is to be learned everywhere: how far the prediction is off at the places not measured, where their "
    "values are known, else its mean uncertainty. Stop when it no longer improves."
)

Floats = npt.NDArray[np.float64]


class CurvePlot(QWidget):
    """Dots, a line, and a caption that says what they are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(TOOLTIP)
        self._plot = StillPlot(self)
        self._plot.getAxis("left").setWidth(48)
        for side in ("left", "bottom"):
            self._plot.getAxis(side).enableAutoSIPrefix(False)
        self.values = self._plot.plot(pen=None, symbol="o", symbolSize=4, symbolBrush=VALUES, symbolPen=None)
        self.line = self._plot.plot(pen=pg.mkPen(LINE, width=2), connect="finite")
        self._wanted = pg.InfiniteLine(angle=0, pen=pg.mkPen(WANTED, width=1, style=pg.QtCore.Qt.PenStyle.DashLine))
        self._plot.addItem(self._wanted, ignoreBounds=True)
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        stacked(self, self._plot, self.caption, wide=self._plot).setSpacing(2)
        self.show_curve(np.zeros(0), np.zeros((0, 2)), "")

    def show_curve(self, values: Floats, line: Floats, words: str, wanted: float | None = None) -> None:
        """Draw a dot for each value (n,) and a line through points (m, 2) of number and height.

        `words` say what the line is; without values and points there are no axes. A line alone is shown from 0 on.
        """
        self._plot.getPlotItem().setVisible(bool(len(values) or len(line)))
        self.values.setData(np.arange(1, len(values) + 1, dtype=float), np.asarray(values, float))
        self.line.setData(line[:, 0], line[:, 1])
        if len(line) and not len(values):
            self._plot.setYRange(0, float(line[:, 1].max()) or 1.0)
        else:
            self._plot.enableAutoRange(y=True)
        self._wanted.setVisible(wanted is not None)
        if wanted is not None:
            self._wanted.setValue(wanted)
        dots = f"{swatch(VALUES)} measured, " if len(values) else ""
        self.caption.setText(f"{dots}{swatch(LINE)} {words}" if words else "")
