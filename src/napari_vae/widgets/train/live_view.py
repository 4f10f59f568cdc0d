"""What a training shows: curves of the loss, and the plane of latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from ...runs.decoding import tile
from ..common.panel import stacked
from ..common.plot import BLUE, ORANGE, StillPlot, pixmap_of, swatch

HEIGHT = 170
CURVES = {"loss": ORANGE, "held_out": BLUE}
CAPTION = (
    f"loss by epoch, lower is better: {swatch(CURVES['held_out'])}of atoms held out, {swatch(CURVES['loss'])}of atoms "
    "learnt from"
)
TOOLTIP = (
    "Loss (a number: how badly windows are redrawn) against the number of the epoch, above what no model could "
    "redraw. Blue: of windows that the model never learns from. It flattens when training is done; press Stop when it "
    "does. Where it rises while the orange one falls, the model learns single windows by heart. It may "
    "jump up once or twice: there the training takes away a help (a strain that finds angles, or classes) that the "
    "model began with. The first fifth, and single peaks, may lie above the plot, for the rest to be seen."
)
BEGINNING = 5  # a part of the training, by whose end the largest loss is chosen that is in view
SIDE = 170


class LossPlot(QWidget):
    """Two curves on one axis; set from the rows of a training's history."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(TOOLTIP)
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(150)
        self._plot = StillPlot(self)
        self._plot.getAxis("left").setWidth(40)
        self.curves = {
            key: self._plot.plot(pen=pg.mkPen(color, width=2), symbolBrush=color, symbolPen=None, symbolSize=4)
            for key, color in CURVES.items()
        }
        caption = QLabel(CAPTION)
        caption.setWordWrap(True)
        stacked(self, self._plot, caption, wide=self._plot).setSpacing(2)
        self.show_history(())

    def show_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Draw the columns ``loss`` and ``held_out`` of `rows` against ``epoch``; no axes without rows."""
        self._plot.getPlotItem().setVisible(bool(rows))
        epochs = np.array([row["epoch"] for row in rows], dtype=float)
        losses = {key: np.array([row.get(key, np.nan) for row in rows], dtype=float) for key in self.curves}
        for key, curve in self.curves.items():
            curve.setData(epochs, losses[key], connect="finite")
        later = [values[len(rows) // BEGINNING :] for values in losses.values()]
        if any(np.isfinite(values).any() for values in later):
            self._plot.setYRange(np.nanmin(later), np.nanmax([_without_peaks(values) for values in later]))


def _without_peaks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values of which each is no larger than the larger of its neighbours."""
    padded = np.pad(values, 1, mode="edge")
    return np.fmin(values, np.fmax(padded[:-2], padded[2:])) if len(values) > 2 else values


def held_by_latents(rows: Sequence[Mapping[str, float]]) -> str:
    """How much each latent says by the last of the rows of a history, in a sentence; empty without rows."""
    names = [] if not rows else [name for name in rows[-1] if name.startswith("kl_z")]
    held = ", ".join(f"{name.removeprefix('kl_')} {rows[-1][name]:.2g}" for name in names)
    return f"Nats that the latents hold about a window (KL): {held}. One near 0 is not used." if held else ""


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
        picture = pixmap_of(((values - low) * (255 / ((high - low) or 1))).astype(np.uint8))
        self.setPixmap(
            picture.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        )
