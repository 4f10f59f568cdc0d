"""A scatter of up to millions of points that can be panned, zoomed, hovered over and selected by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QPointF, QRectF, QSize, QTimer, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QWidget

from ...analysis.rasterizing import Raster, Rect, point_radius, rasterize, rows_within
from .panel import stacked
from .plot import GREY, MARKED, SHADE, Plot
from .view_box import Mode, SelectBox

Rows = npt.NDArray[np.int64]

MARGIN = 0.35  # of the view drawn beyond each of its sides, so that panning only moves the picture
SETTLE = 120  # ms after the last change of the view until many points are drawn anew, sharp again after a zoom
AT_ONCE = 30_000  # points up to which they are drawn anew in every frame
ENOUGH = 300, 240  # px, wide and high
REACH = 6.0  # px from the cursor in which a point counts as meant
#: Size in px and pen of the rings around the point that is pointed at on the image: dark, and bright inside of it.
MARK = ((19, {"color": SHADE, "width": 5}), (19, {"color": MARKED, "width": 2}))
FADE = 0.3  # opacity of what is not selected while something is


class ScatterPlot(QWidget):
    """Points in a plane. It knows of rows and colours, not of layers.

    Points are drawn by `rasterize` into a picture somewhat larger than the view. Panning moves the picture; when the
    view leaves it or is zoomed, it is drawn anew.
    """

    selection_changed = Signal(object)  # rows (n,) int64, chosen here by the user
    hovered = Signal(int)  # row under the cursor, −1 for none
    cursor_moved = Signal(float, float)  # place in the plane; NaN when the cursor leaves
    double_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._x = self._y = np.zeros(0, dtype=np.float32)
        self._rgba = np.zeros((0, 4), dtype=np.uint8)
        self._shown: Rows | None = None
        self._selected: Rows = np.zeros(0, dtype=np.int64)
        self._raster: Raster | None = None
        self._under_cursor = -1
        self.names = ("", "")
        self.box = SelectBox()
        self.plot = Plot(self, viewBox=self.box)
        self.plot.setCacheMode(self.plot.CacheModeFlag.CacheNone)  # the background changes with the theme
        for side in ("left", "bottom"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)  # "z1 (x0.001)" reads like another quantity
        self.plot.getPlotItem().layout.setContentsMargins(1, 1, 1, 6)  # the name of an axis hangs over by 5
        self._backdrop, self._points, self._chosen = pg.ImageItem(), pg.ImageItem(), pg.ImageItem()
        for item in (self._backdrop, self._points, self._chosen):
            self.box.addItem(item, ignoreBounds=True)
        self._backdrop.hide()
        self.mark = pg.ScatterPlotItem(brush=None)
        self.mark.setZValue(90)
        self.box.addItem(self.mark, ignoreBounds=True)
        self.setMinimumHeight(ENOUGH[1])
        self._timer = QTimer(self, singleShot=True, interval=SETTLE)
        self._soon = QTimer(self, singleShot=True, interval=0)  # points, colours and frame in one go
        stacked(self, self.plot)
        self._connect()

    @property
    def selection(self) -> Rows:
        """The selected rows."""
        return self._selected

    @property
    def drawn(self) -> bool:
        """Whether the points are on the screen."""
        return self._raster is not None

    def set_points(
        self, x: npt.ArrayLike, y: npt.ArrayLike, *, names: tuple[str, str] = ("", ""), keep_view: bool = False
    ) -> None:
        """Show other points, all of them in grey and none selected.

        Parameters
        ----------
        x, y : array (N,)
            Points that are not finite are left out.
        names : (str, str)
            Of the axes.
        keep_view : bool
            Whether the view stays; otherwise it holds them all.
        """
        keep_view = keep_view and len(self._x) == len(np.asarray(x))
        self.names = names
        self._x, self._y = (np.asarray(values, dtype=np.float32) for values in (x, y))
        self._rgba = self._grey()
        self._shown, self._selected = None, np.zeros(0, dtype=np.int64)
        self.plot.setLabel("bottom", names[0])
        self.plot.setLabel("left", names[1])
        self._raster = None  # its rows are those of the points before
        self._soon.start()
        if not keep_view:
            self.box.forget()
            self.reset_view()

    def set_colors(self, rgba: npt.NDArray[np.uint8] | None) -> None:
        """Colours (N, 4) of the points, or grey for all; those of other points, which are still to come, are left."""
        if rgba is None or len(rgba) == len(self._x):
            self._rgba = self._grey() if rgba is None else np.ascontiguousarray(rgba, dtype=np.uint8)
            self._soon.start()

    def _grey(self) -> npt.NDArray[np.uint8]:
        return np.full((len(self._x), 4), pg.mkColor(GREY).getRgb(), dtype=np.uint8)

    def set_shown(self, shown: npt.NDArray[np.bool_] | None) -> None:
        """Draw only some of the points (N,), or all."""
        self._shown = None if shown is None else np.flatnonzero(shown)
        self._soon.start()

    def set_selection(self, rows: npt.ArrayLike) -> None:
        """Select rows from outside; ``selection_changed`` keeps still. Rows that are not there (yet) are left out."""
        rows = np.asarray(rows, dtype=np.int64).reshape(-1)
        self._selected = rows[rows < len(self._x)]
        if not self._soon.isActive():  # which draws it too
            self._draw_selection()

    def set_mark(self, row: int) -> None:
        """Draw a ring around a point, which is pointed at elsewhere; −1 takes it away."""
        known = 0 <= row < len(self._x) and np.isfinite([self._x[row], self._y[row]]).all()
        rings = [{"pos": (self._x[row], self._y[row]), "size": size, "pen": pen} for size, pen in MARK] if known else []
        self.mark.setData(rings)

    def select_within(self, outline: npt.ArrayLike, how: str = "replace") -> None:
        """Select what lies inside an outline (V, 2), as if the user had drawn it, or ``"add"`` or ``"remove"`` it."""
        self._choose(rows_within(outline, self._x, self._y), how)

    def set_backdrop(self, image: npt.NDArray[Any] | None, rect: Rect | None = None) -> None:
        """Show an image (H, W) or (H, W, 3 or 4) behind the points, first row at the top; ``None`` takes it away."""
        self._backdrop.setVisible(image is not None)
        if image is not None and rect is not None:
            self._backdrop.setImage(np.flipud(image), axisOrder="row-major")
            self._backdrop.setRect(_qt(rect))

    def set_mode(self, mode: Mode) -> None:
        """What a drag does: move the view, select by a free outline or a rectangle, or draw a path."""
        self.box.set_mode(mode)

    def reset_view(self) -> None:
        """Let the view hold all points."""
        x, y = (values[np.isfinite(values)] for values in (self._x, self._y))
        spans = [(float(v.min()), float(v.max())) if len(v) else (-1.0, 1.0) for v in (x, y)]
        (left, right), (bottom, top) = ((a, b) if b > a else (a - 0.5, b + 0.5) for a, b in spans)
        self.box.setRange(xRange=(left, right), yRange=(bottom, top), padding=0.06)

    def save(self, path: str | Path) -> None:
        """Write what is seen as a PNG.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if not self.plot.grab().save(str(path)):
            raise OSError(f"The picture could not be written to {path}.")

    def sizeHint(self) -> QSize:  # Qt's name
        """What is enough to work in; it takes all that is left."""
        return QSize(*ENOUGH)

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """Draw for the new size."""
        super().resizeEvent(event)
        self._timer.start()

    def _connect(self) -> None:
        self._timer.timeout.connect(self._draw)
        self._soon.timeout.connect(self._draw)
        self.box.sigRangeChanged.connect(self._on_range_changed)
        self.box.outlined.connect(self.select_within)
        self.box.clicked.connect(self._on_clicked)
        self.box.double_clicked.connect(self._on_double_clicked)
        self.box.moved.connect(self._on_moved)
        self.box.left.connect(self._on_left)

    def _on_range_changed(self, *_: Any) -> None:
        if self._soon.isActive():
            return
        if len(self._x) <= AT_ONCE or self._left_picture():
            self._draw()
        else:
            self._timer.start()  # anew with every change

    def _left_picture(self) -> bool:
        """Whether the view shows something that is not in the picture."""
        (x0, x1), (y0, y1) = self.box.viewRange()
        drawn = None if self._raster is None else self._raster.rect
        return drawn is None or x0 < drawn[0] or y0 < drawn[1] or x1 > drawn[2] or y1 > drawn[3]

    def _on_clicked(self, place: QPointF, how: str) -> None:
        row = self._at(place)
        self._choose(np.array([row] if row >= 0 else [], dtype=np.int64), how)

    def _on_double_clicked(self, place: QPointF) -> None:
        if (row := self._at(place)) >= 0:
            self.double_clicked.emit(row)

    def _on_moved(self, place: QPointF) -> None:
        self.cursor_moved.emit(place.x(), place.y())
        self._hover(self._at(place))

    def _on_left(self) -> None:
        self.cursor_moved.emit(float("nan"), float("nan"))
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self._under_cursor:
            self._under_cursor = row
            self.hovered.emit(row)

    def _choose(self, rows: Rows, how: str) -> None:
        """Select rows, or add them to the selection, or take them away; only what is shown can be meant."""
        if self._shown is not None:
            rows = np.intersect1d(rows, self._shown, assume_unique=True)
        if how == "add":
            rows = np.union1d(self._selected, rows)
        elif how == "remove":
            rows = np.setdiff1d(self._selected, rows, assume_unique=True)
        self._selected = rows
        self._draw_selection()
        self.selection_changed.emit(rows)

    def _at(self, place: QPointF) -> int:
        reach = REACH * self._pixels_per_unit()
        return -1 if self._raster is None else self._raster.nearest(place.x(), place.y(), reach)

    def _pixels_per_unit(self) -> float:
        return float(self.devicePixelRatioF())

    def _view(self) -> tuple[Rect, tuple[int, int]]:
        """What is to be drawn: the view with a margin, and how many rows and columns of pixels that is."""
        (x0, x1), (y0, y1) = self.box.viewRange()
        wide, high = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
        scale = (1 + 2 * MARGIN) * self._pixels_per_unit()
        shape = max(2, round(self.box.height() * scale)), max(2, round(self.box.width() * scale))
        return (x0 - wide, y0 - high, x1 + wide, y1 + high), shape

    def _draw(self) -> None:
        """Draw everything anew, as the view is now."""
        self._soon.stop()
        self._timer.stop()
        if self.box.height() < 2 or not self.isVisible():
            self._raster = None
            return
        self._raster = self._drawn(self._shown)
        self._put(self._points, self._raster)
        self._draw_selection()

    def _draw_selection(self) -> None:
        """Draw the selected points over the others, which fade."""
        any_selected = bool(len(self._selected))
        self._points.setOpacity(FADE if any_selected else 1.0)
        self._chosen.setVisible(any_selected)
        if any_selected and self._raster is not None:
            rows = self._selected
            if self._shown is not None:
                rows = np.intersect1d(rows, self._shown, assume_unique=True)
            self._put(self._chosen, self._drawn(rows))

    def _drawn(self, rows: Rows | None) -> Raster:
        rect, shape = self._view()
        n = len(self._x) if self._shown is None else len(self._shown)
        radius = point_radius(n) * self._pixels_per_unit()
        return rasterize(self._x, self._y, self._rgba, rect, shape, radius=radius, rows=rows)

    def _put(self, item: pg.ImageItem, raster: Raster) -> None:
        item.setImage(raster.picture, axisOrder="row-major", autoLevels=False, levels=None)
        item.setRect(_qt(raster.rect))

    def showEvent(self, event: Any) -> None:  # Qt's name
        """Draw what came while it was hidden."""
        super().showEvent(event)
        self._timer.start()


def _qt(rect: Rect) -> QRectF:
    x0, y0, x1, y1 = rect
    return QRectF(x0, y0, x1 - x0, y1 - y0)
