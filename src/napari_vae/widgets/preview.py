"""Live marks on the atoms that the present threshold would find on the frame in view."""

from __future__ import annotations

from typing import Any

from ..layers import KEY, atoms_to_points
from .detect_steps import Candidates

NAME = "preview of atoms"


class Preview:
    """A Points layer that comes and goes with the widget and takes no part in the selection."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    def show(self, candidates: Candidates, score: float) -> int:
        """Mark the candidates from `score` upwards; returns how many."""
        atoms = candidates.atoms[candidates.atoms["score"] >= score]
        data, options, _ = atoms_to_points(atoms, candidates.request.placement.last(2), name=NAME)
        layer = self._layer()
        if layer is not None:
            layer.data = data
            return len(data)
        options |= {
            "border_color": "#ffd400",
            "features": None,
            "feature_defaults": None,
            "metadata": {KEY: {"kind": "preview"}},
        }
        selected = list(self._viewer.layers.selection)
        self._viewer.add_points(data, **options)
        self._viewer.layers.selection = selected
        return len(data)

    def hide(self) -> None:
        """Take the marks away."""
        layer = self._layer()
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _layer(self) -> Any | None:
        found = [layer for layer in self._viewer.layers if layer.metadata.get(KEY, {}).get("kind") == "preview"]
        return found[0] if found else None
