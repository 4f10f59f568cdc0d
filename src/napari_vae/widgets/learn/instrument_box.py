"""The user as the instrument: which place is to be measured now, and what came out."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

from ..common.panel import button_of, row_of, sentence, stacked

BOUND = 1e12


class InstrumentBox(QWidget):
    """A sentence, a field for the value, and buttons.

    Attributes
    ----------
    row : int or None
        The candidate that is to be measured.
    """

    measured = Signal(float)
    failed = Signal()
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row: int | None = None
        self.words = sentence()
        self.words.setToolTip("The place that is selected and in the middle of the canvas")
        self.value = _ValueBox()
        self.value.setDecimals(4)
        self.value.setRange(-BOUND, BOUND)
        self.value.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.value.setAccessibleName("Measured value")
        self.value.setToolTip("What you have measured there, in a unit of your choice; the same unit for all places")
        self.measured_button = button_of(
            "Measured", "Take this value, and go to the next place; Enter in the field does the same"
        )
        self.failed_button = button_of(
            "Could not measure", "Mark this place as failed, when it cannot be measured; it is not suggested again"
        )
        self.show_button = button_of("Show", "Put the place into the middle of the canvas again")
        rows = row_of(self.value, self.measured_button), row_of(self.failed_button, self.show_button)
        for row in rows:
            row.setStretch(0, 1)
            row.setStretch(1, 1)
        stacked(self, self.words, *rows)
        self.value.entered.connect(self._on_measured)
        self.measured_button.clicked.connect(self._on_measured)
        self.failed_button.clicked.connect(self.failed)
        self.show_button.clicked.connect(self.shown)

    def ask(self, row: int, words: str) -> None:
        """Ask for the value of a place."""
        self.row = row
        self.words.setText(words)
        self.setEnabled(True)
        self.value.setFocus()
        self.value.selectAll()

    def rest(self, words: str) -> None:
        """Nothing to be measured now."""
        self.row = None
        self.words.setText(words)
        self.setEnabled(False)

    def _on_measured(self) -> None:
        self.value.interpretText()
        self.measured.emit(self.value.value())


class _ValueBox(QDoubleSpinBox):
    """Tells of Enter, but not of a focus that goes elsewhere, as ``editingFinished`` would."""

    entered = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # Qt's name
        """Enter takes the value."""
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
