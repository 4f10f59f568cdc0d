"""What the atom under the cursor looks like, and what the model makes of it."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from ...open_runs import OpenRun

SIDE = 84  # px
SHOWN = 6  # values in words


class HoverCard(QWidget):
    """Two small pictures and a few values; empty as long as no atom is meant."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.window_picture, self.rebuilt_picture, self.words = QLabel(), QLabel(), QLabel()
        for picture, tip in (
            (self.window_picture, "The atom under the cursor, as the model sees it"),
            (self.rebuilt_picture, "What the model makes of it"),
        ):
            picture.setFixedSize(SIDE, SIDE)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setToolTip(tip)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setTextFormat(Qt.TextFormat.RichText)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.window_picture)
        row.addWidget(self.rebuilt_picture)
        row.addWidget(self.words, 1)
        self.setFixedHeight(SIDE)
        self.clear()

    def clear(self) -> None:
        """Show nothing but what to do."""
        self.window_picture.clear()
        self.rebuilt_picture.clear()
        self.words.setText("<i>Hover over a point to see its atom; double-click goes there.</i>")
        self.words.setWordWrap(True)

    def show_atom(self, row: int, values: pd.Series, opened: OpenRun | None, number: int) -> None:
        """Show the atom of a row: its values, and window `number` of a run, −1 if it has none."""
        self.words.setWordWrap(False)
        lines = [f"<b>no. {row}</b>", *(f"{escape(str(k))}: {_text(v)}" for k, v in values.items())]
        self.words.setText("<br>".join(lines[: SHOWN + 1]))
        if opened is None or number < 0:
            self.window_picture.clear()
            self.rebuilt_picture.clear()
            return
        self.window_picture.setPixmap(picture_of(opened.window(number)))
        self.rebuilt_picture.setPixmap(picture_of(opened.rebuilt(number)))


def picture_of(values: npt.NDArray[Any], side: int = SIDE) -> QPixmap:
    """Pixels in [0, 1] as a grey picture."""
    grey = np.ascontiguousarray(np.nan_to_num(values).clip(0, 1) * 255, dtype=np.uint8)
    image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
    pixmap = QPixmap.fromImage(image.copy())  # the image shares the array's memory
    return pixmap.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else escape(str(value))
