"""The size of a pixel of a layer, which the user may type in where the file did not give it, or gave it wrong."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QPushButton, QWidget

from ...core.errors import ReadError
from ...core.placement import Placement
from ...io.calibration import Calibration
from ...io.reading import read_calibration
from ...layers.identity import FILE, image_token, is_copy, ours, token_of

TOOLTIP = (
    "Width and height of one pixel, in nm or the unit of the file. Type the width in where the file does not say "
    "it, or is wrong, and the height after it if pixels are oblong; everything that lies on the image follows."
)


class InUnitBox(QDoubleSpinBox):
    """A number in the unit of a layer; ``calibrated`` says that it is to be shown anew."""

    calibrated = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Any | None = None
        self.setRange(0, 1e9)
        self.setKeyboardTracking(False)

    def follow(self, layer: Any | None) -> None:
        """Show it for this layer."""
        if self._layer is not None:
            for event in calibration_events(self._layer):
                event.disconnect(self._on_calibrated)
        self._layer = layer
        if layer is not None:
            for event in calibration_events(layer):
                event.connect(self._on_calibrated)
        self.calibrated.emit()

    def _on_calibrated(self, event: Any = None) -> None:
        if isalive(self):
            self.calibrated.emit()


class PixelSizeBox(InUnitBox):
    """Shows the pixel size of a layer, and gives the one that is typed in to the layer and to what lies on it.

    Parameters
    ----------
    viewer : napari viewer
    axis : int
        1 for the width of a pixel, with which its height changes in proportion; 0 for its height alone.
    """

    def __init__(self, viewer: Any, axis: int = 1, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._axis = viewer, axis
        self.setPrefix("↔ " if axis else "↕ ")
        self.setSpecialValueText(f"{self.prefix()}not known")
        self.valueChanged.connect(self._on_value_changed)
        self.calibrated.connect(self._show)

    def follow(self, layer: Any | None) -> None:
        """Show the pixel size of this layer."""
        self.setEnabled(layer is not None)
        super().follow(layer)

    def _on_value_changed(self, size: float) -> None:
        if self._layer is not None and size > 0:
            oblong = self._axis == 0 and self._pixel_size()[0] is not None
            calibrate(self._viewer.layers, self._layer, size, self._unit(), height=oblong)
        self._show()

    def _show(self) -> None:
        size = (self._pixel_size()[0] or (0.0, 0.0))[self._axis]
        with QSignalBlocker(self):
            self.setDecimals(int(np.clip(4 - np.floor(np.log10(size or 0.01)), 2, 12)))
            self.setSuffix(f" {self._unit()}")
            self.setValue(size)
        self.setSingleStep(10.0 ** -max(self.decimals() - 2, 0))

    def _unit(self) -> str:
        """Unit of the layer; nanometres where it has none."""
        size, unit = self._pixel_size()
        return "nm" if size is None else unit

    def _pixel_size(self) -> tuple[tuple[float, float] | None, str]:
        return (None, "px") if self._layer is None else Placement.of_layer(self._layer).pixel_size()


class FileSizeButton(QPushButton):
    """Offers the pixel size that is in the file of a layer, which napari's own readers leave out."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._layer = viewer, None
        self._known = Calibration()
        self.setToolTip("The image was opened without the pixel size that stands in its file; click to take it over")
        self.clicked.connect(self._on_clicked)

    def follow(self, layer: Any | None) -> bool:
        """Look into the file of this layer, if its pixels have no size; whether there is one to be offered."""
        self._layer, self._known = layer, Calibration()
        path = None if layer is None or Placement.of_layer(layer).pixel_size()[0] else layer.source.path
        if path is not None:
            with suppress(ReadError):
                self._known = read_calibration(path, layer.data.shape[-2:])
        if self._known.pixel_size is not None:
            size = " × ".join(f"{side:.4g}" for side in dict.fromkeys(self._known.pixel_size))
            self.setText(f"The file says {size} {self._known.units}: use it")
        return self._known.pixel_size is not None

    def _on_clicked(self) -> None:
        (height, width), unit = self._known.pixel_size or (1.0, 1.0), self._known.units
        calibrate(self._viewer.layers, self._layer, width, unit)
        if height != width:
            calibrate(self._viewer.layers, self._layer, height, unit, height=True)


def calibrate(layers: Any, layer: Any, size: float, unit: str, *, height: bool = False) -> None:
    """Give an image, and all that lies on it, pixels of another width, of the same shape; or only of another height."""
    before, token = Placement.of_layer(layer), token_of(layers, layer)
    for other in [*(other for other in layers if other != layer and _lies_on(other, layer, token)), layer]:
        place = Placement.of_layer(other)
        now = place.carried(before, before.heightened(size)) if height else place.resized(before, size, unit)
        for name, value in now.kwargs().items():
            setattr(other, name, value)


def _lies_on(layer: Any, image: Any, token: str) -> bool:
    """Whether a layer belongs to an image: made from it, another channel of its file, or drawn where it lies."""
    if image_token(layer) or layer.ndim < 2:
        return image_token(layer) == token
    place, below = Placement.of_layer(layer), Placement.of_layer(image)
    if isinstance(layer, Image):
        alike = np.array_equal(layer.extent.data[:, -2:], image.extent.data[:, -2:])
        channels = FILE in ours(image) and ours(layer).get(FILE) == ours(image)[FILE] and not is_copy(layer)
        return alike and channels and place.pixel_size() == below.pixel_size()
    if not place.shares_units(below):
        return False
    (low, high), (first, last) = (_corners(each, image) for each in (layer, image))
    return not bool((high < first).any() or (last < low).any())


def _corners(layer: Any, image: Any) -> npt.NDArray[np.float64]:
    """First and last row and column (2, 2) that a layer reaches, in pixels of an image; NaN of an empty one."""
    low, high = layer.extent.data[:, -2:]
    corners = [low, (low[0], high[1]), (high[0], low[1]), high]
    places = Placement.of_layer(image).last(2).points_from(corners, Placement.of_layer(layer).last(2))
    return np.array([places.min(axis=0), places.max(axis=0)])


def calibration_events(layer: Any) -> tuple[Any, ...]:
    """The events of a layer that may change the size of its pixels."""
    return layer.events.scale, layer.events.units, layer.events.affine
