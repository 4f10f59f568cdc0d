"""How to go about it: where to begin, how the next place is chosen, how many at a time, and when to end."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Shapes
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

from ...core.errors import InputError
from ...core.fields import settings_of
from ...core.region import inside, region_mask
from ...learning.config import ExplorationConfig
from ...learning.explore.stopping import Stopping
from ..common.data_form import Source
from ..common.drawn_region import HOW_TO_DRAW, WHICH, drawn_polygons
from ..common.panel import Form, choice_of, counter, offer, row_of
from ..common.setting_controls import add_settings, control_of, remember
from .target_form import CLASS, EVERYWHERE, Purpose

RANDOM, SPREAD, REGION, SELECTED = "random", "spread", "region", "selected"
STARTS = {
    RANDOM: "random places",
    SPREAD: "most unlike places",
    REGION: "the drawn region",
    SELECTED: "the selected points",
}
CHOICES = settings_of(ExplorationConfig)["acquisition"].choices
OF_KNOWLEDGE = ("variance", "information")  # that need no goal
OF_CLASS = ("pi", "ucb", "thompson", *OF_KNOWLEDGE)
BUDGET, PATIENCE, GAIN, SURE = "budget", "patience", "gain", "sd"
RULES = {
    BUDGET: "the budget is spent",
    PATIENCE: "none better in last",
    GAIN: "gain below",
    SURE: "uncertainty below",
}


class StartForm(Form):
    """The first measurements."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.start = choice_of(STARTS, narrow=True)
        self.number = counter(1, 1000, 10)
        words = (
            "What is measured first, before there is a model. Random places are usual; choose the most "
            "unlike ones when kinds of places are rare. Or choose where: random places inside a shape that you "
            "have drawn, or all points that you have selected on the canvas."
        )
        self.add("Start from", row_of(self.start, self.number, wide=self.start), words)
        self.number.setToolTip(
            "Number of places that are measured before there is a model. About ten is usual; take more when "
            "measuring is cheap"
        )
        self.number.setAccessibleName("Number of first measurements")
        self.start.currentIndexChanged.connect(self._on_changed)
        remember("learning", {"start": self.start, "first": self.number})
        self._on_changed()

    @property
    def spread(self) -> bool:
        """Whether the first places are to differ from each other as much as they can."""
        return bool(self.start.currentData() == SPREAD)

    def read(self, source: Source, seed: int) -> int | tuple[int, ...]:
        """Rows of the atoms of `source` to begin with, or how many.

        Raises
        ------
        InputError
            If no region is drawn, nothing lies in it, or no point is selected.
        """
        chosen = self.start.currentData()
        if chosen in (RANDOM, SPREAD):
            return int(self.number.value())
        rows = self._selected(source) if chosen == SELECTED else self._in_region(source, seed)
        return tuple(int(row) for row in rows)

    def _selected(self, source: Source) -> list[int]:
        rows = [] if source.points is None else sorted(source.points.selected_data)
        if not rows:
            raise InputError("No point is selected; select some on the canvas, or start from random places.")
        return rows

    def _in_region(self, source: Source, seed: int) -> npt.NDArray[np.int64]:
        """As many random rows inside the drawn shapes as are to be measured first; in a movie of the frame in view."""
        placement, frame = source.placement, source.placement.frame
        polygons = drawn_polygons(self._drawing(), placement, frame)
        if not polygons:
            raise InputError(HOW_TO_DRAW)
        mask = region_mask(polygons, source.shape[-2:])
        rows = np.flatnonzero(inside(mask, source.atoms[["y", "x"]]) & (source.atoms["frame"].to_numpy() == frame))
        if not len(rows):
            raise InputError(f"None of the {source.noun} lies inside the drawn region; draw it around some.")
        n = min(self.number.value(), len(rows))
        return np.random.default_rng(seed).choice(rows, n, replace=False)

    def _drawing(self) -> Shapes:
        layers = [layer for layer in self._viewer.layers if isinstance(layer, Shapes)]
        chosen = [layer for layer in layers if layer in self._viewer.layers.selection] or layers
        if not chosen:
            raise InputError(HOW_TO_DRAW)
        if len(chosen) > 1:
            raise InputError(WHICH)
        return chosen[0]

    def _on_changed(self, index: int = 0) -> None:
        self.number.setVisible(self.start.currentData() != SELECTED)


