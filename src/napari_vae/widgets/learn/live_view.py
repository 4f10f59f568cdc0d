"""What was learned so far, drawn: the embedding above, the learning curve below."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from .curve_plot import CurvePlot
from .embedding_plot import EmbeddingPlot
from .session import Snapshot
from .target_form import CLASS, EVERYWHERE, NEAR

HEIGHTS = 240, 150


class LiveView(QWidget):
    """Two plots; hidden until there is something to show."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.embedding, self.curve = EmbeddingPlot(), CurvePlot()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        for widget, height in zip((self.embedding, self.curve), HEIGHTS, strict=True):
            widget.setFixedHeight(height)
            rows.addWidget(widget)
        self.hide()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw what is known after a step."""
        session = snapshot.session
        of_values = session.purpose.kind not in (CLASS, EVERYWHERE)
        wanted = session.purpose.value if session.purpose.kind == NEAR else None
        self.embedding.show_table(snapshot.table, snapshot.measured, snapshot.upcoming)
        self.embedding.setVisible("embedding_1" in snapshot.table)
        values = snapshot.values if of_values else snapshot.values[:0]
        self.curve.show_curve(values, snapshot.line, snapshot.line_words, wanted)
        self.setVisible(bool(len(snapshot.measured)))
