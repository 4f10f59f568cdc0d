"""What plots share: one that stands still, on the background of the window, and what its colours mean."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from napari.settings import get_settings
from qtpy.compat import isalive
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from ...analysis.coloring import Coloring
from .panel import row_of, stacked, words_color

BLUE, ORANGE, GREEN = "#2a86c6", "#d55e00", "#00946c"  # 3 : 1 or more against dark and light ground alike
GREY = "#808080"  # of what has no value; so, too
MARKED, SHADE = "#ffd400", "#000000"  # of marks; with shade beside them they are seen on any colour
BAR_HEIGHT = 10
SHOWN = 24  # classes; more are counted


class Plot(pg.PlotWidget):
    """What the plots of the widgets are drawn on: the ground of the window, with axes in the colour of its words."""

    def __init__(self, parent: QWidget, **options: Any) -> None:
        super().__init__(parent, background=None, enableMenu=False, **options)
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(parent, menu.windowFlags())  # pyqtgraph leaves it without a parent, so it would outlive us
        self.hideButtons()
        get_settings().appearance.events.theme.connect(self._color_axes)
        self._color_axes()

    def _color_axes(self, event: Any = None) -> None:
        for side in ("left", "bottom") if isalive(self) else ():
            self.getAxis(side).setPen(words_color())
            self.getAxis(side).setTextPen(words_color())


class StillPlot(Plot):
    """A plot that cannot be moved; its size is that of the widget around it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # it would like 640 × 480
        self.setMouseEnabled(False, False)


def pixmap_of(pixels: npt.NDArray[np.uint8]) -> QPixmap:
    """A picture of pixels (H, W) of grey, or (H, W, 4) of red, green, blue and opacity."""
    pixels = np.ascontiguousarray(pixels)
    kind = QImage.Format.Format_Grayscale8 if pixels.ndim == 2 else QImage.Format.Format_RGBA8888
    image = QImage(pixels.data, *pixels.shape[1::-1], pixels.strides[0], kind)
    return QPixmap.fromImage(image.copy())  # the image shares the array's memory


def swatch(color: str, *, on_black: bool = False) -> str:
    """A square of a colour for rich text, before the words that it stands for.

    Words in colour would be hard to read on dark or on light ground. Colours that the user knows from the canvas are
    shown `on_black`, as there, for some of them cannot be seen on light ground.
    """
    if on_black:
        return f'<span style="background-color:#000000;color:{color}">&nbsp;■&nbsp;</span>&nbsp;'
    return f'<span style="color:{color}">■</span>&nbsp;'


def legend_entry(name: str, color: str, n: int) -> str:
    """A class in rich text, with the square of its colour and its members, all in one line wherever there is room."""
    whole = re.sub(r"([^\w\s])", "\N{WORD JOINER}\\1\N{WORD JOINER}", name).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{swatch(color, on_black=True)}{escape(whole)}:&nbsp;{n}"


class ColorKey(QWidget):
    """A colour bar with its limits, or a legend with the members of every class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = _Bar()
        self.low, self.name, self.high = QLabel(), QLabel(), QLabel()
        self.name.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setToolTip("Classes and how many atoms each has; the colours are those on the canvas")
        self.bar.setToolTip("Colours from the 1st to the 99th hundredth of the values; beyond, the colour stays")
        words = row_of(self.low, self.name, self.high, wide=self.name)
        stacked(self, self.bar, words, self.legend).setSpacing(2)
        self.show_coloring(None)

    def show_coloring(self, coloring: Coloring | None) -> None:
        """Explain these colours; nothing without any."""
        numbers = coloring is not None and coloring.limits is not None
        for widget in (self.bar, self.low, self.name, self.high):
            widget.setVisible(numbers)
        self.legend.setVisible(coloring is not None and not numbers)
        if coloring is None:
            return
        if coloring.limits is not None:
            low, high = coloring.limits
            self.low.setText(f"{low:.3g}")
            self.name.setText(coloring.title)
            self.high.setText(f"{high:.3g}")
            self.bar.show_colormap(coloring.colormap)
            return
        classes = [legend_entry(*entry) for entry in coloring.classes[:SHOWN]]
        more = len(coloring.classes) - SHOWN
        self.legend.setText("&nbsp;&nbsp; ".join(classes) + (f" and {more} more" if more > 0 else ""))


class _Bar(QWidget):
    """A colour map from left to right."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QPixmap()
        self.setFixedHeight(BAR_HEIGHT)

    def show_colormap(self, name: str) -> None:
        from matplotlib import colormaps

        self._picture = pixmap_of((colormaps[name](np.linspace(0, 1, 256))[None] * 255).astype(np.uint8))
        self.update()

    def sizeHint(self) -> QSize:  # Qt's name
        return QSize(120, BAR_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:  # Qt's name
        painter = QPainter(self)
        painter.drawPixmap(self.rect(), self._picture)
        painter.end()
