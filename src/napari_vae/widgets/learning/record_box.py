"""What can be done with an exploration as a whole: begin anew, keep it in a folder, go on with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMessageBox, QPushButton, QWidget

from ...errors import InputError

if TYPE_CHECKING:
    from ...learning.record import ExplorationRecord


class RecordBox(QWidget):
    """Three buttons."""

    over_clicked = Signal()
    open_asked = Signal(str)
    said = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._record: ExplorationRecord | None = None
        self.over_button = QPushButton("Start over")
        self.over_button.setToolTip(
            "End this exploration, so that everything above can be changed; its layers stay, hidden. Save it first if "
            "you want to go on with it later"
        )
        self.save_button = QPushButton("Save …")
        self.save_button.setToolTip(
            "Write every measurement, and all that is needed to go on from here, into a new folder: a table "
            "measurements.csv and a file for this program"
        )
        self.open_button = QPushButton("Open …")
        self.open_button.setToolTip(
            "Go on with an exploration that was saved. Choose the same image, atoms, window and target first"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.over_button, self.save_button, self.open_button):
            row.addWidget(button)
        self.over_button.clicked.connect(self._on_over_clicked)
        self.save_button.clicked.connect(self._on_save_clicked)
        self.open_button.clicked.connect(self._on_open_clicked)
        self.set_record(None)

    def set_record(self, record: ExplorationRecord | None, *, idle: bool = True) -> None:
        """Offer what can be done with this record, now or when the job has ended."""
        self._record = record
        self.over_button.setEnabled(idle and record is not None)
        self.save_button.setEnabled(idle and record is not None and bool(record.steps))
        self.open_button.setEnabled(idle and record is None)

    def save(self, folder: str | Path) -> None:
        """Save the record; a failure ends in a notification."""
        if self._record is None:
            return
        try:
            self._record.save(folder)
        except (InputError, OSError) as error:
            self.said.emit(f"The record was not saved: {error}")
            show_error(f"The record was not saved: {error}")
            return
        self.said.emit(f"Saved in {folder}.")

    def may_replace(self, folder: Path) -> bool:
        """Ask before a record that was saved earlier is lost; a folder of anything else is refused when saving."""
        from ...learning.record import MARKER

        if not (folder / MARKER).exists():
            return True
        answer = QMessageBox.question(
            self, "Replace the record?", f"{folder.name} holds a record that was saved before. Replace it by this one?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _on_save_clicked(self) -> None:
        folder, _ = QFileDialog.getSaveFileName(self, "Save the record as a new folder", "exploration")
        if folder and self.may_replace(Path(folder)):
            self.save(folder)

    def _on_open_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a record: choose its folder")
        if folder:
            self.open_asked.emit(folder)

    def _on_over_clicked(self) -> None:
        self.over_clicked.emit()
