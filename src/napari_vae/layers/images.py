"""Micrographs as napari layer data, and image layers as micrographs; needs neither napari nor Qt."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.placement import KEPT, Placement
from .points import KEY, LayerData, has_channels, placement_of


def image_layer(micrograph: Micrograph) -> LayerData:
    """The layer data of a micrograph: a stack of channels becomes one layer per channel, frames a slider.

    Of an image whose file says that its numbers are labels, a Labels layer.
    """
    options: dict[str, Any] = {"name": micrograph.name}
    if micrograph.axes == "CYX":
        options = {"name": [f"{micrograph.name} {c}" for c in range(micrograph.n_channels)], "channel_axis": 0}
        options |= {"colormap": "gray", "blending": "translucent_no_depth"}
    metadata = {KEY: {"kind": "micrograph", **micrograph.metadata}}
    options |= {"metadata": metadata, **Placement.of_micrograph(micrograph).kwargs()}
    if metadata[KEY]["kind"] == "labels" and micrograph.axes != "CYX":
        return micrograph.data.astype(np.int32), options, "labels"
    return micrograph.data, options, "image"


def micrograph_from_layer(layer: Any) -> Micrograph:
    """The micrograph that an image layer shows; of a multiscale layer the full resolution.

    A three-dimensional layer is a movie unless its first axis is labelled as channels.

    Raises
    ------
    InputError
        If the layer shows colours, is complex, or has more than three dimensions.
    """
    if getattr(layer, "rgb", False):
        raise InputError(
            f"“{layer.name}” is a colour picture; right-click it in the layer list, choose “Split RGB” and use one of "
            "the grey layers."
        )
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    placement = placement_of(layer)
    pixel_size, units = placement.pixel_size()
    image = Micrograph(data, pixel_size, units, "CYX" if has_channels(layer) else "", layer.name)
    if not placement.lies_like(Placement.of_micrograph(image)):
        image.metadata[KEPT] = placement.to_dict()
    return image
