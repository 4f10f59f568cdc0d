"""A layer and a plot that follow each other: selection both ways, the table, the frame in view."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal

from ...core.placement import Placement
from ...layers.points import placement_of
from ..common.canvas import go_to

Rows = npt.NDArray[np.int64]


class LayerLink(QObject):
    """Tells what happens to one layer, and does to it what the user does elsewhere.

    Its own changes are not reported, so that nothing goes round in circles. Changes that come in bursts are reported
    once.
    """

    selection_changed = Signal(object)  # rows (n,) int64
    table_changed = Signal()
    frame_changed = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any | None = None
        self._busy = False
        self._selection_timer = QTimer(self, singleShot=True, interval=0)
        self._table_timer = QTimer(self, singleShot=True, interval=50)
        self._selection_timer.timeout.connect(self._tell_selection)
        self._table_timer.timeout.connect(self.table_changed)
        viewer.dims.events.current_step.connect(self._on_frame)

    @property
    def layer(self) -> Any | None:
        """The layer that is followed."""
        return self._layer

    def follow(self, layer: Any | None) -> None:
        """Follow another layer, or none."""
        if self._layer is not None:
            for emitter, slot in self._events(self._layer):
                emitter.disconnect(slot)
        self._layer = layer
        if layer is not None:
            for emitter, slot in self._events(layer):
                emitter.connect(slot)

    def table_is_read(self) -> None:
        """Do not tell of changes of the table until now."""
        self._table_timer.stop()

    def selection(self) -> Rows:
        """Rows that are selected on the canvas."""
        chosen = getattr(self._layer, "selected_data", ())
        rows = np.fromiter(chosen, dtype=np.int64, count=len(chosen))
        rows.sort()
        return rows

    def select(self, rows: Rows) -> None:
        """Select rows on the canvas: points, or the first of several labels."""
        layer = self._layer
        if layer is None:
            return
        self._busy = True
        try:
            if hasattr(layer, "selected_data"):
                # The setter would also look for colours and sizes that all of them share, which takes long for many.
                layer.selected_data.replace_selection(set(rows.tolist()))
                layer.refresh(extent=False, thumbnail=False, data_displayed=False)
            elif len(rows):
                layer.selected_label = int(label_numbers(layer)[rows[0]])
        finally:
            self._busy = False

    def in_frame(self) -> npt.NDArray[np.bool_] | None:
        """Which points lie in the frame in view; ``None`` where there are no frames."""
        layer = self._layer
        if layer is None or not hasattr(layer, "selected_data") or layer.ndim < 3:
            return None
        return np.asarray(np.rint(np.asarray(layer.data)[:, -3]) == self.frame())

    def frame(self) -> int | None:
        """The frame of a movie that is in view."""
        layer = self._layer
        if layer is None or layer.ndim < 3:
            return None
        return placement_of(layer, self._viewer).frame

    def centre_on(self, row: int) -> None:
        """Move the canvas to a point, in its frame."""
        if self._layer is not None and hasattr(self._layer, "selected_data"):
            go_to(self._viewer, Placement.of_layer(self._layer), self._layer.data[row])

    def _events(self, layer: Any) -> list[tuple[Any, Any]]:
        events = [(layer.events.features, self._on_table), (layer.events.metadata, self._on_table)]
        if hasattr(layer, "selected_data"):
            events += [
                (layer.events.data, self._on_table),
                (layer.selected_data.events.items_changed, self._on_selection),
            ]
        return events

    def _on_table(self, event: Any = None) -> None:
        if isalive(self):
            self._table_timer.start()

    def _on_selection(self, *_: Any) -> None:
        if isalive(self) and not self._busy:
            self._selection_timer.start()

    def _on_frame(self, event: Any = None) -> None:
        if isalive(self) and self._layer is not None and self._layer.ndim > 2:
            self.frame_changed.emit()

    def _tell_selection(self) -> None:
        if self._layer is not None:
            self.selection_changed.emit(self.selection())


def label_numbers(layer: Any) -> npt.NDArray[np.int64]:
    """Value in the picture of each row of the features of a Labels layer."""
    if "index" in layer.features:
        return np.asarray(layer.features["index"].to_numpy(), dtype=np.int64)
    return np.arange(len(layer.features), dtype=np.int64)
