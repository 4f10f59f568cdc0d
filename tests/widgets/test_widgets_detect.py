"""Detect atoms in a real window: estimate, preview, threshold, edits that survive, movies, bad input."""

import numpy as np
import pytest

from napari_vae.core.placement import Placement
from napari_vae.layers.images import micrograph_from_layer
from training_widget import LONG, TURNED, settle


@pytest.fixture
def scene(viewer, lattice):
    return viewer.add_image(lattice[0], name="lattice", **TURNED)


@pytest.fixture
def widget(scene, open_widget):
    return open_widget("Detect atoms")


def detect(qtbot, widget):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.detect()


@pytest.fixture
def shown(scene, show_widget, qtbot):
    """The widget on the screen, once it has looked at the frame in view."""
    from napari_vae.widgets.detect.dock import DetectWidget

    widget = show_widget(DetectWidget)
    qtbot.waitUntil(lambda: widget.form.threshold.slider.isEnabled(), timeout=LONG)
    return widget


def test_every_atom_is_found_where_the_image_lies(viewer, scene, widget, qtbot, lattice):
    detect(qtbot, widget)
    points = viewer.layers["atoms"]
    assert np.allclose(points.scale, scene.scale) and np.allclose(points.translate, scene.translate)
    assert np.allclose(points.rotate, scene.rotate) and points.units == scene.units
    inner = lattice[1][((lattice[1] > 10) & (lattice[1] < 150)).all(axis=1)]
    distances = np.linalg.norm(points.data[None] - inner[:, None], axis=2).min(axis=1)
    assert (distances < 0.5).mean() > 0.98
    assert {"amplitude", "sigma", "score"} <= set(points.features) and not {"y", "x"} & set(points.features)
    assert viewer.layers.selection == {points}
    assert points.metadata["napari_vae"]["spacing"] == pytest.approx(12, rel=0.05)
    assert "atoms" in widget.progress.words.text()


def test_gaps_and_frames_that_show_nothing_are_left_out(viewer, open_widget, qtbot, lattice):
    gap = np.where(np.arange(len(lattice[0]))[:, None] > 80, np.nan, lattice[0])
    viewer.add_image(np.stack([np.full_like(gap, np.nan), gap]), name="stopped")
    widget = open_widget("Detect atoms")
    detect(qtbot, widget)
    assert (viewer.layers["atoms"].data[:, :2] <= (1, 80.5)).all()
    assert "Frame 0 shows nothing" in widget.progress.words.text()


def test_spacing_is_shown_in_the_unit_of_the_layer(viewer, shown, qtbot):
    assert shown.form.spacing.value() == pytest.approx(0.24, rel=0.05)
    assert shown.form.spacing.suffix() == " nm"
    assert shown.form.request().spacing is None  # an estimate is not an order
    shown.form.spacing.setValue(0.30)
    assert shown.form.request().spacing == pytest.approx(15)


def test_the_first_channel_of_a_file_is_searched_until_another_is_chosen(viewer, lattice, open_widget, tmp_path):
    box = open_widget("Detect atoms").form.image
    np.savez(tmp_path / "scan.npz", height=lattice[0], current=np.zeros((160, 160)))
    viewer.open(tmp_path / "scan.npz", plugin="napari-vae")
    assert box.layer() == viewer.layers[-1] and box.currentText() == "scan height"
    box.setCurrentText("scan current")
    viewer.add_points(lattice[1])
    assert box.currentText() == "scan current"


@pytest.mark.parametrize("apart", [False, True])
def test_a_pixel_size_is_that_of_every_channel_of_a_file(viewer, lattice, open_widget, tmp_path, apart):
    form = open_widget("Detect atoms").form
    np.savez(tmp_path / "scan.npz", height=lattice[0], phase=lattice[0][::-1], overview=np.eye(50))
    for layer in viewer.open(tmp_path / "scan.npz", plugin="napari-vae"):
        layer.translate = (0, 200 * apart * viewer.layers.index(layer))
    other = viewer.add_image(lattice[0], name="of another file")
    form.image.setCurrentText("scan height")
    form.pixel_size.setValue(0.02)
    for name, size in (("scan height", 0.02), ("scan phase", 0.02), ("scan overview", 1.0), (other.name, 1.0)):
        assert np.allclose(viewer.layers[name].scale, size)


