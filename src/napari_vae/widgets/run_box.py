"""What can be done with a trained model: save, load, apply to the chosen image, train on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMessageBox, QPushButton, QWidget

from ..errors import InputError

if TYPE_CHECKING:
    from ..run import Run


class RunBox(QWidget):
    """Buttons for the run at hand."""

    apply_clicked = Signal()
    continue_clicked = Signal()
    load_asked = Signal(str)
    said = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: Run | None = None
        self.save_button = QPushButton("Save …")
        self.load_button = QPushButton("Load …")
        self.apply_button = QPushButton("Apply")
        self.continue_button = QPushButton("Continue")
        self.save_button.setToolTip("Write the trained model into a new folder")
        self.load_button.setToolTip("Read a model that was saved before")
        self.apply_button.setToolTip("Describe the atoms of the chosen image with this model, without training it")
        self.continue_button.setToolTip(
            "Train this model further on the chosen image: model and window stay, while epochs, batch, β, device and "
            "seed are those of the form"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button, slot in (
            (self.save_button, self._on_save_clicked),
            (self.load_button, self._on_load_clicked),
            (self.apply_button, self._on_apply_clicked),
            (self.continue_button, self._on_continue_clicked),
        ):
            row.addWidget(button)
            button.clicked.connect(slot)
        self.set_run(None)

    def set_run(self, run: Run | None) -> None:
        """Make a run the one at hand."""
        self.run = run
        for button in (self.save_button, self.apply_button, self.continue_button):
            button.setEnabled(run is not None)

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

    def may_replace(self, folder: Path) -> bool:
        """Ask before a model that was saved earlier is lost; a folder of anything else is refused by `Run.save`."""
        from ..run import MARKER

        if not (folder / MARKER).exists():
            return True
        answer = QMessageBox.question(
            self, "Replace the model?", f"{folder.name} holds a model that was saved before. Replace it by this one?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _on_load_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Load a model: choose its folder")
        if folder:
            self.load_asked.emit(folder)

    def _on_save_clicked(self) -> None:
        folder, _ = QFileDialog.getSaveFileName(self, "Save the model as a new folder", "model")
        if folder and self.may_replace(Path(folder)):
            self.save(folder)

    def _on_apply_clicked(self) -> None:
        self.apply_clicked.emit()

    def _on_continue_clicked(self) -> None:
        self.continue_clicked.emit()
