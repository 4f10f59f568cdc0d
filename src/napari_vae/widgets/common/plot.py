"""A plot that stands still: no menus, no panning, the background of the window."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QWidget

BLUE, ORANGE, GREEN = "#2a86c6", "#d55e00", "#00946c"  # 3 : 1 or more against dark and light ground alike


class StillPlot(pg.PlotWidget):
    """What the plots of the widgets are drawn on; its size is that of the widget around it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, background=None, enableMenu=False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # it would like 640 × 480
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(parent, menu.windowFlags())  # pyqtgraph leaves it without a parent, so it would outlive us
        self.setMouseEnabled(False, False)
        self.hideButtons()


def swatch(color: str, *, on_black: bool = False) -> str:
    """A square of a colour for rich text, before the words that it stands for.

    Words in colour would be hard to read on dark or on light ground. Colours that the user knows from the canvas are
    shown `on_black`, as there, for some of them cannot be seen on light ground.
    """
    if on_black:
        return f'<span style="background-color:#000000;color:{color}">&nbsp;■&nbsp;</span>'
    return f'<span style="color:{color}">■</span>'