def test_a_dock_scrolls_only_where_it_is_higher_than_its_window(shown, qtbot):
    detect(qtbot, shown)
    shown.resize(420, 800)
    bar, content = shown.verticalScrollBar(), shown.widget()
    qtbot.waitUntil(lambda: content.height() == 800 and not bar.isVisible(), timeout=LONG)
    assert content.heightForWidth(content.width()) <= 800
    shown.resize(420, 300)
    qtbot.waitUntil(bar.isVisible, timeout=LONG)
    assert content.height() == content.heightForWidth(content.width())


def test_words_are_about_the_image_that_is_chosen(viewer, open_widget, qtbot):
    viewer.add_image(np.random.default_rng(0).normal(size=(96, 96)), name="noise")
    widget = open_widget("Detect atoms")
    detect(qtbot, widget)
    words = widget.progress.words.text()
    assert words.startswith("No atoms were found. Nothing here looks") and "threshold" not in words
    other = viewer.add_image(np.zeros((50, 50)), name="other")
    widget.form.image.choose(other)
    assert widget.progress.words.text() == ""


def test_a_pixel_size_is_typed_in_where_the_file_has_none(viewer, lattice, show_widget):
    from napari_vae.widgets.detect.dock import DetectWidget

    image = viewer.add_image(lattice[0], name="plain", translate=(10, 20))
    atoms = viewer.add_points(lattice[1], name="on it", translate=(10, 20))
    other = viewer.add_image(np.zeros((50, 50)), name="other", scale=(3, 3), units=("nm", "nm"))
    form = show_widget(DetectWidget).form
    form.image.setCurrentText("plain")
    assert form.pixel_size.text() == "↔ not known"
    form.pixel_size.setValue(0.02)
    for layer in (image, atoms):
        assert np.allclose(layer.scale, 0.02) and np.allclose(layer.translate, (0.2, 0.4))
        assert str(layer.units[-1]) == "nanometer"
    assert np.allclose(other.scale, 3)
    assert form.request().micrograph.pixel_size == pytest.approx((0.02, 0.02))
    image.scale = (0.04, 0.02)  # unequal pixels keep their shape
    form.pixel_size.setValue(0.01)
    assert np.allclose(image.scale, (0.02, 0.01))
    form.pixel_height.setValue(0.03)
    assert np.allclose(image.scale, (0.03, 0.01)) and np.allclose(other.scale, 3)
    assert form.pixel_size.value() == pytest.approx(0.01)
    assert form.pixel_size.text().endswith(" nm")


@pytest.mark.parametrize(("unit", "size", "typed"), [("pixel", 1.0, (0.02, "nm")), ("m", 5e-10, (4e-10, "m"))])
def test_a_pixel_size_is_of_one_image_and_of_what_lies_on_it(viewer, lattice, unit, size, typed):
    from napari_vae.widgets.common.pixel_size_box import calibrate

    places = {"scale": (size, size), "units": (unit, unit)}
    other = viewer.add_image(lattice[0], name="other", **places | {"scale": (1.5 * size,) * 2})
    alike = viewer.add_image(lattice[0], name="alike", **places)
    far = viewer.add_points([[1e4, 1e4]], name="far", **places)
    image = viewer.add_image(lattice[0], name="plain", affine=np.diag([2, 2, 1]), translate=(size, 0), **places)
    drawn = viewer.add_shapes([[[5, 5], [5, 20], [20, 20]]], shape_type="polygon", **places)
    pixels = np.array([(0.0, 0.0), (10.0, 20.0)])
    on_drawing = [drawn.world_to_data(image.data_to_world(pixel)) for pixel in pixels]
    calibrate(viewer.layers, image, *typed)
    assert micrograph_from_layer(image).pixel_size == pytest.approx((typed[0], typed[0]), abs=0)
    assert micrograph_from_layer(image).units == typed[1] and drawn.units == image.units
    assert np.allclose([drawn.world_to_data(image.data_to_world(pixel)) for pixel in pixels], on_drawing)
    for layer, before in ((other, 1.5 * size), (alike, size), (far, size)):
        place = Placement.of_layer(layer)
        assert np.allclose(place.scale, before, rtol=1e-12, atol=0) and place.units[-1].startswith(unit)


