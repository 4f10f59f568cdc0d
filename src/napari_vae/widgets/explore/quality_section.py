"""What is odd and what is sure: the worst accounted atoms, certainty as opacity, latents that say something."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QListWidget, QListWidgetItem, QWidget

from ...analysis.quality import ACTIVE, active_latents, most_unusual
from ...layers.open_runs import OpenRun
from ..common.panel import button_of, sentence, stacked

LIST_HEIGHT = 120
WORDS = {"elbo": "ELBO", "reconstruction_error": "reconstruction error"}


class QualitySection(QWidget):
    """A list to walk through, a check box, and a line on the latents."""

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
        self.latents, self.heading = sentence(), sentence()
        self.latents.setToolTip("Nats that each latent holds about an atom; next to none means that it is not needed")
        self.unusual = QListWidget()
        self.unusual.setFixedHeight(LIST_HEIGHT)
        self.unusual.setToolTip(
            "Atoms that the model accounts for worst, the worst first, with the value of the column above. Click "
            "on one to go there"
        )
        self.map_button = button_of(
            "Map of the colour's column",
            "Make an image layer in which the area around every atom has the value of the column that colours the "
            "points",
        )
        stacked(self, self.certainty, self.latents, self.heading, self.unusual, self.map_button)
        self.certainty.toggled.connect(self.certainty_toggled)
        self.unusual.itemClicked.connect(self._on_item)
        self.map_button.clicked.connect(self.map_asked)

    def show_table(self, table: pd.DataFrame, opened: OpenRun | None) -> None:
        """List the unusual atoms of a table, and the latents of a run."""
        name, rows = most_unusual(table)
        self.rows = rows
        self.unusual.clear()
        for row in rows:
            item = QListWidgetItem(f"no. {row}: {table[name].iloc[row]:.4g}", self.unusual)
            item.setData(256, int(row))  # Qt.UserRole
        self.unusual.setVisible(bool(len(rows)))
        words = f"Most unusual atoms, by {WORDS[name]}:" if name else "No column tells how well the model does."
        self.heading.setText(words)
        self.latents.setText(_on_latents(opened))
        self.latents.setVisible(opened is not None)

    def _on_item(self, item: QListWidgetItem) -> None:
        self.row_chosen.emit(item.data(256))


def _on_latents(opened: OpenRun | None) -> str:
    if opened is None:
        return ""
    nats = active_latents(opened.run.history)
    active = ", ".join(f"{name} ({value:.1f} nats)" for name, value in nats.items() if value >= ACTIVE)
    silent = ", ".join(str(name) for name, value in nats.items() if value < ACTIVE)
    return f"Active: {active or 'none'}." + (f" Not needed: {silent}." if silent else "")
