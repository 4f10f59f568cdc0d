"""Which model to train: a named one or any mix of invariances, and how long and where."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QGridLayout, QSpinBox, QWidget

from ...core.class_colors import MOST_LABELS
from ...models.config import INVARIANCES, PRESETS, ModelConfig, TrainConfig
from ..common.memory import remember
from ..common.panel import Form, counter, side_by_side

FIRST = "rvae"
CUSTOM = "as chosen below"
AUTOMATIC = "automatic"
KIND_WORDS = {
    "vae": "without labels",
    "conditional": "given a class or number for each",
    "semi-supervised": "from a few labels",
    "joint": "finding classes by itself",
}
EXPLAINED = {
    "rotation": "Every atom may be turned: its angle is found, in °, and kept out of the latents. Tick it when like "
    "atoms lie in several orientations.",
    "translation": "Every atom may lie off the centre of its window: the shift is found, in px, and kept out of the "
    "latents. Tick it for a regular grid, or when positions are rough.",
    "scale": "Every atom may be larger or smaller: the factor is found, 1 for the mean, and kept out of the latents. "
    "Tick it when size or magnification varies.",
    "strain": "Every cell may be stretched or sheared: the strain is found (a share: 0.01 is 1 %) and kept out of the "
    "latents. Tick it when the lattice is bent or strained.",
}
DEVICES = {"automatic": "auto", "CPU": "cpu", "NVIDIA GPU (CUDA)": "cuda", "Apple GPU (MPS)": "mps"}
TOOLTIPS = {
    "Model": "A published model by its name, or your own mix of what is chosen below. rVAE is a good start; VAE suits "
    "where the orientation itself is what you look for.",
    "Learns": "What the model is told of the atoms. Nothing is usual. Choose a class or number for each to keep what "
    "you know already out of the latents; a few labels to have the rest predicted; classes by itself to have the "
    "atoms sorted into as many as you say.",
    "Classes": "Number of classes into which the model shall sort the atoms. Raise it when unlike atoms share a class.",
    "Ignore": "What shall not count as a difference between two atoms. It is measured for each atom instead. Tick "
    "what varies, but does not interest you.",
    "Latents": "Number of latents: the values that describe what is left to differ between atoms. Two can be drawn as "
    "a plane; take more when the residual still shows structure.",
    "Epochs": "Number of passes over all atoms. Automatic goes on until the loss (how badly windows are redrawn) "
    "stops improving; set it for a quick look.",
    "Batch": "Number of atoms that are learned from at once. Automatic goes by how many there are; lower it when "
    "memory runs out.",
    "Weight of KL": "β, a number: the weight of the KL term, the price of what the latents hold. Above 1 they are "
    "simpler and fewer are used, below 1 they hold more. Lower it when all atoms come out alike.",
    "Device": "What computes. Automatic takes a graphics card (GPU) if there is one; the words below name it. Choose "
    "CPU when its memory runs out.",
    "Seed": "Start of the random numbers, itself any whole number. The same seed on the same device gives the same "
    "result; change it to see whether a result holds.",
}


class ModelForm(Form):
    """Choice of the model; ``advanced`` holds the rows that a first look does not need."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preset = QComboBox()
        for name, label in PRESETS.items():
            self.preset.addItem(label, name)
        self.preset.addItem(CUSTOM, "")
        self.preset.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.preset.setMinimumContentsLength(12)  # the dock stays narrow, while the list shows the whole words
        self.preset.view().setMinimumWidth(self.preset.view().sizeHintForColumn(0) + 30)
        self.kind = QComboBox()
        for name, label in KIND_WORDS.items():
            self.kind.addItem(label, name)
        self.n_classes = counter(2, MOST_LABELS, 2)
        self.checks = {name: QCheckBox(name) for name in INVARIANCES}
        self.latent_dim = counter(1, 16, ModelConfig().latent_dim)
        self.advanced = Form()
        self.epochs = counter(0, 10_000, 0)
        self.epochs.setSpecialValueText(AUTOMATIC)
        self.batch_size = counter(0, 65_536, 0)
        self.batch_size.setSpecialValueText(AUTOMATIC)
        self.beta = QDoubleSpinBox()
        self.beta.setRange(0, 100)
        self.beta.setSingleStep(0.5)
        self.beta.setValue(TrainConfig().beta)
        self.device = QComboBox()
        for label, name in DEVICES.items():
            self.device.addItem(label, name)
        self.seed = counter(0, 2**31 - 1, TrainConfig().seed)
        self._lay_out()
        self.preset.currentIndexChanged.connect(self._on_preset_changed)
        self.kind.currentIndexChanged.connect(self._on_kind_changed)
        for check in self.checks.values():
            check.toggled.connect(self._on_check_toggled)
        self.choose(FIRST)
        self._on_kind_changed()
        remember("training", {**self.checks, **self._remembered()})

    def choose(self, preset: str) -> None:
        """Choose a model by name, such as ``"trvae"``."""
        self.preset.setCurrentIndex(self.preset.findData(preset))
        self._on_preset_changed()

    def choose_mix(self, model: ModelConfig) -> None:
        """Choose what a model ignores and its number of latents; the kind stays."""
        for name, check in self.checks.items():
            check.setChecked(name in model.invariances)
        self.latent_dim.setValue(model.latent_dim)

    def model(self) -> ModelConfig:
        """The model as chosen."""
        ticked = tuple(name for name, check in self.checks.items() if check.isChecked())
        kind = self.kind.currentData()
        n_classes = self.n_classes.value() if kind == "joint" else None  # else the labels tell
        return ModelConfig(kind=kind, invariances=ticked, latent_dim=self.latent_dim.value(), n_classes=n_classes)

    def train(self) -> TrainConfig:
        """The training as chosen."""
        return TrainConfig(
            epochs=self.epochs.value() or "auto",
            batch_size=self.batch_size.value() or "auto",
            beta=self.beta.value(),
            device=self.device.currentData(),
            seed=self.seed.value(),
        )

    def _remembered(self) -> dict[str, QComboBox | QSpinBox | QDoubleSpinBox]:
        return {
            "kind": self.kind,
            "classes": self.n_classes,
            "latents": self.latent_dim,
            "epochs": self.epochs,
            "batch": self.batch_size,
            "beta": self.beta,
            "device": self.device,
            "seed": self.seed,
        }

    def _lay_out(self) -> None:
        self.add("Model", self.preset, TOOLTIPS["Model"])
        self.add("Learns", self.kind, TOOLTIPS["Learns"])
        self.add("Classes", self.n_classes, TOOLTIPS["Classes"])
        grid = QGridLayout()
        for i, (name, check) in enumerate(self.checks.items()):
            check.setToolTip(EXPLAINED[name])
            grid.addWidget(check, i // 2, i % 2)
        self.add("Ignore", side_by_side(grid), TOOLTIPS["Ignore"])
        self.add("Latents", self.latent_dim, TOOLTIPS["Latents"])
        add = self.advanced.add
        add("Epochs", self.epochs, TOOLTIPS["Epochs"])
        add("Batch", self.batch_size, TOOLTIPS["Batch"])
        add("Weight of KL", self.beta, TOOLTIPS["Weight of KL"])
        add("Device", self.device, TOOLTIPS["Device"])
        add("Seed", self.seed, TOOLTIPS["Seed"])

    def _on_preset_changed(self, index: int = 0) -> None:
        name = self.preset.currentData()
        if not name:
            return
        model = ModelConfig.preset(name)
        self.kind.setCurrentIndex(self.kind.findData(model.kind))
        for invariance, check in self.checks.items():
            check.setChecked(invariance in model.invariances)

    def _on_kind_changed(self, index: int = 0) -> None:
        self.set_row_visible(self.n_classes, self.kind.currentData() == "joint")
        self._show_name()

    def _on_check_toggled(self, ticked: bool) -> None:
        self._show_name()

    def _show_name(self) -> None:
        index = self.preset.findData(self.model().name)
        with QSignalBlocker(self.preset):
            self.preset.setCurrentIndex(index if index >= 0 else self.preset.count() - 1)