def test_a_pixel_size_typed_in_while_a_job_runs_is_that_of_its_atoms(viewer, lattice, open_widget, qtbot):
    image = viewer.add_image(lattice[0], name="plain", translate=(10, 20))
    widget = open_widget("Detect atoms")
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.detect()
        widget.form.pixel_size.setValue(0.02)
    points = viewer.layers["atoms"]
    assert points.units == image.units and str(points.units[-1]) == "nanometer"
    assert np.allclose(points.scale, 0.02) and np.allclose(points.translate, (0.2, 0.4))


def test_spacing_in_any_unit(scene, shown):
    units = {"pm": (20.0, "pm"), "angstrom": (0.2, "Å"), "um": (2e-5, "µm"), "pixel": (1.0, "px")}
    for unit, (pixel, words) in units.items():
        scene.units, scene.scale = (unit, unit), (pixel, pixel)
        assert shown.form.spacing.suffix() == f" {words}"
        assert shown.form.spacing.value() == pytest.approx(12 * pixel, rel=0.05)
        assert shown.form.request().spacing is None  # the estimate does not become an order
    shown.form.spacing.setValue(18)
    scene.units, scene.scale = ("nm", "nm"), (0.02, 0.02)
    assert shown.form.spacing.value() == pytest.approx(0.36)
    assert shown.form.request().spacing == pytest.approx(18)


def test_spacing_with_oblong_pixels_and_what_keeps_it(viewer, scene, shown, qtbot):
    viewer.add_image(np.zeros((8, 8)), name="another")
    shown.form.image.choose(scene)
    scene.scale = (0.01, 0.04)
    shown.form.spacing.setValue(0.3)
    assert shown.form.request().spacing == pytest.approx(30)  # of the shorter side
    for box in (shown.form.method, shown.form.polarity):
        box.setCurrentIndex(1)
    qtbot.waitUntil(lambda: shown.form.threshold.slider.isEnabled(), timeout=LONG)
    assert shown.form.spacing.value() == pytest.approx(0.3)
    assert shown.form.request().spacing == pytest.approx(30)
    shown.form.estimate.click()
    assert shown.form.request().spacing is None


def test_histogram_and_slider_are_one(viewer, shown):
    box = shown.form.threshold
    assert box.histogram.line.value() == box.slider.value()
    everything = box.histogram.left.opts["height"].copy()
    box.slider.setValue(0)
    assert np.expm1(everything).sum() == pytest.approx(len(viewer.layers["preview of atoms"].data))
    box.histogram.line.setValue(700)  # as dragged
    assert box.slider.value() == 700 and box.by_hand
    taken = np.expm1(box.histogram.taken.opts["height"]).sum()
    assert taken == pytest.approx(len(viewer.layers["preview of atoms"].data), abs=2)
    box.slider.setValue(300)
    assert box.histogram.line.value() == 300
    assert np.array_equal(box.histogram.left.opts["height"], everything)
    box.automatic.click()
    assert box.histogram.line.value() == box.slider.value() != 300
    box.slider.setValue(800)
    score = box.score()
    box.show_scores([1.0, 2.0], chosen=1.5)  # on a frame where all are below it
    assert box.score() == score and box.slider.value() == 1000


def test_preview_follows_the_threshold_and_leaves_with_the_widget(viewer, shown, qtbot):
    marks = viewer.layers["preview of atoms"]
    many = len(marks.data)
    assert f": {many}" in shown.form.preview.text()
    shown.form.threshold.slider.setValue(950)
    assert 0 <= len(marks.data) < many
    assert shown.form.request().threshold == pytest.approx(shown.form.threshold.score())
    shown.form.threshold.automatic.click()
    assert len(marks.data) == many and shown.form.request().threshold is None
    shown.form.preview.setChecked(False)
    assert "preview of atoms" not in viewer.layers
    shown.form.preview.setChecked(True)
    shown.hide()
    assert "preview of atoms" not in viewer.layers


