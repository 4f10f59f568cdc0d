"""What napari calls for File → Save: points as tables, labels as calibrated TIFF, a described image as a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..core.folders import replacing, user_path
from ..core.placement import KEPT, Placement
from ..io.writing import write_image, write_table
from .identity import ours
from .points import LayerData, atoms_from_points

FILM_SIDE, FRAME_TIME, MOST_PIXELS = 400, 120, 100_000_000  # px and ms of a film; of all its frames


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


def write_film(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the frames of an image layer as a GIF or MP4 that plays, in the contrast and the colours of the layer.

    Raises
    ------
    OSError
        If the layer is no stack of frames (T, Y, X), or too large a one; or an MP4 is asked for without the package av.
    """
    import imageio.v3 as imageio

    layer = _layer((data, attributes, "image"))
    with _shown():
        if layer.ndim != 3 or layer.rgb or layer.multiscale:
            raise InputError("A film has axes (frames, rows, columns); save another layer as .tif or .png.")
        if not 0 < layer.data.size <= MOST_PIXELS:
            raise InputError(f"A film has 1 to {MOST_PIXELS:,} pixels in all its frames; crop or bin it first.")
        zoom = max(1, round(min(FILM_SIDE / max(layer.data.shape[1:]), (MOST_PIXELS / layer.data.size) ** 0.5)))
        pixels = np.stack([_pixels(frame, layer).repeat(zoom, 0).repeat(zoom, 1) for frame in layer.data])
        if path.lower().endswith(".mp4"):
            encoded = _mp4(pixels)
        else:
            encoded = imageio.imwrite("<bytes>", pixels, extension=".gif", plugin="pillow", duration=FRAME_TIME, loop=0)
        with replacing(user_path(path)) as temporary:
            temporary.write_bytes(encoded)
        return [path]


def _mp4(pixels: Any) -> bytes:
    """Frames (T, H, W, 3) as the content of a file."""
    import imageio.v3 as imageio

    if find_spec("av") is None:
        raise InputError(
            'Files that end in .mp4 need the package av; type pip install "napari-vae[film]", or write .gif.'
        )
    even = [(0, side % 2) for side in pixels.shape[1:3]]  # H.264 halves the resolution of colours
    pixels = np.pad(pixels, [(0, 0), *even, (0, 0)], mode="edge")
    encoded: bytes = imageio.imwrite(
        "<bytes>", pixels, extension=".mp4", plugin="pyav", codec="libx264", fps=1000 / FRAME_TIME
    )
    return encoded


def _pixels(frame: Any, layer: Any) -> Any:
    """A frame (H, W, 3) as the layer shows it."""
    low, high = layer.contrast_limits
    shade = np.clip((np.asarray(frame, np.float32) - low) / (high - low), 0, 1) ** layer.gamma
    return np.rint(255 * layer.colormap.map(shade.ravel())[:, :3]).astype(np.uint8).reshape(*shade.shape, 3)


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
