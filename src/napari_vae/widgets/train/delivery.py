"""Results into the viewer, on the main thread; nothing of the user's is overwritten."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from ...core.placement import Placement
from ...layers.active import active_of
from ...layers.crystal import is_untouched
from ...layers.identity import CHOSEN, POINTS, add_made, claim, id_of, made_of, note, ours, token_of
from ...layers.open_runs import OpenRun, keep_run
from ...layers.points import KEY, add_latents, atoms_from_points, carried, placement_now
from ...layers.showing import write_features
from ..common.layer_maker import MADE_BY, PICTURES
from .steps import Described

OWN_LAYER = "The points were changed or deleted meanwhile, so the latents are in a layer of their own."
KEPT = "kept"  # noted in the layers of a run that the user keeps
OWN = "own"  # noted in points that we made for a run


class Delivery(QObject):
    """Puts results into the viewer: a run owns its points, and pictures of it that were asked for.

    Those of an earlier run on the same image go, unless the user kept them.

    Parameters
    ----------
    viewer : napari viewer
    parent : QObject
        The widget that owns it.
    """

    done = Signal(object, str)  # the `Described`, and what to say about it

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.points: Any | None = None  # those of the last result
        self._said: list[tuple[Described, str]] = []
        self._timer = QTimer(self, singleShot=True, interval=0)  # when the job has ended
        self._timer.timeout.connect(self._tell)

    def start(self, result: Described) -> None:
        """Write the latents into the Points layer, or into one of their own where that has changed."""
        result = where_it_lies(result, self._viewer)
        points, image = result.source.points, token_of(self._viewer.layers, result.source.image)
        remarks = [result.warning] if result.warning else []
        if points is not None and not _unchanged(self._viewer, points, result):
            points, remarks = None, [OWN_LAYER, *remarks]
            result.points[1]["name"] = f"latents of {result.patches.name}"
        remove_earlier(self._viewer, image, points)
        placed = None if points is None else Placement.of_layer(points)
        opened = OpenRun(result.run, result.patches, result.source.placement, result.condition, placed)
        key = keep_run(self._viewer, opened)
        if points is None:
            points = add_made(self._viewer, result.points, result.source.image, image=image, run=key, **{OWN: True})
        else:
            write_latents(points, result, key, image)
        self.points = points
        links = {"image": image, POINTS: id_of(points), MADE_BY: key}
        pictures = [add_made(self._viewer, made, result.source.image, **links) for made in result.pictures]
        put_in_front(self._viewer, points, *pictures)
        for remark in remarks:
            show_warning(remark)
        cut = result.patches.describe_dropped(), result.patches.describe_level()
        self._said.append((result, " ".join(filter(None, [_headline(result), *remarks, *cut]))))
        self._timer.start()

    def _tell(self) -> None:
        said, self._said = self._said, []
        for result, words in said:
            self.done.emit(result, words)

    def name_to_keep(self) -> str:
        """Name that is offered for the last result when it is kept; empty if there is none."""
        layers = self._viewer.layers
        kept = sum(KEPT in ours(layer) and "run" in ours(layer) for layer in made_of(layers, ("atoms",)))
        return "" if self.points is None or self.points not in layers else f"run {kept + 1}"

    def keep(self, name: str) -> str:
        """Keep the last result: a copy of its points, hidden, which no later training changes; gives its name."""
        points, layers = self.points, self._viewer.layers
        data, options, kind = deepcopy(points.as_layer_data_tuple())
        noted = {name: value for name, value in ours(points).items() if name != "detected"} | {KEPT: True}
        options |= {"name": name, "visible": False, "metadata": {KEY: noted}}
        copy = add_made(self._viewer, (data, options, kind))
        layers.move(layers.index(copy), layers.index(points))
        layers.selection = [points]
        for picture in made_of(layers, PICTURES, **{POINTS: id_of(points)}):
            note(picture, **{POINTS: id_of(copy), KEPT: True})
            picture.name = f"{picture.name}, {name}"
        return str(copy.name)


def where_it_lies(result: Described, viewer: Any) -> Described:
    """The result on the image as it lies now: it may have been calibrated or moved since the job began."""
    before = result.source.placement
    now = placement_now(before, result.source.image, viewer)
    points, *pictures = (carried(layer, before, now) for layer in (result.points, *result.pictures))
    return replace(result, points=points, pictures=pictures, source=replace(result.source, placement=now))


def write_latents(points: Any, result: Described, key: str, image: str) -> None:
    """Latents and class as columns of a Points layer, coloured by the first latent.

    The run is open under `key`, and was applied to the image of this token.
    """
    claim(points)
    owned = tuple(name for name in ours(points).get("columns", ()) if name != result.source.column)
    features, names = add_latents(points.features, result.latents, result.classes, owned, result.names)
    note(points, run=key, columns=tuple(names.values()), **{CHOSEN: image})
    write_features(points, features, names[str(result.latents.columns[0])])


def put_in_front(viewer: Any, points: Any, *pictures: Any) -> None:
    """Move the points with the latents to the top, select them, and show them, if their image is worked on.

    Of a regular grid the last of its pictures is shown instead.
    """
    layers = viewer.layers
    layers.move(layers.index(points), -1)
    if active_of(viewer).bring_forward(points):
        (points, *pictures)[-1].visible = True


def remove_earlier(viewer: Any, image: str, points: Any | None) -> None:
    """Take away what an earlier run on this image made, unless it was kept or changed by hand; hide the rest of it."""
    for layer in made_of(viewer.layers, PICTURES, image=image):
        layer.visible = False
        if ours(layer).get(MADE_BY) and KEPT not in ours(layer) and is_untouched(layer.data, layer.metadata):
            viewer.layers.remove(layer)
    for layer in made_of(viewer.layers, ("atoms",), image=image, **{OWN: True}):
        if layer != points and KEPT not in ours(layer):
            viewer.layers.remove(layer)


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
