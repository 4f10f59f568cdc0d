"""A slider with a name, a range of numbers and its value in words."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QLabel, QSlider, QWidget

from ..common.panel import row_of

STEPS = 200


class Knob(QWidget):
    """One number between two others.

    Parameters
    ----------
    low, high : float
    value : float
        At first, and after a double-click on the name.
    unit : str
        Behind the value.
    whole : bool
        Whether there is nothing between whole numbers.
    """

    changed = Signal()

    def __init__(
        self,
        name: str,
        low: float,
        high: float,
        value: float,
        unit: str,
        tooltip: str,
        whole: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name, self.low, self.high, self._unit = name, low, high, unit
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(high - low) if whole else STEPS)
        self.slider.setAccessibleName(name)
        self._words = QLabel()
        self._words.setMinimumWidth(self._words.fontMetrics().horizontalAdvance("−0.00 px"))
        self._words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setToolTip(tooltip)
        label = QLabel(name)
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance("strain xx"))
        self.setLayout(row_of(label, self.slider, self._words, wide=self.slider))
        self.set_value(value)
        self.slider.valueChanged.connect(self._on_moved)

    @property
    def value(self) -> float:
        """Where the slider stands."""
        return self.low + (self.high - self.low) * self.slider.value() / self.slider.maximum()

    def set_value(self, value: float) -> None:
        """Move the slider; ``changed`` keeps still."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(self.slider.maximum() * (value - self.low) / ((self.high - self.low) or 1.0)))
        self._say()

    def _on_moved(self, step: int) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        self._words.setText(f"{self.value:.2f} {self._unit}".strip())
