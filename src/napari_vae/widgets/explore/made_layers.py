"""Layers that the explorer makes: pictures of columns, in the background, and what the model draws."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.identity import IMAGE, POINTS, add_made, id_of, made_of, ours, token_of
from ...layers.points import KEY, LayerData, carried, placement_now
from ..common.jobs import Job, Step, Stop
from ..common.run_loading import read_source
from ..common.sources import source_image
from .value_layer import Making, PlacedAtoms, class_layer, column_map


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
        selected, layers = list(self._viewer.layers.selection), self._viewer.layers
        layer = add_made(self._viewer, made)
        if self._points in layers and ours(layer).get(POINTS) == id_of(self._points):
            layers.move(layers.index(layer), layers.index(self._points))  # they stay on top
        layers.selection = [layer for layer in selected if layer in layers]

    def _make(self, kind: Callable[[PlacedAtoms, Any, str], Making], points: Any, name: str) -> None:
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
        before, image = self._placement, self._image
        layers, points = self._viewer.layers, self._points
        made = carried(made, before, placement_now(before, image, self._viewer))
        links = {POINTS: id_of(points), IMAGE: token_of(layers, image)}
        options = made[1]
        noted = options["metadata"][KEY]
        if noted["kind"] == "classes":
            for layer in made_of(layers, ("classes",), column=noted["column"], **links):
                layers.remove(layer)
            for layer in made_of(layers, ("classes",), image=links[IMAGE]):
                layer.visible = False  # two on top of each other mix their colours
        noted |= links
        options["name"] = f"{noted['column']} of {points.name}"
        self.add(made)
        self.said.emit(f"The layer “{options['name']}” is made.")


def make_steps(stop: Stop, make: Making) -> Generator[Step, None, LayerData]:
    """Draw the picture of a layer, which takes its time for many atoms."""
    yield Step("Making the layer …")
    return make()
