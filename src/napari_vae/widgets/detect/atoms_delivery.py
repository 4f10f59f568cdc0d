"""Detected atoms into the viewer: points, in which the user's edits are kept, and tracks; and how they were before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Points

from ...core.placement import Placement
from ...layers.active import active_of
from ...layers.edits import Earlier, Merged, Scope, edits_of, merge, places_of
from ...layers.identity import LAYER, add_made, id_of, image_with, made_of, note, ours
from ...layers.points import KEY, LayerData, atoms_from_points, atoms_to_points
from ...layers.showing import SHOWN, show, shown_column
from ...layers.tracks import describe_tracks, tracks_to_layer
from .points_state import PointsState, contents, set_aside
from .steps import DetectionRequest

KEPT = "What you added, moved or deleted stays so."
ALL_DELETED = "All that was found lies where you have deleted atoms; delete the layer to start afresh."
OWN_LAYER = (
    "The earlier layer stays as it is, since columns of yours or of a model hold values of atoms that are no longer "
    "there; the atoms are in a layer of their own."
)
ELSEWHERE = (
    "The earlier atoms stay as they are, since the image has moved since; the new ones are in a layer of their own."
)
STEPS = 5  # that can be taken back; each holds a copy of all points


def deliver(
    viewer: Any, atoms: pd.DataFrame, request: DetectionRequest, scope: Scope, history: History
) -> tuple[Points | None, int, str]:
    """Put atoms into the viewer.

    Parameters
    ----------
    viewer : napari viewer
    atoms : DataFrame
        As detected, not empty.
    request : DetectionRequest
        What they were asked for with.
    scope : Scope
        Where was looked.
    history : History
        Gets to know how to take it back.

    Returns
    -------
    layer : Points or None
        That holds the atoms now; None where all were deleted before.
    n : int
        Atoms that there are now where was looked.
    remark : str
        What became of an earlier layer of the same image, if something did.
    """
    layer = _earlier_layer(viewer, request)
    if (image := image_with(viewer.layers, request.image)) is not None:  # may be called otherwise by now
        request = replace(request, micrograph=replace(request.micrograph, name=image.name))
    if layer is None:
        made = _add(viewer, _layer_data(atoms, places_of(atoms), request))
        history.note(made, None)
        return made, len(atoms), ""
    earlier = _earlier(layer)
    edits = edits_of(earlier.detected, places_of(earlier.atoms))
    edited = bool(edits.placed.any() or len(edits.deleted))
    if not request.placement.lies_like(Placement.of_layer(layer)) and (edited or earlier.own or earlier.results):
        made = _add(viewer, _layer_data(atoms, places_of(atoms), request))
        history.note(made, None)
        return made, len(atoms), ELSEWHERE
    merged = merge(earlier, atoms, scope)
    n = int(scope.covers(places_of(merged.atoms)).sum())
    layer_data = _layer_data(merged.atoms, merged.detected, request, earlier)
    if not merged.complete:
        made = _add(viewer, layer_data)
        history.note(made, None)
        return made, n, OWN_LAYER
    if not len(merged.atoms):
        return None, n, ALL_DELETED
    before = PointsState.of(layer)
    _update(layer, before, merged, layer_data)
    history.note(layer, before)
    active_of(viewer).bring_forward(layer)
    return layer, n, KEPT if edited else ""


def _earlier_layer(viewer: Any, request: DetectionRequest) -> Points | None:
    """The topmost layer of atoms that were detected in that image."""
    made = made_of(reversed(viewer.layers), ("atoms",), image=request.image)
    alike = (layer for layer in made if "detected" in layer.metadata[KEY] and layer.ndim == request.placement.ndim)
    return next(alike, None)


def _earlier(layer: Points) -> Earlier:
    made = layer.metadata[KEY]
    return Earlier(atoms_from_points(layer), made["detected"], made["features"], made.get("columns", ()))


def _layer_data(
    atoms: pd.DataFrame,
    detected: npt.NDArray[np.float64],
    request: DetectionRequest,
    earlier: Earlier | None = None,
) -> LayerData:
    """A layer that knows what was detected, which columns are of the detection, and which of a model."""
    data, options, kind = atoms_to_points(atoms, request.placement, name=f"atoms of {request.micrograph.name}")
    others = set() if earlier is None else {*earlier.own, *earlier.results}
    made = tuple(name for name in options["features"] if name not in others)
    noted = {"source": request.micrograph.name, "image": request.image, "detected": detected, "features": made}
    options["metadata"][KEY] |= noted
    if earlier is not None and earlier.results:
        options["metadata"][KEY]["columns"] = earlier.latents
    return data, options, kind


def _add(viewer: Any, layer_data: LayerData) -> Points:
    layer = add_made(viewer, layer_data)
    active_of(viewer).bring_forward(layer)
    return layer


def _update(layer: Points, before: PointsState, merged: Merged, layer_data: LayerData) -> None:
    """Make the layer what was merged, in the looks that its atoms had; sublattices keep their colours."""
    fresh, shown = PointsState.made(layer_data), shown_column(layer)
    state = fresh.looking_like(before, merged.source)
    state.metadata = layer.metadata | fresh.metadata
    sorted_out, mapped = "sublattice" in state.features, str(layer.border_color_mode) != "direct"
    if "sublattice" in before.features and not sorted_out:
        state.looks["border_color"] = fresh.looks["border_color"]
    state.put(layer)
    note(layer, **{LAYER: id_of(layer)})
    if sorted_out and (mapped or "sublattice" not in before.features):
        layer.border_color_cycle = layer_data[1]["border_color_cycle"]
        layer.border_color = "sublattice"
    if shown in state.features:
        note(layer, **{SHOWN: shown})
        show(layer, shown)


@dataclass(frozen=True)
class _Step:
    layer: Points
    before: PointsState | None  # None: the detection made the layer
    name: str
    after: str  # contents that the detection left


class History:
    """Detections that can be taken back, of one viewer."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._steps: list[_Step] = []

    def __len__(self) -> int:
        return len(self._steps)

    def note(self, layer: Points, before: PointsState | None) -> None:
        """Remember a detection that is now in `layer`, which was like `before`."""
        self._steps = [*self._steps[1 - STEPS :], _Step(layer, before, layer.name, contents(layer))]

    def undo(self) -> str:
        """Take the last detection back, with its tracks; returns a sentence on what was done."""
        step = self._steps.pop()
        words = self._take_back(step)
        show_tracks(self._viewer, step.layer)
        return words

    def _take_back(self, step: _Step) -> str:
        layers = self._viewer.layers
        there = step.layer in layers
        kept = ""
        if there and contents(step.layer) != step.after:
            kept = f" What you changed since is kept in “{step.layer.name}, edited”, which is hidden."
        if step.before is None:
            if not there:
                return f"There was nothing to undo: “{step.name}” is deleted already."
            if kept:
                set_aside(self._viewer, step.layer)
            else:
                layers.remove(step.layer)
            return f"The detection of “{step.name}” is undone.{kept}"
        if not there:
            step.before.restore(step.layer)
            layers.append(step.layer)
            return f"“{step.name}” was deleted meanwhile; it is back as it was before the last detection."
        if kept:
            set_aside(self._viewer, PointsState.of(step.layer).layer(step.layer.name))
        step.before.restore(step.layer)
        layers.selection = [step.layer]
        return f"“{step.layer.name}” is as it was before the last detection.{kept}"


