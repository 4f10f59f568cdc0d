"""Results into the viewer, on the main thread; nothing of the user's is overwritten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from ...core.placement import Placement
from ...layers.identity import CHOSEN, add_made, claim, made_of, note, ours, token_of
from ...layers.open_runs import OpenRun, keep_run
from ...layers.points import (
    KEY,
    LayerData,
    add_latents,
    atoms_from_points,
    carried,
    placement_now,
)
from ...layers.showing import write_features
from .steps import Described

OWN_LAYER = "The points were changed or deleted meanwhile, so the latents are in a layer of their own."
CLOSER = 1.5  # times the zoom that shows everything: the user looks at a detail
REPLACED = ("residual", "reconstruction", "classes", "manifold")


class Delivery(QObject):
    """Adds the layers of a result one at a time, so that the window answers in between.

    Parameters
    ----------
    viewer : napari viewer
    parent : QObject
        The widget that owns it; when that is destroyed the delivery ends.
    """

    done = Signal(object, str)  # the `Described`, and what to say about it

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._result: Described | None = None
        self._waiting: list[LayerData] = []
        self._points: Any | None = None
        self.points: Any | None = None  # those of the last result
        self._remark = self._token = ""
        self._saw_all = False
        self._timer = QTimer(self, singleShot=True, interval=1)
        self._timer.timeout.connect(self._next)

    def start(self, result: Described) -> None:
        """Write the latents into the Points layer at once, then add one layer after the other."""
        while self._result is not None:  # layers of a former result are still waiting
            self._next()
        result = where_it_lies(result, self._viewer)
        self._result, self._waiting, self._remark = result, list(result.layers), ""
        self._points, self._saw_all = result.source.points, sees_all(self._viewer)
        self._token = token_of(self._viewer.layers, result.source.image)
        hide_earlier(self._viewer, self._token)
        if self._points is not None and not _unchanged(self._viewer, self._points, result):
            self._points, self._remark = None, OWN_LAYER
            _points_options(result.layers)["name"] = f"latents of {result.patches.name}"
        points = None if self._points is None else Placement.of_layer(self._points)
        opened = OpenRun(result.run, result.patches, result.source.placement, result.condition, points)
        key = keep_run(self._viewer, opened)
        if self._points is not None:
            write_latents(self._points, result, key, self._token)
            self._waiting = [layer for layer in self._waiting if layer[2] != "points"]
        else:
            _points_options(result.layers)["metadata"][KEY]["run"] = key
        self._timer.start()

    def _next(self) -> None:
        if self._waiting:
            made = self._waiting.pop(0)
            layer = add_made(self._viewer, made, self._result.source.image, image=self._token)
            if made[2] == "points":
                self._points = layer
            self._timer.start()
            return
        result, points = self._result, self._points
        self.points = points
        self._result = self._points = None
        self._timer.stop()
        if points in self._viewer.layers:
            put_in_front(self._viewer, points)
        if self._saw_all and self._viewer.dims.ndisplay == 2:
            self._viewer.reset_view()  # the manifold lies beside the image
        remarks = [remark for remark in (self._remark, result.warning) if remark]
        for remark in remarks:
            show_warning(remark)
        cut = result.patches.describe_dropped(), result.patches.describe_level()
        self.done.emit(result, " ".join(filter(None, [_headline(result), *remarks, *cut])))


def where_it_lies(result: Described, viewer: Any) -> Described:
    """The result on the image as it lies now: it may have been calibrated or moved since the job began."""
    before = result.source.placement
    now = placement_now(before, result.source.image, viewer)
    layers = [carried(layer, before, now) for layer in result.layers]
    return replace(result, layers=layers, source=replace(result.source, placement=now))


def write_latents(points: Any, result: Described, key: str, image: str) -> None:
    """Latents and class as columns of a Points layer, coloured by the first latent.

    The run is open under `key`, and was applied to the image of this token.
    """
    claim(points)
    owned = tuple(name for name in ours(points).get("columns", ()) if name != result.source.column)
    features, names = add_latents(points.features, result.latents, result.classes, owned, result.names)
    note(points, run=key, columns=tuple(names.values()), **{CHOSEN: image})
    write_features(points, features, names[str(result.latents.columns[0])])


def put_in_front(viewer: Any, points: Any) -> None:
    """Move the points with the latents to the top, and select them."""
    layers = viewer.layers
    layers.move(layers.index(points), -1)
    layers.selection = [points]


def sees_all(viewer: Any) -> bool:
    """Whether the canvas shows everything rather than a detail that the user has gone to."""
    camera = viewer.scene.camera
    if viewer.dims.ndisplay != 2:
        return False
    center, zoom = camera.center, camera.zoom
    viewer.reset_view()
    whole = bool(zoom < CLOSER * camera.zoom)
    camera.center, camera.zoom = center, zoom
    return whole


def hide_earlier(viewer: Any, image: str) -> None:
    """Hide, but keep, the pictures of earlier results of the same image."""
    for layer in made_of(viewer.layers, REPLACED, image=image):
        layer.visible = False


def _unchanged(viewer: Any, points: Any, result: Described) -> bool:
    if points not in viewer.layers:
        return False
    now, then = (
        table[["frame", "y", "x"]].to_numpy(float)
        for table in (atoms_from_points(points, result.source.placement), result.source.atoms)
    )
    return now.shape == then.shape and np.array_equal(now, then)


def _headline(result: Described) -> str:
    n = int(result.classes.max()) + 1
    stopped = "Stopped early. " if result.stopped else ""
    return f"{stopped}{len(result.patches)} {result.source.noun} in {n} class{'es' if n != 1 else ''}."


def _points_options(layers: list[LayerData]) -> dict[str, Any]:
    return next(options for _, options, kind in layers if kind == "points")
