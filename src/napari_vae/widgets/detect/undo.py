"""Taking back detections, one after the other; what the user has done since is kept aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.layers import Points

from .points_state import PointsState, contents, set_aside

STEPS = 5  # that can be taken back; each holds a copy of all points


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
        """Take the last detection back; returns a sentence on what was done."""
        step, layers = self._steps.pop(), self._viewer.layers
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
