"""Keeping trained models: save, load, and apply to the chosen image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from ..errors import InputError

if TYPE_CHECKING:
    from ..run import Run


class RunBox(QWidget):
    """Buttons for the run at hand."""

    apply_clicked = Signal()
    load_asked = Signal(str)
    said = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: Run | None = None
        self.save_button = QPushButton("Save …")
        self.load_button = QPushButton("Load …")
        self.apply_button = QPushButton("Apply")
        self.save_button.setToolTip("Write the trained model into a new folder")
        self.load_button.setToolTip("Read a model that was saved before")
        self.apply_button.setToolTip("Describe the atoms of the chosen image with this model, without training it")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button, slot in (
            (self.save_button, self._on_save_clicked),
            (self.load_button, self._on_load_clicked),
            (self.apply_button, self._on_apply_clicked),
        ):
            row.addWidget(button)
            button.clicked.connect(slot)
        self.set_run(None)

    def set_run(self, run: Run | None) -> None:
        """Make a run the one at hand."""
        self.run = run
        self.save_button.setEnabled(run is not None)
        self.apply_button.setEnabled(run is not None)

    def save(self, folder: str | Path) -> None:
        """Save the run at hand; a failure ends in a notification."""
        if self.run is None:
            return
        try:
            self.run.save(folder)
        except (InputError, OSError) as error:
            show_error(f"The model was not saved: {error}")
            return
        self.said.emit(f"Saved in {folder}.")

    def _on_save_clicked(self) -> None:
        folder, _ = QFileDialog.getSaveFileName(self, "Save the model as a new folder", "model")
        if folder:
            self.save(folder)

    def _on_load_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Load a model: choose its folder")
        if folder:
            self.load_asked.emit(folder)

    def _on_apply_clicked(self) -> None:
        self.apply_clicked.emit()
