"""Classes of the atoms: found by grouping, given by hand, renamed, merged, coloured, undone, and handed on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QComboBox, QLineEdit, QListWidgetItem, QMenu, QWidget

from ...analysis.classes import Classes
from ...core.errors import InputError
from ..common.layer_box import LABEL
from ..common.panel import button_of, row_of, sentence, stacked
from .class_column import ClassColumn, ColumnState
from .gallery import Gallery, Tile
from .grouping_box import GroupingBox
from .pictures import Cut

Rows = npt.NDArray[np.int64]

NEW = "class"  # column where there is none yet
STEPS = 20  # that can be taken back
NO_LAYER = "Choose a layer first."
NO_CLASSES = "There are no classes yet; group the atoms or assign some first."
CHANGED = "The points were changed meanwhile, so the groups are no longer theirs; group again."


class ClassSection(QWidget):
    """A column of classes, as a gallery that can be edited."""

    refused = Signal(str)
    changed = Signal(str)  # the column that was written
    rows_asked = Signal(object)  # of the atoms that are to be shown
    labels_asked = Signal(str)  # the column of which a Labels layer is wanted

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Any | None = None
        self._selected: Rows = np.zeros(0, dtype=np.int64)
        self._past: list[ColumnState] = []
        self._rows = 0
        self._windows: tuple[Cut | None, pd.DataFrame | None] = None, None
        self._complains = False  # about the column, in the words below
        self.classes: Classes | None = None
        self.column = QComboBox()
        self.column.setEditable(True)
        self.gallery = Gallery(editable=True)
        self.name = QLineEdit()
        self.assign_button = button_of("Assign", "Give the atoms that are selected, here or on the canvas, this class")
        self.show_button = button_of("Show", "Select the atoms of the chosen classes, on plot and image (Enter)")
        self.merge_button = button_of("Merge", "Make one class of those that are chosen (Ctrl-click for several)")
        self.split_button = button_of("Split", "Make a class of its own of those atoms of the class that are outlined")
        self.undo_button = button_of("Undo", "Take the last change of the classes back")
        self.more_button = button_of("More", "Paint classes, colour them, make a Labels layer, hand them to Train")
        menu = QMenu(self)
        self.paint = menu.addAction("Paint: what is outlined gets the class at once")
        self.color_action = menu.addAction("Colour …")
        self.layer_action = menu.addAction("Make a Labels layer")
        self.labels_action = menu.addAction("Use as labels for Train VAE")
        self.more_button.setMenu(menu)
        self.grouping = GroupingBox()
        self.words = sentence()
        self._lay_out()
        self._connect()

    def set_layer(
        self, layer: Any | None, table: pd.DataFrame, symmetry: int, cut: Cut, poses: pd.DataFrame | None
    ) -> None:
        """Edit the classes of another layer, or those of the same as they are now; `cut` gives windows of its atoms."""
        same = layer == self._layer
        if not same or len(table) != self._rows:
            self._past.clear()  # rows that are no longer the same cannot be put back
        if not same:
            self.grouping.forget()
        self._layer, self._rows, self._windows = layer, len(table), (cut, poses)
        self.grouping.set_table(table, symmetry)
        columns = [] if layer is None else ClassColumn.names_in(layer)
        chosen = self.column.currentText()
        stays = same and chosen and (chosen in columns or chosen != NEW)
        self._offer(columns, chosen if stays else "")
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
        if self._layer is None or len(found) != len(self._layer.features):
            self.refused.emit(CHANGED)
            return
        self._try(self._put, Classes.of(pd.Series(found.to_numpy(), name="groups")))

    def undo(self) -> None:
        """Take the last change back."""
        if not self._past or self._layer is None:
            return
        if len(self._layer.features) != self._rows:
            self._past.clear()
            self.refused.emit("Points were added or deleted since, so the classes cannot be taken back.")
            self._show()
            return
        state = self._past.pop()
        ClassColumn(self._layer, state.name).restore(state)
        if state.name != LABEL:
            self._choose_column(state.name)
        self._read()
        self.changed.emit(state.name)

    def _lay_out(self) -> None:
        self.column.setToolTip(
            "Column of the layer that holds the classes; choose one, or type a name for a new one to keep the old "
            "as it is"
        )
        self.name.setPlaceholderText("class, new or chosen above")
        self.name.setToolTip(
            "Name of the class to assign, new or one of the list; leave it empty to take the class away"
        )
        self.gallery.setAccessibleName("Classes")
        self.gallery.setToolTip(
            "The mean window of every class, and how many atoms it has. Enter shows them, F2 changes the name; a name "
            "that is there already makes the two one class"
        )
        self.paint.setCheckable(True)
        assign = row_of(self.name, self.assign_button, wide=self.name)
        edits = row_of(self.show_button, self.merge_button, self.split_button, self.undo_button, self.more_button)
        stacked(self, self.grouping, self.column, self.gallery, edits, assign, self.words)

    def _connect(self) -> None:
        self.column.currentTextChanged.connect(self._read)
        self.gallery.itemSelectionChanged.connect(self._on_chosen)
        self.gallery.itemActivated.connect(self._on_show)
        self.gallery.renamed.connect(self._on_renamed)
        self.show_button.clicked.connect(self._on_show)
        self.assign_button.clicked.connect(self._on_assign)
        self.name.returnPressed.connect(self._on_assign)
        self.merge_button.clicked.connect(self._on_merge)
        self.split_button.clicked.connect(self._on_split)
        self.color_action.triggered.connect(self._on_color)
        self.undo_button.clicked.connect(self.undo)
        self.layer_action.triggered.connect(self._on_layer)
        self.labels_action.triggered.connect(self._on_labels)
        self.grouping.found.connect(self.take_groups)
        self.grouping.refused.connect(self.refused)

    def _offer(self, columns: list[str], chosen: str) -> None:
        with QSignalBlocker(self.column):
            self.column.clear()
            self.column.addItems(columns or [NEW])
            if chosen:
                self.column.setCurrentText(chosen)

    def _choose_column(self, name: str) -> None:
        with QSignalBlocker(self.column):
            self.column.setCurrentText(name)

    def _read(self, name: str = "") -> None:
        """Take the classes from the column."""
        self.classes, words = None, ""
        if self._layer is not None:
            try:
                self.classes = ClassColumn(self._layer, self.column.currentText().strip()).read()
            except InputError as error:
                words = str(error)
        if words or self._complains:
            self.words.setText(words)
        self._complains = bool(words)
        self._show()

    def _show(self) -> None:
        self.gallery.show_tiles(_tiles(self.classes), *self._windows)
        self.undo_button.setEnabled(bool(self._past))

    def _put(self, classes: Classes) -> None:
        """Write classes, so that they can be taken back."""
        column = self._target().editable()
        self._write(column, classes)
        self._choose_column(column.name)
        self.classes = classes
        self._show()
        self.changed.emit(column.name)

    def _write(self, column: ClassColumn, classes: Classes) -> None:
        column.read()  # refuses what is not a column of classes, which would be lost
        self._past = [*self._past[1 - STEPS :], column.state()]
        column.write(classes)

    def _target(self) -> ClassColumn:
        if self._layer is None:
            raise InputError(NO_LAYER)
        return ClassColumn(self._layer, self.column.currentText().strip() or NEW)

    def _current(self) -> Classes:
        """The classes as they are; none in a new column."""
        target = self._target()
        return target.read() or Classes(np.full(len(target.layer.features), -1, dtype=np.int32))

    def _assign(self, rows: Rows) -> None:
        classes = self._current()
        rows = rows[rows < len(classes.codes)]  # points may have been deleted a moment ago
        if not len(rows):
            raise InputError("No atom is selected; outline some on the plot, or select them on the canvas.")
        name = self.name.text().strip()
        self._put(classes.assign(rows, name))
        number = f"{len(rows)} atom{'s are' if len(rows) > 1 else ' is'}"
        self.words.setText(f"{number} now “{name}”." if name else f"{number} of no class now.")

    def _try(self, action: Any, *arguments: Any) -> None:
        try:
            action(*arguments)
        except InputError as error:
            self.refused.emit(str(error))

    def _on_chosen(self) -> None:
        if len(chosen := self.gallery.chosen()) == 1:
            self.name.setText(chosen[0])

    def _on_renamed(self, old: str, new: str) -> None:
        if new != old:
            self._try(lambda: self._put(self._current().rename(old, new)))
        self._show()

    def _on_assign(self) -> None:
        self._try(self._assign, self._selected)

    def _on_show(self, item: QListWidgetItem | None = None) -> None:
        chosen = self.gallery.chosen()
        if self.classes is None or not chosen:
            self.refused.emit("Choose a class above to see its atoms.")
            return
        numbers = [self.classes.names.index(name) for name in chosen]
        self.rows_asked.emit(np.flatnonzero(np.isin(self.classes.codes, numbers)))

    def _on_split(self) -> None:
        self._try(self._split)

    def _split(self) -> None:
        classes, chosen = self._current(), self.gallery.chosen()
        if len(chosen) != 1:
            raise InputError("Choose one class above, outline some of its atoms on the plot, and press Split.")
        self._put(classes.split(chosen[0], self._selected[self._selected < len(classes.codes)]))
        self.words.setText(f"A part of “{chosen[0]}” is now “{self.classes.names[-1]}”; F2 changes the name.")

    def _on_merge(self) -> None:
        self._try(lambda: self._put(self._current().merge(self.gallery.chosen())))

    def _on_color(self) -> None:
        chosen = self.gallery.chosen()
        if len(chosen) != 1 or self.classes is None:
            self.refused.emit("Choose one class above to change its colour.")
            return
        color = QColorDialog.getColor(QColor(self.classes.palette[chosen[0]]), self, f"Colour of “{chosen[0]}”")
        if color.isValid():
            self._try(self._put, self._current().recolour(chosen[0], color.name()))

    def _on_layer(self) -> None:
        if self.classes is None or not self.classes.names:
            self.refused.emit(NO_CLASSES)
            return
        self.labels_asked.emit(self.column.currentText().strip())

    def _on_labels(self) -> None:
        self._try(self._copy_to_labels)

    def _copy_to_labels(self) -> None:
        if self.classes is None or not self.classes.names or self._layer is None:
            raise InputError(NO_CLASSES)
        self._write(ClassColumn(self._layer, LABEL), self._current())
        self._show()
        self.words.setText(f"They are in the column “{LABEL}” too; Train VAE takes it for “Labels from” by itself.")
        self.changed.emit(LABEL)


def _tiles(classes: Classes | None) -> list[Tile]:
    if classes is None:
        return []
    members = zip(classes.names, classes.colors, classes.counts, strict=True)
    return [
        Tile(name, name, f"{n:,} atoms", color, np.flatnonzero(classes.codes == number))
        for number, (name, color, n) in enumerate(members)
    ]
