"""Layers that the explorer makes: pictures of columns, in the background, and what the model draws."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pandas as pd
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from ...analysis.cells import CELL_RADIUS, value_map
from ...analysis.coloring import color_by, is_categorical
from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...core.placement import Placement
from ...core.positions import table_spacing
from ...layers.identity import IMAGE, POINTS, add_made, id_of, made_of, ours, token_of
from ...layers.points import KEY, LayerData, carried, classes_to_labels, placement_now
from ...layers.table import table_of
from ..common.jobs import Job, Step, Stop
from ..common.run_loading import read_source
from ..common.sources import source_image
from .class_column import ClassColumn

PlacedAtoms = tuple[Micrograph, pd.DataFrame, Placement]  # an image, its atoms, and where it lies
Making = Callable[[], LayerData]  # draws the picture; may run in a thread, since everything is read before


def column_map(source: PlacedAtoms, points: Any, name: str) -> Making:
    """Image layer data of a column of numbers over the cells of the atoms, clear where no atom is.

    Raises
    ------
    InputError
        If there is no such column, or it holds classes.
    """
    table = table_of(points)
    if name not in table or is_categorical(table[name]):
        raise InputError("A map shows numbers; choose such a column as colour, for example reconstruction_error.")
    micrograph, atoms, placement = source
    shape = micrograph.shape[-placement.ndim :]
    options = {
        "name": name,
        "colormap": "viridis",
        "contrast_limits": color_by(table[name]).limits,
        "opacity": 0.8,
        "metadata": {KEY: {"kind": "map", "column": name}},
    }
    values = table[name].to_numpy(np.float32)

    def make() -> LayerData:
        picture = value_map(atoms, values, shape, CELL_RADIUS * table_spacing(atoms), np.float32(np.nan))
        return picture, options | placement.kwargs(), "image"

    return make


def class_layer(source: PlacedAtoms, points: Any, name: str) -> Making:
    """Labels layer data of a column of classes, in the colours that they have on the points.

    Raises
    ------
    InputError
        If there is no such column, or no classes in it.
    """
    classes = ClassColumn(points, name).read()
    if classes is None or not classes.names:
        raise InputError("There are no classes yet; group the atoms or assign some first.")
    micrograph, atoms, placement = source
    shape = micrograph.shape[-placement.ndim :]
    numbers = pd.Series(classes.codes, index=atoms.index)

    def make() -> LayerData:
        data, options, kind = classes_to_labels(
            atoms,
            numbers,
            shape,
            placement,
            radius=CELL_RADIUS * table_spacing(atoms),
            name=name,
            names=classes.names,
            palette=classes.colors,
        )
        options["metadata"][KEY]["column"] = name
        return data, options, kind

    return make


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

    def add(self, made: LayerData) -> None:
        """Put a layer into the viewer; what was selected stays so."""
        selected, layers = list(self._viewer.layers.selection), self._viewer.layers
        layer = add_made(self._viewer, made)
        if self._points in layers and ours(layer).get(POINTS) == id_of(self._points):
            layers.move(layers.index(layer), layers.index(self._points))  # they stay on top
        layers.selection = [layer for layer in selected if layer in layers]

    def make(self, kind: Callable[[PlacedAtoms, Any, str], Making], points: Any, name: str) -> None:
        """Make a layer of a column; of classes an earlier one of that column goes, and others are hidden."""
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
