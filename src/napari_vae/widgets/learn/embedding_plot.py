"""The embedding: every candidate where the model puts it, coloured by a result, with what was measured marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from ...analysis.coloring import COLORMAP, color_by
from ...layers.learning import NEXT_COLOR, UNSURE
from ..common.color_key import ColorKey
from ..common.panel import choice_of, row_of, stacked
from ..common.scatter_plot import ScatterPlot

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"predicted": "prediction", "predicted_sd": "uncertainty", "measured": "measured", "order": "order"}
TOOLTIP = (
    "The embedding: every place where the model puts it, on axes without a unit. Like values of the target lie "
    "together once it has learned. Rings: measured. Crosses: next. Drag and wheel move and zoom; a double "
    "click shows the place on the canvas."
)


class EmbeddingPlot(QWidget):
    """A scatter with marks on some of its points, and the choice of its colours."""

    color_changed = Signal(str)
    row_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scatter = ScatterPlot()
        self.scatter.setToolTip(TOOLTIP)
        self.scatter.plot.getAxis("bottom").setHeight(40)  # else its name is cut off in so low a plot
        self.color = choice_of(COLUMNS)
        self.color.setToolTip(
            "What colours the places, here and on the canvas: what is predicted, its standard deviation "
            "(uncertainty), what was measured, or in which order. Choose uncertainty to see where the model "
            "knows little"
        )
        self.color.setAccessibleName("Colour by")
        self.key = ColorKey()
        self._measured = pg.ScatterPlotItem(symbol="o", size=7, brush=None, pxMode=True)
        self._next = pg.ScatterPlotItem(symbol="x", size=10, brush=NEXT_COLOR, pen=None, pxMode=True)
        for item in (self._measured, self._next):
            item.setZValue(50)
            self.scatter.box.addItem(item, ignoreBounds=True)
        self._table: pd.DataFrame | None = None
        row = row_of(self.color, self.key, wide=self.key)
        stacked(self, self.scatter, row, wide=self.scatter).setSpacing(2)
        self.color.currentIndexChanged.connect(self._on_color)
        self.scatter.double_clicked.connect(self.row_chosen)

    def show_table(self, table: pd.DataFrame, measured: npt.NDArray[np.int64], upcoming: npt.NDArray[np.int64]) -> None:
        """Draw a `results_table`; without an embedding nothing is drawn."""
        self._table = table
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
        self.key.show_coloring(None)
        for item in (self._measured, self._next):
            item.setData([], [])

    @property
    def column(self) -> str:
        """What colours the places."""
        return str(self.color.currentData())

    @property
    def marks(self) -> tuple[int, int]:
        """How many places are marked as measured, and as next."""
        return len(self._measured.data), len(self._next.data)

    def _on_color(self, index: int) -> None:
        if self._table is not None and "embedding_1" in self._table:
            self._show_colors()
        self.color_changed.emit(self.column)

    def _show_colors(self) -> None:
        assert self._table is not None
        column = self._table[self.column]
        coloring = color_by(column, colormap=UNSURE if self.column == "predicted_sd" else COLORMAP)
        self.scatter.set_colors(coloring.rgba)
        self.key.show_coloring(coloring)


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    values = column.cat.codes if column.dtype == "category" else column
    return np.asarray(values, dtype=np.float64)
