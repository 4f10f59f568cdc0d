"""What was learned into the viewer, on the main thread: layers of our own, which follow one exploration."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from ...core.placement import Placement
from ...layers.identity import add_made, made_of, note, token_of
from ...layers.learning import Candidates, learned_points, next_features, next_points, pictures
from ...layers.points import KEY, LayerData, placement_now
from ...layers.showing import write_features
from ..common.canvas import go_to
from .session import Snapshot

REST = 4.0  # times as long as it took to show a step in passing, until the next one is shown
KINDS = ("learned", "next points", "prediction", "uncertainty")


class LearnedLayers:
    """The layers of one exploration after the other; those of former ones stay, hidden.

    A picture that the user deletes stays away; the points are made again.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layers: dict[str, Any] = {}
        self._candidates: Candidates | None = None
        self._image: Any = None
        self._shown_until = 0.0

    def begin(self, image: Any = None) -> None:
        """Leave the layers of the former exploration as they are, and hide them; the next is on an image layer."""
        self._image = image
        for layer in made_of(self._viewer.layers, KINDS):
            layer.visible = False
        self._layers, self._candidates = {}, None

    @property
    def points(self) -> Any | None:
        """The layer of all places, if it is there."""
        return self._there("learned")

    def show(self, snapshot: Snapshot, *, passing: bool = False) -> None:
        """Bring the layers up to date; in `passing`, only if there is time for it."""
        began = time.monotonic()
        if passing and began < self._shown_until:
            return
        session = snapshot.session
        now = placement_now(session.candidates.placement, self._image, self._viewer)
        if now is not session.candidates.placement:
            session.candidates = replace(session.candidates, placement=now)
        self._candidates = session.candidates
        selected = list(self._viewer.layers.selection)
        self._show_pictures(snapshot)
        self._show_points(snapshot)
        self._show_next(snapshot)
        self._viewer.layers.selection = [layer for layer in selected if layer in self._viewer.layers]
        now = time.monotonic()
        self._shown_until = now + REST * (now - began)

    def go_to_next(self) -> None:
        """Select the next place, and put it into the middle of the canvas."""
        layer = self._there("next points")
        if layer is None or not len(layer.data):
            return
        self._viewer.layers.selection = [layer]
        layer.mode = "select"
        layer.selected_data = {0}
        go_to(self._viewer, Placement.of_layer(layer), layer.data[0])

    def go_to_candidate(self, row: int) -> None:
        """Put a candidate into the middle of the canvas."""
        if self._candidates is not None:
            go_to(self._viewer, self._candidates.placement, self._candidates.place(row))

    def _show_pictures(self, snapshot: Snapshot) -> None:
        if snapshot.table["predicted_sd"].isna().all():  # no model yet
            return
        for data, options, kind in pictures(snapshot.session.candidates, snapshot.table):
            name = options["metadata"][KEY]["kind"]
            if name not in self._layers:
                self._add(name, (data, options, kind))
                self._to_front("learned")
            elif (layer := self._there(name)) is not None:
                layer.data = data
                layer.contrast_limits = options["contrast_limits"]

    def _show_points(self, snapshot: Snapshot) -> None:
        if not len(snapshot.measured):
            return
        layer = self._there("learned")
        if layer is None or len(layer.data) != len(snapshot.table):  # deleted, or some of its points were
            layer = self._add("learned", learned_points(snapshot.session.candidates, snapshot.table))
            return
        note(layer, columns=tuple(snapshot.table))
        write_features(layer, snapshot.table)

    def _show_next(self, snapshot: Snapshot) -> None:
        made = next_points(snapshot.session.candidates, snapshot.upcoming, snapshot.score)
        layer = self._there("next points")
        if layer is None:
            if len(snapshot.upcoming):
                self._add("next points", made)
            return
        layer.selected_data = set()
        layer.data = made[0]
        layer.features = next_features(snapshot.upcoming, snapshot.score)
        self._to_front("next points")

    def _to_front(self, kind: str) -> None:
        layer, layers = self._there(kind), self._viewer.layers
        if layer is not None:
            layers.move(layers.index(layer), -1)

    def _there(self, kind: str) -> Any | None:
        layer = self._layers.get(kind)
        return layer if layer in self._viewer.layers else None

    def _add(self, name: str, made: LayerData) -> Any:
        layer = add_made(self._viewer, made, self._image, image=token_of(self._viewer.layers, self._image))
        self._layers[name] = layer
        return layer
