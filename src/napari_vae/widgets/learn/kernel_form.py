"""Options of the deep kernel, which a first look does not need."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from ...learning.config import DeepKernelConfig, ExplorationConfig
from ...models.config import TrainConfig
from ..common.memory import remember
from ..common.panel import Form
from ..common.setting_controls import add_settings, values_of


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
        remember("learning", self.kept)

    def model(self) -> dict[str, Any]:
        """Arguments of `DeepKernelGP`."""
        return values_of(self.controls)
