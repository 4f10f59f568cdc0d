"""Layers that are made when they are asked for, in the background, and what the model draws."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import nullcontext
from typing import Any

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from ...core.errors import InputError
from ...core.placement import Placement
from ...core.progress import Stage
from ...core.provenance import data_hash
from ...layers.identity import IMAGE, POINTS, add_made, id_of, made_of, ours, token_of
from ...layers.pictures import Making, PlacedAtoms
from ...layers.points import KEY, LayerData, carried, placement_now
from .jobs import Job, Step, Stop, spare_core
from .run_loading import read_source
from .sources import source_image

CODED = ("classes", "map")  # in the colours of a column, and made here
MADE_BY = "made_by"  # noted: key of the run that described the points
STOP = "Stop"  # words of the action that ends the making
PICTURES = (*CODED, "residual", "reconstruction", "changes")


class LayerMaker(QObject):
    """Makes layers of one viewer.

    Parameters
    ----------
    viewer : napari viewer
    parent : QObject
        The widget that owns it.
    """

    said = Signal(str)
    made = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._points: Any | None = None
        self._image: Any = None  # below the points
        self._placement: Placement | None = None  # of the image when the job began
        self._run = ""  # key of the run that described the points then
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
        """Make a layer of a column, or of a kind; an earlier one of the same goes, and others are hidden."""
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
        self._run = ours(points).get("run", "")
        self.job.start(make_steps, make)

    def _on_progress(self, step: Step) -> None:
        self.said.emit(step.message)

    def _on_made(self, made: list[LayerData]) -> None:
        before, image = self._placement, self._image
        layers, points = self._viewer.layers, self._points
        if self._run and self._run != ours(points).get("run"):
            self.said.emit("The points were described by another model meanwhile; make the layer of that one.")
            return
        now = placement_now(before, image, self._viewer)
        links = {POINTS: id_of(points), IMAGE: token_of(layers, image)}
        for data, options, kind in (carried(layer, before, now) for layer in made):
            noted = options["metadata"][KEY]
            same = {name: noted[name] for name in ("column", "channel") if name in noted}
            for layer in made_of(layers, (noted["kind"],), **links, **same):
                layers.remove(layer)
            for layer in made_of(layers, PICTURES, **links):
                layer.visible = False  # two on top of each other mix their colours
            noted |= links | {MADE_BY: self._run, "source": image.name}
            self.add((data, options | {"visible": True, "name": f"{options['name']} of {image.name}"}, kind))
        _, options, _ = made[0]
        self.said.emit(options["metadata"][KEY].get("says", f"The layer “{options['name']}” is made."))
        self.made.emit()


def make_steps(stop: Stop, make: Making) -> Generator[Step, None, list[LayerData]]:
    """Draw the pictures, which takes its time for many atoms."""
    yield Step("Making the layer …")
    with spare_core() if "torch" in sys.modules else nullcontext():
        layers = make()
        if isinstance(layers, Generator):
            layers = yield from _said(layers)
    for data, options, _ in layers:  # nobody's work is lost when it is made again
        options["metadata"][KEY]["sha256"] = data_hash(np.asarray(data, dtype=float))
    return layers


def _said(stages: Generator[Stage, None, list[LayerData]]) -> Generator[Step, None, list[LayerData]]:
    """Long work, with how far it is and how to end it in words."""
    while True:
        try:
            stage = next(stages)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield Step(f"Making the layer, {stage.fraction:.0%} … Add as layer → {STOP} ends it.", stage.fraction)
