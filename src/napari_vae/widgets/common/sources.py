"""Which layers of the viewer are images and atoms to work on, and which image atoms lie on."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Points
from napari.utils.notifications import show_warning

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.identity import image_of, image_token
from ...layers.points import KEY

RESULTS = ("reconstruction", "residual", "manifold", "prediction", "uncertainty")
MARKS = ("preview", "next points", "learned", "vacancies")


def is_source_image(layer: Any) -> bool:
    """Whether the layer is an image and not one that we made from another."""
    return isinstance(layer, Image) and layer.metadata.get(KEY, {}).get("kind") not in RESULTS


def is_atoms(layer: Any) -> bool:
    """Whether the layer has points that may be atoms: not our marks, nor the centres of a regular grid."""
    made = layer.metadata.get(KEY, {})
    return isinstance(layer, Points) and made.get("kind") not in MARKS and made.get("method") != "grid"


def image_below(viewer: Any, points: Any, first: Any | None = None) -> Any | None:
    """The image that points belong to, where none is known one that they lie on: the `first` or the topmost such."""
    images = [layer for layer in reversed(viewer.layers) if is_source_image(layer) and not image_token(layer)]
    return image_of(viewer.layers, points, sorted(images, key=lambda image: image != first))


def source_image(viewer: Any, points: Any, first: Any | None = None) -> Any:
    """As `image_below`.

    Raises
    ------
    InputError
        If it is not known, or the layer is not of points.
    """
    if not isinstance(points, Points):
        raise InputError("A model describes windows around points; choose a Points layer.")
    image = image_below(viewer, points, first)
    if image is None:
        raise InputError(
            f"It is not known which image “{points.name}” belongs to; choose it under Image in Explore latents."
        )
    return image


def say_frame(points: Any, placement: Placement) -> None:
    """Say to which frame of a movie points are taken to belong that have none; napari shows them on every frame."""
    if points.ndim < placement.ndim:
        show_warning(
            f"“{points.name}” has no axis of frames, so its points belong to no frame of the movie. They are used on "
            f"the frame in view, {placement.frame}; detect atoms on the movie to have them on every frame."
        )
