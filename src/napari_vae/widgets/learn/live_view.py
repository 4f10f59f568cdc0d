"""What was learned so far, drawn: the embedding above, the learning curve below."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyqtgraph as pg
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QWidget

from ...layers.learning import NEXT_COLOR
from ..common.panel import stacked
from ..common.plot import BLUE, GREEN, ORANGE, SHADE, StillPlot, swatch
from ..common.scatter_plot import ScatterPlot
from ..common.show_bar import ShowBar
from .session import Snapshot
from .target_form import CLASS, EVERYWHERE, NEAR

VALUES, LINE, WANTED = BLUE, ORANGE, GREEN
CURVE = (
    "Learning curve, in the unit of the target, against the number of measurements. Dots: what was measured. "
    "Line: the best so far; of a class, how many were found. Dashed: the value that is sought. Where the "
    "target is to be learned everywhere: how far the prediction is off at the places not measured, where their "
    "values are known, else its mean uncertainty. Stop when it no longer improves."
)
Floats = npt.NDArray[np.float64]
EMBEDDING = (
    "The embedding: every place where the model puts it, on axes without a unit. Like values of the target lie "
    "together once it has learned. Rings: measured. Crosses: next. Drag moves, Ctrl and wheel zoom; a double "
    "click shows the place on the canvas."
)


class CurvePlot(QWidget):
    """Dots, a line, and a caption that says what they are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(CURVE)
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
        dots = f"{swatch(VALUES)}measured, " if len(values) else ""
        self.caption.setText(f"{dots}{swatch(LINE)}{words}" if words else "")


class EmbeddingPlot(QWidget):
    """A scatter with marks on some of its points, and the choice of its colours."""

    row_chosen = Signal(int)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scatter = ScatterPlot()
        self.scatter.setToolTip(EMBEDDING)
        self.show_bar = ShowBar(viewer)
        self._measured = pg.ScatterPlotItem(symbol="o", size=7, brush=None, pxMode=True)
        self._next = pg.ScatterPlotItem(symbol="x", size=10, brush=NEXT_COLOR, pen=SHADE, pxMode=True)
        for item in (self._measured, self._next):
            item.setZValue(50)
            self.scatter.box.addItem(item, ignoreBounds=True)
        stacked(self, self.show_bar, self.scatter, wide=self.scatter).setSpacing(2)
        self.show_bar.changed.connect(self._show_colors)
        self.scatter.double_clicked.connect(self.row_chosen)

    def show_table(self, table: pd.DataFrame, measured: npt.NDArray[np.int64], upcoming: npt.NDArray[np.int64]) -> None:
        """Draw a `results_table`; without an embedding nothing is drawn."""
        if "embedding_1" not in table:
            self.clear()
            return
        second = "embedding_2" if "embedding_2" in table else "predicted"
        x, y = (_numbers(table[name]) for name in ("embedding_1", second))
        self.scatter.set_points(x, y, names=("embedding 1", second.replace("_", " ")))
        self._show_colors()
        self._measured.setPen(pg.mkPen(self.palette().text().color(), width=1.2))
        self._measured.setData(x[measured], y[measured])
        self._next.setData(x[upcoming], y[upcoming])

    def clear(self) -> None:
        """Show nothing."""
        self.scatter.set_points([], [])
        for item in (self._measured, self._next):
            item.setData([], [])

    @property
    def marks(self) -> tuple[int, int]:
        """How many places are marked as measured, and as next."""
        return len(self._measured.data), len(self._next.data)

    def _show_colors(self) -> None:
        coloring = self.show_bar.coloring
        self.scatter.set_colors(None if coloring is None else coloring.rgba)


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    values = column.cat.codes if column.dtype == "category" else column
    return np.asarray(values, dtype=np.float64)


class LiveView(QWidget):
    """Two plots; hidden until there is something to show."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.embedding, self.curve = EmbeddingPlot(viewer), CurvePlot()
        self.embedding.setFixedHeight(240)
        self.curve.setFixedHeight(150)
        stacked(self, self.embedding, self.curve)
        self.hide()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw what is known after a step."""
        session = snapshot.session
        of_values = session.purpose.kind not in (CLASS, EVERYWHERE)
        wanted = session.purpose.value if session.purpose.kind == NEAR else None
        self.embedding.show_table(snapshot.table, snapshot.measured, snapshot.upcoming)
        self.embedding.setVisible("embedding_1" in snapshot.table)
        values = snapshot.values if of_values else snapshot.values[:0]
        self.curve.show_curve(values, snapshot.line, snapshot.line_words, wanted)
        self.setVisible(bool(len(snapshot.measured)))
