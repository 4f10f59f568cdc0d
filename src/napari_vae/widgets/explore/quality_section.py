"""What is odd and what is sure: the worst accounted atoms as pictures, certainty as opacity, latents that matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QListWidgetItem, QWidget

from ...analysis.quality import ACTIVE, active_latents, most_unusual
from ...layers.open_runs import OpenRun
from ..common.panel import button_of, sentence, stacked
from ..common.plot import GREY
from .gallery import Gallery, Tile
from .pictures import Cut

WORDS = {"elbo": "ELBO", "reconstruction_error": "error"}
NOTHING = "No column tells how well the model does."


class QualitySection(QWidget):
    """Pictures to walk through, a check box, and a line on the latents."""

    row_chosen = Signal(int)
    certainty_toggled = Signal(bool)
    map_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # of the unusual atoms, the worst first
        self.certainty = QCheckBox("less opaque where less sure")
        self.certainty.setToolTip(
            "Fade points whose value of the colour's column is less certain: a larger standard deviation, or a "
            "lower probability of the class. Tick it before you trust single atoms"
        )
        self.latents, self.words = sentence(), sentence(NOTHING)
        self.unusual = Gallery()
        self.unusual.setAccessibleName("Most unusual atoms")
        self.unusual.setToolTip(
            "Atoms that the model accounts for worst, the worst first. Click on one, or go through them with the arrow "
            "keys, to see it on the plot and on the image"
        )
        self.map_button = button_of(
            "Map of the colour's column",
            "Make an image layer in which the area around every atom has the value of the column that colours the "
            "points",
        )
        stacked(self, self.unusual, self.words, self.latents, self.certainty, self.map_button)
        self.certainty.toggled.connect(self.certainty_toggled)
        self.unusual.currentItemChanged.connect(self._on_item)
        self.unusual.itemClicked.connect(self._on_item)
        self.map_button.clicked.connect(self.map_asked)

    def show_table(self, table: pd.DataFrame, opened: OpenRun | None, cut: Cut) -> None:
        """Show the unusual atoms of a table, whose windows `cut` gives, and the latents of a run."""
        name, self.rows = most_unusual(table)
        told = "reconstruction_error" if "reconstruction_error" in table else name
        notes = (f"{WORDS[told]} {table[told].iloc[row]:.2g}".replace("-", "−") for row in self.rows)
        tiles = [
            Tile(row, f"no. {row}", note, GREY, np.array([row]))
            for row, note in zip(self.rows.tolist(), notes, strict=True)
        ]
        self.unusual.show_tiles(tiles, cut)
        self.unusual.setVisible(bool(tiles))
        self.words.setVisible(not name)
        self.latents.setText(_on_latents(opened))
        self.latents.setVisible(opened is not None)

    def _on_item(self, item: QListWidgetItem | None, before: Any = None) -> None:
        if item is not None:
            self.row_chosen.emit(self.unusual.key_of(item))


def _on_latents(opened: OpenRun | None) -> str:
    if opened is None:
        return ""
    nats = active_latents(opened.run.history)
    active = ", ".join(str(name) for name, value in nats.items() if value >= ACTIVE)
    silent = ", ".join(str(name) for name, value in nats.items() if value < ACTIVE)
    return f"What differs is told by {active or 'no latent'}." + (f" Not needed: {silent}." if silent else "")
