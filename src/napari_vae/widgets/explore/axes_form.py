"""What is plotted: the explored layer, its image, its columns as axes, and what a drag does there."""

from __future__ import annotations

from typing import Any

import pandas as pd
from napari.layers import Points
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QButtonGroup, QComboBox, QPushButton, QWidget

from ...layers.identity import CHOSEN, note, token_of
from ...layers.table import has_table, numeric_columns
from ..common.layer_box import ImageBox, LayerBox
from ..common.panel import Form, button_of, make_narrow, offer, row_of

UNKNOWN = "not known"
MODES = {
    "Move": ("pan", "Drag moves the view, the wheel zooms with Ctrl; click a point to select it"),
    "Lasso": ("lasso", "Drag around points to select them; Shift adds, Alt takes away"),
    "Box": ("rectangle", "Drag a rectangle over points to select them; Shift adds, Alt takes away"),
    "Path": (
        "path",
        "Draw a line over two latents: what the model draws along it, beside the nearest windows, becomes a film",
    ),
}


class PointsImageBox(ImageBox):
    """The active image, which becomes that of the explored points, by the user's choice, where theirs is not known."""

    def __init__(self, viewer: Any) -> None:
        self.points: Any | None = None
        super().__init__(viewer, extra=UNKNOWN)

    def follow(self, points: Any | None) -> None:
        """Show the image of these points from now on."""
        self.points = points
        self._refresh()

    def _wanted(self) -> Any | None:
        return self._active.image if self.points is None else self._active.image_of(self.points)

    def _on_index_changed(self, index: int) -> None:
        if index < len(self._layers):
            image = self._layers[index]
            if self.points is not None and self._active.image_of(self.points) is None:
                note(self.points, **{CHOSEN: token_of(self._viewer.layers, image)})
            self._active.choose(image)
        self._refresh()


class AxesForm(Form):
    """A box for the layer, one for its image, and two for columns."""

    def __init__(self, viewer: Any, image: PointsImageBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer, self.image = LayerBox(viewer, has_table), image
        self.x, self.y = _column_box(), _column_box()
        self.add(
            "Layer",
            self.layer,
            "The Points or Labels layer whose columns are plotted, from any program. Choose another when several "
            "have columns.",
        )
        self.add(
            "Axes",
            row_of(self.x, self.y),
            "Columns along the horizontal and the vertical axis, in their own units. z1 and z2 are a good start; "
            "choose any two of numbers. With frame along the horizontal one, followed atoms are traced through time.",
        )
        self.x.setToolTip("Column of numbers along the horizontal axis, in its own unit; z1 is a good start")
        self.y.setToolTip("Column of numbers along the vertical axis, in its own unit; z2 is a good start")

    def follow(self, layer: Any | None) -> None:
        """Show the image of a layer; of labels there is none."""
        self.image.follow(layer if isinstance(layer, Points) else None)

    def clear(self) -> None:
        """Choose no columns."""
        for box in (self.x, self.y):
            with QSignalBlocker(box):
                box.clear()

    def offer(self, table: pd.DataFrame) -> None:
        """Offer the columns of a table, which has two of numbers; choices stay where they are still there."""
        numbers = numeric_columns(table)
        _offer(self.x, numbers, numbers[0])
        _offer(self.y, numbers, numbers[1])


def _column_box() -> QComboBox:
    box = QComboBox()
    make_narrow(box, 5)
    return box


def _offer(box: QComboBox, names: list[str], first: str) -> None:
    """Offer columns; what is chosen stays so, and where that is not there, `first` is chosen."""
    before = box.currentText()
    offer(box, dict(zip(names, names, strict=True)), before if before in names else first)


class PlotTools(QWidget):
    """A row of buttons, of the first four of which one is down."""

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