def test_preview_counts_what_detection_finds(viewer, shown, qtbot):
    counted = len(viewer.layers["preview of atoms"].data)
    detect(qtbot, shown)
    assert len(viewer.layers["atoms"].data) == counted


def test_what_was_chosen_automatically_is_said(viewer, scene, shown, qtbot):
    assert shown.form.polarity.currentText() == "automatic: bright" and shown.form.request().polarity == "auto"
    detect(qtbot, shown)
    assert "bright on dark" in shown.progress.words.text()
    scene.data = -scene.data
    shown.form.estimate.click()
    qtbot.waitUntil(lambda: shown.form.polarity.currentText() == "automatic: dark", timeout=LONG)


def test_the_method_is_said_and_can_be_chosen(viewer, shown, qtbot):
    assert shown.form.method.currentText() == "automatic: filter"
    shown.form.method.setCurrentText("learned")
    qtbot.waitUntil(lambda: shown.form.threshold.slider.isEnabled(), timeout=LONG)
    assert 0 <= shown.form.threshold.score() <= 1
    shown.form.threshold.slider.setValue(500)
    assert shown.form.request().method == "learned"
    detect(qtbot, shown)
    assert viewer.layers["atoms"].metadata["napari_vae"]["method"] == "learned"


def test_a_preview_that_fails_says_so_in_the_panel_only(viewer, scene, shown, qtbot, notifications):
    scene.data = np.full_like(scene.data, np.nan)
    shown.form.estimate.click()
    qtbot.waitUntil(lambda: "NaN" in shown.progress.words.text(), timeout=LONG)
    assert not notifications


def test_movies_frame_in_view_or_all(viewer, open_widget, qtbot, lattice):
    movie = np.stack([lattice[0], np.roll(lattice[0], 3, axis=1), lattice[0]])
    viewer.add_image(movie, name="movie", scale=(1, 0.02, 0.02), units=("pixel", "nm", "nm"))
    widget = open_widget("Detect atoms")
    viewer.dims.set_current_step(0, 1)
    widget.form.where.setCurrentIndex(1)
    detect(qtbot, widget)
    points = viewer.layers["atoms"]
    assert points.ndim == 3 and set(points.data[:, 0]) == {1}
    widget.form.where.setCurrentIndex(0)
    detect(qtbot, widget)
    assert set(viewer.layers["atoms"].data[:, 0]) == {0, 1, 2}
    assert "3 frames" in widget.progress.words.text()


def test_sublattices_become_a_column_with_colours(viewer, widget, qtbot):
    widget.form.sublattices.setCurrentIndex(2)
    detect(qtbot, widget)
    points = viewer.layers["atoms"]
    assert points.features["sublattice"].nunique() == 2 and "2 sublattices" in widget.progress.words.text()
    assert len(np.unique(points.border_color, axis=0)) == 2


def test_image_deleted_meanwhile(viewer, scene, widget, qtbot):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.detect()
        viewer.layers.remove(scene)
    assert "atoms" in viewer.layers
    assert widget.form.image.layer() is None


@pytest.mark.own_window
def test_window_closed_while_looking(viewer, widget, qtbot):
    from qtpy.QtCore import QThreadPool

    widget.detect()
    viewer.close()
    assert QThreadPool.globalInstance().waitForDone(LONG)


def test_no_image(open_widget, notifications):
    open_widget("Detect atoms").detect()
    assert len(notifications) == 1 and "no image" in notifications[0]


@pytest.mark.parametrize(
    "spoil, words",
    [(lambda image: np.full_like(image, np.nan), "NaN"), (np.ones_like, "")],
)
def test_unusable_pixels(viewer, scene, widget, qtbot, notifications, spoil, words):
    scene.data = spoil(scene.data)
    detect(qtbot, widget)
    assert len(notifications) == 1 and words in notifications[0]
    assert len(viewer.layers) == 1


def test_colour_picture(viewer, open_widget, notifications):
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True)
    open_widget("Detect atoms").detect()
    assert len(notifications) == 1 and "Split RGB" in notifications[0]


