"""The view of one image: it fills the canvas, with a scale bar, and what else is open lends itself to its units."""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np

from ..core.placement import OWN_UNITS, Placement
from ..core.units import unit_factors
from .identity import note, ours

SHARE = 0.95  # of the canvas that an image fills, as napari has it
Camera = tuple[float, ...]  # centre and zoom


class View:
    """Frames the image that is worked on, and keeps it framed while the user sees all of it.

    Parameters
    ----------
    viewer : napari viewer
    image : Image layer, optional
        That the user is looking at already.
    """

    def __init__(self, viewer: Any, image: Any | None) -> None:
        self._viewer = ref(viewer)
        self._framed = None if image is None else _place_of(image)
        self._whole = self._camera_for()
        viewer.canvas.events.size.connect(self._on_resized)
        viewer.canvas.overlays.scale_bar.visible = True

    def frame(self, image: Any) -> None:
        """Look at the whole image, unless it lies where the one before lay."""
        before, self._framed = self._framed, _place_of(image)
        alike = before is not None and np.array_equal(before[1], self._framed[1])
        if alike and before is not None and before[0].lies_like(self._framed[0]):
            return
        self._whole = self._camera_for()
        self._look(self._whole)

    def _on_resized(self, event: Any = None) -> None:
        """Of a window or a dock that changes its size."""
        viewer, before, self._whole = self._viewer(), self._whole, self._camera_for()
        if viewer is not None and before is not None and self._whole is not None:
            camera = viewer.scene.camera
            if np.allclose((*camera.center[1:], camera.zoom), before, rtol=1e-3):
                self._look(self._whole)

    def _camera_for(self) -> Camera | None:
        """Where the camera is to be for the whole image."""
        viewer = self._viewer()
        if viewer is None or self._framed is None or viewer.dims.ndisplay > 2:
            return None
        place, extent = self._framed
        (top, left), (bottom, right) = np.add(extent, [[-0.5], [0.5]])  # of the borders of its pixels
        corners = [(top, left), (top, right), (bottom, left), (bottom, right)]
        world = Placement.of_canvas(viewer).points_from(corners, place)
        zoom = SHARE * float(np.min(np.asarray(viewer.canvas.size) / np.ptp(world, axis=0)))
        return (*((world.min(axis=0) + world.max(axis=0)) / 2).tolist(), zoom)

    def _look(self, camera: Camera | None) -> None:
        viewer = self._viewer()
        if viewer is not None and camera is None:
            viewer.reset_view()
        elif viewer is not None and camera is not None:
            viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, *camera[:2]), camera[2]


def lend_units(layer: Any, units: tuple[str, ...]) -> None:
    """Give a layer units like these where its own are of another kind, or its own again; `Placement` knows its own.

    Once units are of two kinds, as pixels and nanometres are, napari draws bare numbers, and says so.
    """
    own = Placement.of_layer(layer).units
    lent = units_like(own, units)
    if lent != own:
        note(layer, **{OWN_UNITS: own})
    if tuple(map(str, layer.units)) != lent:
        layer.units = lent
    if lent == own and ours(layer).get(OWN_UNITS):
        note(layer, **{OWN_UNITS: ()})


def units_like(own: tuple[str, ...], units: tuple[str, ...]) -> tuple[str, ...]:
    """Units of the kinds of others, axis by axis from the last."""
    n = min(len(own), len(units))
    return (*own[:-n], *units[-n:]) if n and unit_factors(own[-n:], units[-n:]) is None else own


def _place_of(image: Any) -> tuple[Placement, Any]:
    return Placement.of_layer(image).last(2), image.extent.data[:, -2:]
