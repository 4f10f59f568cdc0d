"""The user as the instrument: which place is to be measured now, and what came out."""

from __future__ import annotations

from napari.utils.notifications import show_info
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

    measured = Signal(object)  # float, or None where it could not be measured
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row: int | None = None
        self.words = sentence()
        self.words.setToolTip("The place that is selected and in the middle of the canvas")
        self.value = _ValueBox()
        self.value.setDecimals(4)
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
        self.failed_button.clicked.connect(self._on_failed)
        self.show_button.clicked.connect(self.shown)

    def ask(self, row: int, words: str) -> None:
        """Ask for the value of a place."""
        self.row = row
        self.words.setText(words)
        self.setEnabled(True)
        self.value.empty()
        self.value.setFocus()

    def rest(self, words: str) -> None:
        """Nothing to be measured now."""
        self.row = None
        self.words.setText(words)
        self.setEnabled(False)

    def _on_measured(self) -> None:
        self.value.interpretText()
        if self.value.is_empty:
            self.value.setFocus()
            show_info("Type in what you have measured first.")
        else:
            self.measured.emit(self.value.value())

    def _on_failed(self) -> None:
        self.measured.emit(None)


class _ValueBox(QDoubleSpinBox):
    """Tells of Enter, but not of a focus that goes elsewhere, as ``editingFinished`` would; may hold no value yet."""

    entered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(-BOUND, BOUND)
        self.setSpecialValueText("type it in")  # stands for the lowest value

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed in."""
        return self.value() == self.minimum()

    def empty(self) -> None:
        """Forget the value; what is typed next replaces the words."""
        self.setValue(self.minimum())
        self.selectAll()

    def stepBy(self, steps: int) -> None:  # Qt's name
        """From 0 where there is no value."""
        if self.is_empty:
            self.setValue(0)
        super().stepBy(steps)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # Qt's name
        """Enter takes the value."""
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