def test_weak_columns_that_show_are_offered_and_found(viewer, open_widget, qtbot):
    rows, columns = np.mgrid[:200, :200]
    image = 0.1 + np.exp(20 * (np.cos(2 * np.pi * rows / 25) + np.cos(2 * np.pi * columns / 25) - 2) / 13)
    image += 0.1 * np.exp(20 * (-np.cos(2 * np.pi * rows / 25) - np.cos(2 * np.pi * columns / 25) - 2) / 13)
    viewer.add_image(np.random.default_rng(0).poisson(300 * image).astype(float), name="perovskite")
    widget = open_widget("Detect atoms")
    assert widget.weak_button.isHidden()
    detect(qtbot, widget)
    assert "Weak columns show" in widget.progress.words.text() and not widget.weak_button.isHidden()
    heavy = len(viewer.layers["atoms"].data)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.weak_button.click()
    assert widget.weak_button.isHidden()
    points = viewer.layers["atoms"]
    assert len(points.data) > 1.6 * heavy
    assert set(points.features["found_in"]) == {1, 2}
    assert not widget.form.weak.isChecked() and not widget.form.request().weak  # asked for once
    detect(qtbot, widget)
    assert len(viewer.layers["atoms"].data) == heavy


def test_a_pixel_size_that_the_reader_of_napari_left_in_the_file_is_taken_over_by_a_click(
    viewer, lattice, show_widget, tmp_path, qtbot
):
    from napari_vae import write_image
    from napari_vae.widgets.detect.dock import DetectWidget

    write_image(lattice[0], tmp_path / "scan.tif", pixel_size=(0.03, 0.0115), units="nm")
    (image,) = viewer.open(tmp_path / "scan.tif", plugin="napari")
    viewer.add_image(np.zeros((160, 160)), name="other")
    form = show_widget(DetectWidget).form
    assert not form.size_of_file.isVisible()  # no file is known of the other
    form.image.choose(image)
    assert form.size_of_file.isVisible() and form.size_of_file.text() == "The file says 0.03 × 0.0115 nm: use it"
    form.size_of_file.click()
    assert np.allclose(image.scale, (0.03, 0.0115)) and {str(unit) for unit in image.units} == {"nanometer"}
    assert not form.size_of_file.isVisible() and form.pixel_size.value() == pytest.approx(0.0115)
    assert np.allclose(viewer.layers["other"].scale, 1)


def test_marks_do_not_come_back_over_what_was_found_until_something_else_is_asked_for(shown, viewer, qtbot):
    qtbot.waitUntil(lambda: "preview of atoms" in viewer.layers, timeout=LONG)
    detect(qtbot, shown)
    shown.hide()
    shown.show()
    settle(qtbot, shown)
    assert not shown.preview_job.running and "preview of atoms" not in viewer.layers
    shown.form.threshold.slider.setValue(shown.form.threshold.slider.value() + 50)
    qtbot.waitUntil(lambda: "preview of atoms" in viewer.layers, timeout=LONG)


def test_what_is_chosen_for_a_movie_stays_while_its_frames_are_looked_through(viewer, lattice, show_widget, qtbot):
    from napari_vae.widgets.detect.dock import DetectWidget

    rng = np.random.default_rng(0)
    faint = 0.3 * lattice[0] + 0.1 * rng.standard_normal(lattice[0].shape)
    viewer.add_image(np.stack([lattice[0], faint]), name="movie")
    viewer.dims.set_current_step(0, 0)
    form = (widget := show_widget(DetectWidget)).form
    qtbot.waitUntil(lambda: form.threshold.slider.isEnabled(), timeout=LONG)
    chosen, spacing, first = form.threshold.score(), form.spacing.value(), form.preview.text()
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: form.preview.text() not in (first, "mark atoms in view: looking …"), timeout=LONG)
    assert form.threshold.score() == chosen and form.spacing.value() == spacing
    detect(qtbot, widget)
    assert len(viewer.layers) == 2
    viewer.dims.set_current_step(0, 0)
    settle(qtbot, widget)
    assert not widget.preview_job.running and len(viewer.layers) == 2  # no marks lie over the result
