"""Dock widget “Explore latents”: a plot of the atoms that is linked with the canvas in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.utils.notifications import show_error
from qtpy.QtCore import QSignalBlocker, QTimer
from qtpy.QtWidgets import QButtonGroup, QComboBox, QFileDialog, QHBoxLayout, QPushButton, QWidget

from ...analysis.coloring import color_by
from ...analysis.quality import certainty_of
from ...errors import InputError
from ...layer_table import check_plottable, color_columns, has_table, numeric_columns, table_of
from ...layers import KEY, LayerData
from ...open_runs import OpenRun, keep_run, run_of
from ..jobs import Job
from ..layer_box import LayerBox
from ..panel import Form, Panel, folded, sentence, side_by_side
from .class_column import ClassColumn
from .class_section import ClassSection
from .color_key import ColorKey
from .figure_section import FigureSection
from .figure_source import figure_data
from .hover_card import HoverCard, Pixels
from .linking import LayerLink
from .manifold_section import ManifoldSection
from .quality_section import QualitySection
from .run_loading import open_steps, read_source, source_image
from .scatter_plot import ScatterPlot
from .surroundings import pixels_around
from .value_layer import class_layer, column_map

if TYPE_CHECKING:
    from ...analysis.figures import FigureData

Rows = npt.NDArray[np.int64]

PLOT_HEIGHT = 300
MODES = {
    "Move": ("pan", "Drag moves the view, the wheel zooms; click a point to select it"),
    "Lasso": ("lasso", "Drag around points to select them; Shift adds, Alt takes away"),
    "Box": ("rectangle", "Drag a rectangle over points to select them; Shift adds, Alt takes away"),
}
NOTHING = "Open an image, detect atoms and train a model; or choose a layer of points with columns of numbers."


class ExploreWidget(Panel):
    """Plots any two columns of a layer, coloured by a third, and keeps its selection and that of the canvas the same.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self.layer_box = LayerBox(napari_viewer, has_table)
        self.x, self.y, self.color = _column_box(), _column_box(), _column_box()
        self.plot = ScatterPlot()
        self.plot.setFixedHeight(PLOT_HEIGHT)
        self.key = ColorKey()
        self.words = sentence()
        self.card = HoverCard()
        self.link = LayerLink(napari_viewer, self)
        self._handing_over = QTimer(self, singleShot=True, interval=0)  # the plot shows it first
        self.manifold, self.classes = ManifoldSection(), ClassSection()
        self.quality, self.figures = QualitySection(), FigureSection()
        self.job = Job(self)
        self.opened: OpenRun | None = None
        self._table = pd.DataFrame()
        self._windows: Rows = np.zeros(0, dtype=np.int64)
        self._lay_out()
        self._connect()
        self._on_layer_changed()

    @property
    def table(self) -> pd.DataFrame:
        """What is plotted, one row per point or label."""
        return self._table

    def _lay_out(self) -> None:
        form = Form()
        form.add("Layer", self.layer_box, "Points or labels whose columns are plotted; from any program.")
        axes = QHBoxLayout()
        axes.addWidget(self.x, 1)
        axes.addWidget(self.y, 1)
        form.add("Axes", side_by_side(axes), "Columns along the horizontal and the vertical axis.")
        form.add("Colour", self.color, "Column that colours the points: numbers on a bar, classes by name.")
        self.x.setToolTip("Column along the horizontal axis")
        self.y.setToolTip("Column along the vertical axis")
        tools = QHBoxLayout()
        tools.setContentsMargins(0, 0, 0, 0)
        self.modes = QButtonGroup(self)
        for text, (mode, tip) in MODES.items():
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setProperty("mode", mode)
            self.modes.addButton(button)
            tools.addWidget(button)
        self.modes.buttons()[0].setChecked(True)
        self.fit_button, self.clear_button = QPushButton("Fit"), QPushButton("Clear")
        self.fit_button.setToolTip("Show all points again")
        self.clear_button.setToolTip("Select nothing")
        tools.addWidget(self.fit_button)
        tools.addWidget(self.clear_button)
        for widget in (form, side_by_side(tools), self.plot, self.key, self.words, self.card):
            self.column.addWidget(widget)
        parts = {
            "Manifold": self.manifold,
            "Classes": self.classes,
            "Quality": self.quality,
            "Figures and tables": self.figures,
        }
        self.sections = {title: folded(title, part) for title, part in parts.items()}
        for section in self.sections.values():
            self.column.addWidget(section)
        self.column.addStretch()

    def _connect(self) -> None:
        self.layer_box.layer_changed.connect(self._on_layer_changed)
        self.x.currentIndexChanged.connect(self._show_points)
        self.y.currentIndexChanged.connect(self._show_points)
        self.color.currentIndexChanged.connect(self._show_colors)
        self.modes.buttonClicked.connect(self._on_mode)
        self.fit_button.clicked.connect(self.plot.reset_view)
        self.clear_button.clicked.connect(self._on_clear)
        self.link.selection_changed.connect(self._on_selected_elsewhere)
        self.link.table_changed.connect(self._on_table_changed)
        self.link.frame_changed.connect(self._show_frame)
        self.plot.selection_changed.connect(self._on_selected_here)
        self._handing_over.timeout.connect(self._hand_over)
        self.plot.hovered.connect(self._on_hovered)
        self.plot.double_clicked.connect(self.link.centre_on)
        self.plot.cursor_moved.connect(self.manifold.show_at)
        self.manifold.backdrop_changed.connect(self.plot.set_backdrop)
        self.manifold.layer_made.connect(self._add_layer)
        self.manifold.load_asked.connect(self._on_load_asked)
        self.quality.row_chosen.connect(self._on_row_chosen)
        self.quality.certainty_toggled.connect(self._show_colors)
        self.quality.map_asked.connect(self._on_map_asked)
        self.classes.changed.connect(self._on_classes_changed)
        self.classes.refused.connect(self._on_refused)
        self.classes.labels_asked.connect(self._on_labels_asked)
        self.figures.set_source(self._figure_data)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_run_loaded)
        self.job.failed.connect(self.words.setText)

    def _on_layer_changed(self) -> None:
        self._handing_over.stop()
        self.link.follow(self.layer_box.layer())
        for box in (self.x, self.y, self.color):
            with QSignalBlocker(box):
                box.clear()
        self._on_table_changed()

    def _on_table_changed(self) -> None:
        """Read the table of the layer anew; choices stay where the columns are still there."""
        if self._handing_over.isActive():
            self._hand_over()
        layer = self.link.layer
        self._table = pd.DataFrame() if layer is None else table_of(layer)
        self.opened = None if layer is None else run_of(self._viewer, layer)
        self._windows = np.full(len(self._table), -1) if self.opened is None else self.opened.windows_of(layer)
        self.card.clear()
        self.manifold.set_run(self.opened)
        self.quality.show_table(self._table, self.opened)
        self.classes.set_layer(layer, self._table, 1 if self.opened is None else self.opened.run.symmetry)
        try:
            if layer is None:
                raise InputError(NOTHING)
            check_plottable(self._table)
        except InputError as error:
            self._show_nothing(str(error))
            return
        numbers = numeric_columns(self._table)
        _offer(self.x, numbers, numbers[0])
        _offer(self.y, numbers, numbers[1])
        _offer(self.color, color_columns(self._table), _color_to_begin_with(self._table))
        self._show_points()

    def _show_nothing(self, words: str) -> None:
        self.plot.set_points([], [])
        self.figures.refresh()
        self.key.show_coloring(None)
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
        self.figures.refresh()
        self._say()

    def _show_colors(self, _: Any = None) -> None:
        name = self.color.currentText()
        if name not in self._table:
            return
        try:
            sure = certainty_of(self._table, name) if self.quality.certainty.isChecked() else None
            palette = {} if self.link.layer is None else ClassColumn(self.link.layer, name).palette()
            coloring = color_by(self._table[name], certainty=sure, period=self._period(), palette=palette)
        except InputError as error:
            self._refuse(error)
            return
        self.plot.set_colors(coloring.rgba)
        self.key.show_coloring(coloring)

    def _period(self) -> float | None:
        """Degrees after which angles are the same again, if the model knows."""
        return None if self.opened is None else 360 / self.opened.run.symmetry

    def _show_frame(self) -> None:
        self.plot.set_shown(self.link.in_frame())

    def load_run(self, folder: str) -> None:
        """Read a saved model and tie it to the layer; bad input ends in a notification."""
        if self.job.running or self.link.layer is None:
            return
        try:
            source = read_source(self._viewer, self.link.layer)
        except InputError as error:
            self._refuse(error)
            return
        self.job.start(open_steps, folder, *source)

    def _on_load_asked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Load a model: choose its folder")
        if folder:
            self.load_run(folder)

    def _on_progress(self, step: Any) -> None:
        self.words.setText(step.message)

    def _on_run_loaded(self, opened: OpenRun) -> None:
        layer = self.link.layer
        if layer is not None:
            ours = layer.metadata.get(KEY, {}) | {"run": keep_run(self._viewer, opened)}
            layer.metadata = {**layer.metadata, KEY: ours}
            self._on_table_changed()

    def _add_layer(self, made: LayerData) -> None:
        data, options, kind = made
        selected = list(self._viewer.layers.selection)
        layer, layers = getattr(self._viewer, f"add_{kind}")(data, **options), self._viewer.layers
        if options["metadata"][KEY]["kind"] in ("map", "classes") and self.link.layer in layers:
            layers.move(layers.index(layer), layers.index(self.link.layer))  # the points stay on top
        layers.selection = selected

    def _on_row_chosen(self, row: int) -> None:
        rows = np.array([row], dtype=np.int64)
        self.plot.set_selection(rows)
        self._on_selected_here(rows)
        self._on_hovered(row)
        self.link.centre_on(row)

    def _on_map_asked(self) -> None:
        """Make an image layer of the column that colours the points."""
        name = self.color.currentText()
        try:
            made = column_map(source_image(self._viewer, self.link.layer), self.link.layer, name)
        except InputError as error:
            self._refuse(error)
            return
        self._add_layer(made)

    def _on_classes_changed(self, column: str) -> None:
        """Colour the points by the classes that were written."""
        self._on_table_changed()
        if column in self._table:
            self.color.setCurrentText(column)
        self._show_colors()

    def _on_labels_asked(self, column: str) -> None:
        """Make a Labels layer of a column of classes; an earlier one of that column goes."""
        points = self.link.layer
        try:
            made = class_layer(source_image(self._viewer, points), points, column)
        except InputError as error:
            self._refuse(error)
            return
        ours = {"kind": "classes", "column": column, "of": points.name}
        for layer in list(self._viewer.layers):
            if ours.items() <= layer.metadata.get(KEY, {}).items():
                self._viewer.layers.remove(layer)
        self._add_layer(made)

    def _on_refused(self, words: str) -> None:
        self._refuse(InputError(words))

    def _figure_data(self) -> FigureData:
        """What the figures are drawn from, as it is now."""
        plane = self.x.currentText(), self.y.currentText()
        frame = self.link.frame()
        return figure_data(self._viewer, self.link.layer, self.opened, self.color.currentText(), plane, frame)

    def _refuse(self, error: InputError) -> None:
        self.words.setText(str(error))  # the notification goes away
        show_error(str(error))

    def _on_mode(self, button: QPushButton) -> None:
        self.plot.set_mode(button.property("mode"))

    def _on_clear(self) -> None:
        nothing = np.zeros(0, dtype=np.int64)
        self.plot.set_selection(nothing)
        self._on_selected_here(nothing)

    def _on_selected_here(self, rows: Rows) -> None:
        self._handing_over.start()
        self._say()
        self.classes.set_selection(rows)
        if self.plot.box.mode != "pan":
            self.classes.outlined(rows)

    def _hand_over(self) -> None:
        """Select on the canvas what is selected here."""
        self._handing_over.stop()
        self.link.select(self.plot.selection)

    def _on_selected_elsewhere(self, rows: Rows) -> None:
        self.plot.set_selection(rows)
        self.classes.set_selection(rows)
        self._say()

    def _on_hovered(self, row: int) -> None:
        if row < 0 or row >= len(self._table):
            self.card.clear()
            return
        names = dict.fromkeys([self.color.currentText(), self.x.currentText(), self.y.currentText()])
        self.card.show_atom(row, self._table.loc[row, list(names)], *self._pictures(row))

    def _pictures(self, row: int) -> tuple[Pixels | None, Pixels | None]:
        """Window and reconstruction of a point, as far as they are known."""
        number = int(self._windows[row])
        if self.opened is not None and number >= 0:
            return self.opened.window(number), self.opened.rebuilt(number)
        return pixels_around(self._viewer, self.link.layer, row), None

    def _say(self) -> None:
        x, y = self._table[self.x.currentText()], self._table[self.y.currentText()]
        missing = int((~(np.isfinite(x.to_numpy(float)) & np.isfinite(y.to_numpy(float)))).sum())
        chosen = len(self.plot.selection)
        words = f"{len(self._table)} points"
        words += f", {missing} without a value" if missing else ""
        self.words.setText(words + (f"; {chosen} selected." if chosen else "."))


def _column_box() -> QComboBox:
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(7)
    return box


def _offer(box: QComboBox, names: list[str], first: str) -> None:
    """Offer columns; what is chosen stays so, and where that is not there, `first` is chosen."""
    before = box.currentText()
    with QSignalBlocker(box):
        box.clear()
        box.addItems(names)
        box.setCurrentText(before if before in names else first)


def _color_to_begin_with(table: pd.DataFrame) -> str:
    """The classes where there are any, else the first latent."""
    names = color_columns(table)
    return next((name for name in ("class_name", "class", *numeric_columns(table)) if name in names), names[0])
