"""Which model to train: what atoms may be without counting as different, and under Advanced its name, how and where."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

from ...core.class_colors import MOST_LABELS
from ...core.fields import settings_of
from ...models.components import COMPONENTS
from ...models.config import PRESETS, ModelConfig, TrainConfig
from ...models.kinds import KINDS
from ..common.panel import Form, choice_of
from ..common.setting_controls import add_settings, changes_of, remember, values_of

FIRST = "rvae"
CUSTOM = "as ticked above"
ASKED = ("rotation", "translation", "strain", "scale", "mirror")
#: Settings of a training that are asked for, and names under which napari keeps what is chosen.
TRAINING = ("epochs", "batch_size", "beta", "device", "seed")
KEPT = {"batch_size": "batch"}
MODEL = (
    "A published model by its name; it ticks what atoms may be. rVAE is a good start; VAE suits where the orientation "
    "itself is what you look for."
)
PLOTTED = 2  # latents that make a plane


class ModelForm(Form):
    """Choice of the model; ``advanced`` holds the rows that a first look does not need."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.checks = {name: QCheckBox(COMPONENTS[name].word) for name in ASKED}
        self.name = QLabel()
        grid = QGridLayout()
        for i, (name, check) in enumerate(self.checks.items()):
            check.setToolTip(COMPONENTS[name].tooltip)
            grid.addWidget(check, i // 2, i % 2)
        grid.addWidget(self.name, len(ASKED) // 2, len(ASKED) % 2)
        ignored = settings_of(ModelConfig)["invariances"]
        self.add(ignored.title, grid, ignored.text)
        self.name.setToolTip("Name of this model in the literature")
        self.kind, self.n_classes = add_settings(self, ModelConfig, "kind", "n_classes").values()
        self.n_classes.setMaximum(MOST_LABELS)
        self.advanced = Form()
        names = {name: words.split(":")[0] for name, words in PRESETS.items()}
        self.preset = choice_of({**names, "": CUSTOM})
        self.advanced.add("Model", self.preset, MODEL)
        (self.latent_dim,) = add_settings(self.advanced, ModelConfig, "latent_dim").values()
        self.training = add_settings(self.advanced, TrainConfig, *TRAINING)
        self.preset.currentIndexChanged.connect(self._on_preset_changed)
        self.kind.currentIndexChanged.connect(self._on_kind_changed)
        for check in self.checks.values():
            check.toggled.connect(self._show_name)
        self.choose(FIRST)
        self._on_kind_changed()
        self.kept = {"kind": self.kind, "classes": self.n_classes, **self.checks, "latents": self.latent_dim}
        self.kept |= {KEPT.get(name, name): control for name, control in self.training.items()}
        self.memory = remember("training", self.kept)
        for control in self.kept.values():
            changes_of(control).connect(self._on_changed)

    def choose(self, preset: str) -> None:
        """Choose a model by name, such as ``"trvae"``."""
        self.preset.setCurrentIndex(self.preset.findData(preset))
        self._on_preset_changed()

    def try_mix(self, model: ModelConfig) -> None:
        """Choose what a model ignores, and its latents, two at least; not remembered until it is trained."""
        with self.memory.paused():
            for name, check in self.checks.items():
                check.setChecked(name in model.invariances)
            self.latent_dim.setValue(max(PLOTTED, model.latent_dim))

    def model(self) -> ModelConfig:
        """The model as chosen."""
        ticked = tuple(name for name, check in self.checks.items() if check.isChecked())
        kind = self.kind.currentData()
        n_classes = self.n_classes.value() if KINDS[kind].unlabelled else None  # else the labels tell
        return ModelConfig(kind=kind, invariances=ticked, latent_dim=self.latent_dim.value(), n_classes=n_classes)

    def train(self) -> TrainConfig:
        """The training as chosen."""
        return TrainConfig(**values_of(self.training))

    def _on_preset_changed(self, index: int = 0) -> None:
        name = self.preset.currentData()
        if not name:
            return
        model = ModelConfig.preset(name)
        self.kind.setCurrentIndex(self.kind.findData(model.kind))
        for invariance, check in self.checks.items():
            check.setChecked(invariance in model.invariances)

    def _on_kind_changed(self, index: int = 0) -> None:
        self.set_row_visible(self.n_classes, KINDS[self.kind.currentData()].unlabelled)
        self._show_name()

    def _on_changed(self, value: object = None) -> None:
        self.changed.emit()

    def _show_name(self, ticked: bool = False) -> None:
        model = self.model()
        self.name.setText(f"→ {called(model)}")
        index = self.preset.findData(model.name)
        with QSignalBlocker(self.preset):
            self.preset.setCurrentIndex(index if index >= 0 else self.preset.count() - 1)


def called(model: ModelConfig) -> str:
    """A model's name as papers write it.

    >>> called(ModelConfig.preset("trvae"))
    'trVAE'
    """
    return f"{model.name.removesuffix('vae')}VAE"
