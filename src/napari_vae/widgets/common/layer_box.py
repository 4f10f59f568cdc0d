"""Choosing layers of the viewer, and columns of the atoms: drop-down lists, and a list of check boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QWidget

from ...layers.active import active_of, is_source_image
from ...layers.identity import is_copy
from .panel import Form, make_narrow

LABEL = "label"  # the column that is chosen by itself, and made where there is none


class LayerBox(QComboBox):
    """Drop-down list that follows the viewer's layers.

    Parameters
    ----------
    viewer : napari viewer
    accepts : callable
        Whether a layer is offered.
    extra : str
        An entry that is no layer, at the end of the list; empty for none.
    """

    layer_changed = Signal()

    def __init__(
        self, viewer: Any, accepts: Callable[[Any], bool], extra: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._accepts, self._extra = viewer, accepts, extra
        self._active = active_of(viewer)
        self._layers: list[Any] = []
        self._chosen: Any | None = None
        make_narrow(self)
        follow_layers(viewer, self._refresh)
        self._active.follow(self._refresh)
        self.currentIndexChanged.connect(self._on_index_changed)
        self._refresh()

    def layer(self) -> Any | None:
        """The chosen layer, or ``None`` when there is none or the extra entry is chosen."""
        return self._chosen

    def choose(self, layer: Any) -> None:
        """Choose a layer, if it is offered."""
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))

    def _refresh(self, event: Any = None) -> None:
        if not isalive(self):
            return
        self._layers = [layer for layer in reversed(self._viewer.layers) if self._offers(layer)]
        before, wanted = self._chosen, self._wanted()
        self._chosen = wanted if wanted in self._layers else None
        with QSignalBlocker(self):
            self.clear()
            self.addItems([layer.name for layer in self._layers] + ([self._extra] if self._extra else []))
            extra = self.count() - 1 if self._extra else -1
            self.setCurrentIndex(extra if self._chosen is None else self._layers.index(self._chosen))
        if self._chosen != before:
            self.layer_changed.emit()

    def _offers(self, layer: Any) -> bool:
        return self._accepts(layer)

    def _wanted(self) -> Any | None:
        """The layer that is to be chosen now, none of another image: the one before, the atoms, or the topmost."""
        suitable = [layer for layer in self._layers if self._active.image_of(layer) in (None, self._active.image)]
        if self._chosen in suitable:
            return self._chosen
        return min(suitable, key=lambda layer: (layer != self._active.atoms, is_copy(layer)), default=None)

    def _on_index_changed(self, index: int) -> None:
        self._chosen = self._layers[index] if 0 <= index < len(self._layers) else None
        self._active.choose(None if self._chosen is None else self._active.image_of(self._chosen))
        self.layer_changed.emit()


class ImageBox(LayerBox):
    """The active image; to choose another here chooses it in all docks."""

    def __init__(self, viewer: Any, extra: str = "", parent: QWidget | None = None) -> None:
        super().__init__(viewer, is_source_image, extra, parent)
        make_narrow(self, 8)  # a button may stand beside it

    def _wanted(self) -> Any | None:
        return self._active.image

    def _on_index_changed(self, index: int) -> None:
        self._active.choose(self._layers[index])


class AtomsBox(LayerBox):
    """The atoms of the active image, or `extra` for none; to choose others here chooses them in all docks."""

    def _offers(self, layer: Any) -> bool:
        return self._accepts(layer) and self._active.may_be_atoms(layer)

    def _wanted(self) -> Any | None:
        return self._active.atoms

    def _on_index_changed(self, index: int) -> None:
        self._active.choose_atoms(self._layers[index] if index < len(self._layers) else None)


class LayerChecks(QListWidget):
    """List of check boxes that follows the viewer's layers; nothing is ticked at first."""

    offered = Signal()  # the list is of other layers, perhaps of none
    ticked = Signal()  # other layers are

    def __init__(self, viewer: Any, accepts: Callable[[Any], bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._accepts = viewer, accepts
        self._layers: list[Any] = []
        self.setMaximumHeight(66)
        follow_layers(viewer, self.refresh)
        self.itemChanged.connect(self.ticked)
        self.refresh()

    def layers(self) -> list[Any]:
        """The ticked layers, in the order of the list."""
        states = [self.item(i).checkState() == Qt.CheckState.Checked for i in range(self.count())]
        return [layer for layer, ticked in zip(self._layers, states, strict=True) if ticked]

    def refresh(self, event: Any = None) -> None:
        """Offer what is accepted now; what is ticked stays so."""
        if not isalive(self):
            return
        ticked = self.layers()
        self._layers = [layer for layer in reversed(self._viewer.layers) if self._accepts(layer)]
        with QSignalBlocker(self):
            self.clear()
            for layer in self._layers:
                item = QListWidgetItem(layer.name, self)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if layer in ticked else Qt.CheckState.Unchecked)
        self.offered.emit()
        if self.layers() != ticked:
            self.ticked.emit()


def follow_layers(viewer: Any, callback: Callable[[Any], None]) -> None:
    """Call back whenever a layer comes, goes, moves or is renamed. napari keeps bound methods weakly."""
    events = viewer.layers.events
    for event in (events.inserted, events.removed, events.reordered, events.renamed):
        event.connect(callback)


class PointsForm(Form):
    """A form that offers columns of a Points layer, and layers; ``outdated`` says that there are others now."""

    outdated = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.points: Any | None = None
        follow_layers(viewer, self._on_changed_elsewhere)

    def follow(self, points: Any | None) -> None:
        """Offer the columns of these points from now on; ``None`` for a regular grid."""
        if points is not self.points:
            if self.points is not None:
                self.points.events.features.disconnect(self._on_changed_elsewhere)
                self.points.events.metadata.disconnect(self._on_changed_elsewhere)
            if points is not None:
                points.events.features.connect(self._on_changed_elsewhere)
                points.events.metadata.connect(self._on_changed_elsewhere)  # a run was opened
            self.points = points
        self.outdated.emit()

    def _on_changed_elsewhere(self, event: Any = None) -> None:
        if isalive(self):
            self.outdated.emit()


class ColumnBox(QComboBox):
    """Drop-down list of columns, and of layers below them; nothing is chosen at first.

    Parameters
    ----------
    hint : str
        Shown while nothing is chosen.
    extra : str
        An entry that is neither, at the end of the list; empty for none. ``ColumnBox.EXTRA`` when it is chosen.
    """

    EXTRA = object()

    def __init__(self, hint: str, extra: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[Any] = []
        self._extra = extra
        self.setPlaceholderText(hint)
        make_narrow(self)

    def chosen(self) -> Any | None:
        """Name of a column, a layer, ``EXTRA``, or ``None``."""
        index = self.currentIndex()
        return self._entries[index] if index >= 0 else None

    def choose(self, entry: Any) -> None:
        """Choose a column by name, or a layer, if it is offered."""
        self.setCurrentIndex(self._entries.index(entry) if entry in self._entries else -1)

    def offer(self, columns: list[str], layers: list[Any], first: str = "") -> None:
        """Offer these; what is chosen stays so, and where nothing is, `first` is chosen."""
        before = self.chosen()
        with QSignalBlocker(self):
            self.clear()
            extra = [self._extra] if self._extra else []
            self._entries = [*columns, *layers, *(self.EXTRA for _ in extra)]
            self.addItems([*columns, *(f"layer “{layer.name}”" for layer in layers), *extra])
            self.choose(first if before is None else before)
