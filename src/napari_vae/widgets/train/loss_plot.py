"""Live curves of the training: how well patches are redrawn, and how much the latents hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QLabel, QWidget

from ..common.panel import stacked
from ..common.plot import BLUE, ORANGE, StillPlot, swatch

HEIGHT = 170
CURVES = {"reconstruction": BLUE, "kl": ORANGE}
CAPTION = (
    f"loss in nats per epoch: {swatch(CURVES['reconstruction'])} reconstruction, {swatch(CURVES['kl'])} KL of latents"
)
TOOLTIP = (
    "Loss per window, in nats (a unit of information), against the number of the epoch. Blue: what the "
    "reconstruction misses, above what no model could redraw. Orange: how much the latents hold about a window "
    "(KL). Both flatten when training is done; press Stop when they do."
)


class LossPlot(QWidget):
    """Two curves on one axis; set from the rows of a training's history."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(TOOLTIP)
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(150)
        self._plot = StillPlot(self)
        self._plot.setLogMode(y=True)  # the two differ by orders of magnitude
        self._plot.getAxis("left").setWidth(34)
        self.curves = {
            key: self._plot.plot(pen=pg.mkPen(color, width=2), symbolBrush=color, symbolPen=None, symbolSize=4)
            for key, color in CURVES.items()
        }
        caption = QLabel(CAPTION)
        caption.setWordWrap(True)
        stacked(self, self._plot, caption, wide=self._plot).setSpacing(2)
        self.show_history(())

    def show_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Draw the columns ``reconstruction`` and ``kl`` of `rows` against ``epoch``; no axes without rows."""
        self._plot.getPlotItem().setVisible(bool(rows))
        epochs = np.array([row["epoch"] for row in rows], dtype=float)
        for key, curve in self.curves.items():
            curve.setData(epochs, np.array([row[key] for row in rows], dtype=float), connect="finite")
