"""What an exploration begins with: images, places, what describes them, target, where to start; set as in a record."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from ...core.errors import InputError
from ...learning.config import DeepKernelConfig, ExplorationConfig
from ...learning.explore.record import Record
from ...models.config import TrainConfig
from ..common.data_form import DataForm
from ..common.layer_box import ImageBox
from ..common.panel import Form, column_of, folded, stacked
from ..common.setting_controls import add_settings, remember, set_value, values_of
from .features_form import FeaturesForm
from .plan_form import OF_KNOWLEDGE, PlanForm, StartForm
from .steps import SetUp
from .target_form import CLASS, EVERYWHERE, LARGEST, NEAR, SMALLEST, Purpose, TargetForm

ADVANCED = "Further channels, and the network that learns from the measurements; a first look does not need it"
KINDS = {"real": "numbers", "angle": "angles", "class": "classes"}


class KernelForm(Form):
    """The network, its embedding, the kernel on it, and where and how all this is computed; ``controls`` by name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        names = ("network", "embedding_dim", "kernel", "ensemble", "fine_tune")
        self.controls = add_settings(self, DeepKernelConfig, *names)
        self.controls["embedding_dim"].setValue(2)  # one less than in the library: as many as the plot shows
        self.controls["fine_tune"].setText("train the encoder further")
        (self.kappa,) = add_settings(self, ExplorationConfig, "kappa").values()
        self.controls |= add_settings(self, TrainConfig, "device") | add_settings(self, DeepKernelConfig, "seed")
        kept = {"embedding_dim": "embedding"}
        self.kept = {kept.get(name, name): control for name, control in self.controls.items()} | {"kappa": self.kappa}
        self.memory = remember("learning", self.kept)

    def choose(self, model: dict[str, Any], kappa: float) -> None:
        """Choose these arguments of `DeepKernelGP`, as a record has them; they are not remembered."""
        with self.memory.paused():
            self.kappa.setValue(kappa)
            for name, control in self.controls.items():
                set_value(control, model.get(name))

    def model(self) -> dict[str, Any]:
        """Arguments of `DeepKernelGP`."""
        return values_of(self.controls)


class SetUpForm(QWidget):
    """The forms one below the other, those that a first look does not need folded away.

    Parameters
    ----------
    viewer : napari viewer
    image : ImageBox
        Where the image is chosen.
    """

    def __init__(self, viewer: Any, image: ImageBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.data, self.features = DataForm(viewer, image), FeaturesForm(viewer)
        self.target, self.start, self.kernel = TargetForm(viewer), StartForm(viewer), KernelForm()
        self.data.advanced.set_row_visible(self.data.level, False)  # windows are those that the features were learnt on
        self.advanced = folded("Advanced", column_of(self.data.advanced, self.kernel), ADVANCED)
        stacked(self, self.data, self.features, self.target, self.start, self.advanced)
        self.data.atoms.layer_changed.connect(self._on_atoms_changed)
        self._on_atoms_changed()

    def read(self, plan: PlanForm) -> SetUp:
        """Everything that is chosen here and in the plan, as plain values.

        Raises
        ------
        InputError
            If something is missing or does not fit.
        """
        features, seed = self.features.read(), self.kernel.controls["seed"].value()
        window = None if features.run is None else features.run.window
        source = self.data.source(window)
        settings = {
            "acquisition": plan.acquisition.currentData(),
            "kappa": self.kernel.kappa.value(),
            "batch": plan.batch.value(),
            "spread": self.start.spread,
            "seed": seed,
        }
        return SetUp(
            source=source,
            window=window or self.data.window_px.value(),
            features=features,
            target=self.target.read(source.placement.ndim),
            purpose=self.target.read_purpose(),
            start=self.start.read(source, seed),
            model=self.kernel.model(),
            settings=settings,
        )

    def _on_atoms_changed(self) -> None:
        points = self.data.atoms.layer()
        self.features.follow(points)
        self.target.follow(points)


def read_record(folder: str, form: SetUpForm, plan: PlanForm) -> None:
    """Choose the goal, the acquisition and the deep kernel of a record; the target stays as it is chosen.

    Raises
    ------
    InputError
        If the folder holds no record, or its goal does not suit the chosen target.
    """
    record = Record.load(folder)
    target, settings = form.target, record.settings
    if settings["kind"] != target.kind:
        words = KINDS[settings["kind"]]
        raise InputError(f"The record is of a target of {words}; choose that target first, then open the record.")
    target.choose_purpose(_purpose(record, target.classes))
    plan.choose(settings["acquisition"], settings["batch"])
    form.kernel.choose(settings["model"], settings["kappa"])


def _purpose(record: Record, classes: tuple[str, ...]) -> Purpose:
    wanted = record.settings["goal"]
    if record.settings["acquisition"] in OF_KNOWLEDGE:
        return Purpose(EVERYWHERE)
    if record.settings["kind"] == "class":
        if not 0 <= int(wanted) < len(classes):
            raise InputError("The record looks for a class that the chosen target does not have; choose its target.")
        return Purpose(CLASS, sought=classes[int(wanted)])
    if wanted in (LARGEST, SMALLEST):
        return Purpose(wanted)
    return Purpose(NEAR, float(wanted))
