"""One image at a time: chosen once for all docks, with its layers and atoms; and the row of steps that leads on."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget, QTabBar

from napari_vae.core.placement import Placement
from napari_vae.layers.active import active_of
from napari_vae.layers.identity import note, token_of
from napari_vae.layers.points import KEY
from napari_vae.widgets.common.guide import Guide
from napari_vae.widgets.common.pixel_size_box import calibrate
from training_widget import LONG, duplicate

DOCKS = ("Detect atoms", "Train VAE", "Explore latents", "Active learning", "Batch")


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def detected(viewer, image, n=30):
    """Points as a detection in an image makes them."""
    places = np.random.default_rng(0).uniform(20, 100, (n, 2))
    noted = {"kind": "atoms", "image": token_of(viewer.layers, image), "detected": places}
    features = {"score": np.ones(n), "sigma": np.arange(n) / n}
    look = {"scale": image.scale, "units": image.units, "features": features}
    return viewer.add_points(places, name=f"atoms of {image.name}", metadata={KEY: noted}, **look)


@pytest.fixture
def two(viewer):
    """Two images of one name and size, each with its atoms; the second is active."""
    images, points = [], []
    for _ in range(2):
        images.append(viewer.add_image(np.zeros((120, 120)), name="image"))
        images[-1].name = "image"
        points.append(detected(viewer, images[-1]))
    return images, points


def test_the_row_of_steps_opens_docks_marks_what_is_done_and_leads_on(viewer, open_widget, qtbot):
    detect = open_widget("Detect atoms")
    head = detect.findChild(Guide).steps
    assert [button.text() for button in head.buttons.values()] == [
        "Detect",
        "Train",
        "Explore",
        "Measure next",
        "Batch",
    ]
    assert head.buttons["detection"].isChecked() and not head.next.isVisibleTo(detect)
    image = viewer.add_image(np.zeros((120, 120)), name="image")
    points = detected(viewer, image)
    assert head.marks["detection"].text() == "✓" and head.next.isVisibleTo(detect)
    click(head.next)
    train = open_widget("Train VAE")
    assert train.data.atoms.layer() == points
    note(points, columns=("sigma",))
    viewer.layers.selection = [image]
    viewer.layers.selection = [points]
    assert train.findChild(Guide).steps.next.text() == "Next: Explore"
    viewer.add_image(np.zeros((50, 50)), name="another")
    assert head.marks["detection"].text() != "✓" and not head.next.isVisibleTo(detect)


def test_a_click_on_a_step_raises_its_tab_and_all_tabs_can_be_read(viewer, open_widget, qtbot):
    panels, titles = [], ["Detect", "Train", "Explore", "Measure", "Batch"]
    window = open_widget(DOCKS[0]).window()
    window.resize(1366, 768)
    window.show()
    for name, title in zip(DOCKS, titles, strict=True):
        panels.append(open_widget(name))
        qtbot.waitUntil(
            lambda t=title: any(d.windowTitle() == t for d in window.findChildren(QDockWidget)), timeout=LONG
        )

    def tabs():
        bars = [bar for bar in window.findChildren(QTabBar) if bar.count() == len(DOCKS)]
        return [bar for bar in bars if [bar.tabText(n) for n in range(bar.count())] == titles]

    qtbot.waitUntil(lambda: len(tabs()) == 1, timeout=LONG)
    (bar,) = tabs()
    assert bar.sizeHint().width() <= bar.width()
    click(panels[-1].findChild(Guide).steps.buttons["models"])
    qtbot.waitUntil(lambda: bar.tabText(bar.currentIndex()) == "Train", timeout=LONG)
    qtbot.waitUntil(lambda: not panels[1].visibleRegion().isEmpty(), timeout=LONG)
    docks = [dock for dock in window.findChildren(QDockWidget) if dock.isAncestorOf(panels[1])]
    docks[0].hide()
    click(panels[-1].findChild(Guide).steps.buttons["models"])
    assert docks[0].isVisible()


def test_choosing_an_image_in_one_dock_chooses_it_and_its_atoms_in_all(viewer, two, open_widget):
    images, points = two
    detect, train, learn, explore = (open_widget(name) for name in (DOCKS[0], DOCKS[1], DOCKS[3], DOCKS[2]))
    for chosen, of in ((0, detect), (1, train), (0, explore), (1, learn)):
        of.image.choose(images[chosen])
        assert all(dock.image.layer() == images[chosen] for dock in (detect, train, learn, explore))
        boxes = (detect.crystal.atoms, train.data.atoms, learn.form.data.atoms, explore.layer_box)
        assert all(box.layer() == points[chosen] for box in boxes)
        assert [image.visible for image in images] == [layer.visible for layer in points] == [not chosen, bool(chosen)]


def test_the_active_image_follows_what_is_selected_opened_and_removed(viewer, two):
    (first, second), (ours, theirs) = two
    active = active_of(viewer)
    assert active.image == second and active.atoms == theirs
    viewer.layers.selection = [ours]
    assert active.image == first and active.atoms == ours
    first.name, second.name = "renamed", "image"
    viewer.layers.selection = [second]
    assert active.image == second
    newest = detected(viewer, second, 25)
    assert active.atoms == newest, "a new detection is what all docks use"
    third = viewer.add_image(np.zeros((3, 120, 120)), name="movie")
    assert active.image == third and active.atoms is None and not theirs.visible
    viewer.layers.remove(third)
    assert active.image == second and active.atoms == newest
    viewer.layers.remove(newest)
    assert active.atoms == theirs
    viewer.layers.clear()
    assert active.image is None and active.atoms is None


def test_a_map_is_worked_on_where_its_image_is_gone(viewer):
    image = viewer.add_image(np.zeros((120, 120)), name="image")
    noted = {"kind": "map", "image": token_of(viewer.layers, image)}
    added = viewer.add_image(np.ones((120, 120)), name="map", metadata={"napari_vae": noted})
    active = active_of(viewer)
    active.choose(added)
    on_map = detected(viewer, added)
    active.choose(image)
    viewer.layers.remove(image)
    assert active.image == added and active.atoms == on_map


def test_points_drawn_by_hand_belong_to_the_image_that_they_are_drawn_on(viewer):
    """napari's own button makes an empty layer, which the user then clicks into."""
    first, second = (viewer.add_image(np.zeros((120, 120)), name=name) for name in ("one", "two"))
    active = active_of(viewer)
    active.choose(first)
    drawn = viewer.add_points(ndim=2, name="Points")
    drawn.data = np.random.default_rng(0).uniform(20, 100, (30, 2))
    assert active.atoms == drawn
    active.choose(second)
    assert active.atoms is None and not drawn.visible, "though they would lie on it"
    assert active.may_be_atoms(drawn), "the user may choose them"
    active.choose(first)
    assert active.atoms == drawn and drawn.visible
    found = detected(viewer, first)
    assert active.atoms == found
    viewer.add_points(ndim=2, name="marks")
    assert active.atoms == found, "they are chosen by hand where atoms were detected"


