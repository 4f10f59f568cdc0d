"""Live marks on the atoms that the present threshold would find on the frame in view."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.placement import Placement
from ...layers.identity import made_of
from ...layers.points import KEY, atoms_to_points
from .steps import Candidates

NAME = "preview of atoms"
COLOR = "#ffd400"
NOTHING = pd.DataFrame({"y": [], "x": []}, dtype=float)


class Preview:
    """A Points layer that comes and goes with the widget and takes no part in the selection.

    It holds the marks that are seen and no others: of a single image napari 0.9 draws all points, whatever is `shown`.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    def show(self, candidates: Candidates, score: float) -> None:
        """Mark the candidates from `score` upwards."""
        kept = candidates.atoms["score"].to_numpy() >= score
        self._mark(candidates.atoms[kept], candidates.request.placement.last(2))

    def clear(self, placement: Placement) -> None:
        """Mark nothing for the time being; the layer stays, or comes, since adding one would end a drawing."""
        self._mark(NOTHING, placement.last(2))

    def hide(self) -> None:
        """Take the marks away."""
        layer = self._layer()
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _mark(self, atoms: pd.DataFrame, placement: Placement) -> None:
        data, options, _ = atoms_to_points(atoms, placement, name=NAME)
        layer = self._layer()
        if layer is not None:
            layer.data = data
            for name, value in {"size": options["size"], "border_color": COLOR, **placement.kwargs()}.items():
                setattr(layer, name, value)
            return
        look = {"border_color": COLOR, "metadata": {KEY: {"kind": "preview"}}, "features": None}
        options = {name: value for name, value in options.items() if name != "feature_defaults"}
        selected = list(self._viewer.layers.selection)
        self._viewer.add_points(data, **options | look)
        self._viewer.layers.selection = selected

    def _layer(self) -> Any | None:
        found = made_of(self._viewer.layers, ("preview",))
        return found[0] if found else None
