"""What can be done with a trained model: save, load, apply to the chosen image, train on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from ...core.folders import RUN
from ..common.dialogs import Image, choose_folder, no_image
from ..common.panel import button_of, row_of, side_by_side, wrapping_rows
from ..common.saving_box import SavingBox

if TYPE_CHECKING:
    from ...runs.run import Run


class RunBox(SavingBox):
    """Buttons for the run at hand."""

    apply_clicked = Signal()
    continue_clicked = Signal()
    keep_clicked = Signal()
    load_asked = Signal(str)

    def __init__(self, image: Image = no_image, parent: QWidget | None = None) -> None:
        super().__init__(
            "model",
            "model",
            "Write the trained model into a new folder, to use it another day or on a whole folder of images (Batch)",
            marker=RUN,
            image=image,
            parent=parent,
        )
        self.load_button = button_of("Load …", "Read a model that was saved before, from its folder")
        self.apply_button = button_of(
            "Apply", "Describe the atoms of the chosen image with this model, without training it"
        )
        self.continue_button = button_of(
            "Continue",
            "Train this model further on the chosen image: model and window stay, while epochs, batch, weight of KL, "
            "device and seed are those of the form",
        )
        self.keep_button = button_of(
            "Keep …",
            "Keep this run beside those to come, by a name: a copy of its points, as a layer of its own. The next "
            "training replaces a run that was not kept",
        )
        rows = wrapping_rows()
        rows.addRow(
            side_by_side(row_of(self.save_button, self.load_button, self.apply_button)),
            side_by_side(row_of(self.continue_button, self.keep_button)),
        )
        self.setLayout(rows)
        self.load_button.clicked.connect(self._on_load_clicked)
        self.apply_button.clicked.connect(self.apply_clicked)
        self.continue_button.clicked.connect(self.continue_clicked)
        self.keep_button.clicked.connect(self.keep_clicked)
        self.keep_button.setEnabled(False)
        self.set_run(None)

    @property
    def run(self) -> Run | None:
        """The run at hand."""
        return self.kept

    def set_run(self, run: Run | None) -> None:
        """Make a run the one at hand."""
        self.kept = run
        for button in (self.save_button, self.apply_button, self.continue_button):
            button.setEnabled(run is not None)

    def _on_load_clicked(self) -> None:
        folder = choose_folder(self, "Load a model: choose its folder")
        if folder:
            self.load_asked.emit(folder)
