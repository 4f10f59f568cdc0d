"""The distance between neighbouring atoms, in the unit of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QWidget

from ...core.placement import Placement
from ..common.pixel_size_box import InUnitBox


class SpacingBox(InUnitBox):
    """Shows the estimate from the image until a spacing is typed in; ``chosen`` says that one was, or taken back.

    What counts is the distance in pixels: it stays when scale or unit of the layer are corrected.
    """

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSpecialValueText("automatic")
        self._pixels = 0.0
        self._by_hand = False
        self.valueChanged.connect(self._on_value_changed)
        self.calibrated.connect(self._show_unit)

    def pixels(self) -> float | None:
        """Spacing that was typed in, in pixels; ``None`` while it is estimated."""
        return self._pixels if self._by_hand else None

    def follow(self, layer: Any | None) -> None:
        """Show distances in this layer, of which nothing is known yet."""
        self.forget()
        super().follow(layer)

    def forget(self) -> None:
        """Have the spacing estimated again."""
        self._by_hand = False
        self._show(0.0)

    def show_estimate(self, pixels: float) -> None:
        """Show what was estimated, unless a spacing was typed in."""
        if not self._by_hand:
            self._show(pixels)

    def _show(self, pixels: float) -> None:
        self._pixels = pixels
        with QSignalBlocker(self):
            self.setValue(pixels * self._side())

    def _on_value_changed(self, value: float) -> None:
        self._by_hand = value > 0
        self._pixels = value / self._side()
        self.chosen.emit()

    def _show_unit(self) -> None:
        with QSignalBlocker(self):
            self.setDecimals(int(np.clip(2 - np.floor(np.log10(self._side())), 1, 12)))
            self.setSuffix("" if self._layer is None else f" {Placement.of_layer(self._layer).pixel_size()[1]}")
        self.setSingleStep(10.0 ** -max(self.decimals() - 2, 0))
        self._show(self._pixels)

    def _side(self) -> float:
        """Side of a pixel in the unit of the layer; of an oblong one that of the square of the same area."""
        return 1.0 if self._layer is None else Placement.of_layer(self._layer).side()
