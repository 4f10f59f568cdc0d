"""What is to be done with many files: which images, the task, and where the results go."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QLineEdit, QWidget

from ... import batch
from ...atoms.recipe import Options
from ...batch.outcomes import Task
from ...core.errors import InputError
from ...core.folders import user_path
from ...io.reading import FORMATS
from ...models.config import PRESETS, ModelConfig, TrainConfig
from ..common.dialogs import choose_files, choose_folder
from ..common.panel import Form, button_of, choice_of, row_of, side_by_side
from ..common.setting_controls import add_settings, remember, values_of

DETECT, APPLY, ANALYZE, TOGETHER = "detect", "apply", "analyze", "pool"
TASKS = {
    DETECT: "Detect atoms",
    APPLY: "Apply a trained model",
    ANALYZE: "Train a model on each",
    TOGETHER: "Train one model of all",
}
BETWEEN = "; "  # between the names of several files
TOOLTIPS = {
    "files": "The images to work on: files, folders, and patterns such as /data/today/*.dm4, with “;” between them. Of "
    "a folder all images are taken, without those in folders inside. The buttons below fill it in.",
    "choose_files": "Choose single image files in a dialog",
    "choose_folder": "Choose a folder, of which all images are taken",
    "task": "What is done with each image. Choose Detect for a table of atoms; Apply to have them described by a model "
    "trained before, and to learn whether the image looks like its training data; Train on each for a model, "
    "layers and a report of its own, when images are unlike each other; One of all for a single model of the windows "
    "of all images, when they are alike.",
    "model": "Model that is trained, by what it shall not care about: that is found for each atom and kept out of the "
    "latents. rVAE is a good start; take strain-rVAE when the lattice is strained.",
    "run": "Folder of the model that is applied: one that was saved in Train VAE, or of an analysis.",
    "choose_run": "Choose the folder of a trained model in a dialog",
    "out": "Folder for the results. What is finished there, of the same images and settings, is not done again.",
    "choose_out": "Choose the folder for the results in a dialog",
    "replace": "Replace results of the same name that are of other images or settings. Tick it when you have "
    "changed your mind; otherwise such a file fails.",
}


class BatchForm(Form):
    """The form."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.files, self.run, self.out = QLineEdit(), QLineEdit(), QLineEdit()
        self.choose_files = button_of("Files …", TOOLTIPS["choose_files"])
        self.choose_folder = button_of("Folder …", TOOLTIPS["choose_folder"])
        self.choose_run, self.choose_out = (button_of("…", TOOLTIPS[name]) for name in ("choose_run", "choose_out"))
        models = {name: words for name, words in PRESETS.items() if not ModelConfig.preset(name).knows.anything}
        self.task = choice_of(TASKS, narrow=True)
        self.model = choice_of(models, "rvae", narrow=True)
        self.replace = QCheckBox("Replace other results")
        self._fill()
        self._lay_out()
        self._connect()
        remembered = {"task": self.task, "polarity": self.polarity, "model": self.model, "epochs": self.epochs}
        remember("batch", remembered)
        self._show_rows()

    def patterns(self) -> list[str]:
        """The files, folders and patterns that were named.

        Raises
        ------
        InputError
            If there is none.
        """
        named = [text.strip() for text in self.files.text().split(BETWEEN.strip()) if text.strip()]
        if not named:
            raise InputError("No images are named; choose files or a folder.")
        return named

    def folder(self) -> Path:
        """Where the results go.

        Raises
        ------
        InputError
            If no folder is named.
        """
        if not self.out.text().strip():
            raise InputError("No folder for the results is named; choose one.")
        return user_path(self.out.text().strip())

    def job(self) -> Task:
        """What is to be done with every image.

        Raises
        ------
        InputError
            If the model to be applied is not named.
        """
        detection = {"polarity": self.polarity.currentData()}
        if self.task.currentData() == DETECT:
            return batch.Detect(detection)
        if self.task.currentData() == APPLY:
            if not self.run.text().strip():
                raise InputError("No trained model is named; choose the folder that it was saved in.")
            return batch.Encode(detection, run=user_path(self.run.text().strip()))
        model = ModelConfig.preset(self.model.currentData())
        train = TrainConfig(**values_of({"epochs": self.epochs}))
        task = batch.Train if self.task.currentData() == TOGETHER else batch.Analyze
        return task(model, train, detection=detection)

    def choose(self, task: str) -> None:
        """Choose what to do: ``"detect"``, ``"apply"``, ``"analyze"`` or ``"pool"``."""
        self.task.setCurrentIndex(self.task.findData(task))

    def _fill(self) -> None:
        self.files.setPlaceholderText("files, a folder, or *.dm4")
        for line in (self.run, self.out):
            line.setPlaceholderText("folder")
        for line in (self.files, self.run, self.out):
            line.textChanged.connect(line.setToolTip)  # paths are longer than the field

    def _lay_out(self) -> None:
        for button in (self.choose_run, self.choose_out):
            button.setFixedWidth(34)
        self.add("Images", self.files, TOOLTIPS["files"])
        self.add_wide(side_by_side(row_of(self.choose_files, self.choose_folder)))
        self.add("Do", self.task, TOOLTIPS["task"])
        self.add("Model", self.model, TOOLTIPS["model"])
        (self.epochs,) = add_settings(self, TrainConfig, "epochs").values()
        self.run_row = self.add("Trained model", row_of(self.run, self.choose_run), TOOLTIPS["run"])
        (self.polarity,) = add_settings(self, Options, "polarity").values()
        self.add("Results in", row_of(self.out, self.choose_out), TOOLTIPS["out"])
        self.add_wide(self.replace)
        self.replace.setToolTip(TOOLTIPS["replace"])

    def _connect(self) -> None:
        self.task.currentIndexChanged.connect(self._show_rows)
        self.choose_files.clicked.connect(self._on_files_clicked)
        self.choose_folder.clicked.connect(self._on_folder_clicked)
        self.choose_run.clicked.connect(self._on_run_clicked)
        self.choose_out.clicked.connect(self._on_out_clicked)

    def _show_rows(self, index: int = 0) -> None:
        """Only the rows that the task needs."""
        task = self.task.currentData()
        trains = (ANALYZE, TOGETHER)
        for control, needed in ((self.model, trains), (self.epochs, trains), (self.run_row, (APPLY,))):
            self.set_row_visible(control, task in needed)

    def _on_files_clicked(self) -> None:
        known = " ".join(f"*{suffix}" for suffix in FORMATS)
        names = choose_files(self, "Choose images", f"Images ({known});;All files (*)")
        if names:
            self.files.setText(BETWEEN.join(names))

    def _on_folder_clicked(self) -> None:
        self._ask(self.files, "Choose a folder of images")

    def _on_run_clicked(self) -> None:
        self._ask(self.run, "Choose the folder of a trained model")

    def _on_out_clicked(self) -> None:
        self._ask(self.out, "Choose the folder for the results")

    def _ask(self, line: QLineEdit, title: str) -> None:
        folder = choose_folder(self, title, line.text())
        if folder:
            line.setText(folder)
