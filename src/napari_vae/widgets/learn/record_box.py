"""What can be done with an exploration as a whole: begin anew, keep it in a folder, go on with one."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from ...learning.explore.record import MARKER, Record
from ..common.dialogs import Image, choose_folder, no_image
from ..common.panel import button_of, row_of
from ..common.saving_box import SavingBox


class RecordBox(SavingBox):
    """Three buttons."""

    over_clicked = Signal()
    open_asked = Signal(str)

    def __init__(self, image: Image = no_image, parent: QWidget | None = None) -> None:
        tooltip = (
            "Write every measurement, and all that is needed to go on from here, into a new folder: a table "
            "measurements.csv and a file for this program"
        )
        super().__init__("record", "exploration", tooltip, marker=MARKER, image=image, parent=parent)
        self.over_button = button_of(
            "Start over",
            "End this exploration, so that everything above can be changed; its layers stay, hidden. Save it first if "
            "you want to go on with it later",
        )
        self.open_button = button_of(
            "Open …", "Go on with an exploration that was saved. Choose the same image, atoms, window and target first"
        )
        self.setLayout(row_of(self.over_button, self.save_button, self.open_button))
        self.over_button.clicked.connect(self.over_clicked)
        self.open_button.clicked.connect(self._on_open_clicked)
        self.set_record(None)

    def set_record(self, record: Record | None, *, idle: bool = True) -> None:
        """Offer what can be done with this record, now or when the job has ended."""
        self.kept = record
        self.over_button.setEnabled(idle and record is not None)
        self.save_button.setEnabled(idle and record is not None and bool(record.steps))
        self.open_button.setEnabled(idle and record is None)

    def _on_open_clicked(self) -> None:
        folder = choose_folder(self, "Open a record: choose its folder")
        if folder:
            self.open_asked.emit(folder)
