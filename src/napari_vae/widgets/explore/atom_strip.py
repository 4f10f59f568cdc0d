"""One atom: as it was measured, as the model draws it, the difference of both, and its values."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from ...analysis.coloring import is_angle
from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.images import micrograph_from_layer
from ...layers.open_runs import OpenRun
from ...layers.points import KEY, placement_of
from ...patches.patches import suggest_window
from ..common.panel import column_of
from ..common.sources import source_image

Pixels = npt.NDArray[np.float32]
SIDE = 80  # px
RESIDUAL = "PiYG"  # the colours of the layer of residuals
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
        self.setFixedHeight(max(SIDE + line + 10, SHOWN * line + 8))
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


def seen_at(
    viewer: Any, points: Any, opened: OpenRun | None, number: int, row: int
) -> tuple[Pixels | None, Pixels | None]:
    """Window and reconstruction of the point of a row, as far as they are known; `number` is that of its window."""
    if opened is not None and number >= 0:
        return opened.window(number), opened.rebuilt(number)
    return pixels_around(viewer, points, row), None


def picture_of(values: npt.NDArray[Any], side: int = SIDE) -> QPixmap:
    """Pixels in [0, 1] as a grey picture."""
    grey = np.ascontiguousarray(np.nan_to_num(values).clip(0, 1) * 255, dtype=np.uint8)
    image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
    return _scaled(image, side)


def difference_of(values: npt.NDArray[Any], side: int = SIDE) -> QPixmap:
    """Pixels as colours to either side of zero, up to the largest."""
    from matplotlib import colormaps

    spread = float(np.nanmax(np.abs(values))) or 1.0
    rgba = np.ascontiguousarray(colormaps[RESIDUAL](np.nan_to_num(values) / (2 * spread) + 0.5) * 255, dtype=np.uint8)
    return _scaled(QImage(rgba.data, *rgba.shape[1::-1], 4 * rgba.shape[1], QImage.Format.Format_RGBA8888), side)


def _scaled(image: QImage, side: int) -> QPixmap:
    pixmap = QPixmap.fromImage(image.copy())  # the image shares the array's memory
    return pixmap.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation)


def _text(value: Any, in_degrees: bool) -> str:
    words = f"{value:.3g}".replace("-", "−") if isinstance(value, float | np.floating) else escape(str(value))
    return words + "°" * in_degrees


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
