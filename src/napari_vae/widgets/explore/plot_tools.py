"""What a drag on the plot does, and the buttons beside that."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

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
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.modes = QButtonGroup(self)
        for text, (mode, tip) in MODES.items():
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setProperty("mode", mode)
            self.modes.addButton(button)
            row.addWidget(button)
        self.modes.buttons()[0].setChecked(True)
        self.fit, self.clear = QPushButton("Fit"), QPushButton("Clear")
        self.fit.setToolTip("Show all points again, after moving or zooming")
        self.clear.setToolTip("Select nothing, here and on the canvas")
        row.addWidget(self.fit)
        row.addWidget(self.clear)
        self.modes.buttonClicked.connect(self._on_mode)

    def _on_mode(self, button: QPushButton) -> None:
        self.mode_changed.emit(button.property("mode"))
