"""Train VAE on a regular grid in a real window: pictures that lie on the image, the Show bar and Explore."""

import numpy as np
import pytest

from napari_vae.layers.identity import note, ours
from napari_vae.layers.showing import PALETTES
from training_widget import LONG, finish, of_kind, quick, settle

PLACE = {"scale": (0.04, 0.02), "translate": (3.0, -7.0), "units": ("nm", "nm")}  # oblong pixels


@pytest.fixture
def stripes(viewer):
    """Stripes across the left half and along the right one, 8 square pixels wide, on oblong pixels."""
    y, x = np.mgrid[:48, :96]
    along = np.where(x < 48, x, 2 * y)
    pixels = np.sin(2 * np.pi * along / 8) + np.random.default_rng(0).normal(0, 0.1, along.shape)
    return viewer.add_image(pixels, name="stripes", **PLACE)


@pytest.fixture
def trained(viewer, stripes, open_widget, qtbot):
    widget = quick(open_widget("Train VAE"), epochs=12)
    widget.model.choose("rvae")
    widget.data.window_px.setValue(16)
    widget.data.step_px.setValue(8)
    widget.train()
    finish(qtbot, widget)
    return widget


def shown(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def place_of(layer, image, index):
    """Pixel of the image below a pixel of a picture."""
    return np.array(image.world_to_data(layer.data_to_world(index)))


def test_step_and_window_are_shown_and_typed_in_the_unit_of_the_image(stripes, open_widget, qtbot):
    data = open_widget("Train VAE").data
    assert (data.step_px.length.text(), data.window_px.length.text()) == ("= 0.24 nm", "= 0.48 nm")
    for typed, pixels in (("0.4 nm", 20), ("30 px", 30), ("25", 25), ("2 Å px", 10), ("1 s", 10), ("900 nm", 10)):
        data.step_px.lineEdit().setText(typed)
        data.step_px.interpretText()
        assert data.step_px.value() == pixels, typed
    stripes.scale = (1, 1)
    stripes.units = ("pixel", "pixel")
    assert not data.step_px.length.isVisibleTo(data)


def test_pictures_lie_on_the_image_and_points_are_hidden(viewer, stripes, trained, qtbot):
    points = viewer.layers["windows"]
    assert shown(viewer) == ["stripes", "map of z1"] and len(points.features) == 10 * 11
    pictures = {ours(layer)["column"]: layer for layer in of_kind(viewer, "map")}
    assert list(pictures) == ["angle", "z2", "z1"] and len(of_kind(viewer, "classes")) == 1
    angle = pictures["angle"]
    assert place_of(angle, stripes, (0, 0)) == pytest.approx([7.5 / 2, 7.5])
    assert place_of(angle, stripes, (9, 3)) == pytest.approx([79.5 / 2, 31.5])
    turned = np.exp(2j * np.deg2rad(angle.data))
    left, right = turned[:, :5].mean(), turned[:, 6:].mean()
    assert min(abs(left), abs(right)) > 0.9 and abs(np.angle(left / right)) == pytest.approx(np.pi, abs=0.2)
    bar = trained.show_bar
    bar.buttons["angle"].click()
    assert shown(viewer) == ["stripes", "map of angle"] and bar.buttons["angle"].isChecked()
    bar.buttons["Image"].click()
    assert shown(viewer) == ["stripes"]
    bar.buttons["class"].click()
    assert shown(viewer) == ["stripes", "class"]
    with qtbot.waitSignal(bar.maker.made, timeout=LONG):
        bar.choose("reconstruction_error")
    assert shown(viewer) == ["stripes", "map of reconstruction_error"]
    assert viewer.layers["map of reconstruction_error"].data.shape == (10, 11)
    trained.train()
    finish(qtbot, trained)
    assert len(of_kind(viewer, "map")) == 3 and len(of_kind(viewer, "classes")) == 1  # those of the first have gone


def test_explore_draws_the_places_and_classes_by_hand_are_seen(viewer, stripes, trained, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    points, explore = viewer.layers["windows"], show_widget(ExploreWidget)
    qtbot.waitUntil(lambda: explore.plot.drawn, timeout=20_000)
    settle(qtbot, explore)
    explore.link.select(np.array([0, 1, 2]))
    assert explore.link.selection().tolist() == [0, 1, 2] and not points.visible
    explore.show_bar.buttons["Atoms"].click()
    settle(qtbot, explore)
    assert points.visible and (points.border_color[3:, 3] < points.border_color[0, 3]).all()
    explore.show_bar.choose("class")
    column = points.features["class"].copy()
    column.iloc[:11] = column.cat.categories[-1] if column.iloc[0] != column.cat.categories[-1] else ""
    with qtbot.waitSignal(explore.show_bar.maker.made, timeout=LONG):
        points.features = points.features.assign(**{"class": column})
    (areas,) = of_kind(viewer, "classes")
    assert areas.visible and len(set(areas.data[0])) == 1 and areas.data[0, 0] != areas.data[1, 0]
    note(points, **{PALETTES: {"class": {column.cat.categories[-1]: "#123456"}}})
    with qtbot.waitSignal(explore.show_bar.maker.made, timeout=LONG):
        explore.show_bar.choose("class")
    (areas,) = of_kind(viewer, "classes")
    wanted = np.array([0x12, 0x34, 0x56]) / 255
    assert any(np.allclose(color[:3], wanted) for color in areas.colormap.color_dict.values()), "recoloured"
    explore.show_bar.buttons["Image"].click()
    explore.show_bar.buttons["class"].click()
    assert of_kind(viewer, "classes") == [areas] and areas.visible and not explore.show_bar.maker.job.running
