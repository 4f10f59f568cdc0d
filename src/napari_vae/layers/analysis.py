"""A finished analysis as napari layer data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.placement import Placement
from .identity import linked
from .points import LayerData
from .reader import image_layer
from .results import result_layers

if TYPE_CHECKING:
    from ..workflow.analyze import Analysis


def analysis_layers(analysis: Analysis) -> list[LayerData]:
    """Napari layer data: the micrograph below, on it residual, reconstruction, classes, latents and manifold.

    Examples
    --------
    >>> for data, options, kind in analysis_layers(load_analysis("results")):  # doctest: +SKIP
    ...     viewer.add_layer(napari.layers.Layer.create(data, options, kind))
    """
    results = result_layers(
        analysis.run,
        analysis.patches,
        analysis.encoded,
        analysis.classes,
        analysis.frame_shape,
        Placement.of_micrograph(analysis.micrograph),
        analysis.reconstruction,
    )
    return linked([image_layer(analysis.micrograph), *results])
