"""Dock widget “Explore latents”: a plot of the atoms that is linked with the canvas in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QHideEvent, QResizeEvent, QShowEvent
from qtpy.QtWidgets import QWidget

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.identity import IMAGE, image_token, note, ours
from ...layers.open_runs import OpenRun, run_of
from ...layers.pictures import class_labels, column_map
from ...layers.points import KEY, LayerData, carried
from ...layers.showing import SHOWN
from ...layers.table import check_plottable, color_to_begin_with, table_of
from ..common.guide import Dock, MorePages, link
from ..common.panel import folded, sentence
from ..common.run_loading import RunLoader
from ..common.scatter_plot import ScatterPlot
from ..common.show_bar import ShowBar
from ..common.steps_row import EXPLORED
from .atom_strip import AtomStrip
from .axes_form import AxesForm, PlotTools, PointsImageBox
from .class_section import ClassSection
from .figure_section import FigureSection, figure_data
from .film import film_of
from .linking import LayerLink
from .manifold_section import ManifoldSection, decoded_layer
from .pointer import Pointer
from .quality_section import QualitySection
from .traces import Traces

if TYPE_CHECKING:
    from ...analysis.figures import FigureData

Rows = npt.NDArray[np.int64]
NONE: Rows = np.zeros(0, dtype=np.int64)

PLOT = "Every point is an atom, at its values of the two columns. Point at one to see it; double-click to go to it"
SECTIONS = {
    "Manifold": "What the model draws for any latents and pose",
    "Classes": "Groups of atoms, found or given by hand, as a column of the layer",
    "Most unusual atoms": "Which atoms the model accounts for worst, and how sure it is",
    "Figures and tables": "Figures for a paper, and all columns for other programs",
}
TOO_MANY = "; not in napari's layer, which would get slow: {link}."
NOTHING = "Open an image, detect atoms and train a model; or choose a layer of points with columns of numbers."


class ExploreWidget(Dock):
    """Plots any two columns of a layer, coloured by a third, and shares its selection with the canvas."""

    PAGE = "explore"
    IMAGE = PointsImageBox
    image: PointsImageBox
    HINT = "Outline atoms on the plot, and see them on the image; or select them there."

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.axes, self.tools = AxesForm(napari_viewer, self.image), PlotTools()
        self.layer_box, self.x, self.y = self.axes.layer, self.axes.x, self.axes.y
        self.show_bar = ShowBar(napari_viewer)
        self.color, self.key = self.show_bar.column, self.show_bar.key
        self.plot = ScatterPlot()
        self.plot.setToolTip(PLOT)
        self.words = sentence()
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.more = MorePages(self.PAGE)
        self.strip = AtomStrip(self)
        self.link, self.maker = LayerLink(napari_viewer, self), self.show_bar.maker
        self.pointer = Pointer(napari_viewer, self, self.plot, self.link, self.strip, self._plotted)
        self.traces = Traces(self, self.plot, self.link)
        self.loader = RunLoader(napari_viewer, self)
        self._handing_over = QTimer(self, singleShot=True, interval=0)  # the plot shows it first
        self.manifold, self.classes = ManifoldSection(), ClassSection()
        self.quality, self.figures = QualitySection(), FigureSection(self._figure_data, self.axes.image.layer)
        self.opened: OpenRun | None = None
        self._table = pd.DataFrame()
        self._lay_out()
        self._connect()
        self._on_layer_changed()

    @property
    def table(self) -> pd.DataFrame:
        """What is plotted, one row per point or label."""
        return self._table

    def _lay_out(self) -> None:
        for widget in (self.axes, self.show_bar, self.tools, self.plot, self.words, self.more):
            self.column.addWidget(widget, int(widget is self.plot))
        parts = (self.manifold, self.classes, self.quality, self.figures)
        named = zip(SECTIONS.items(), parts, strict=True)
        self.sections = {title: folded(title, part, about) for (title, about), part in named}
        for section in self.sections.values():
            self.column.addWidget(section)
        self.column.addWidget(self.figures.progress)
        self.setViewportMargins(0, 0, 0, self.strip.height())  # the strip does not scroll away

    def _connect(self) -> None:
        self.layer_box.layer_changed.connect(self._on_layer_changed)
        self.axes.image.layer_changed.connect(self.figures.refresh)
        self.x.currentIndexChanged.connect(self._show_points)
        self.y.currentIndexChanged.connect(self._show_points)
        self.show_bar.changed.connect(self._show_colors)
        self.show_bar.refused.connect(self._on_failed)
        self.tools.mode_changed.connect(self.plot.set_mode)
        self.tools.fit.clicked.connect(self.plot.reset_view)
        self.tools.clear.clicked.connect(self._on_clear)
        self.words.linkActivated.connect(self._on_asked)
        self.link.selection_changed.connect(self._on_selected_elsewhere)
        self.link.table_changed.connect(self._on_table_changed)
        self.link.frame_changed.connect(self._show_frame)
        self.plot.selection_changed.connect(self._on_selected_here)
        self.plot.selection_changed.connect(self._on_drawn_around)
        self.plot.box.led.connect(self._on_path)
        self._handing_over.timeout.connect(self._hand_over)
        self.plot.double_clicked.connect(self.link.centre_on)
        self.plot.cursor_moved.connect(self.manifold.show_at)
        self.manifold.backdrop_changed.connect(self.plot.set_backdrop)
        self.manifold.layer_made.connect(self._on_decoded)
        self.manifold.load_asked.connect(self._on_load_asked)
        self.quality.row_chosen.connect(self._on_row_chosen)
        self.classes.rows_asked.connect(self._select)
        self.quality.certainty_toggled.connect(self._on_faded)
        self.quality.map_asked.connect(self._on_map_asked)
        self.classes.changed.connect(self._on_classes_changed)
        self.classes.refused.connect(self._refuse)
        self.classes.labels_asked.connect(self._on_labels_asked)
        self.maker.said.connect(self.words.setText)
        self.maker.made.connect(self._on_explored)
        self.figures.job.succeeded.connect(self._on_explored)
        self.loader.said.connect(self.words.setText)
        self.loader.failed.connect(self._on_failed)
        self.loader.loaded.connect(self._on_table_changed)
        self.loader.job.ended.connect(self._read_folder)

    def _on_layer_changed(self) -> None:
        self._handing_over.stop()
        self.link.follow(self.layer_box.layer())
        self.axes.clear()
        self._on_table_changed()

    def _on_table_changed(self) -> None:
        """Read the table of the layer anew; choices stay where the columns are still there."""
        if self._handing_over.isActive():
            self._hand_over()
        self.link.table_is_read()
        layer = self.link.layer
        self._table = pd.DataFrame() if layer is None else table_of(layer)
        self.opened = None if layer is None else run_of(self._viewer, layer)
        self.axes.follow(layer)
        self._read_folder()
        self.pointer.follow(self._table, self.opened)
        self.traces.follow(self._table)
        self.manifold.set_run(self.opened)
        cut, poses = self.pointer.cut(), None if self.opened is None else self._table
        self.quality.show_table(self._table, self.opened, cut)
        self.classes.set_layer(layer, self._table, 1 if poses is None else self.opened.run.symmetry, cut, poses)
        try:
            if layer is None:
                raise InputError(NOTHING)
            check_plottable(self._table)
        except InputError as error:
            self._show_nothing(str(error))
            return
        self.axes.offer(self._table)
        self.show_bar.follow(layer)
        if SHOWN not in ours(layer):
            self.show_bar.choose(color_to_begin_with(self._table))
        self._show_points()

    def _read_folder(self) -> None:
        """Look for the model of an analysis that was opened from its folder, in the background."""
        self.loader.read_folder(self.link.layer)

    def _show_nothing(self, words: str) -> None:
        self.plot.set_points([], [])
        self.figures.refresh()
        self.show_bar.follow(None)
        self.words.setText(words)

    def _show_points(self, index: int = 0) -> None:
        x, y = self.x.currentText(), self.y.currentText()
        if x not in self._table or y not in self._table:
            return
        values = self._table[x].to_numpy(float), self._table[y].to_numpy(float)
        self.plot.set_points(*values, names=(x, y), keep_view=(x, y) == self.plot.names)
        self.manifold.set_axes(x, y)
        self._show_colors()
        self._show_frame()
        self.plot.set_selection(self.link.selection())
        self.link.dim()
        self.figures.refresh()
        self._on_selected()

    def _show_colors(self) -> None:
        """Colour the plot as the canvas is; in grey where that shows the plain image."""
        coloring = self.show_bar.coloring
        self.plot.set_colors(None if coloring is None else coloring.rgba)
        self.link.dim()
        self._mark_selected()

    def _on_faded(self, faded: bool) -> None:
        self.show_bar.choose(self.color.currentText(), faded)

    def _show_frame(self) -> None:
        self.plot.set_shown(None if self.traces.shown else self.link.in_frame())
        self._mark_selected()

    def _mark_selected(self) -> None:
        """Mark over a picture what is selected; points that are seen fade instead."""
        rows, layer, shown = self.plot.selection, self.link.layer, self.link.in_frame()
        over_picture = layer is not None and not layer.visible and self.show_bar.coloring is not None
        rows = rows if shown is None else rows[shown[rows]]
        self.pointer.mark_selected(rows if over_picture and self.link.fades else NONE)

    def load_run(self, folder: str) -> None:
        """Read a saved model and tie it to the layer; bad input ends in a notification."""
        self.loader.load(folder, self.link.layer)

    def _on_load_asked(self) -> None:
        self.loader.ask(self.link.layer)

    def _on_row_chosen(self, row: int) -> None:
        self._select(np.array([row], dtype=np.int64))
        self.link.centre_on(row)

    def _select(self, rows: Rows) -> None:
        self.plot.set_selection(rows)
        self._on_selected_here(rows)

    def _on_map_asked(self) -> None:
        self.maker.make(column_map, self.link.layer, self.color.currentText())

    def _on_classes_changed(self, column: str) -> None:
        """Colour the points by the classes that were written."""
        self._on_explored()
        self._on_table_changed()
        self.show_bar.table_is_colored()

    def _on_explored(self) -> None:
        """Note that there are results of this step, which ticks it and leads on."""
        layer = self.link.layer
        if layer is not None and ours(layer).get(EXPLORED) != (run := ours(layer).get("run", "")):
            note(layer, **{EXPLORED: run})

    def _on_labels_asked(self, column: str) -> None:
        self.maker.make(class_labels, self.link.layer, column)

    def _on_decoded(self, made: LayerData) -> None:
        """Add a picture of the model where its image lies now."""
        if self.opened is not None:
            before = self.opened.points or self.opened.placement
            made = carried(made, before, Placement.of_layer(self.link.layer))
            made[1]["metadata"][KEY][IMAGE] = image_token(self.link.layer)
        self.maker.add(made)

    def _on_path(self, corners: npt.NDArray[np.float64]) -> None:
        """Make a film along a line that was drawn."""
        known, chosen = self.manifold.values(), self.manifold.label()
        try:
            film = film_of(self.opened, self.pointer.windows, self._table, self.plot.names, corners, known, chosen)
        except InputError as error:
            self._refuse(error)
        else:
            self._on_decoded(decoded_layer(film, "film along the path", self.opened))

    def _figure_data(self) -> FigureData:
        """What the figures are drawn from, as it is now."""
        plane = self.x.currentText(), self.y.currentText()
        frame = self.link.frame()
        windows, color = self.pointer.windows, self.color.currentText()
        return figure_data(self._viewer, self.link.layer, self.opened, windows, color, plane, frame)

    def _refuse(self, error: InputError | str) -> None:
        self._on_failed(str(error))  # the notification goes away
        show_error(str(error))

    def _on_failed(self, words: str) -> None:
        self.words.setText(words)
        self.more.show()

    def _on_clear(self) -> None:
        self._select(NONE)

    def _on_selected_here(self, rows: Rows) -> None:
        self._handing_over.start()
        self._on_selected()

    def _on_drawn_around(self, rows: Rows) -> None:
        if self.plot.box.mode != "pan":
            self.classes.outlined(rows)

    def _hand_over(self) -> None:
        """Select on the canvas what is selected here."""
        self._handing_over.stop()
        self.link.select(self.plot.selection)

    def _on_selected_elsewhere(self, rows: Rows) -> None:
        self.plot.set_selection(rows)
        self._on_selected()

    def _on_selected(self) -> None:
        """Say what is selected; the strip shows the first of it, else the most unusual atom."""
        rows = self.plot.selection
        self.traces.draw()
        self.classes.set_selection(rows)
        self._mark_selected()
        shown = rows if len(rows) else self.quality.rows
        self.pointer.rest(int(shown[0]) if len(shown) else -1)
        self._say()

    def _plotted(self) -> list[str]:
        return [*self.plot.names, self.color.currentText()]

    def _say(self) -> None:
        plotted = [self.x.currentText(), self.y.currentText()]
        if not set(plotted) <= set(self._table):
            return  # nothing is shown, and it is said why
        missing = int((~np.isfinite(self._table[plotted].to_numpy(float)).all(axis=1)).sum())
        chosen = len(self.plot.selection)
        self.more.hide()
        words = f"{len(self._table)} points"
        words += f", {missing} without a value" if missing else ""
        words += f"; {chosen} selected" if chosen else ""
        many = TOO_MANY.format(link=link("layer", "select them there too"))
        self.words.setText(words + (many if chosen > self.link.most else "."))

    def _on_asked(self, link: str) -> None:
        """Select in the layer what is too much for a quick selection."""
        self.link.select(self.plot.selection, all_of_them=True)
        self.words.setText(f"{len(self.plot.selection)} points are selected in the layer too.")

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """Keep the strip at the foot."""
        super().resizeEvent(event)
        self.strip.setGeometry(0, self.viewport().geometry().bottom() + 1, self.width(), self.strip.height())

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        """Fade on the canvas what is not selected."""
        super().showEvent(event)
        self.link.fades = True
        self.link.dim()
        self._mark_selected()

    def hideEvent(self, event: QHideEvent) -> None:  # Qt's name
        """Leave the canvas as it was."""
        super().hideEvent(event)
        self.pointer.leave()
        self.link.fades = False
        self.link.undim()
        self._mark_selected()
