"""A length in whole pixels, which may be typed with any unit, and what it is in the unit of the image."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QLabel, QSpinBox

from ...core.errors import InputError
from ...core.units import in_pixels

PX = " px"


class LengthBox(QSpinBox):
    """A number of pixels; “2 nm” may be typed as well. ``length`` is a label that shows it in the unit of the image."""

    def __init__(self, low: int, high: int, value: int) -> None:
        super().__init__()
        self._size: tuple[float, float] | None = None
        self._unit = "px"
        self.length = QLabel()
        self.setRange(low, high)
        self.setValue(value)
        self.setSuffix(PX)
        self.valueChanged.connect(self._show)

    def show_in(self, size: tuple[float, float] | None, unit: str) -> None:
        """Show the length in this unit, in which pixels have a size (rows, columns), if that is known."""
        self._size, self._unit = size, unit
        self._show()

    def validate(self, text: str, place: int) -> Any:  # Qt's name
        """Whether a text is a length within the limits; else it may become one."""
        with suppress(InputError, OverflowError):
            if self.minimum() <= round(self._pixels(text)) <= self.maximum():
                return QValidator.State.Acceptable, text, place
        return QValidator.State.Intermediate, text, place

    def valueFromText(self, text: str) -> int:  # Qt's name
        """The whole number of pixels that is nearest to a length."""
        return round(self._pixels(text))

    def _pixels(self, text: str) -> float:
        number = text.removesuffix(PX.strip()).strip()  # what is typed over the number stands before it
        return in_pixels(number, self._size, self._unit)

    def _show(self) -> None:
        self.length.setVisible(self._size is not None)  # an empty one would make the box narrower
        if self._size is not None:
            self.length.setText(f"= {self.value() * min(self._size):.3g} {self._unit}")
