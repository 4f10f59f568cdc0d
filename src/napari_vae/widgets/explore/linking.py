"""A layer and a plot that follow each other: selection and cursor both ways, the table, the frame in view."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal

from ...core.placement import Placement
from ...layers.dimming import dim, undim, undim_copy
from ...layers.identity import ours
from ...layers.points import placement_of
from ..common.canvas import go_to, show_frame

Rows = npt.NDArray[np.int64]
BEFORE = ("adding", "removing", "changing")  # what napari says of points before it does it


class LayerLink(QObject):
    """Tells what happens to one layer, and does to it what the user does elsewhere.

    Its own changes are not reported, so that nothing goes round in circles. Changes that come in bursts are reported
    once.

    Attributes
    ----------
    fades : bool
        Whether points fade on the canvas that are not selected: not while the plot is hidden.
    most : int
        Rows that are handed to napari's selection. It puts them into sets one by one, three times, and again with every
        zoom, which takes a second for 300 000. More are selected here alone; on the canvas the others fade as ever.
    """

    selection_changed = Signal(object)  # rows (n,) int64
    table_changed = Signal()
    frame_changed = Signal()
    pointed = Signal(int)  # row under the cursor on the canvas, −1 for none

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any | None = None
        self.most = 50_000
        self.fades = True
        self._kept: Rows | None = None  # a selection too large to hand it over
        self._busy = False
        self._under_cursor = -1
        self._selection_timer = QTimer(self, singleShot=True, interval=0)
        self._table_timer = QTimer(self, singleShot=True, interval=50)
        self._selection_timer.timeout.connect(self._tell_selection)
        self._dimming_timer = QTimer(self, singleShot=True, interval=0)
        self._table_timer.timeout.connect(self.table_changed)
        self._dimming_timer.timeout.connect(self.dim)
        viewer.dims.events.current_step.connect(self._on_frame)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.cursor.events.position.connect(self._on_cursor)
        viewer.events.mouse_over_canvas.connect(self._on_cursor)

    @property
    def layer(self) -> Any | None:
        """The layer that is followed."""
        return self._layer

    def follow(self, layer: Any | None) -> None:
        """Follow another layer, or none."""
        self.undim()
        self._kept = None
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
        """Rows that are selected on the canvas, or here alone as they are too many."""
        if self._kept is not None:
            return self._kept
        chosen = getattr(self._layer, "selected_data", ())
        rows = np.fromiter(chosen, dtype=np.int64, count=len(chosen))
        rows.sort()
        return rows

    def select(self, rows: Rows, *, all_of_them: bool = False) -> None:
        """Select rows on the canvas: points, if they are not more than `most`; or the first of several labels."""
        layer = self._layer
        if layer is None:
            return
        self._busy = True
        try:
            if hasattr(layer, "selected_data"):
                self._kept = rows if len(rows) > self.most and not all_of_them else None
                # The setter would also look for colours and sizes that all of them share, which takes long for many.
                layer.selected_data.replace_selection(set(rows.tolist() if self._kept is None else ()))
                if not self.dim(rows):
                    layer.refresh(extent=False, thumbnail=False, data_displayed=False)
            elif len(rows):
                layer.selected_label = int(label_numbers(layer)[rows[0]])
        finally:
            self._busy = False

    def dim(self, rows: Rows | None = None) -> bool:
        """Let the points that are not selected fade on the canvas; with none selected none does. Whether it drew."""
        if self._layer is None or not hasattr(self._layer, "selected_data") or not self.fades:
            return False
        return dim(self._layer, self.selection() if rows is None else rows)

    def undim(self) -> None:
        """Leave the canvas as it was."""
        if self._layer is not None:
            undim(self._layer)

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

    def show_frame(self, frame: int) -> None:
        """Show another frame of a movie, at the same place."""
        if self._layer is not None and self._layer.ndim > 2:
            pixel = np.zeros(self._layer.ndim)
            pixel[-3] = frame
            show_frame(self._viewer, Placement.of_layer(self._layer), pixel)

    def centre_on(self, row: int) -> None:
        """Move the canvas to a point, in its frame."""
        if self._layer is not None and hasattr(self._layer, "selected_data"):
            go_to(self._viewer, Placement.of_layer(self._layer), self._layer.data[row])

    def world_of(self, rows: npt.ArrayLike) -> npt.NDArray[np.float64] | None:
        """Where points lie in the world of the canvas, (y, x) of each as it is turned there; None for labels."""
        if self._layer is None or not hasattr(self._layer, "selected_data"):
            return None
        canvas, rows = Placement.of_canvas(self._viewer), np.asarray(rows)
        there = np.asarray(self._layer.data)[rows[rows < len(self._layer.data)]]
        world = canvas.points_from(there, Placement.of_layer(self._layer))
        shown = np.array(self._viewer.dims.displayed[-2:]) - self._viewer.dims.ndim
        return world[:, shown] if shown.min() >= -world.shape[1] else None

    def _events(self, layer: Any) -> list[tuple[Any, Any]]:
        events = [(layer.events.features, self._on_table), (layer.events.metadata, self._on_table)]
        if hasattr(layer, "selected_data"):
            events += [
                (layer.events.data, self._on_data),
                (layer.events.face_color, self._on_colors),
                (layer.selected_data.events.items_changed, self._on_selection),
            ]
        return events

    def _on_table(self, event: Any = None) -> None:
        if isalive(self):
            self._table_timer.start()

    def _on_data(self, event: Any) -> None:
        if str(getattr(event, "action", "")) in BEFORE:
            self.undim()  # what napari adds and takes away is of the colours as they are
            self._kept = None
        self._on_table()

    def _on_inserted(self, event: Any) -> None:
        if isalive(self):
            undim_copy(event.value)

    def _on_colors(self, event: Any = None) -> None:
        if isalive(self):
            self._dimming_timer.start()

    def _on_cursor(self, event: Any = None) -> None:
        """Tell of the point under the cursor, if that is another one than before."""
        if not isalive(self):
            return
        seen = self.parent().isVisible() and self._viewer.mouse_over_canvas
        row = self._row_at(self._viewer.cursor.position) if seen else -1
        if row != self._under_cursor:
            self._under_cursor = row
            self.pointed.emit(row)

    def _row_at(self, world: Any) -> int:
        layer = self._layer
        if layer is None or not hasattr(layer, "selected_data") or not len(layer.data):
            return -1
        place = Placement.of_layer(layer).points_from([world], Placement.of_canvas(self._viewer))[0]
        return nearest_row(layer.data, place[-2:], reach_of(layer), self.in_frame())

    def _on_selection(self, *_: Any) -> None:
        if isalive(self) and not self._busy:
            self._kept = None
            self._selection_timer.start()

    def _on_frame(self, event: Any = None) -> None:
        if isalive(self) and self._layer is not None and self._layer.ndim > 2:
            self.frame_changed.emit()

    def _tell_selection(self) -> None:
        if self._layer is not None:
            self.dim()
            self.selection_changed.emit(self.selection())


def label_numbers(layer: Any) -> npt.NDArray[np.int64]:
    """Value in the picture of each row of the features of a Labels layer."""
    if "index" in layer.features:
        return np.asarray(layer.features["index"].to_numpy(), dtype=np.int64)
    return np.arange(len(layer.features), dtype=np.int64)


def nearest_row(
    points: npt.NDArray[Any], place: npt.NDArray[np.float64], reach: float, among: npt.NDArray[np.bool_] | None = None
) -> int:
    """Row of the point (N, D) that is nearest to a place (y, x), no farther than `reach`; −1 for none.

    All are compared, which takes 3 ms of a million: a search tree would have to be built anew with every change.
    """
    y, x = place
    near = (np.abs(points[:, -2] - y) <= reach) & (np.abs(points[:, -1] - x) <= reach)
    rows = np.flatnonzero(near if among is None else near & among)
    if not len(rows):
        return -1
    away = np.hypot(points[rows, -2] - y, points[rows, -1] - x)
    best = int(away.argmin())
    return int(rows[best]) if away[best] <= reach else -1


def reach_of(layer: Any) -> float:
    """Half the distance of neighbouring points, in pixels of the layer; where none is noted, as if spread evenly."""
    if spacing := ours(layer).get("spacing"):
        return float(spacing) / 2
    low, high = layer.extent.data[:, -2:]
    frames = len(np.unique(layer.data[:, -3])) if layer.ndim > 2 else 1
    return max(0.5 * float(np.sqrt(np.prod(high - low) * frames / len(layer.data))), 1.0)
