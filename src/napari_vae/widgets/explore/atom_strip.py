"""One atom: as it was measured, as the model draws it, the difference of both, and its values."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from ...analysis.coloring import is_angle
from ..common.panel import column_of
from .pictures import SIDE, Pixels, difference_of, picture_of

CAPTIONS = {
    "measured": "The window around the atom as it was measured",
    "model": "What the model draws for this atom",
    "difference": "Measured less model: green where there is more in the image than the model draws, pink where less",
}
VALUES = ("z1", "z2", "angle", "class_name", "class", "reconstruction_error")  # besides those that are plotted
WORDS = {"class_name": "class", "reconstruction_error": "error"}
SHOWN = 6  # lines of words
HINT = "Point at an atom, on the plot or on the image, to see it here."


class AtomStrip(QWidget):
    """Three small pictures with captions, and values beside them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pictures = {name: QLabel() for name in CAPTIONS}
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 4, 6, 4)
        self._parts = {}
        for name, picture in self.pictures.items():
            picture.setFixedSize(SIDE, SIDE)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            caption = QLabel(name)
            caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._parts[name] = column_of(picture, caption)
            self._parts[name].layout().setSpacing(1)
            self._parts[name].setToolTip(CAPTIONS[name])
            row.addWidget(self._parts[name])
        row.addWidget(self.words, 1)
        line = self.words.fontMetrics().lineSpacing()
        self.setFixedHeight(max(SIDE + line, SHOWN * line) + 12)
        self.clear()

    def clear(self) -> None:
        """Show nothing but what to do."""
        for part in self._parts.values():
            part.hide()
        self.words.setWordWrap(True)
        self.words.setText(f"<i>{HINT}</i>")

    def show_atom(self, row: int, values: pd.Series, window: Pixels | None, rebuilt: Pixels | None) -> None:
        """Show the atom of a row: its values, what it looks like, and what the model makes of it."""
        lines = {WORDS.get(str(name), str(name)): _text(value, is_angle(str(name))) for name, value in values.items()}
        words = [f"<b>no. {row}</b>", *(f"{escape(name)}: {value}" for name, value in lines.items())]
        self.words.setWordWrap(False)
        self.words.setText("<br>".join(words[:SHOWN]))
        seen = {"measured": window, "model": rebuilt}
        for name, part in self._parts.items():
            part.setVisible(seen["measured"] is not None if name == "measured" else rebuilt is not None)
        for name, pixels in seen.items():
            self.pictures[name].setPixmap(QPixmap() if pixels is None else picture_of(pixels))
        if window is not None and rebuilt is not None:
            self.pictures["difference"].setPixmap(difference_of(window - rebuilt))


def values_of(table: pd.DataFrame, row: int, plotted: list[str]) -> pd.Series:
    """What is told of the atom of a row: what is plotted of it, then what models write."""
    names = dict.fromkeys([*plotted, *VALUES])
    if "class_name" in table:
        names.pop("class", None)
    return table.loc[row, [name for name in names if name in table]]


def _text(value: Any, in_degrees: bool) -> str:
    words = f"{value:.3g}".replace("-", "−") if isinstance(value, float | np.floating) else escape(str(value))
    return words + "°" * in_degrees
