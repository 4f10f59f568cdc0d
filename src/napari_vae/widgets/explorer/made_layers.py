"""Layers that the explorer makes: pictures of columns, in the background, and what the model draws."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from ...errors import InputError
from ...layers import KEY, LayerData, carried, placement_now
from ...placement import Placement
from ..jobs import Job, Step, Stop
from .run_loading import read_source, source_image
from .value_layer import Described, Making, class_layer, column_map


class LayerMaker(QObject):
    """Makes layers of one viewer.

    Parameters
    ----------
    viewer : napari viewer
    parent : QObject
        The widget that owns it.
    """

    said = Signal(str)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._points: Any | None = None
        self._image: Any = None  # below the points
        self._placement: Placement | None = None  # of the image when the job began
        self.job = Job(parent)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_made)
        self.job.failed.connect(self.said)

    def make_map(self, points: Any, name: str) -> None:
        """Make an image layer of a column of numbers."""
        self._make(column_map, points, name)

    def make_classes(self, points: Any, name: str) -> None:
        """Make a Labels layer of a column of classes; an earlier one of that column goes, others are hidden."""
        self._make(class_layer, points, name)

    def add(self, made: LayerData) -> None:
        """Put a layer into the viewer; what was selected stays so."""
        data, options, kind = made
        selected = list(self._viewer.layers.selection)
        layer, layers = getattr(self._viewer, f"add_{kind}")(data, **options), self._viewer.layers
        if options["metadata"][KEY]["kind"] in ("map", "classes") and self._points in layers:
            layers.move(layers.index(layer), layers.index(self._points))  # the points stay on top
        layers.selection = [layer for layer in selected if layer in layers]

    def _make(self, kind: Callable[[Described, Any, str], Making], points: Any, name: str) -> None:
        try:
            if self.job.running:
                raise InputError("A layer is being made; wait for it first.")
            source = read_source(self._viewer, points)
            make = kind(source, points, name)
        except InputError as error:
            self.said.emit(str(error))
            show_error(str(error))
            return
        self._points, self._image, self._placement = points, source_image(self._viewer, points), source[2]
        self.job.start(make_steps, make)

    def _on_progress(self, step: Step) -> None:
        self.said.emit(step.message)

    def _on_made(self, made: LayerData) -> None:
        before = self._placement
        made = carried(made, before, placement_now(before, self._image, self._viewer))
        ours = made[1]["metadata"][KEY]
        if ours["kind"] == "classes":
            same = {name: ours[name] for name in ("kind", "column", "of")}
            for layer in list(self._viewer.layers):
                theirs = layer.metadata.get(KEY, {})
                if same.items() <= theirs.items():
                    self._viewer.layers.remove(layer)
                elif theirs.get("kind") == "classes":
                    layer.visible = False  # two on top of each other mix their colours
        self.add(made)
        self.said.emit(f"The layer “{made[1]['name']}” is made.")


def make_steps(stop: Stop, make: Making) -> Generator[Step, None, LayerData]:
    """Draw the picture of a layer, which takes its time for many atoms."""
    yield Step("Making the layer …")
    return make()
