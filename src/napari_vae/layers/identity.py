"""Which layer is which, whatever it is called: images, what was made of them, copies; needs neither napari nor Qt.

An image has a random token in its metadata from when it is first used, and what is made from it has the same token.
Metadata also name the layer that they were written for (`unique_id` of napari): napari's *Duplicate* copies them, and a
copy is the user's. Names are for people and are never compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain, count, product
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ..core.placement import Placement
from .points import KEY, LayerData, placement_of

TOKEN, LAYER = "token", "layer"  # of an image; of the layer that the metadata were written for
FILE = "file"  # token of the file that several images were read from at a time
IMAGE, CHOSEN = "image", "chosen_image"  # token of the image that a result was made from; that the user chose for it
BEYOND = 0.05  # of the image, that points may lie outside of it
REPLACED = ("detected", "columns", "crystal_columns")  # noted with what we replace when it is made again
POINTS = "points"  # `id_of` the points that a result was made from


def ours(layer: Any) -> dict[str, Any]:
    """What we have noted in the metadata of a layer; not to be changed, since copies share it."""
    return dict(layer.metadata.get(KEY, {}))


def note(layer: Any, /, **values: Any) -> None:
    """Note values in the metadata of a layer."""
    layer.metadata = {**layer.metadata, KEY: {**ours(layer), **values}}


def id_of(layer: Any) -> str:
    """What tells a layer from all others while napari runs, its copies included."""
    return str(layer.unique_id)


def is_copy(layer: Any) -> bool:
    """Whether what we noted in the metadata of a layer was meant for another, of which this is a copy."""
    written_for = ours(layer).get(LAYER)
    return layer.source.parent is not None if written_for is None else written_for != id_of(layer)


def token_of(layers: Iterable[Any], image: Any) -> str:
    """The token of an image among layers, which is given to it if it has none of its own."""
    token = str(ours(image).get(TOKEN, ""))
    if not token or ours(image).get(LAYER) != id_of(image):
        token = token if image_with(layers, token) == image else uuid4().hex
        note(image, **{TOKEN: token, LAYER: id_of(image)})
    return token


def claim(layer: Any) -> None:
    """Make a copy a layer that we write into, since the user chose it: what it was copied with is the user's."""
    if is_copy(layer):
        kept = {name: value for name, value in ours(layer).items() if name not in REPLACED}
        layer.metadata = {**layer.metadata, KEY: kept | {LAYER: id_of(layer)}}


def image_with(layers: Iterable[Any], token: str) -> Any | None:
    """The image of that token; ``None`` if it is not among the layers, or if it is not certain which it is."""
    images = [layer for layer in layers if token and ours(layer).get(TOKEN) == token and not is_copy(layer)]
    images = [image for image in images if LAYER in ours(image)] or images  # of a file: none is noted yet
    return images[0] if len(images) == 1 else None


def belongs(layer: Any, image: Any) -> bool:
    """Whether a layer was made from an image; of points without a token, whether they all lie on it."""
    token = image_token(layer)
    return ours(image).get(TOKEN) == token if token else lies_on(image, layer)


def made_of(layers: Iterable[Any], kinds: Collection[str], **links: Any) -> list[Any]:
    """The layers of some kinds that we made, no copies, in which all that is given is noted, as ``image=token``."""
    made = [layer for layer in layers if ours(layer).get("kind") in kinds and not is_copy(layer)]
    return [layer for layer in made if all(ours(layer).get(name) == value for name, value in links.items())]


def add_made(viewer: Any, made: LayerData, of: Any | None = None, /, **links: Any) -> Any:
    """Add a layer that we made to a viewer.

    Parameters
    ----------
    viewer : napari viewer
    made : (data, options, type)
    of : layer, optional
        After which it is called, by the name that this has now; ``source`` in the metadata is the name that it had.
    **links
        Noted in the metadata, as ``image=token``.
    """
    data, options, kind = made
    noted, name = options["metadata"][KEY] | links, options["name"]
    if of is not None:
        name = name.replace(f" of {noted['source']}", f" of {of.name}", 1)
        noted["source"] = of.name
    name = _short(viewer, name, f" of {noted.get('source')}")
    layer = getattr(viewer, f"add_{kind}")(data, **options | {"name": name, "metadata": {KEY: noted}})
    note(layer, **{LAYER: id_of(layer)})
    return layer


def _short(viewer: Any, name: str, of_image: str) -> str:
    """A name without the image's while only one is open; with a number where there is a layer of that name."""
    there = {layer.name for layer in viewer.layers}
    images = [layer for layer in viewer.layers if layer.__class__.__name__ == "Image" and not image_token(layer)]
    name = name.replace(of_image, "", 1) if len(images) < 2 else name
    return next(each for each in chain([name], (f"{name} {number}" for number in count(2))) if each not in there)


def linked(layers: list[LayerData]) -> list[LayerData]:
    """Layer data of an image, which is the first, and of what was made from it, with a token in common."""
    token, (_, options, _) = uuid4().hex, layers[0]
    noted = options["metadata"]
    options["metadata"] = {KEY: noted[KEY] | {TOKEN: token}}
    if "channel_axis" in options:  # a layer for each channel, and the first stands for all
        options["metadata"] = [options["metadata"], *[noted] * (len(options["name"]) - 1)]
    for _, options, _ in layers[1:]:
        options["metadata"][KEY][IMAGE] = token
    return layers


def image_token(layer: Any) -> str:
    """Token of the image that a layer was made from, or that the user chose for it; empty if there is none."""
    noted = ours(layer)
    return str(noted.get(CHOSEN) or noted.get(IMAGE) or "")


def lies_on(image: Any, points: Any) -> bool:
    """Whether all points lie on an image, or not far beyond its border."""
    data = image.data[0] if image.multiscale else image.data
    there, own = placement_of(image), Placement.of_layer(points)

    def inside(places: npt.ArrayLike) -> bool:
        moved = there.points_from(places, own)
        shape = np.array(data.shape[: image.ndim][-moved.shape[1] :])
        return bool(((moved >= -BEYOND * shape) & (moved <= (1 + BEYOND) * shape)).all())

    corners = list(product(*np.transpose(points.extent.data)))  # napari keeps it
    return inside(corners) or inside(points.data)  # what lies between places inside is inside
