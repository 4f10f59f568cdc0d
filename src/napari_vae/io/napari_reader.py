"""Micrographs as napari layers: what napari calls for File → Open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..micrograph import Micrograph
from .reading import FORMATS, read_all

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return a reader when every path has a suffix that we read, else ``None``; the files are not opened.

    Examples
    --------
    >>> get_reader("notes.docx") is None
    True
    """
    paths = path if isinstance(path, list | tuple) else [path]
    known = bool(paths) and all(Path(str(item)).suffix.lower() in FORMATS for item in paths)
    return read_layers if known else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read one or several files as image layers with scale, units, axis labels and metadata.

    Raises
    ------
    ReadError
        If a file cannot be read; napari shows the sentence as a notification.
    """
    paths = path if isinstance(path, list | tuple) else [path]
    return [image_layer(micrograph) for item in paths for micrograph in read_all(item)]


def image_layer(micrograph: Micrograph) -> LayerData:
    """The layer data of a micrograph: a stack of channels becomes one layer per channel, frames a slider."""
    scale: tuple[float, ...] = micrograph.scale
    unit = micrograph.units if micrograph.pixel_size else "pixel"
    units: tuple[str, ...] = (unit, unit)
    labels: tuple[str, ...] = ("y", "x")
    options: dict[str, Any] = {"name": micrograph.name}
    if micrograph.axes == "TYX":
        scale, units, labels = (1.0, *scale), ("pixel", *units), ("t", *labels)
    if micrograph.axes == "CYX":
        options = {"name": [f"{micrograph.name} {c}" for c in range(micrograph.n_channels)], "channel_axis": 0}
        options |= {"colormap": "gray", "blending": "translucent_no_depth"}
    metadata = {"napari_vae": {"kind": "micrograph", **micrograph.metadata}}
    options |= {"scale": scale, "units": units, "axis_labels": labels, "metadata": metadata}
    return micrograph.data, options, "image"
