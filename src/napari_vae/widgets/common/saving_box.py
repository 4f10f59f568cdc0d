"""The part of a box that writes what is at hand into a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMessageBox, QWidget

from ...core.errors import InputError, storage_problem
from ...core.folders import holds
from .dialogs import Image, choose_new
from .panel import button_of


class SavingBox(QWidget):
    """Has a button that saves, and asks before what was saved earlier is lost.

    Parameters
    ----------
    what : str
        What is saved, in a word.
    folder : str
        The name that is offered for its folder.
    tooltip : str
        Of the button.
    marker : str
        Name of the file by which such a folder is known.
    image : callable
        Gives the image layer after which the folder is named.
    """

    said = Signal(str)

    def __init__(
        self, what: str, folder: str, tooltip: str, *, marker: str, image: Image, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._what, self._folder, self._marker, self._image = what, folder, marker, image
        self.kept: Any | None = None  # what is at hand
        self.save_button = button_of("Save …", tooltip)
        self.save_button.clicked.connect(self._on_save_clicked)

    def save(self, folder: str | Path) -> None:
        """Save what is at hand; a failure ends in a notification."""
        if self.kept is None:
            return
        try:
            self.kept.save(folder)
        except (InputError, OSError) as error:
            words = f"The {self._what} was not saved: {storage_problem(error) or error}"
            self.said.emit(words)
            show_error(words)
            return
        self.said.emit(f"Saved in {folder}.")

    def may_replace(self, folder: Path) -> bool:
        """Ask before one that was saved earlier is lost; a folder of anything else is refused when saving."""
        if not holds(folder, self._marker):
            return True
        answer = QMessageBox.question(
            self,
            f"Replace the {self._what}?",
            f"{folder.name} holds a {self._what} that was saved before. Replace it by this one?",
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _on_save_clicked(self) -> None:
        folder, _ = choose_new(self, f"Save the {self._what} as a new folder", self._folder, self._image())
        if folder and self.may_replace(Path(folder)):
            self.save(folder)
