"""Classes of the atoms: found by grouping, given by hand, renamed, merged, coloured, undone, and handed on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...analysis.classes import Classes
from ...errors import InputError
from ..given_form import LABEL
from ..panel import sentence
from .class_column import ClassColumn
from .grouping_box import GroupingBox

Rows = npt.NDArray[np.int64]

STEPS = 20  # that can be taken back
LIST_HEIGHT = 110
NO_LAYER = "Choose a layer first."


class ClassSection(QWidget):
    """A column of classes, as a list that can be edited."""

    said = Signal(str)
    refused = Signal(str)
    changed = Signal(str)  # the column that was written
    labels_asked = Signal(str)  # the column of which a Labels layer is wanted

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Any | None = None
        self._selected: Rows = np.zeros(0, dtype=np.int64)
        self._past: list[tuple[str, Classes | None]] = []
        self._typed = ("", "")
        self._renaming = QTimer(self, singleShot=True, interval=0)
        self.classes: Classes | None = None
        self.column = QComboBox()
        self.column.setEditable(True)
        self.list = QTreeWidget()
        self.name = QLineEdit()
        self.paint = QCheckBox("paint: what is outlined gets this class")
        self.assign_button, self.merge_button = QPushButton("Assign"), QPushButton("Merge")
        self.color_button, self.undo_button = QPushButton("Colour …"), QPushButton("Undo")
        self.layer_button, self.labels_button = QPushButton("Labels layer"), QPushButton("Use as labels")
        self.grouping = GroupingBox()
        self.words = sentence()
        self._lay_out()
        self._connect()

    def set_layer(self, layer: Any | None, table: pd.DataFrame, symmetry: int) -> None:
        """Edit the classes of another layer, or those of the same as they are now."""
        if layer is not self._layer and layer != self._layer:
            self._past.clear()
        self._layer = layer
        self.grouping.set_table(table, symmetry)
        columns = [] if layer is None else ClassColumn.names_in(layer)
        chosen = self.column.currentText()
        with QSignalBlocker(self.column):
            self.column.clear()
            self.column.addItems(columns or ["class"])
            if chosen and (chosen in columns or layer is None):
                self.column.setCurrentText(chosen)
        self._read()

    def set_selection(self, rows: Rows) -> None:
        """Atoms that *Assign* is about."""
        self._selected = rows

    def outlined(self, rows: Rows) -> None:
        """Give outlined atoms the chosen class, if painting is on."""
        if self.paint.isChecked() and len(rows):
            self._try(self._assign, rows)

    def take_groups(self, found: pd.Series) -> None:
        """Make classes of groups that were found, −1 for none."""
        names = pd.Series(found.to_numpy(), name=self.column.currentText())
        self._try(self._put, Classes.of(names))

    def undo(self) -> None:
        """Take the last change back."""
        if not self._past or self._layer is None:
            return
        column, classes = self._past.pop()
        ClassColumn(self._layer, column).write(classes)
        with QSignalBlocker(self.column):
            self.column.setCurrentText(column)
        self.classes = classes
        self._show()
        self.changed.emit(column)

    def _lay_out(self) -> None:
        self.column.setToolTip("Column that holds the classes; type a name for a new one")
        self.list.setColumnCount(2)
        self.list.setHeaderLabels(["class", "atoms"])
        self.list.setRootIsDecorated(False)
        self.list.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.list.setFixedHeight(LIST_HEIGHT)
        self.list.setToolTip("Double-click a name to change it; a name that is there already makes the two one class")
        self.name.setPlaceholderText("class, new or chosen above")
        self.name.setToolTip("Class to assign; empty takes the class away")
        tips = {
            self.assign_button: "Give the selected atoms this class",
            self.merge_button: "Make one class of those that are chosen in the list",
            self.color_button: "Choose another colour for the class, on the plot and on the canvas",
            self.undo_button: "Take the last change of the classes back",
            self.layer_button: "Make a Labels layer: the cell of every atom in the colour of its class",
            self.labels_button: f"Copy the classes to the column “{LABEL}”, from which Train VAE learns",
            self.paint: "Every lasso or box on the plot assigns the class at once",
        }
        for widget, tip in tips.items():
            widget.setToolTip(tip)
        assign = QHBoxLayout()
        assign.addWidget(self.name, 1)
        assign.addWidget(self.assign_button)
        buttons = QGridLayout()
        for place, button in enumerate((self.merge_button, self.color_button, self.undo_button)):
            buttons.addWidget(button, 0, place)
        buttons.addWidget(self.layer_button, 1, 0)
        buttons.addWidget(self.labels_button, 1, 1, 1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.grouping)
        column.addWidget(self.column)
        column.addWidget(self.list)
        column.addLayout(assign)
        column.addWidget(self.paint)
        column.addLayout(buttons)
        column.addWidget(self.words)

    def _connect(self) -> None:
        self.column.currentTextChanged.connect(self._on_column_changed)
        self.list.itemSelectionChanged.connect(self._on_chosen)
        self.list.itemChanged.connect(self._on_renamed)
        self._renaming.timeout.connect(self._rename)
        self.assign_button.clicked.connect(self._on_assign)
        self.name.returnPressed.connect(self._on_assign)
        self.merge_button.clicked.connect(self._on_merge)
        self.color_button.clicked.connect(self._on_color)
        self.undo_button.clicked.connect(self.undo)
        self.layer_button.clicked.connect(self._on_layer)
        self.labels_button.clicked.connect(self._on_labels)
        self.grouping.found.connect(self.take_groups)
        self.grouping.refused.connect(self.refused)

    def _read(self) -> None:
        """Take the classes from the column."""
        self.classes = None
        if self._layer is not None:
            try:
                self.classes = ClassColumn(self._layer, self.column.currentText()).read()
            except InputError as error:
                self.words.setText(str(error))
        self._show()

    def _show(self) -> None:
        chosen = set(self._chosen())
        with QSignalBlocker(self.list):
            self.list.clear()
            if self.classes is not None:
                for name, color, n in zip(self.classes.names, self.classes.colors, self.classes.counts, strict=True):
                    item = QTreeWidgetItem(self.list, [name, str(n)])
                    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                    item.setIcon(0, _swatch(color))
                    item.setData(0, Qt.ItemDataRole.UserRole, name)
                    item.setSelected(name in chosen)
        self.undo_button.setEnabled(bool(self._past))

    def _put(self, classes: Classes) -> None:
        """Write classes, so that they can be taken back."""
        if self._layer is None:
            raise InputError(NO_LAYER)
        column = self.column.currentText().strip() or "class"
        target = ClassColumn(self._layer, column)
        self._past = [*self._past[1 - STEPS :], (column, target.before())]
        target.write(classes)
        self.classes = classes
        self._show()
        self.changed.emit(column)

    def _current(self) -> Classes:
        """The classes as they are; none in a new column."""
        if self._layer is None:
            raise InputError(NO_LAYER)
        return self.classes or Classes(np.full(len(self._layer.features), -1, dtype=np.int32))

    def _assign(self, rows: Rows) -> None:
        if not len(rows):
            raise InputError("No atom is selected; outline some on the plot, or select them on the canvas.")
        name = self.name.text().strip()
        self._put(self._current().assign(rows, name))
        count = f"{len(rows)} atom{'s are' if len(rows) > 1 else ' is'}"
        self.words.setText(f"{count} now “{name}”." if name else f"{count} of no class now.")

    def _chosen(self) -> list[str]:
        return [item.data(0, Qt.ItemDataRole.UserRole) for item in self.list.selectedItems()]

    def _try(self, action: Any, *arguments: Any) -> None:
        try:
            action(*arguments)
        except InputError as error:
            self.refused.emit(str(error))

    def _on_column_changed(self, name: str) -> None:
        self._read()

    def _on_chosen(self) -> None:
        if len(chosen := self._chosen()) == 1:
            self.name.setText(chosen[0])

    def _on_renamed(self, item: QTreeWidgetItem, column: int) -> None:
        old, new = item.data(0, Qt.ItemDataRole.UserRole), item.text(0).strip()
        if column == 0 and new != old:
            self._typed = old, new
            self._renaming.start()  # the list cannot be filled anew while it tells of one of its items

    def _rename(self) -> None:
        self._try(self._put_renamed, *self._typed)
        self._show()

    def _put_renamed(self, old: str, new: str) -> None:
        self._put(self._current().rename(old, new))

    def _on_assign(self) -> None:
        self._try(self._assign, self._selected)

    def _on_merge(self) -> None:
        self._try(self._merge)

    def _merge(self) -> None:
        self._put(self._current().merge(self._chosen()))

    def _on_color(self) -> None:
        chosen = self._chosen()
        if len(chosen) != 1 or self.classes is None:
            self.refused.emit("Choose one class in the list to change its colour.")
            return
        color = QColorDialog.getColor(QColor(self.classes.palette[chosen[0]]), self, f"Colour of “{chosen[0]}”")
        if color.isValid():
            self._try(self._put, self.classes.recolour(chosen[0], color.name()))

    def _on_layer(self) -> None:
        if self.classes is None or not self.classes.names:
            self.refused.emit("There are no classes yet; group the atoms or assign some first.")
            return
        self.labels_asked.emit(self.column.currentText())

    def _on_labels(self) -> None:
        if self.classes is None or not self.classes.names or self._layer is None:
            self.refused.emit("There are no classes yet; group the atoms or assign some first.")
            return
        ClassColumn(self._layer, LABEL).write(self.classes)
        self.words.setText(f"They are in the column “{LABEL}” too, from which a semi-supervised model learns.")
        self.changed.emit(LABEL)


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)
