"""A plot that stands still: no menus, no panning, the background of the window."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QWidget


class StillPlot(pg.PlotWidget):
    """What the plots of the widgets are drawn on; its size is that of the widget around it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, background=None, enableMenu=False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # it would like 640 × 480
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(parent, menu.windowFlags())  # pyqtgraph leaves it without a parent, so it would outlive us
        self.setMouseEnabled(False, False)
        self.hideButtons()
