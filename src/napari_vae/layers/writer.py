"""What napari calls for File → Save: points as tables, labels as calibrated TIFF, a described image as a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..core.errors import InputError
from ..core.placement import KEPT, Placement
from ..io.writing import write_image, write_table
from .identity import ours
from .points import LayerData, atoms_from_points


@contextlib.contextmanager
def _shown() -> Iterator[None]:
    """Turn our sentences into an error that napari shows; a ValueError it takes for a plugin that is not there."""
    try:
        yield
    except InputError as error:
        raise OSError(str(error)) from error


def write_points(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the positions in pixels and the features of points as a table, in the format that the name ends in.

    Raises
    ------
    OSError
        If the format needs something that is missing, such as a package or the size of the pixels.
    """
    layer = _layer((data, attributes, "points"))
    with _shown():
        table = atoms_from_points(layer)
        provenance = ours(layer) | {KEPT: Placement.of_layer(layer).to_dict()}
        return [str(write_table(table, path, provenance=provenance, **_calibration(layer)))]


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write labels as a TIFF with the size of their pixels, which opens as labels again.

    Raises
    ------
    OSError
        If there are more than 16 million labels, or axes beyond frames, rows and columns.
    """
    layer = _layer((data, attributes, "labels"))
    labels = layer.data[0] if layer.multiscale else layer.data
    with _shown():
        if labels.ndim not in (2, 3):
            raise InputError(f"The labels have {labels.ndim} axes; save (rows, columns) or (frames, rows, columns).")
        return [str(write_image(labels, path, labels=True, **_calibration(layer)))]


def write_analysis(path: str, layers: list[LayerData]) -> list[str]:
    """Write an image, the points that a model has described on it, and the model as the folder of an analysis.

    The atoms are those of the points now, moved by hand or not; the model describes them anew.

    Raises
    ------
    OSError
        If the layers are not one image and the points on it, the model is not open, or the folder is not empty.
    """
    from . import analysis

    with _shown():
        return [str(analysis.save_described([_layer(item) for item in layers], path))]


def _layer(item: LayerData) -> Any:
    from napari.layers import Layer

    return Layer.create(*item)


def _calibration(layer: Any) -> dict[str, Any]:
    pixel_size, units = Placement.of_layer(layer).pixel_size()
    return {"pixel_size": pixel_size, "units": units}
