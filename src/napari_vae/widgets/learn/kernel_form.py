"""Options of the deep kernel, which a first look does not need."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox, QWidget

from ..common.memory import remember
from ..common.panel import Form, counter
from ..train.model_form import DEVICES

NETWORKS = {"automatic": "auto", "linear": "linear", "dense (mlp)": "mlp", "convolutional (conv)": "conv"}
KERNELS = {"Matérn": "matern", "Gaussian (RBF)": "rbf"}
TOOLTIPS = {
    "Network": "Network that turns a window, or latents, into the embedding. Automatic is a small dense one and "
    "usual; choose linear when there are very few measurements; convolutional is for windows only, and wants many.",
    "Embedding": "Number of axes of the embedding: a space in which the network puts places with like values of the "
    "target close together. Two can be drawn as a plane; one suits very few measurements.",
    "Kernel": "Rule (kernel) for how alike neighbours in the embedding are. Matérn allows for steps and is usual; "
    "choose Gaussian when the target varies smoothly.",
    "Ensemble": "Number of networks that are trained and averaged. More take longer; with 1 the uncertainty is not "
    "checked on measurements held out, and tends to be too small.",
    "Encoder": "Let the measurements change the encoder of the trained model; for that choice of “Described by” only. "
    "Tick it with a hundred measurements or more.",
    "Weight of sd": "Number of standard deviations (sd) that “mean plus uncertainty” adds to the mean. Raise it to "
    "look further afield.",
    "Device": "What computes. Automatic takes a graphics card (GPU) if there is one; choose CPU when its memory runs "
    "out.",
    "Seed": "Start of the random numbers, itself any whole number. The same seed on the same device gives the same "
    "result; change it to see whether a result holds.",
}


class KernelForm(Form):
    """The network, its embedding, the kernel on it, and where and how all this is computed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.network = _list(NETWORKS)
        self.dimensions = counter(1, 3, 2)  # one less than in the library: as many as the plot shows
        self.kernel = _list(KERNELS)
        self.ensemble = counter(1, 10, 4)
        self.fine_tune = QCheckBox("train the encoder further")
        self.kappa = QDoubleSpinBox()
        self.kappa.setRange(0, 20)
        self.kappa.setSingleStep(0.5)
        self.kappa.setValue(2)
        self.device = _list(DEVICES)
        self.seed = counter(0, 2**31 - 1, 0)
        self._lay_out()
        remember(
            "learning",
            {
                "network": self.network,
                "embedding": self.dimensions,
                "kernel": self.kernel,
                "ensemble": self.ensemble,
                "fine_tune": self.fine_tune,
                "kappa": self.kappa,
                "device": self.device,
                "seed": self.seed,
            },
        )

    def controls(self) -> dict[str, QComboBox | QSpinBox | QCheckBox]:
        """Control of every argument of `DeepKernelGP`."""
        return {
            "network": self.network,
            "embedding_dim": self.dimensions,
            "kernel": self.kernel,
            "ensemble": self.ensemble,
            "fine_tune": self.fine_tune,
            "device": self.device,
            "seed": self.seed,
        }

    def model(self) -> dict[str, Any]:
        """Arguments of `DeepKernelGP`."""
        return {name: _value(control) for name, control in self.controls().items()}

    def _lay_out(self) -> None:
        add = self.add
        add("Network", self.network, TOOLTIPS["Network"])
        add("Embedding", self.dimensions, TOOLTIPS["Embedding"])
        add("Kernel", self.kernel, TOOLTIPS["Kernel"])
        add("Ensemble", self.ensemble, TOOLTIPS["Ensemble"])
        add("Encoder", self.fine_tune, TOOLTIPS["Encoder"])
        add("Weight of sd", self.kappa, TOOLTIPS["Weight of sd"])
        add("Device", self.device, TOOLTIPS["Device"])
        add("Seed", self.seed, TOOLTIPS["Seed"])


def _list(entries: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for words, value in entries.items():
        box.addItem(words, value)
    return box


def _value(control: QComboBox | QSpinBox | QCheckBox) -> Any:
    if isinstance(control, QComboBox):
        return control.currentData()
    return control.isChecked() if isinstance(control, QCheckBox) else control.value()
