"""The one image of a viewer that is worked on, and its atoms, for all docks alike; needs neither napari nor Qt.

It is the image that was opened last, or chosen in a dock, or whose layer was selected, be it the image itself or what
was made from it. Layers are told apart by the tokens of `identity`, never by names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod, ref

from ..core.placement import KEY, OWN_UNITS, Placement
from .identity import CHOSEN, IMAGE, id_of, image_token, image_with, is_copy, lies_on, note, ours, token_of
from .points import LayerData
from .view import View, lend_units, units_like

RESULTS = ("reconstruction", "residual", "manifold", "decoded", "prediction", "uncertainty")
MARKS = ("preview", "next points", "learned", "vacancies", "changes")
#: By viewer, weakly, so that it goes with it.
_ACTIVE: WeakKeyDictionary[Any, ActiveImage] = WeakKeyDictionary()


def is_source_image(layer: Any) -> bool:
    """Whether the layer is an image and not one that we made from another."""
    return _is(layer, "Image") and ours(layer).get("kind") not in RESULTS


def is_original(layer: Any) -> bool:
    """Whether the layer is an image that was not made from another, as a map is."""
    return is_source_image(layer) and not image_token(layer)


def is_atoms(layer: Any) -> bool:
    """Whether the layer has points that may be atoms: not our marks, vacancies or the centres of a regular grid."""
    made = ours(layer)
    return _is(layer, "Points") and made.get("kind") not in MARKS and made.get("method") != "grid"


class ActiveImage:
    """Which image is worked on, and which points are its atoms.

    Attributes
    ----------
    image : Image layer or None
        None only if there is no image.
    atoms : Points layer or None
        By itself the newest detection in the image; None for a regular grid.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = ref(viewer)
        self._followers: list[WeakMethod[Callable[[], None]]] = []
        self._hidden: set[str] = set()  # ids of layers that we have hidden, since another image was chosen
        self._on_grid = False  # chosen by hand
        self._arrived: Any | None = None  # a hidden layer that napari is about to select, as it does with any
        self.image: Any | None = None
        self.atoms: Any | None = None
        layers = viewer.layers
        layers.events.inserted.connect(self._on_inserted)
        layers.events.removed.connect(self._on_removed)
        layers.selection.events.active.connect(self._on_selected)
        images = [layer for layer in layers if is_source_image(layer)]
        self._view = View(viewer, images[0] if len(images) == 1 else None)
        selected = layers.selection.active
        self.choose((selected and self.image_of(selected)) or self._topmost())
        self.atoms = self._best_atoms()

    def follow(self, callback: Callable[[], None]) -> None:
        """Call a bound method, which is kept weakly, whenever another image or other atoms are chosen."""
        self._followers.append(WeakMethod(callback))

    def choose(self, image: Any | None) -> None:
        """Work on this image: show its layers and hide those of others, and take its atoms."""
        if image is None or image == self.image or image not in self._layers:
            return
        if self.image is not None:
            for event in _placing(self.image):
                event.disconnect(self._on_placed)
        self.image, self._on_grid = image, False
        self._fit(self._layers)
        image.visible = True
        for event in _placing(image):
            event.connect(self._on_placed)
        selected = self._layers.selection.active
        if selected is not None and self._images_of(selected) and not self.has(selected):
            self._layers.selection.active = image
        self._view.frame(self.image)
        self.atoms = self._best_atoms()
        self._tell()

    def choose_atoms(self, points: Any | None) -> None:
        """Take these points for the atoms, until the image has new ones; None for a regular grid."""
        self._on_grid = points is None
        if points is not None and id_of(points) in self._hidden:
            self._show(points)
        if points != self.atoms:
            self.atoms = points
            self._tell()

    def image_of(self, layer: Any) -> Any | None:
        """The image that a layer is, or belongs to; None if that is not known."""
        return next(iter(self._images_of(layer)), None)

    def has(self, layer: Any) -> bool:
        """Whether a layer belongs to the image."""
        return self.image in self._images_of(layer)

    def is_of_another(self, layer: Any) -> bool:
        """Whether a layer belongs to images that are not worked on."""
        images = self._images_of(layer)
        return bool(images) and self.image not in images

    def bring_forward(self, layer: Any) -> bool:
        """Select a layer that a job has made or changed; not if the user works on another image by now."""
        if self.is_of_another(layer):
            return False
        self._layers.selection = [layer]
        return True

    def may_be_atoms(self, layer: Any) -> bool:
        """Whether a layer has points that may be atoms of the active image; those of another image are not."""
        if not is_atoms(layer):
            return False
        images = self._images_of(layer)
        return not images or self.image in images or lies_on(self.image, layer)

    def _images_of(self, layer: Any) -> list[Any]:
        """The images that a layer belongs to: by what is noted, or of points of which nothing is, those they lie on."""
        tokens = [ours(layer)[name] for name in (CHOSEN, IMAGE) if ours(layer).get(name)]
        if layer == self.image or (is_source_image(layer) and not tokens):
            return [layer]
        if tokens or not _is(layer, "Points"):
            found = [image_with(self._layers, token) for token in tokens]
            return [image for image in found if image is not None]
        images = [image for image in reversed(self._layers) if is_original(image) and lies_on(image, layer)]
        place = Placement.of_layer(layer)
        like = [image for image in images if place.shares_units(Placement.of_layer(image))]
        return sorted(like or images, key=lambda image: image != self.image)

    @property
    def _layers(self) -> Any:
        viewer = self._viewer()
        return () if viewer is None else viewer.layers

    def _on_inserted(self, event: Any) -> None:
        layer, self._arrived = event.value, None
        if layer.visible and is_original(layer) and not is_copy(layer):
            self.choose(layer)
            return
        if self.image is not None and _is(layer, "Points") and not len(layer.data) and not ours(layer):
            note(layer, **{CHOSEN: token_of(self._layers, self.image)})  # to be drawn by hand on what is seen
        copied = layer.visible and is_original(layer)  # by the user, who then works on the copy
        self._fit([layer])
        self._arrived = None if layer.visible or copied else layer
        if self._rank(layer) == 0 or (self.atoms is None and not self._on_grid):
            self._take_atoms()

    def _on_removed(self, event: Any) -> None:
        self._hidden.discard(id_of(event.value))
        if event.value == self.image:
            self.image = None
            self.choose(self._topmost())
        if event.value == self.atoms or self.image is None:
            self._take_atoms()

    def _on_selected(self, event: Any) -> None:
        layer = self._layers.selection.active
        if layer is None or layer == self._arrived:
            return
        self._arrived = None
        if not self.has(layer):
            self.choose(self.image_of(layer))
        if self._rank(layer) == 0:
            self.choose_atoms(layer)

    def _topmost(self) -> Any | None:
        """The topmost image; a copy, which may be a backup, or a map only if there is no other."""
        images = filter(is_source_image, reversed(self._layers))
        return min(images, key=lambda image: (not is_original(image), is_copy(image)), default=None)

    def _take_atoms(self) -> None:
        self._on_grid, self.atoms = False, self._best_atoms()
        self._tell()

    def _best_atoms(self) -> Any | None:
        ranks = {layer: self._rank(layer) for layer in reversed(self._layers)}
        likely = [layer for layer, rank in ranks.items() if rank is not None]
        return min(likely, key=lambda layer: ranks[layer] or 0, default=None)

    def _rank(self, layer: Any) -> int | None:
        """How likely points are the atoms of the image, 0 the most; None if they are to be chosen by hand only."""
        if not self.may_be_atoms(layer) or (self.image is not None and not self.has(layer)):
            return None
        if is_copy(layer):
            return 3
        return 2 if not image_token(layer) else 0 if "detected" in ours(layer) else 1

    def _fit(self, layers: Iterable[Any]) -> None:
        """Show what belongs to the image unless the user has hidden it; hide what belongs to others, in like units."""
        units = () if self.image is None else Placement.of_layer(self.image).units
        for layer in layers:
            lend_units(layer, () if self.has(layer) else units)
        for layer in layers:
            if self.has(layer) and id_of(layer) in self._hidden:
                self._show(layer)
            elif layer.visible and self.is_of_another(layer):
                self._hidden.add(id_of(layer))
                layer.visible = False

    def _show(self, layer: Any) -> None:
        self._hidden.remove(id_of(layer))
        layer.visible = True

    def _on_placed(self, event: Any) -> None:
        self._fit(self._layers)
        self._view.frame(self.image)

    def _tell(self) -> None:
        for follower in self._followers:
            callback = follower()
            if callback is not None:
                callback()
        self._followers = [follower for follower in self._followers if follower() is not None]