def test_what_was_hidden_by_hand_stays_hidden(viewer, two):
    images, points = two
    active = active_of(viewer)
    points[1].visible = False
    active.choose(images[0])
    active.choose(images[1])
    assert images[1].visible and not points[1].visible and not points[0].visible
    active.choose(images[0])
    assert points[0].visible


def test_without_atoms_of_its_own_an_image_has_a_grid_and_never_those_of_another(viewer, two, open_widget):
    images, points = two
    train = open_widget("Train VAE")
    for image in images:
        vacancies = {"kind": "vacancies", "image": token_of(viewer.layers, image)}
        viewer.add_points([[30, 30]], name="vacancies", metadata={KEY: vacancies})
    viewer.layers.remove(points[1])
    train.image.choose(images[1])
    assert train.data.atoms.currentText() == "a regular grid" and train.data.window_px.value() == 24
    train.image.choose(images[0])
    assert train.data.atoms.layer() == points[0]


@pytest.mark.own_window
def test_images_in_nanometres_and_in_pixels_fill_the_canvas_each_with_its_unit(
    viewer, open_widget, qtbot, tmp_path, notifications
):
    import napari_vae as nv

    pixels = np.random.default_rng(0).normal(size=(224, 224)).astype(np.float32)
    nv.write_image(pixels, tmp_path / "measured.tif", pixel_size=0.08, units="nm")
    nv.write_image(pixels[:64, :64], tmp_path / "bare.tif")
    open_widget("Train VAE").window().show()
    (measured,) = viewer.open(tmp_path / "measured.tif", plugin="napari-vae")
    points = detected(viewer, measured)
    (bare,) = viewer.open(tmp_path / "bare.tif", plugin="napari-vae")
    assert viewer.canvas.overlays.scale_bar.visible
    for image, side, unit in ((bare, 64, "pixel"), (measured, 224 * 0.08, "nanometer"), (bare, 64, "pixel")):
        active_of(viewer).choose(image)
        qtbot.wait(1)  # draws
        assert [str(one) for one in viewer.layers.units] == [unit] * 2
        assert [layer.visible for layer in (measured, points, bare)] == [image == measured] * 2 + [image == bare]
        assert np.allclose(viewer.scene.camera.center[1:], side / 2, atol=side / 64)
        assert side * viewer.scene.camera.zoom == pytest.approx(0.95 * min(viewer.canvas.size), rel=0.01)
    for layer in (measured, points):
        assert Placement.of_layer(layer).units == ("nanometer",) * 2
    calibrate(viewer.layers, bare, 0.5, "nm")
    assert bare.scale[0] * 64 * viewer.scene.camera.zoom == pytest.approx(0.95 * min(viewer.canvas.size), rel=0.01)
    assert [str(one) for one in measured.units] == ["nanometer"] * 2 and np.allclose(measured.scale, 0.08)
    assert not [words for words in notifications if "nits" in words]


