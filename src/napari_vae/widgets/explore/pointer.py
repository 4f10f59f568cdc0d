"""The atom that is meant: under the cursor on the plot or on the image, else one that stands for what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

from ...layers.open_runs import OpenRun
from ..common.overlay import Overlay, shown_over_canvas
from ..common.scatter_plot import ScatterPlot
from .atom_strip import AtomStrip, values_of
from .crosshair import Crosshair, Dots
from .linking import LayerLink
from .pictures import Cut, Pixels, cut_around, cut_of, stretched

NOBODY = -1
MOST_DOTS = 20_000  # that are painted in an instant


class Pointer(QObject):
    """Marks one atom on the plot and on the image, and shows it in the strip.

    Parameters
    ----------
    viewer : napari viewer
    dock : QWidget
        Beside the canvas.
    plot, link, strip
        The plot, the layer of its points, and where an atom is shown.
    plotted : callable
        Names of the columns that are plotted now.

    Attributes
    ----------
    windows : array (N,) of int
        Number of the window of every atom, −1 for none.
    """

    def __init__(
        self,
        viewer: Any,
        dock: QWidget,
        plot: ScatterPlot,
        link: LayerLink,
        strip: AtomStrip,
        plotted: Callable[[], list[str]],
    ) -> None:
        super().__init__(dock)
        self._viewer, self._dock, self._plot, self._link, self._strip = viewer, dock, plot, link, strip
        self._plotted = plotted
        self._table, self._opened = pd.DataFrame(), None
        self.windows: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._resting = NOBODY
        self.crosshair: Overlay | None = None
        self.dots: Overlay | None = None
        plot.hovered.connect(self._on_plot)
        link.pointed.connect(self._on_image)

    def follow(self, table: pd.DataFrame, opened: OpenRun | None) -> None:
        """Point at the atoms of another table, whose windows are those of a run."""
        self._table, self._opened = table, opened
        self.windows = np.full(len(table), NOBODY) if opened is None else opened.windows_of(self._link.layer)
        self.rest(NOBODY)

    def cut(self) -> Cut:
        """How windows around the atoms are had: those of the run, else from the image."""
        if self._opened is None:
            return cut_around(self._viewer, self._link.layer)
        return cut_of(self._opened, self.windows)

    def rest(self, row: int) -> None:
        """Show the atom of this row as long as no other is pointed at; −1 for none."""
        self._resting = row
        self.leave()

    def leave(self) -> None:
        """Point at no atom."""
        self._on_plot(NOBODY)
        self._plot.set_mark(NOBODY)

    def mark_selected(self, rows: npt.NDArray[np.int64]) -> None:
        """Mark what is selected over a picture of it; of very many some."""
        world = self._link.world_of(rows[:: len(rows) // MOST_DOTS + 1]) if len(rows) else None
        self.dots = shown_over_canvas(self.dots, Dots, self._viewer, self._dock, world)

    def _on_plot(self, row: int) -> None:
        """Cross out on the image the atom under the cursor of the plot."""
        world = self._link.world_of([row]) if 0 <= row < len(self._table) else None
        self.crosshair = shown_over_canvas(self.crosshair, Crosshair, self._viewer, self._dock, world)
        self._show(row)

    def _on_image(self, row: int) -> None:
        """Mark on the plot the atom under the cursor of the image."""
        self._plot.set_mark(row)
        self._show(row)

    def _show(self, row: int) -> None:
        row = self._resting if row < 0 else row
        if not 0 <= row < len(self._table):
            self._strip.clear()
            return
        self._strip.show_atom(row, values_of(self._table, row, self._plotted()), *self._pictures(row))

    def _pictures(self, row: int) -> tuple[Pixels | None, Pixels | None]:
        """Window and reconstruction of a point, as far as they are known."""
        number = int(self.windows[row])
        if self._opened is not None and number >= 0:
            return self._opened.window(number), self._opened.rebuilt(number)
        window = cut_around(self._viewer, self._link.layer)(row)
        return None if window is None else stretched(window), None