class PlanForm(Form):
    """How the next places are chosen, and when Run ends."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.batch = control_of(settings_of(ExplorationConfig)["batch"])
        self.budget = counter(1, 100_000, 50)
        self.rule = choice_of(RULES, narrow=True)
        self.limit = QDoubleSpinBox()
        self.limit.setValue(10)
        self._lay_out()
        self.rule.currentIndexChanged.connect(self._on_rule_changed)
        self.kept = {"acquisition": self.acquisition, "batch": self.batch, "budget": self.budget}
        self.memory = remember("learning", self.kept)
        self._on_rule_changed()

    def suit(self, purpose: Purpose) -> None:
        """Offer what serves a purpose; the choice stays where it is of that kind, of a search or of learning."""
        names = {EVERYWHERE: OF_KNOWLEDGE, CLASS: OF_CLASS}.get(purpose.kind, tuple(CHOICES))
        chosen = self.acquisition.currentData()
        if [self.acquisition.itemData(i) for i in range(self.acquisition.count())] == list(names):
            return
        fits = chosen in names and (chosen in OF_KNOWLEDGE) == (purpose.kind == EVERYWHERE)
        # Without a signal: what is remembered is what the user chose.
        offer(self.acquisition, {name: CHOICES[name] for name in names}, chosen if fits else None)

    def choose(self, acquisition: str, batch: int) -> None:
        """Choose how the next places are chosen, and how many at a time, as a record has it; it is not remembered."""
        with self.memory.paused():
            self.acquisition.setCurrentIndex(max(self.acquisition.findData(acquisition), 0))
            self.batch.setValue(batch)

    def set_fixed(self, fixed: bool) -> None:
        """Let be changed what an exploration is begun with, or not; when it ends may always be changed."""
        self.acquisition.setEnabled(not fixed)
        self.batch.setEnabled(not fixed)

    def set_typed(self, typed: bool) -> None:
        """Leave out what is only for measurements that are made without the user, or not."""
        self.budget.setVisible(not typed)
        self.set_row_visible(self._until, not typed)

    def until(self) -> Stopping | None:
        """The rule that ends a run before the budget is spent."""
        rule, limit = self.rule.currentData(), self.limit.value()
        if rule == BUDGET:
            return None
        return Stopping(patience=max(1, round(limit))) if rule == PATIENCE else Stopping(**{rule: limit})

    def _lay_out(self) -> None:
        (self.acquisition,) = add_settings(self, ExplorationConfig, "acquisition").values()
        words = "How many places are chosen at a time, and how many are measured in all when Run ends."
        self.add("Places", row_of(self.batch, self.budget), words)
        self.batch.setSuffix(" at a time")
        self.budget.setSuffix(" in all")
        self.batch.setToolTip(settings_of(ExplorationConfig)["batch"].text)
        self.budget.setToolTip("Number of measurements in all, the first ones included, at which Run ends")
        self.batch.setAccessibleName("Places at a time")
        self.budget.setAccessibleName("Measurements in all")
        words = (
            "What ends Run. The budget is the number of measurements in all. Choose another rule to end "
            "earlier: after so many measurements without a better one, or when the expected gain, or the "
            "uncertainty, is below a limit at every place."
        )
        self._until = self.add("Until", row_of(self.rule, self.limit, wide=self.rule), words)
        self.limit.setToolTip(
            "Limit of this rule: a number of measurements, or a value in the unit of the target. Lower it to go on "
            "for longer"
        )
        self.limit.setAccessibleName("Limit of the rule")

    def _on_rule_changed(self, index: int = 0) -> None:
        rule = self.rule.currentData()
        self.limit.setVisible(rule != BUDGET)
        decimals = 0 if rule == PATIENCE else 4
        self.limit.setDecimals(decimals)
        self.limit.setRange(10.0**-decimals, 1e9)
