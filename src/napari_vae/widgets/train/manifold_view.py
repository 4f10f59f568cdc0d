"""The decoded plane of latents as a picture that is renewed while the model learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QWidget

from ...runs.planes import tile

SIDE = 170


class ManifoldView(QLabel):
    """Shows tiles (n, n, H, W), or (n, n, C, H, W), as large as fits."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFixedSize(SIDE, SIDE)
        self.setToolTip("What the model draws as the first two latents run from low to high: right z1, up z2")

    def show_tiles(self, tiles: npt.NDArray[Any]) -> None:
        """Draw the tiles, from their darkest to their brightest pixel."""
        values = tile(tiles)
        low, high = float(values.min()), float(values.max())
        grey = np.ascontiguousarray((values - low) * (255 / ((high - low) or 1)), dtype=np.uint8)
        image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
        picture = QPixmap.fromImage(image.copy())  # the image shares the array's memory
        self.setPixmap(
            picture.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        )
