"""How clearly an atom must stand out: a slider below the histogram of the scores, which it cuts in two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QSlider, QVBoxLayout, QWidget

from ..common.plot import GREY, StillPlot
from .preview import COLOR

STEPS = 1000  # of the slider; it moves with the root of the score, since weak atoms need the finer steps
BARS = 50
HEIGHT = 70
HANDLE = 8  # pixels, half the handle of napari's sliders: the line of the histogram stands above its middle
HISTOGRAM = (
    "How many places on the frame in view have which score, from noise at the left to clear atoms at the "
    "right; the height is the logarithm of their number. Yellow: taken as atoms. Drag the line, or the slider "
    "below it, into the gap between noise and atoms."
)
AUTOMATIC = "Go back to the threshold that is chosen from the image"

Floats = npt.NDArray[np.float64]


class ThresholdBox(QWidget):
    """Histogram, slider, and the button that goes back to the threshold chosen from the image."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.histogram = ScoreHistogram()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.words = QLabel()
        self.words.setToolTip(
            "The smallest score of an atom: standard errors, or a probability with the learned method"
        )
        self.automatic = QPushButton("Automatic")
        self.automatic.setToolTip(AUTOMATIC)
        self.by_hand = False
        self._scores: Floats = np.zeros(0)
        self._chosen = self._score = 0.0
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.histogram, 0, 0, 1, 2)
        grid.addWidget(self.slider, 1, 0, 1, 2)
        grid.addWidget(self.words, 2, 0)
        grid.addWidget(self.automatic, 2, 1)
        grid.setColumnStretch(0, 1)
        self.slider.valueChanged.connect(self._on_moved)
        self.histogram.dragged.connect(self.slider.setValue)
        self.automatic.clicked.connect(self._on_automatic_clicked)
        self.forget()

    def setToolTip(self, text: str) -> None:  # Qt's name
        """Of the slider; the histogram and the button have their own."""
        self.slider.setToolTip(text)

    def forget(self) -> None:
        """Nothing is known of the scores, and nothing is chosen by hand."""
        self.by_hand = False
        self._scores = np.zeros(0)
        self.slider.setEnabled(False)
        self.words.clear()
        self.histogram.show_scores(self._scores, self.slider.value())

    def show_scores(self, scores: npt.ArrayLike, chosen: float) -> None:
        """Show the scores (N,) of the candidates; the slider goes to the `chosen` one unless it was set by hand."""
        self._scores, self._chosen = np.asarray(scores, float), chosen
        if not self.by_hand:
            self._score = chosen
        with QSignalBlocker(self.slider):
            self.slider.setValue(int(self._steps(self._score)))
        self.slider.setEnabled(True)
        self.histogram.show_scores(self._steps(self._scores), self.slider.value())
        self._say()

    def score(self) -> float:
        """Smallest score of an atom; one set by hand stays when the slider cannot show it on another frame."""
        return self._score

    def _range(self) -> tuple[float, float]:
        return (float(self._scores.min()), float(self._scores.max())) if len(self._scores) else (0.0, 1.0)

    def _steps(self, scores: Floats | float) -> npt.NDArray[np.int64]:
        low, high = self._range()
        share = (np.asarray(scores) - low) / (high - low or 1.0)
        return np.rint(STEPS * np.sqrt(np.clip(share, 0.0, 1.0))).astype(np.int64)

    def _say(self) -> None:
        self.words.setText(f"{'' if self.by_hand else 'automatic: '}{self.score():.3g}")

    def _on_moved(self, value: int) -> None:
        low, high = self._range()
        self.by_hand, self._score = True, low + (high - low) * (value / STEPS) ** 2
        self.histogram.cut(value)
        self._say()
        self.changed.emit()

    def _on_automatic_clicked(self) -> None:
        self.by_hand = False
        if len(self._scores):
            self.show_scores(self._scores, self._chosen)
        self.changed.emit()


class ScoreHistogram(QWidget):
    """Numbers of candidates by score, on the scale of the slider; ``dragged`` says where the line was drawn to."""

    dragged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(HISTOGRAM)
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(100)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._plot = StillPlot(self)
        for axis in ("left", "bottom"):
            self._plot.hideAxis(axis)
        self._plot.setXRange(0, STEPS, padding=0)
        self._values: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._edges = np.linspace(0, STEPS, BARS + 1)
        self.left, self.taken = (self._bars(color) for color in (f"{GREY}90", COLOR))
        self.line = pg.InfiniteLine(
            movable=True, bounds=(0, STEPS), pen=pg.mkPen(GREY, width=2), hoverPen=pg.mkPen(COLOR, width=3)
        )
        self._plot.addItem(self.line)
        column = QVBoxLayout(self)
        column.setContentsMargins(HANDLE, 0, HANDLE, 0)
        column.addWidget(self._plot)
        self.line.sigPositionChanged.connect(self._on_line_moved)

    def show_scores(self, values: npt.NDArray[np.int64], cut: int) -> None:
        """Show scores (N,), given in steps of the slider, and where they are cut; nothing without scores."""
        self._values = values
        self._plot.getPlotItem().setVisible(bool(len(values)))
        highest = _heights(values, self._edges).max()
        self._plot.setYRange(0, max(float(highest), 1.0), padding=0)
        self.left.setOpts(height=_heights(values, self._edges))
        self.cut(cut)

    def cut(self, value: int) -> None:
        """Colour what is taken when the line is at `value`."""
        self.taken.setOpts(height=_heights(self._values[self._values >= value], self._edges))
        blocked = self.line.blockSignals(True)
        self.line.setValue(value)
        self.line.blockSignals(blocked)

    def _bars(self, color: str) -> pg.BarGraphItem:
        bars = pg.BarGraphItem(
            x0=self._edges[:-1], width=0.9 * STEPS / BARS, height=np.zeros(BARS), brush=color, pen=GREY
        )
        self._plot.addItem(bars)
        return bars

    def _on_line_moved(self) -> None:
        self.dragged.emit(round(self.line.value()))


def _heights(values: npt.NDArray[np.int64], edges: Floats) -> Floats:
    return np.log1p(np.histogram(values, edges)[0])
