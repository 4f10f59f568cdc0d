"""Which trained model, and which windows, the columns of a layer came from, as long as the viewer is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..core.placement import Placement
from ..patches.patches import Patches
from .identity import ours
from .points import KEY, atoms_from_points

if TYPE_CHECKING:
    from ..runs.run import Run

SAME = 1e-3  # px within which a point is the one that a window was cut around

#: By viewer, weakly, so that models and windows go with it.
_OPEN: WeakKeyDictionary[Any, dict[str, OpenRun]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class OpenRun:
    """A run that described the points of a layer.

    Attributes
    ----------
    run : Run
    patches : Patches
        The windows that it described.
    placement : Placement
        Of the image that they were cut from.
    condition : array (N,) or (N, d), optional
        What the run was given of every window.
    points : Placement, optional
        Of the points when the image lay at `placement`, if they lay otherwise. Both may be calibrated or moved since.
    """

    run: Run
    patches: Patches
    placement: Placement
    condition: npt.NDArray[Any] | None = None
    points: Placement | None = None

    def window(self, number: int) -> npt.NDArray[np.float32]:
        """One window (H, W), its first channel, in [0, 1]."""
        pixels: npt.NDArray[np.float32] = self.patches.data[number, 0]
        return pixels

    def rebuilt(self, number: int) -> npt.NDArray[np.float32]:
        """What the model makes of that window (H, W), in [0, 1]."""
        one = slice(number, number + 1)
        window = self.patches.rows(np.array([number]))
        given = None if self.condition is None else self.condition[one]
        pixels: npt.NDArray[np.float32] = self.run.reconstruct(window, condition=given)[0, 0]
        return pixels

    def windows_of(self, layer: Any) -> npt.NDArray[np.int64]:
        """Number of the window of each point (N,) of a Points layer, −1 for points added or moved since."""
        from scipy.spatial import cKDTree

        columns = ["frame", "y", "x"]
        points = atoms_from_points(layer, self.placement, self.points or self.placement)[columns].to_numpy(float)
        known = self.patches.atoms.reindex(columns=columns, fill_value=0).to_numpy(float)
        if not len(points) or not len(known):
            return np.full(len(points), -1, dtype=np.int64)
        distance, number = cKDTree(known).query(points)
        return np.where(distance <= SAME, number, -1).astype(np.int64)


def keep_run(viewer: Any, opened: OpenRun) -> str:
    """Keep a run open, and return its key, which belongs in ``metadata[KEY]["run"]`` of the layer that it described.

    Runs that no layer of the viewer has any more are forgotten.
    """
    key = uuid4().hex
    used = {layer.metadata.get(KEY, {}).get("run") for layer in viewer.layers}
    runs = _OPEN.setdefault(unwrapped(viewer), {})
    for old in [old for old in runs if old not in used]:
        del runs[old]
    runs[key] = opened
    return key


def run_of(viewer: Any, layer: Any) -> OpenRun | None:
    """The run that wrote the columns of a layer, if it is open in this viewer."""
    return _OPEN.get(unwrapped(viewer), {}).get(ours(layer).get("run", ""))


def unread_folder(layer: Any) -> str:
    """Folder of the analysis that a layer is of, if its run was not looked for yet; else empty."""
    return "" if "run" in ours(layer) else str(ours(layer).get("folder", ""))


def find_run(key: str) -> OpenRun | None:
    """The run of that key, in whichever viewer it is open."""
    return next((runs[key] for runs in _OPEN.values() if key in runs), None)


def unwrapped(viewer: Any) -> Any:
    """The viewer, or layer, itself: each widget is given a proxy of its own."""
    return getattr(viewer, "__wrapped__", viewer)
