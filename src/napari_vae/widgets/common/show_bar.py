"""The Show bar: the plain image, or the points in the colours of a column, the same on the canvas and in the plots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from napari.utils.notifications import show_error
from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QComboBox, QMenu, QPushButton, QSlider, QWidget

from ...analysis.coloring import Coloring, is_categorical
from ...core.errors import InputError
from ...layers.active import active_of
from ...layers.dimming import undimmed
from ...layers.identity import POINTS, id_of, image_token, made_of, note, ours
from ...layers.learning import PICTURES as LEARNED
from ...layers.pictures import DRAWN, class_labels, column_map, redrawn, state_now
from ...layers.showing import coloring_now, is_faded, show, shown_column
from ...layers.table import color_columns, positions_of
from ...layers.tracks import class_changes
from .layer_maker import CODED, PICTURES, STOP, LayerMaker
from .panel import button_of, make_narrow, offer, row_of, stacked
from .plot import ColorKey

IMAGE, ATOMS = "Image", "Atoms"
NUMBERS = pd.Series(dtype=float)
#: Columns that have a button of their own, and its words; the list has all.
WORDS = {
    "class_name": "class",
    "class": "class",
    "z1": "z1",
    "z2": "z2",
    "angle": "angle",
    "strain_xx": "strain",
    "predicted": "prediction",
    "predicted_sd": "uncertainty",
    "measured": "measured",
    "reconstruction_error": "residual",
}
MOST_BUTTONS = 4
IN_COLOUR = (*CODED, "prediction", "uncertainty")  # pictures in the colours of a column
ADDED = {
    "map": "Map of the column",
    "classes": "Areas of the classes",
    "reconstruction": "Reconstruction",
    "residual": "Residual",
    "changes": "Changes of class",
}
CLASS_LAYERS = {"classes": class_labels, "changes": class_changes}
ADD = "Make a picture of what is shown, or of what the model redraws and misses, as a layer of its own"
PLAIN = {
    IMAGE: "Show the plain image: points and pictures of results are hidden. A second click brings the points back",
    ATOMS: "Show where the atoms are, as rings without a value",
}
COLUMN = (
    "Column that colours the points, on the canvas and in the plot: of numbers for a colour bar, of classes for a "
    "colour each"
)


class ShowBar(QWidget):
    """Buttons and a list that choose what colours the points of a layer; the choice lies with the layer.

    Parameters
    ----------
    viewer : napari viewer
    """

    changed = Signal()  # what is shown, or how
    refused = Signal(str)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Any | None = None
        self._busy = False  # changing what is shown, which is told at the end
        self.coloring: Coloring | None = None
        self.column = QComboBox()
        self.column.setToolTip(COLUMN)
        self.column.setAccessibleName("Colour by")
        self.column.setPlaceholderText("more …")
        make_narrow(self.column, 7)
        self.buttons: dict[str, QPushButton] = {}
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setMaximumWidth(90)
        self.opacity.setToolTip("Opacity of the points in %; lower it to see more of the image")
        self.opacity.setAccessibleName("Opacity")
        self.key = ColorKey()
        self.maker = LayerMaker(viewer, self)
        self.add = button_of("Add as layer", ADD)
        self.menu = QMenu(self)
        for kind, words in ADDED.items():
            self.menu.addAction(words).setData(kind)
        self.stop = self.menu.addAction(STOP)
        self.add.setMenu(self.menu)
        self._row = row_of(*(self._button(name, tip) for name, tip in PLAIN.items()))
        self._timer = QTimer(self, singleShot=True, interval=50)
        stacked(self, self._row, row_of(self.column, self.opacity, self.add, wide=self.column), self.key).setSpacing(3)
        self._timer.timeout.connect(self._color_anew)
        self.column.currentTextChanged.connect(self._on_column)
        self.opacity.valueChanged.connect(self._on_opacity)
        self.menu.aboutToShow.connect(self._offer_stop)
        self.menu.triggered.connect(self._on_added)
        self.maker.made.connect(self.refresh)
        viewer.layers.events.removed.connect(self._on_removed)
        self.refresh()

    def follow(self, layer: Any | None) -> None:
        """Show and change how this layer looks from now on."""
        if layer != self.layer:
            for emitter, slot in self._events():
                emitter.disconnect(slot)
            self.layer = layer
            for emitter, slot in self._events():
                emitter.connect(slot)
        self.refresh()

    def table_is_colored(self) -> None:
        """Do not look whether a change of the table asks for other colours: whoever changed it has seen to that."""
        if self.layer is not None and not self._on_grid():
            self._timer.stop()

    def choose(self, column: str, faded: bool | None = None) -> None:
        """Colour the points by a column, or show them as rings; a column that cannot be shown is refused."""
        layer = self.layer
        if layer is None:
            return
        self._busy, coloring = True, None
        try:
            coloring = show(layer, column, is_faded(layer) if faded is None else faded)
            self._bring_forward(column)
        except InputError as error:
            show_error(str(error))
            self.refused.emit(str(error))
        finally:
            self._busy = False
        self.refresh(coloring=coloring)

    def show_image(self, plain: bool = True) -> None:
        """Hide the points and the pictures of results, or show the points again."""
        if self.layer is not None:
            self._busy = True
            if plain:
                self._see(None)
            else:
                self._bring_forward(shown_column(self.layer))
            self._busy = False
        self.refresh()

    def refresh(self, event: Any = None, coloring: Coloring | None = None) -> None:
        """Say what is shown now, in these colours if they are known."""
        if not isalive(self):
            return
        layer = self.layer
        shown = "" if layer is None else shown_column(layer)
        seen = layer is not None and (layer.visible or any(picture.visible for picture in self._pictures(IN_COLOUR)))
        columns = [] if layer is None else _columns(layer)
        self._offer(columns)
        chosen = (shown or ATOMS) if seen else IMAGE
        for name, button in self.buttons.items():
            button.setChecked(name == chosen)
        self.coloring = (coloring or coloring_now(layer)) if seen else None
        with QSignalBlocker(self.column), QSignalBlocker(self.opacity):
            offer(self.column, dict(zip(columns, columns, strict=True)))
            self.column.setCurrentIndex(columns.index(shown) if shown else -1)
            self.opacity.setValue(100 if layer is None else round(100 * layer.opacity))
        self.key.show_coloring(self.coloring)
        self.setVisible(bool(columns))
        self.changed.emit()

    def _button(self, name: str, tip: str) -> QPushButton:
        button = button_of(WORDS.get(name, name), tip)
        button.setCheckable(True)
        button.setProperty("shows", name)
        button.clicked.connect(self._on_clicked)
        self.buttons[name] = button
        return button

    def _offer(self, columns: list[str]) -> None:
        """Have a button for the first of the columns that are asked for most."""
        words = {WORDS[name]: name for name in reversed(WORDS) if name in columns}
        wanted = [name for name in WORDS if name in words.values()][:MOST_BUTTONS]
        if wanted == [name for name in self.buttons if name not in PLAIN]:
            return
        for name in [name for name in self.buttons if name not in PLAIN]:
            button = self.buttons.pop(name)
            self._row.removeWidget(button)
            button.setParent(None)
            button.deleteLater()
        for name in wanted:
            self._row.addWidget(self._button(name, f"Colour the points by the column “{name}”, here and on the canvas"))

    def _pictures(self, kinds: tuple[str, ...] = (*PICTURES, *IN_COLOUR)) -> list[Any]:
        return made_of(self._viewer.layers, kinds, image=image_token(self.layer))

    def _bring_forward(self, column: str) -> None:
        """Show the points; of a regular grid the picture of the column, which is made where there is none as it is."""
        shown = self._picture(column) if column and self._on_grid() else self.layer
        self._see(shown)
        if shown is None:
            self.maker.make(self._kind_of(column), self.layer, column)

    def _on_grid(self) -> bool:
        return bool(ours(self.layer).get("method") == "grid")

    def _kind_of(self, column: str) -> Any:
        return class_labels if is_categorical(self.layer.features.get(column, NUMBERS)) else column_map

    def _picture(self, column: str) -> Any | None:
        """The picture of a column of a regular grid; where nothing but the points shows it, these."""
        if ours(self.layer).get("kind") == "learned":
            kinds = tuple(kind for kind, name in LEARNED.items() if name == column)
            return next(reversed(self._pictures(kinds)), self.layer)
        if active_of(self._viewer).image_of(self.layer) is None:  # its image has gone
            return self.layer
        ways = {None, id_of(self.layer)}  # of an opened analysis the points are not noted
        made = [one for one in self._pictures(CODED) if ours(one)["column"] == column and ours(one).get(POINTS) in ways]
        now = state_now(self.layer, column)
        same = [one for one in made if ours(one).get(DRAWN) == now]
        for other in made:
            note(other, **{POINTS: id_of(self.layer)})  # it goes when it is made anew
        return next(iter(same), None)

    def _see(self, shown: Any | None) -> None:
        """Show a picture or the points, and hide the others: never two codes on top of each other."""
        for layer in (self.layer, *self._pictures()):
            if layer.visible != (layer == shown):  # else napari would draw it again
                layer.visible = layer == shown

    def _events(self) -> list[tuple[Any, Any]]:
        if self.layer is None:
            return []
        events = self.layer.events
        told = [events.visible, events.opacity, *([events.face_color] if hasattr(events, "face_color") else [])]
        tables = [events.features, *([events.data] if hasattr(events, "face_color") else [])]
        return [*((emitter, self._on_look) for emitter in told), *((emitter, self._on_table) for emitter in tables)]

    def _on_removed(self, event: Any = None) -> None:
        if isalive(self) and self.layer is not None and self.layer not in self._viewer.layers:
            self.follow(None)

    def _on_look(self, event: Any = None) -> None:
        if isalive(self) and not self._busy:
            self.refresh()

    def _on_table(self, event: Any = None) -> None:
        if isalive(self):
            self._timer.start()

    def _color_anew(self) -> None:
        """Give new values, and points that were added by hand, their colours."""
        layer = self.layer
        if layer is None or not self.isVisible() or not shown_column(layer):
            self.refresh()
            return
        now = coloring_now(layer)
        if self._on_grid() and not self.maker.job.running and any(one.visible for one in self._pictures(CODED)):
            self._bring_forward(shown_column(layer))
        if now is None:
            show(layer, "")
            self.refresh()
            return
        with undimmed(layer):
            same = np.array_equal(now.rgba, np.rint(255 * np.asarray(getattr(layer, "face_color", now.rgba / 255))))
        if same:
            self.refresh()
        else:
            show(layer, shown_column(layer), is_faded(layer))

    def _on_clicked(self) -> None:
        name = self.sender().property("shows")
        if name == IMAGE:
            self.show_image(self.buttons[IMAGE].isChecked())
        else:
            self.choose("" if name == ATOMS else name)

    def _offer_stop(self) -> None:
        """One layer is made at a time; it can be ended instead of another begun."""
        for action in self.menu.actions():
            action.setEnabled(self.maker.job.running == (action is self.stop))

    def _on_added(self, action: QAction) -> None:
        """Make a layer of what is chosen in the menu."""
        if action is self.stop:
            self.maker.job.leave()
            return
        kind, layer = action.data(), self.layer
        column = self.column.currentText()
        if kind == "map":
            self.maker.make(column_map, layer, column)
        elif kind in CLASS_LAYERS:
            named = [name for name in _columns(layer) if is_categorical(layer.features.get(name, NUMBERS))]
            self.maker.make(CLASS_LAYERS[kind], layer, column if column in named else next(iter(named), ""))
        else:
            self.maker.make(redrawn, layer, kind)

    def _on_column(self, name: str) -> None:
        if name:
            self.choose(name)

    def _on_opacity(self, percent: int) -> None:
        for layer in () if self.layer is None else (self.layer, *(self._pictures(CODED) if self._on_grid() else ())):
            layer.opacity = percent / 100


def _columns(layer: Any) -> list[str]:
    """Columns of a layer that can be colours."""
    positions = {name: np.zeros(0) for name in positions_of(layer) if name not in layer.features}
    return color_columns(pd.concat([layer.features.head(0), pd.DataFrame(positions)], axis=1))
