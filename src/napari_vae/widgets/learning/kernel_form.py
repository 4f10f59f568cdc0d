"""Options of the deep kernel, which a first look does not need."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox, QWidget

from ..memory import remember
from ..model_form import DEVICES
from ..panel import Form, counter

NETWORKS = {"automatic": "auto", "linear": "linear", "dense (mlp)": "mlp", "convolutional (conv)": "conv"}
KERNELS = {"Matérn": "matern", "Gaussian (RBF)": "rbf"}


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
        add(
            "Network",
            self.network,
            "What turns a window, or latents, into the embedding. Automatic is a small dense one; linear learns from "
            "the fewest measurements; convolutional is for windows only.",
        )
        add(
            "Embedding",
            self.dimensions,
            "Numbers that the network makes of a window, in which places with like values of the target come to lie "
            "together. Two can be drawn as a plane.",
        )
        add("Kernel", self.kernel, "How alike neighbours of the embedding are. Matérn allows for steps, Gaussian less.")
        add(
            "Ensemble",
            self.ensemble,
            "Networks that are trained and averaged. More take longer; with 1 the uncertainty is not checked on "
            "measurements held out, and tends to be too small.",
        )
        add(
            "Encoder",
            self.fine_tune,
            "With the encoder of a trained model only: let the measurements change it. Worth a try with a hundred "
            "measurements or more.",
        )
        add("Weight of sd", self.kappa, "Standard deviations that “mean plus uncertainty” adds to the mean.")
        add("Device", self.device, "What computes. Automatic takes a GPU if there is one.")
        add("Seed", self.seed, "Start of the random numbers. The same seed on the same device gives the same result.")


def _list(entries: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for words, value in entries.items():
        box.addItem(words, value)
    return box


def _value(control: QComboBox | QSpinBox | QCheckBox) -> Any:
    if isinstance(control, QComboBox):
        return control.currentData()
    return control.isChecked() if isinstance(control, QCheckBox) else control.value()
