"""What Train VAE can be given: bad input ends in a sentence; grids and channels work."""

import numpy as np
import pytest

from napari_vae.core.placement import Placement
from napari_vae.layers.points import placement_of
from napari_vae.widgets.common.pixel_size_box import calibrate
from training_widget import LONG, TURNED, add_layer, finish, kinds, quick


def refused(widget, notifications):
    widget.train()
    assert not widget.job.running and len(notifications) == 1
    assert widget.progress.button.text() == "Train"
    return notifications[0]


def test_no_image(viewer, open_widget, notifications):
    assert "no image" in refused(open_widget("Train VAE"), notifications)


def test_empty_points(viewer, scene, widget, notifications):
    scene[1].data = np.empty((0, 2))
    assert "no points" in refused(widget, notifications)


def test_too_few_atoms(viewer, scene, widget, notifications):
    scene[1].data = scene[1].data[:19]
    assert "at least 20" in refused(widget, notifications)


def test_window_larger_than_the_image(viewer, scene, widget, notifications):
    widget.data.window_px.setValue(161)
    assert "larger than the image" in refused(widget, notifications)


def test_colour_picture(viewer, open_widget, notifications):
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True)
    assert "Split RGB" in refused(open_widget("Train VAE"), notifications)


@pytest.mark.parametrize(
    "spoil, words",
    [(lambda image: np.full_like(image, np.nan), "NaN"), (np.ones_like, "constant")],
)
def test_unusable_pixels(viewer, scene, widget, qtbot, notifications, spoil, words):
    scene[0].data = spoil(scene[0].data)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.train()
    assert len(notifications) == 1 and words in notifications[0]
    assert "z1" not in scene[1].features


def test_regular_grid_needs_no_atoms(viewer, qtbot, open_widget, lattice, notifications):
    viewer.add_image(lattice[0], name="lattice", scale=(0.5, 0.5))
    widget = quick(open_widget("Train VAE"))
    assert widget.data.atoms.currentText() == "a regular grid"
    widget.train()
    finish(qtbot, widget)
    assert "z1" in viewer.layers["windows"].features
    assert widget.data.atoms.currentText() == "a regular grid"  # the centres of windows are no atoms
    assert "windows in" in widget.progress.words.text() and "atoms" not in widget.progress.words.text()
    widget.data.step_px.setValue(160)
    notifications.clear()
    assert "windows on the grid" in refused(widget, notifications)


@pytest.mark.slow
def test_background_is_chosen_in_a_box_and_told(viewer, scene, widget, qtbot):
    widget.model.training["epochs"].setValue(60)
    scene[0].data = scene[0].data + 5 * np.linspace(0, 1, len(scene[0].data))[:, None]
    widget.data.level.setCurrentIndex(widget.data.level.findData("none"))
    for level, words in (
        ("none", "follows the slow brightness"),
        ("auto", "Background was subtracted before: "),
    ):
        widget.data.level.setCurrentIndex(widget.data.level.findData(level))
        widget.train()
        finish(qtbot, widget)
        assert words in widget.progress.words.text()


def test_two_channels(viewer, scene, widget, qtbot):
    widget.advanced.expand(animate=False)
    row = widget.data.channels
    assert not row.isVisibleTo(widget), "there is no second image"
    viewer.add_image(-scene[0].data, name="dark", **TURNED)
    widget.data.image.choose(scene[0])
    assert row.isVisibleTo(widget)
    assert [widget.data.channels.item(i).text() for i in range(widget.data.channels.count())] == ["dark"]
    widget.data.channels.item(0).setCheckState(widget.data.channels.item(0).checkState().__class__.Checked)
    widget.data.window_px.setValue(11)
    widget.train()
    finish(qtbot, widget)
    add_layer(qtbot, widget, "reconstruction")
    assert kinds(viewer).count("reconstruction") == 2


@pytest.fixture
def movie(viewer, lattice):
    place = {"scale": (5, 0.02, 0.02), "units": ("s", "nm", "nm"), "translate": (7, 1, 2)}
    return viewer.add_image(np.stack([lattice[0]] * 3), name="movie", **place)


@pytest.mark.parametrize("unit, length", [("nm", 1), ("Å", 10)])
def test_points_without_frames_are_used_on_the_frame_in_view(
    viewer, movie, open_widget, lattice, notifications, unit, length
):
    points = viewer.add_points((lattice[1] * 0.02 + (1, 2)) * length, name="flat", units=(unit, unit))
    widget = open_widget("Train VAE")
    viewer.dims.set_current_step(0, 2)
    widget.data.atoms.choose(points)
    source = widget.data.source()
    assert set(source.atoms["frame"]) == {2} and np.allclose(source.atoms[["y", "x"]], lattice[1])
    assert len(notifications) == 1 and "no axis of frames" in notifications[0] and "in view, 2" in notifications[0]


def test_points_that_lie_elsewhere_are_no_atoms_of_the_image(viewer, scene, widget, notifications):
    scene[1].translate = (900, 900)
    sentence = refused(widget, notifications)
    assert "No point of" in sentence and "no other image is shown while the table is opened" in sentence


def test_a_pixel_size_typed_in_during_a_training_is_that_of_its_results(viewer, lattice, open_widget, qtbot):
    from napari_vae.layers.open_runs import run_of

    image = viewer.add_image(lattice[0], name="plain", translate=(10, 20))
    points = viewer.add_points(lattice[1] * 2 + (10, 20), name="mine", scale=(0.5, 0.5), translate=(5, 10))
    widget = quick(open_widget("Train VAE"))
    widget.data.atoms.choose(points)
    widget.data.window_px.setValue(11)
    widget.train()
    calibrate(viewer.layers, image, 0.02, "nm")
    finish(qtbot, widget)
    assert "z1" in points.features
    for kind in ("reconstruction", "residual", "classes"):
        add_layer(qtbot, widget, kind)
    made = {layer.metadata.get("napari_vae", {}).get("kind"): Placement.of_layer(layer) for layer in viewer.layers}
    place = placement_of(image)
    assert all(made[kind].lies_like(place) for kind in ("reconstruction", "residual", "classes"))
    assert place.units == Placement.of_layer(points).units
    opened = run_of(viewer, points)
    for size in (0.02, 0.05):
        calibrate(viewer.layers, image, size, "nm")
        assert (opened.windows_of(points) >= 0).sum() == len(opened.patches)
