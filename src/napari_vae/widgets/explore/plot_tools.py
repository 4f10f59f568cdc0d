"""What a drag on the plot does, and the buttons beside that."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QPushButton, QWidget

from ..common.panel import button_of, row_of

MODES = {
    "Move": ("pan", "Drag moves the view, the wheel zooms; click a point to select it"),
    "Lasso": ("lasso", "Drag around points to select them; Shift adds, Alt takes away"),
    "Box": ("rectangle", "Drag a rectangle over points to select them; Shift adds, Alt takes away"),
}


class PlotTools(QWidget):
    """A row of buttons, of the first three of which one is down."""

    mode_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.modes = QButtonGroup(self)
        for text, (mode, tip) in MODES.items():
            button = button_of(text, tip)
            button.setCheckable(True)
            button.setProperty("mode", mode)
            self.modes.addButton(button)
        self.modes.buttons()[0].setChecked(True)
        self.fit = button_of("Fit", "Show all points again, after moving or zooming")
        self.clear = button_of("Clear", "Select nothing, here and on the canvas")
        self.setLayout(row_of(*self.modes.buttons(), self.fit, self.clear))
        self.modes.buttonClicked.connect(self._on_mode)

    def _on_mode(self, button: QPushButton) -> None:
        self.mode_changed.emit(button.property("mode"))