def active_of(viewer: Any) -> ActiveImage:
    """The active image of a viewer; each widget is given a proxy of the viewer of its own."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _ACTIVE:
        _ACTIVE[viewer] = ActiveImage(viewer)
    return _ACTIVE[viewer]


def like_what_is_open(layers: list[LayerData]) -> list[LayerData]:
    """Layer data to be opened, in units like those of the active image, until one of them becomes the active image."""
    napari = sys.modules.get("napari")
    viewer = None if napari is None else napari.current_viewer()
    image = _ACTIVE[viewer].image if viewer in _ACTIVE else None
    for _, options, kind in layers if image is not None else ():
        own = tuple(options.get("units", ("pixel", "pixel")))
        lent = units_like(own, Placement.of_layer(image).units)
        if lent != own and "channel_axis" not in options:
            options["units"] = lent
            options["metadata"] = {KEY: options.get("metadata", {}).get(KEY, {}) | {OWN_UNITS: own}}
        if kind == "image" and options.get("visible", True):
            break
    return layers


def _placing(layer: Any) -> tuple[Any, ...]:
    """Events of a layer that moves in the world."""
    return layer.events.scale, layer.events.translate, layer.events.units


def _is(layer: Any, kind: str) -> bool:
    """Whether a layer, or a proxy of one, is of a kind of napari's."""
    return any(one.__name__ == kind for one in layer.__class__.__mro__)
