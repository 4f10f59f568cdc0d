"""The image that is worked on: which points are of it, and in which units others are opened beside it."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vae.layers.active import ActiveImage, active_of, like_what_is_open


@pytest.fixture
def scene():
    return np.random.default_rng(0).random((64, 64)).astype(np.float32)


def test_points_of_which_nothing_is_noted_belong_to_the_image_that_they_share_units_with(scene):
    viewer = ViewerModel()
    bare = viewer.add_image(scene)
    scaled = viewer.add_image(scene, scale=(0.02, 0.02), units=("nm", "nm"))
    viewer.add_image(scene, name="map", metadata={"napari_vae": {"image": "of another"}})
    active = ActiveImage(viewer)
    assert active.image is scaled, "the topmost that was not made from another"
    points, pixels = viewer.add_points([[0.5, 0.5]], units=("nm", "nm")), viewer.add_points([[0.5, 0.5]])
    for image in (bare, scaled):
        active.choose(image)
        assert active.image_of(points) is scaled and active.image_of(pixels) is bare


def test_what_is_opened_has_units_like_those_of_the_active_image_until_an_image_comes(scene, monkeypatch):
    viewer = ViewerModel()
    viewer.add_image(scene, scale=(0.02, 0.02), units=("nm", "nm"))
    active_of(viewer)
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    known = {"napari_vae": {"kind": "atoms"}}
    opened = [
        ([[0, 0]], {"metadata": known}, "points"),
        ([[0, 0]], {"units": ("Å", "Å")}, "points"),
        (scene, {"visible": False}, "image"),
        (scene, {"channel_axis": 0, "visible": False}, "image"),
        (scene, {}, "image"),
        ([[0, 0]], {}, "points"),
    ]
    (_, pixels, _), (_, same, _), (_, hidden, _), (_, channels, _), (_, image, _), (_, later, _) = like_what_is_open(
        opened
    )
    for options, kept in ((pixels, {"kind": "atoms"}), (hidden, {}), (image, {})):
        assert options["units"] == ("nanometer", "nanometer")
        assert options["metadata"]["napari_vae"] == kept | {"own_units": ("pixel", "pixel")}
    assert same == {"units": ("Å", "Å")} and later == {} and channels == {"channel_axis": 0, "visible": False}
    assert known == {"napari_vae": {"kind": "atoms"}}
