"""The size of a pixel of a layer, which the user may type in where the file did not give it, or gave it wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

TOOLTIP = (
    "Width of one pixel, in nm or the unit of the file. Type it in where the file does not say it, or is "
    "wrong; everything that lies on the image follows."
)


class PixelSizeBox(QDoubleSpinBox):
    """Shows the pixel size of a layer, and gives the one that is typed in to the layer and to what lies on it."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any | None = None
        self.setRange(0, 1e9)
        self.setSpecialValueText("not known")
        self.setKeyboardTracking(False)
        self.valueChanged.connect(self._on_value_changed)

    def follow(self, layer: Any | None) -> None:
        """Show the pixel size of this layer."""
        if self._layer is not None:
            for event in (self._layer.events.scale, self._layer.events.units):
                event.disconnect(self._on_calibrated)
        self._layer = layer
        if layer is not None:
            for event in (layer.events.scale, layer.events.units):
                event.connect(self._on_calibrated)
        self.setEnabled(layer is not None)
        self._on_calibrated()

    def _on_value_changed(self, size: float) -> None:
        if self._layer is not None and size > 0:
            calibrate(self._viewer.layers, self._layer, size, self._unit())
        self._on_calibrated()

    def _on_calibrated(self, event: Any = None) -> None:
        if not isalive(self):
            return
        known = self._layer is not None and str(self._layer.units[-1]) != "pixel"
        size = abs(float(self._layer.scale[-1])) if known and self._layer is not None else 0.0
        with QSignalBlocker(self):
            self.setDecimals(int(np.clip(4 - np.floor(np.log10(size or 0.01)), 2, 12)))
            self.setSuffix(f" {self._unit()}")
            self.setValue(size)
        self.setSingleStep(10.0 ** -max(self.decimals() - 2, 0))

    def _unit(self) -> str:
        """Unit of the layer; nanometres where it has none."""
        unit = "pixel" if self._layer is None else f"{self._layer.units[-1]:~}"
        return "nm" if unit in ("pixel", "px") else unit


def calibrate(layers: Any, layer: Any, size: float, unit: str) -> None:
    """Give a layer, and all that share its pixels, pixels of another size along columns; their shape stays as it is."""
    before, units = np.array(layer.scale[-2:]), tuple(layer.units[-2:])
    ratio = size / abs(before[-1])
    for other in list(layers):
        if other.ndim >= 2 and np.allclose(other.scale[-2:], before) and tuple(other.units[-2:]) == units:
            kept = other.ndim - 2
            factors = np.r_[np.ones(kept), ratio, ratio]
            other.translate = np.array(other.translate) * factors
            other.scale = np.array(other.scale) * factors
            other.units = (*map(str, other.units[:kept]), unit, unit)
