"""What the atom under the cursor looks like, to the model or in its image, and what the model makes of it."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QWidget

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.images import micrograph_from_layer
from ...layers.points import KEY, placement_of
from ...patches.patches import suggest_window
from ..common.panel import row_of
from ..common.sources import source_image

Pixels = npt.NDArray[np.float32]
SIDE = 84  # px
SHOWN = 6  # values in words


class HoverCard(QWidget):
    """Two small pictures and a few values; empty as long as no atom is meant."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.window_picture, self.rebuilt_picture, self.words = QLabel(), QLabel(), QLabel()
        for picture, tip in (
            (self.window_picture, "The atom under the cursor, as the model sees it, or as it lies in the image"),
            (self.rebuilt_picture, "What the model makes of it"),
        ):
            picture.setFixedSize(SIDE, SIDE)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setToolTip(tip)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.setLayout(row_of(self.window_picture, self.rebuilt_picture, self.words, wide=self.words))
        self.setFixedHeight(SIDE)
        self.clear()

    def clear(self) -> None:
        """Show nothing but what to do."""
        self.window_picture.clear()
        self.rebuilt_picture.clear()
        self.words.setText("<i>Hover over a point to see its atom; double-click goes there.</i>")
        self.words.setWordWrap(True)

    def show_atom(self, row: int, values: pd.Series, window: Pixels | None, rebuilt: Pixels | None) -> None:
        """Show the atom of a row: its values, what it looks like, and what the model makes of it."""
        self.words.setWordWrap(False)
        lines = [f"<b>no. {row}</b>", *(f"{escape(str(k))}: {_text(v)}" for k, v in values.items())]
        self.words.setText("<br>".join(lines[: SHOWN + 1]))
        for label, pixels in ((self.window_picture, window), (self.rebuilt_picture, rebuilt)):
            if pixels is None:
                label.clear()
            else:
                label.setPixmap(picture_of(pixels))


def picture_of(values: npt.NDArray[Any], side: int = SIDE) -> QPixmap:
    """Pixels in [0, 1] as a grey picture."""
    grey = np.ascontiguousarray(np.nan_to_num(values).clip(0, 1) * 255, dtype=np.uint8)
    image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
    pixmap = QPixmap.fromImage(image.copy())  # the image shares the array's memory
    return pixmap.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else escape(str(value))


def pixels_around(viewer: Any, points: Any, row: int) -> npt.NDArray[np.float32] | None:
    """Pixels (H, W) around a point, from 0 to 1; None where there is no image, or the point lies beyond it.

    Only these pixels are read, so that frames on disk are no burden.
    """
    try:
        image = source_image(viewer, points)
        micrograph, placement = micrograph_from_layer(image), placement_of(image, viewer)
    except InputError:
        return None
    place = placement.points_from(np.asarray(points.data[row : row + 1], float), Placement.of_layer(points))[0]
    half = suggest_window(points.metadata.get(KEY, {}).get("spacing")) // 2
    shape = micrograph.shape[-2:]
    low = np.maximum(np.rint(place[-2:]).astype(int) - half, 0)
    high = np.minimum(np.rint(place[-2:]).astype(int) + half + 1, shape)
    if (high - low < 2).any():
        return None
    leading: list[int] = []
    if micrograph.axes == "TYX":
        frame = np.rint(place[0]) if len(place) > 2 else placement.frame
        leading = [int(np.clip(frame, 0, micrograph.shape[0] - 1))]
    elif micrograph.axes == "CYX":
        leading = [0]
    part = np.asarray(micrograph.data[(*leading, slice(low[0], high[0]), slice(low[1], high[1]))], dtype=np.float32)
    bottom, top = float(np.nanmin(part)), float(np.nanmax(part))
    scaled: npt.NDArray[np.float32] = (part - bottom) / ((top - bottom) or 1.0)
    return scaled