def test_of_a_file_with_several_channels_the_first_is_shown_alone(viewer, open_widget, real_data, notifications):
    viewer.add_image(np.zeros((3, 50, 50)), name="movie in pixels")
    detect = open_widget("Detect atoms")
    layers = viewer.open(real_data / "unseen" / "Si_7x7_051.sxm", plugin="napari-vae")
    assert [layer.name for layer in layers if layer.visible] == ["Si_7x7_051 Z forward"]
    assert detect.image.currentText() == "Si_7x7_051 Z forward" and not notifications
    detect.image.setCurrentText("Si_7x7_051 Current forward")
    assert [layer.name for layer in layers if layer.visible] == ["Si_7x7_051 Current forward"]


def test_a_pixel_size_is_that_of_the_channels_of_a_file_but_of_no_copy_and_no_file_opened_again(viewer, tmp_path):
    from napari_vae.layers.reader import image_layers

    np.savez(tmp_path / "two.npz", a=np.zeros((40, 40)), b=np.ones((40, 40)))
    opened = []
    for _ in range(2):
        for data, options, _ in image_layers(tmp_path / "two.npz"):
            opened.append(viewer.add_image(data, **options))
    copy = duplicate(viewer, opened[1])
    active_of(viewer).choose(opened[1])
    calibrate(viewer.layers, opened[1], 0.1, "nm")
    assert [round(float(layer.scale[0]), 3) for layer in (*opened, copy)] == [0.1, 0.1, 1, 1, 1]


def test_intensities_are_summed_over_another_detector_that_is_chosen(viewer, open_widget, qtbot):
    first = viewer.add_image(np.ones((120, 120)), name="HAADF")
    points = detected(viewer, first, 60)
    second = viewer.add_image(np.full((120, 120), 3.0), name="ABF")
    detect = open_widget("Detect atoms")
    assert detect.crystal.atoms.layer() is None
    detect.crystal.atoms.choose(points)
    for name, check in detect.crystal.quantities.items():
        check.setChecked(name == "intensities")
    with qtbot.waitSignal(detect.crystal.job.ended, timeout=LONG):
        detect.crystal.measure()
    shares = (points.features["intensity"] / points.features["cell_area"]).dropna()
    assert len(shares) > 5 and np.allclose(shares, 3) and second.visible and points.visible
