"""The plot of the dock: the mean spectrum, that of a place, and the background below it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from ...core.spectra import SpectrumImage
from ..common.plot import BLUE, GREY, ORANGE, Plot


class SpectrumPlot(Plot):
    """The mean spectrum, that of a place, and the background below it; only energies can be moved and magnified."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the numbers below do by keyboard what the mouse does here
        self.setMouseEnabled(x=True, y=False)
        self.getPlotItem().vb.setAutoVisible(y=True)
        self.setFixedHeight(220)
        self.getPlotItem().layout.setContentsMargins(1, 1, 1, 6)  # the name of an axis hangs over by 5
        self.setToolTip("Drag the band, or its ends; drag beside it to move along the energies")
        self.mean = self.plot(pen=pg.mkPen(GREY, width=2))
        self.curve = self.plot(pen=pg.mkPen(BLUE, width=1.5))
        self.below = self.plot(pen=pg.mkPen(ORANGE, width=2, style=Qt.PenStyle.DashLine), connect="finite")
        self.mean_of: SpectrumImage | None = None
        self.place: tuple[int, int] | None = None
        self._energy: npt.NDArray[np.float64] = np.zeros(0)
        self.scene().sigMouseClicked.connect(self._on_clicked)

    @property
    def spectrum(self) -> npt.NDArray[np.float64] | None:
        """The one that is shown: of the place under the cursor, else the mean."""
        found = self.curve.yData if self.place is not None else self.mean.yData
        return None if found is None or len(found) != len(self._energy) else found

    def show_spectra(self, spectra: SpectrumImage) -> None:
        """Show the axis of other spectra."""
        self._energy, self.mean_of, self.place = spectra.energy, None, None
        for curve in (self.mean, self.curve, self.below):
            curve.setData([], [])
        self.setLabel("bottom", spectra.energy_label)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.getAxis("left").enableAutoSIPrefix(False)

    def show_mean(self, spectra: SpectrumImage, mean: npt.NDArray[np.float64]) -> None:
        """Draw the mean of the spectra, if they are still shown."""
        if len(mean) == len(self._energy):
            self.mean_of = spectra
            self.mean.setData(self._energy, mean)
            self._show_all()

    def show_place(self, read: tuple[int, int, npt.NDArray[np.float64]] | None) -> None:
        """Draw the spectrum of a place; ``None`` for none."""
        self.place = None if read is None else read[:2]
        self.curve.setData(*(([], []) if read is None else (self._energy, read[2])))

    def _show_all(self) -> None:
        self.getPlotItem().vb.enableAutoRange(y=True)
        if len(self._energy) > 1:
            self.setXRange(self._energy[0], self._energy[-1], padding=0.02)

    def _on_clicked(self, event: Any) -> None:
        if event.double():
            self._show_all()
