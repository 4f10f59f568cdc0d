"""Which image points lie on, and in which frame of it."""

from __future__ import annotations

from typing import Any

from napari.layers import Points
from napari.utils.notifications import show_warning

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.active import active_of


def source_image(viewer: Any, points: Any) -> Any:
    """The image that points belong to.

    Raises
    ------
    InputError
        If it is not known, or the layer is not of points.
    """
    if not isinstance(points, Points):
        raise InputError("A model describes windows around points; choose a Points layer.")
    image = active_of(viewer).image_of(points)
    if image is None:
        raise InputError(
            f"It is not known which image “{points.name}” belongs to; choose its image at the head of Explore latents."
        )
    return image


def say_frame(points: Any, placement: Placement) -> None:
    """Say to which frame of a movie points are taken to belong that have none; napari shows them on every frame."""
    if points.ndim < placement.ndim:
        show_warning(
            f"“{points.name}” has no axis of frames, so its points belong to no frame of the movie. They are used on "
            f"the frame in view, {placement.frame}; detect atoms on the movie to have them on every frame."
        )