def show_tracks(viewer: Any, points: Any) -> None:
    """Show the tracks of points that were followed, behind them; earlier ones go with the points they were of."""
    there = {ours(layer).get("tracks") for layer in viewer.layers}
    for layer in made_of(viewer.layers, ("tracks",)):
        if ours(layer)["of"] not in there:
            viewer.layers.remove(layer)
    if points not in viewer.layers or "track" not in points.features:
        return
    known = ours(points)
    source, image = known["source"], known["image"]
    if made_of(viewer.layers, ("tracks",), of=known.get("tracks", "")):
        return
    atoms = atoms_from_points(points)
    atoms.attrs[KEY] |= {name: known[name] for name in ("drift",) if name in known}
    found = tracks_to_layer(atoms, Placement.of_layer(points), name=f"tracks of {source}")
    if found is None:
        return
    ticket = uuid4().hex  # points of another detection may lie at the same places
    note(points, tracks=ticket)
    tracks = add_made(viewer, found, source=source, image=image, of=ticket)

    def describe(event: Any = None) -> None:
        if tracks not in viewer.layers:
            points.events.features.disconnect(describe)
        elif "track" in points.features:
            describe_tracks(tracks, points)

    points.events.features.connect(describe)
    viewer.layers.move(viewer.layers.index(points), -1)
    active_of(viewer).bring_forward(points)
