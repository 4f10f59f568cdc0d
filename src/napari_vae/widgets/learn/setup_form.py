"""What an exploration begins with: images, places, what describes them, the target, the first measurements."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from ..common.data_form import DataForm
from ..common.panel import column_of, folded, stacked
from .features_form import FeaturesForm
from .kernel_form import KernelForm
from .plan_form import PlanForm, StartForm
from .steps import SetUp
from .target_form import TargetForm

ADVANCED = "Further channels, and the network that learns from the measurements; a first look does not need it"


class SetUpForm(QWidget):
    """The forms one below the other, those that a first look does not need folded away.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.data, self.features = DataForm(viewer), FeaturesForm(viewer)
        self.target, self.start, self.kernel = TargetForm(viewer), StartForm(viewer), KernelForm()
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
