"""Buttons that ask which model and which window suit the image, and the answers with their tables."""

from __future__ import annotations

import math

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from ...models.config import ModelConfig
from ...workflow.advice import Advice, WindowScan
from ..common.panel import button_of, column_of, sentence, stacked
from .model_form import called

COLUMNS = {
    "window": "Side of the window in pixels.",
    "invariances": "What the model ignored.",
    "latents": "How many numbers described the rest.",
    "held_out": "Loss on windows that it never saw, in nats; lower is better. Comparable for windows of one size.",
    "agreement": "How far two trainings read the same from the same atoms, 0 … 1.",
}
HEADINGS = ("px", "ignores", "latents", "loss", "agree")
HEIGHT = 170  # pixels; the rest scrolls
SURE = ((0.9, "sure"), (0.7, "fairly sure"), (-math.inf, "not sure"))  # by the agreement of two trainings


class AdviceBox(QWidget):
    """“Suggest a model” and “Suggest a window”; ``details`` are reasons and table, hidden until there is an answer."""

    asked, window_asked = Signal(), Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = button_of(
            "Suggest a model",
            "Trains a dozen small models on some of the atoms, for about a minute, and chooses window, what atoms may "
            "be and the number of latents by what explains atoms best that they never saw",
        )
        self.window_button = button_of(
            "Suggest a window",
            "Trains a small model on windows of each of several sizes, anywhere in the image, for about a minute, and "
            "chooses the smallest that teaches about as much of each pixel as any",
        )
        self.reasons = sentence()
        self.table = QTableWidget(0, len(COLUMNS))
        self.details = column_of(self.reasons, self.table)
        self._lay_out()
        self.button.clicked.connect(self.asked)
        self.window_button.clicked.connect(self.window_asked)
        self.details.hide()

    def show_advice(self, advice: Advice) -> None:
        """Show why a model is suggested, and all that were tried; the suggested one is selected."""
        self.reasons.setText(advice.reasons)
        self.table.show()
        self.table.setRowCount(len(advice.table))
        for row, tried in enumerate(advice.table.to_dict("records")):
            for column, name in enumerate(COLUMNS):
                self.table.setItem(row, column, QTableWidgetItem(_words(tried[name])))
            if tried["suggested"]:
                self.table.selectRow(row)
        self.details.show()
        self.table.scrollToItem(self.table.item(self.table.currentRow(), 0))

    def show_scan(self, scan: WindowScan) -> None:
        """Show what windows of every size teach."""
        rows = scan.table.to_dict("records")
        sizes = "; ".join(
            f"{row['window']} px: {row['bits']:.3f} bits, {row['explained']:.0%} explained" for row in rows
        )
        self.reasons.setText(f"Of each pixel, beyond the mean window and after the cost of the latents: {sizes}.")
        self.table.hide()
        self.details.show()

    def enable(self, idle: bool) -> None:
        """Let the buttons be clicked, or not."""
        self.button.setEnabled(idle)
        self.window_button.setEnabled(idle)

    def _lay_out(self) -> None:
        self.table.setHorizontalHeaderLabels(list(HEADINGS))
        for column, tooltip in enumerate(COLUMNS.values()):
            self.table.horizontalHeaderItem(column).setToolTip(tooltip)
        self.table.setToolTip(
            "All models that were tried, a row each; the suggested one is selected. Point at a heading to read "
            "what the column is and its unit"
        )
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setFixedHeight(HEIGHT)
        stacked(self, self.button, self.window_button)


def answer(advice: Advice, chosen: ModelConfig) -> str:
    """What is suggested, and how sure that is, in a sentence; `chosen` has the latents that will be plotted."""
    suggested = advice.table[advice.table["suggested"]]
    agreement = float(suggested["agreement"].iloc[0]) if len(suggested) else math.nan
    sure = next(words for least, words in SURE if not agreement < least)
    why = "it was stopped early" if math.isnan(agreement) else f"two trainings agree by {agreement:.0%}"
    return (
        f"Suggested and chosen above: {called(chosen)}, windows of {advice.window} px, {chosen.latent_dim} differences "
        f"(z1, z2{' …' if chosen.latent_dim > 2 else ''}); {'not sure' if math.isnan(agreement) else sure}, for {why}."
    )


def _words(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
