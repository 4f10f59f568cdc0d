"""The files of a batch: where each is, what was found in it, or why it failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QTableWidget, QTableWidgetItem, QWidget

from ...batch.outcomes import BatchProgress, Outcome

HEADINGS = {
    "file": "The image.",
    "state": "Waiting, at work and how far, done, finished before, or failed; amber where there is something to look "
    "at: no atoms, or a model that does not fit.",
    "what": "What was found, or why it failed.",
}
WAITING = "waiting"
AMBER, ON_AMBER = "#e8a200", "#000000"  # of a ground and its words, so that they are read in every theme
WIDEST = 180  # pixels of the names of files
HEIGHT = 190  # pixels; the rest scrolls


class _Names(QStyledItemDelegate):
    """Long names lose their middle: their ends tell files apart."""

    def initStyleOption(self, option: Any, index: Any) -> None:  # Qt's name
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle


class BatchTable(QTableWidget):
    """One row per file; ``open_asked`` carries the outcome of the row that was double-clicked."""

    open_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEADINGS), parent)
        self._outcomes: list[Outcome] = []
        self.setHorizontalHeaderLabels(list(HEADINGS))
        for column, tooltip in enumerate(HEADINGS.values()):
            self.horizontalHeaderItem(column).setToolTip(tooltip)
        self.setToolTip(
            "The files of the batch, a row each, with what was found or why it failed; double-click one that is "
            "done to open it"
        )
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setStretchLastSection(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrap(False)
        self.setItemDelegateForColumn(0, _Names(self))
        self.setMinimumHeight(HEIGHT)
        self.cellDoubleClicked.connect(self._on_double_clicked)

    def show_files(self, paths: Sequence[Path]) -> None:
        """All files, waiting."""
        self._outcomes = []
        self.setRowCount(len(paths))
        for row, path in enumerate(paths):
            self._write(row, path.name, WAITING, "")
            self.item(row, 0).setToolTip(str(path))
        self.resizeColumnToContents(0)
        self.setColumnWidth(0, min(self.columnWidth(0), WIDEST))
        self.setColumnWidth(1, 100)

    def show_progress(self, event: BatchProgress) -> None:
        """What became of the files so far, and how far the one at work is."""
        self.show_outcomes(event.outcomes)
        row = len(event.outcomes)
        if event.stage is not None and row < self.rowCount():
            self._say(row, 1, f"{event.stage.name} {event.stage.fraction:.0%}")

    def show_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """What became of the files so far."""
        for row in range(len(self._outcomes), len(outcomes)):
            outcome = outcomes[row]
            self._say(row, 1, outcome.doubt or outcome.state)
            for role, color in ((Qt.ItemDataRole.BackgroundRole, AMBER), (Qt.ItemDataRole.ForegroundRole, ON_AMBER)):
                self.item(row, 1).setData(role, QColor(color) if outcome.doubt else None)
            self._say(row, 2, outcome.message)
        if len(outcomes) > len(self._outcomes):
            self.scrollToItem(self.item(min(len(outcomes), self.rowCount() - 1), 0))
        self._outcomes = list(outcomes)

    def end(self) -> None:
        """No file is at work any more."""
        for row in range(len(self._outcomes), self.rowCount()):
            self._say(row, 1, WAITING)

    def chosen(self) -> Outcome | None:
        """What became of the selected file, if something was written for it."""
        row = self.currentRow()
        known = 0 <= row < len(self._outcomes) and not self._outcomes[row].failed
        return self._outcomes[row] if known else None

    def remark(self) -> str:
        """What was found in the selected file, or why it failed."""
        row = self.currentRow()
        return self._outcomes[row].message if 0 <= row < len(self._outcomes) else ""

    def words(self) -> list[tuple[str, ...]]:
        """What the table shows, row by row."""
        columns = range(self.columnCount())
        return [tuple(self.item(row, column).text() for column in columns) for row in range(self.rowCount())]

    def _write(self, row: int, *texts: str) -> None:
        for column, text in enumerate(texts):
            self.setItem(row, column, QTableWidgetItem(text))

    def _say(self, row: int, column: int, text: str) -> None:
        self.item(row, column).setText(text)
        self.item(row, column).setToolTip(text)

    def _on_double_clicked(self, row: int, column: int) -> None:
        if (outcome := self.chosen()) is not None:
            self.open_asked.emit(outcome)
