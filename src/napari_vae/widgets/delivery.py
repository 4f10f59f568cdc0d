"""Results into the viewer, on the main thread; nothing of the user's is overwritten."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from ..layers import KEY, LayerData, add_latents, atoms_from_points, class_cycle, latent_style
from .training_steps import Described

OWN_LAYER = "The points were changed or deleted meanwhile, so the latents are in a layer of their own."
REPLACED = ("residual", "reconstruction", "classes", "manifold")


class Delivery(QObject):
    """Adds the layers of a result one at a time, so that the window answers in between.

    Parameters
    ----------
    viewer : napari viewer
    parent : QObject
        The widget that owns it; when that is destroyed the delivery ends.
    """

    done = Signal(str)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._result: Described | None = None
        self._waiting: list[LayerData] = []
        self._points: Any | None = None
        self._remark = ""
        self._timer = QTimer(self, singleShot=True, interval=1)
        self._timer.timeout.connect(self._next)

    def start(self, result: Described) -> None:
        """Write the latents into the Points layer at once, then add one layer after the other."""
        self._result, self._waiting, self._remark = result, list(result.layers), ""
        self._points = result.source.points
        hide_earlier(self._viewer, result.patches.name)
        if self._points is not None and not _unchanged(self._viewer, self._points, result):
            self._points, self._remark = None, OWN_LAYER
        if self._points is not None:
            write_latents(self._points, result)
            self._waiting = [layer for layer in self._waiting if layer[2] != "points"]
        self._timer.start()

    def _next(self) -> None:
        if self._waiting:
            data, options, kind = self._waiting.pop(0)
            layer = getattr(self._viewer, f"add_{kind}")(data, **options)
            if kind == "points":
                self._points = layer
            self._timer.start()
            return
        layers = self._viewer.layers
        if self._points in layers:
            layers.move(layers.index(self._points), -1)
            layers.selection = [self._points]
        result, self._result, self._points = self._result, None, None
        if self._remark:
            show_warning(self._remark)
        self.done.emit(" ".join(filter(None, [_headline(result), self._remark, result.patches.describe_dropped()])))


def write_latents(points: Any, result: Described) -> None:
    """Latents and class as columns of a Points layer, coloured by the first latent."""
    ours = points.metadata.get(KEY, {})
    features, names = add_latents(points.features, result.latents, result.classes, tuple(ours.get("columns", ())))
    points.face_color = "white"  # napari maps a colour column that changes its type under its old rule, and fails
    points.features = features
    if result.classes is not None:
        points.face_color_cycle = class_cycle(int(result.classes.max()) + 1)
    for key, value in latent_style(features, names[str(result.latents.columns[0])]).items():
        setattr(points, key, value)
    points.border_width = 0
    points.metadata = {**points.metadata, KEY: {**ours, "columns": tuple(names.values())}}


def hide_earlier(viewer: Any, source: str) -> None:
    """Hide, but keep, the pictures of earlier results of the same source."""
    for layer in viewer.layers:
        made = layer.metadata.get(KEY, {})
        if made.get("kind") in REPLACED and made.get("source") == source:
            layer.visible = False


def _unchanged(viewer: Any, points: Any, result: Described) -> bool:
    if points not in viewer.layers:
        return False
    now = atoms_from_points(points, result.source.placement)[["y", "x"]].to_numpy()
    then = result.source.atoms[["y", "x"]].to_numpy()
    return now.shape == then.shape and np.array_equal(now, then)


def _headline(result: Described) -> str:
    n = 0 if result.classes is None else int(result.classes.max()) + 1
    stopped = "Stopped early. " if getattr(result.run, "stopped", False) else ""
    return f"{stopped}{len(result.patches)} atoms in {n} class{'es' if n != 1 else ''}."
