"""Followed atoms through the frames of a movie: their values as lines, and a line at the frame in view to drag."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyqtgraph as pg
from qtpy.QtCore import QObject

from ...core.positions import NO_TRACK
from ..common.plot import GREY, ORANGE
from ..common.scatter_plot import ScatterPlot
from .linking import LayerLink

TIME = "frame"
MOST = 100  # tracks that can be told apart


class Traces(QObject):
    """Joins the points of each atom that is selected or pointed at, while frames are along the horizontal axis.

    Parameters
    ----------
    plot, link
        The plot, and the layer of its points.
    """

    def __init__(self, parent: QObject, plot: ScatterPlot, link: LayerLink) -> None:
        super().__init__(parent)
        self._plot, self._link = plot, link
        self._table = pd.DataFrame()
        self._pointed = -1
        self.line = pg.PlotCurveItem(connect="finite", pen=pg.mkPen(ORANGE, width=1.5))
        self.now = pg.InfiniteLine(angle=90, movable=True, pen=pg.mkPen(GREY, width=2))
        for item in (self.line, self.now):
            plot.box.addItem(item, ignoreBounds=True)
            item.hide()
        self.now.sigDragged.connect(self._on_dragged)
        self.now.sigPositionChangeFinished.connect(self.draw)
        link.frame_changed.connect(self.draw)
        for signal in (plot.hovered, link.pointed):
            signal.connect(self._on_pointed)

    @property
    def shown(self) -> bool:
        """Whether frames are along the axis, so that points of all frames are shown."""
        return self._plot.names[0] == TIME and "track" in self._table and self._link.frame() is not None

    def follow(self, table: pd.DataFrame) -> None:
        """Trace the atoms of another table."""
        self._table, self._pointed = table, -1

    def draw(self) -> None:
        """Draw the lines of what is selected now, else of what is pointed at."""
        for item in (self.line, self.now):
            item.setVisible(self.shown)
        if not self.shown:
            return
        rows = self._plot.selection if len(self._plot.selection) else np.array([self._pointed])
        self.line.setData(*joined(self._table, self._plot.names[1], rows[rows >= 0]))
        self.now.setValue(self._link.frame())

    def _on_pointed(self, row: int) -> None:
        self._pointed = row
        if self.shown and not len(self._plot.selection):
            self.draw()

    def _on_dragged(self) -> None:
        """Show the frame that the line is drawn to."""
        self._link.show_frame(round(self.now.value()))


def joined(table: pd.DataFrame, column: str, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Frames and values of the tracks that rows are of, one track after the other, with NaN between them."""
    tracks = pd.unique(table["track"].iloc[rows])
    tracks = tracks[tracks != NO_TRACK][:MOST]
    of_these = table[table["track"].isin(tracks)].sort_values(["track", TIME])
    ends = np.flatnonzero(np.diff(of_these["track"])) + 1
    frames, values = (np.insert(of_these[name].to_numpy(float), ends, np.nan) for name in (TIME, column))
    return frames, values
