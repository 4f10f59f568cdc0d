"""Train VAE in a real window: results in their place, Stop, trouble while the job runs, and bad input."""

import sys

import numpy as np
import pytest

import napari_vae.widgets.train as train_module
from napari_vae.models.config import INVARIANCES, ModelConfig, TrainConfig
from napari_vae.widgets.jobs import OUT_OF_MEMORY, Step
from napari_vae.widgets.progress_box import duration

TURNED = {"scale": (0.02, 0.02), "translate": (5.0, -3.0), "rotate": 30, "units": ("nm", "nm")}
LONG = 90_000  # milliseconds


@pytest.fixture
def scene(viewer, lattice):
    image, positions, bright = lattice
    layer = viewer.add_image(image, name="lattice", **TURNED)
    points = viewer.add_points(positions, name="atoms", features={"mine": np.arange(len(positions))}, **TURNED)
    return layer, points, bright


@pytest.fixture
def widget(scene, open_widget):
    return quick(open_widget("Train VAE"))


def quick(widget, epochs=3):
    widget.model.epochs.setValue(epochs)
    widget.model.choose("vae")
    return widget


def finish(qtbot, widget):
    with qtbot.waitSignal(widget.delivery.done, timeout=LONG):
        pass


def kinds(viewer):
    return [layer.metadata.get("napari_vae", {}).get("kind") for layer in viewer.layers]


def test_latents_classes_and_pictures_lie_where_the_image_lies(viewer, scene, widget, qtbot):
    image, points, bright = scene
    seen = []
    widget.job.progressed.connect(seen.append)
    widget.data.window_px.setValue(11)
    widget.model.epochs.setValue(40)
    widget.train()
    finish(qtbot, widget)
    assert {"residual", "reconstruction", "classes", "manifold"} <= set(kinds(viewer))
    for layer in viewer.layers:
        assert np.allclose(layer.scale, image.scale) and np.allclose(layer.translate, image.translate)
        assert np.allclose(layer.rotate, image.rotate) and layer.units == image.units
    columns = points.features
    assert list(columns["mine"]) == list(range(len(bright)))
    assert columns["z1"].dtype == np.float32 and {"z2", "class"} <= set(columns)
    inside = np.isfinite(columns["z1"])
    best = max(abs(np.corrcoef(columns[z][inside], bright[inside])[0, 1]) for z in ("z1", "z2"))
    assert best > 0.7  # what varies is the brightness of the atom
    assert points.face_color_mode == "colormap" and viewer.layers[-1] == points
    assert [event for event in seen if getattr(event, "manifold", None) is not None]
    assert widget.loss.curves["reconstruction"].getData()[1][-1] < widget.loss.curves["reconstruction"].getData()[1][0]
    assert not widget.manifold.pixmap().isNull()
    assert widget.progress.button.text() == "Train" and "atoms in" in widget.progress.words.text()


def test_stop_keeps_what_was_learnt(viewer, scene, widget, qtbot):
    widget.model.epochs.setValue(10_000)
    widget.progress.button.click()
    qtbot.waitUntil(lambda: "Training" in widget.progress.words.text(), timeout=LONG)
    assert widget.progress.button.text() == "Stop"
    widget.progress.button.click()
    assert widget.progress.button.text() == "Stopping …"
    finish(qtbot, widget)
    assert "Stopped early" in widget.progress.words.text()
    assert "z1" in scene[1].features
    assert widget.runs.save_button.isEnabled()


def test_training_again_replaces_our_columns_only_and_keeps_earlier_layers(viewer, scene, widget, qtbot):
    for _ in range(2):
        widget.train()
        finish(qtbot, widget)
    assert list(scene[1].features.columns).count("z1") == 1 and "vae_z1" not in scene[1].features
    classes = [layer for layer in viewer.layers if layer.metadata.get("napari_vae", {}).get("kind") == "classes"]
    assert [layer.visible for layer in classes] == [False, True]


def test_points_deleted_meanwhile_still_give_a_result(viewer, scene, widget, qtbot, notifications):
    widget.train()
    viewer.layers.remove(scene[1])
    finish(qtbot, widget)
    assert "z1" in viewer.layers["latents of lattice"].features
    assert any("layer of their own" in sentence for sentence in notifications)


def test_points_edited_meanwhile_are_not_touched(viewer, scene, widget, qtbot):
    widget.train()
    scene[1].add([[50.0, 50.0]])
    finish(qtbot, widget)
    assert list(scene[1].features) == ["mine"] and "z1" in viewer.layers["latents of lattice"].features


def test_image_deleted_meanwhile_does_no_harm(viewer, scene, widget, qtbot):
    widget.train()
    viewer.layers.remove(scene[0])
    finish(qtbot, widget)
    assert "z1" in scene[1].features


def test_every_layer_deleted_meanwhile(viewer, scene, widget, qtbot):
    widget.train()
    viewer.layers.clear()
    finish(qtbot, widget)
    assert "classes of lattice" in viewer.layers


def test_window_closed_meanwhile(viewer, scene, widget, qtbot):
    from qtpy.QtCore import QThreadPool

    widget.model.epochs.setValue(10_000)
    widget.train()
    qtbot.waitUntil(lambda: "Training" in widget.progress.words.text(), timeout=LONG)
    viewer.close()
    assert QThreadPool.globalInstance().waitForDone(20_000)


def out_of_memory(stop, *args):
    import torch

    yield Step("Starting …")
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def faulty(stop, *args):
    yield Step("Starting …")
    raise RuntimeError("shapes differ")


def test_out_of_memory_ends_in_a_sentence(scene, widget, qtbot, notifications, monkeypatch):
    monkeypatch.setattr(train_module, "train_steps", out_of_memory)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.train()
    assert OUT_OF_MEMORY in notifications and widget.progress.words.text() == OUT_OF_MEMORY
    assert widget.progress.button.text() == "Train" and widget.progress.button.isEnabled()


def test_a_fault_of_ours_does_not_hang_the_window(scene, widget, qtbot, notifications, monkeypatch):
    monkeypatch.setattr(train_module, "train_steps", faulty)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.train()
    assert any("shapes differ" in sentence for sentence in notifications)
    assert not widget.job.running and widget.progress.button.text() == "Train"


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
    [(lambda image: np.where(image > 0.9, np.nan, image), "NaN"), (np.ones_like, "constant")],
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
    assert "z1" in viewer.layers["windows of lattice"].features
    assert widget.data.atoms.currentText() == "a regular grid"  # the centres of windows are no atoms
    assert "windows in" in widget.progress.words.text() and "atoms" not in widget.progress.words.text()
    widget.data.step_px.setValue(160)
    notifications.clear()
    assert "windows on the grid" in refused(widget, notifications)


def test_two_channels(viewer, scene, widget, qtbot):
    viewer.add_image(-scene[0].data, name="dark", **TURNED)
    widget.data.image.choose(scene[0])
    assert [widget.data.channels.item(i).text() for i in range(widget.data.channels.count())] == ["dark"]
    widget.data.channels.item(0).setCheckState(widget.data.channels.item(0).checkState().__class__.Checked)
    widget.train()
    finish(qtbot, widget)
    assert kinds(viewer).count("reconstruction") == 2


def test_a_saved_model_is_loaded_and_applied(viewer, scene, widget, qtbot, tmp_path):
    widget.train()
    finish(qtbot, widget)
    first = scene[1].features["z1"].to_numpy()
    widget.runs.save(tmp_path / "model")
    assert "Saved" in widget.progress.words.text()
    curve = curve_of(widget)
    widget.runs.set_run(None)
    widget.loss.show_history(())
    widget.manifold.clear()
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.load(str(tmp_path / "model"))
    assert np.allclose(curve_of(widget), curve) and not widget.manifold.pixmap().isNull()
    widget.apply()
    finish(qtbot, widget)
    assert np.allclose(scene[1].features["z1"], first, atol=1e-4, equal_nan=True)


def curve_of(widget):
    return np.stack(widget.loss.curves["reconstruction"].getData())


def test_a_training_goes_on(viewer, scene, widget, qtbot):
    assert not widget.runs.continue_button.isEnabled()
    widget.train()
    finish(qtbot, widget)
    before = curve_of(widget)
    widget.model.choose("trvae")  # the run's own model is what counts
    widget.data.window_px.setValue(11)
    widget.model.epochs.setValue(20)
    widget.runs.continue_button.click()
    finish(qtbot, widget)
    after = curve_of(widget)
    assert np.allclose(after[:, : before.shape[1]], before) and after.shape[1] > before.shape[1]
    assert after[0, -1] == pytest.approx(before[0, -1] + 20)
    assert widget.runs.run.model_config.name == "vae" and widget.runs.run.window == (24, 24)


def test_an_image_unlike_the_training_data_is_told(viewer, open_widget, qtbot, notifications):
    from napari_vae import samples
    from napari_vae.io.napari_reader import image_layer
    from napari_vae.layers import atoms_to_points, placement_of

    def show(kind, seed, zoom=1.0):
        viewer.layers.clear()
        image, truth = samples.micrograph(kind, size=384, seed=seed)
        data, options, _ = image_layer(image)
        layer = viewer.add_image(data, **{**options, "scale": np.array(options["scale"]) * zoom})
        data, options, _ = atoms_to_points(truth, placement_of(layer))
        viewer.add_points(data, **options)

    def told():
        notifications.clear()
        widget.apply()
        finish(qtbot, widget)
        return [sentence for sentence in notifications if "take the results with care" in sentence]

    show("graphene", 0)
    widget = quick(open_widget("Train VAE"), epochs=30)
    widget.model.choose("rvae")
    widget.data.window_px.setValue(24)
    widget.train()
    finish(qtbot, widget)
    show("graphene", 1)
    assert not told()
    show("perovskite", 1)
    assert "do not look like" in told()[0] and told()[0] in widget.progress.words.text()
    show("graphene", 1, zoom=2)
    assert "2 times as large" in told()[0]


def test_replacing_a_saved_model_is_asked(viewer, scene, widget, qtbot, tmp_path):
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QMessageBox

    def press():
        boxes = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox) and w.isVisible()]
        if boxes:
            asked.stop()
            boxes[0].button(button).click()

    asked = QTimer(interval=50)
    asked.timeout.connect(press)

    widget.train()
    finish(qtbot, widget)
    assert widget.runs.may_replace(tmp_path / "model")  # nothing is there
    widget.runs.save(tmp_path / "model")
    button = QMessageBox.StandardButton.No
    asked.start()
    assert not widget.runs.may_replace(tmp_path / "model")
    button = QMessageBox.StandardButton.Yes
    asked.start()
    assert widget.runs.may_replace(tmp_path / "model")


def test_a_result_that_overtakes_another_loses_no_layer(viewer, scene, widget, qtbot):
    results = []
    widget.job.succeeded.connect(results.append)
    widget.train()
    finish(qtbot, widget)
    made = kinds(viewer).count("classes")
    widget.delivery.start(results[0])
    widget.delivery.start(results[0])
    finish(qtbot, widget)
    assert kinds(viewer).count("classes") == kinds(viewer).count("manifold") == made + 2


def test_points_moved_to_another_frame_meanwhile_are_not_touched(viewer, qtbot, open_widget, lattice):
    viewer.add_image(np.stack([lattice[0]] * 2), name="movie")
    points = viewer.add_points(np.insert(lattice[1], 0, 0, axis=1), name="atoms")
    widget = quick(open_widget("Train VAE"))
    widget.train()
    points.data = np.insert(lattice[1], 0, 1, axis=1)
    finish(qtbot, widget)
    assert "z1" not in points.features and "z1" in viewer.layers["latents of movie"].features


def test_colours_are_explained(viewer, scene, widget, qtbot):
    from napari_vae.layers import CLASS_COLORS

    widget.train()
    finish(qtbot, widget)
    assert scene[1].face_colorbar.visible
    words = widget.legend.text()
    assert "z1" in words and CLASS_COLORS[0] in words
    counts = scene[1].features["class"].value_counts()
    assert f"0: {counts['0']}" in words


def test_the_manifold_comes_into_view_unless_the_user_looks_at_a_detail(viewer, scene, widget, qtbot):
    camera = viewer.scene.camera
    viewer.reset_view()
    whole = camera.zoom
    widget.train()
    finish(qtbot, widget)
    assert camera.zoom < 0.9 * whole
    camera.zoom = 10 * whole
    widget.train()
    finish(qtbot, widget)
    assert camera.zoom == pytest.approx(10 * whole)


def test_a_model_that_is_none_is_refused(viewer, scene, widget, qtbot, tmp_path, notifications):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.load(str(tmp_path))
    assert len(notifications) == 1 and not widget.runs.apply_button.isEnabled()


def side(square):
    """Length of the lines but for what fills the corners."""
    return np.linalg.norm(square.data[:, 1], axis=1).mean() - float(square.edge_width)


def test_window_is_suggested_and_drawn(viewer, scene, show_widget, qtbot):
    widget = show_widget(train_module.TrainWidget)
    assert widget.data.window_px.value() == 24
    qtbot.waitUntil(lambda: "window" in kinds(viewer), timeout=5000)
    square = viewer.layers["window size"]
    assert side(square) == pytest.approx(24) and np.allclose(square.scale, (0.02, 0.02))
    widget.data.window_px.setValue(30)
    qtbot.waitUntil(lambda: abs(side(square) - 30) < 1e-3, timeout=5000)
    assert square in viewer.layers  # moved, not made anew
    widget.hide()
    assert "window" not in kinds(viewer)


def test_presets_and_check_boxes_agree(open_widget):
    form = open_widget("Train VAE").model
    for i in range(form.preset.count() - 1):
        form.preset.setCurrentIndex(i)
        assert form.model() == ModelConfig.preset(form.preset.currentData())
    form.choose("strain-rvae")
    assert [name for name in INVARIANCES if form.checks[name].isChecked()] == ["rotation", "strain"]
    form.checks["strain"].setChecked(False)
    assert form.preset.currentData() == "rvae"
    form.checks["scale"].setChecked(True)
    assert form.preset.currentText() == "as ticked below" and form.model().name == "rsvae"


def test_choices_are_remembered(viewer, scene, show_widget, remembered):
    from qtpy.QtCore import QCoreApplication, QEvent

    from napari_vae.widgets.detect import DetectWidget
    from napari_vae.widgets.memory import PLUGIN
    from napari_vae.widgets.train import TrainWidget

    def close(widget):
        widget.deleteLater()
        QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)

    train, detect = TrainWidget(viewer), DetectWidget(viewer)
    assert train.model.model() == ModelConfig.preset("rvae") and train.model.train() == TrainConfig()
    assert detect.form.request().sublattices == 1 and detect.form.request().refine
    train.model.choose("strain-rvae")
    train.model.latent_dim.setValue(3)
    train.model.beta.setValue(2.5)
    train.model.epochs.setValue(7)
    train.model.device.setCurrentIndex(1)
    train.data.window_px.setValue(33)
    detect.form.polarity.setCurrentIndex(2)
    detect.form.sublattices.setCurrentIndex(3)
    detect.form.refine.setChecked(False)
    model, training = train.model.model(), train.model.train()
    close(train), close(detect)
    assert "beta: 2.5" in remembered.config_path.read_text() and remembered.config_path.stem == PLUGIN
    train, detect = show_widget(TrainWidget), show_widget(DetectWidget)
    assert train.model.model() == model and train.model.train() == training
    assert train.model.preset.currentData() == "strain-rvae"
    assert train.data.window_px.value() == 24  # belongs to the image
    request = detect.form.request()
    assert (request.polarity, request.sublattices, request.refine) == ("dark", 3, False)


def test_the_second_dock_goes_behind_a_tab(make_napari_viewer_proxy, remembered, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    docks = [viewer.window.add_plugin_dock_widget("napari-vae", name)[0] for name in ("Detect atoms", "Train VAE")]
    window = docks[0].window()
    qtbot.waitUntil(lambda: docks[0] in window.tabifiedDockWidgets(docks[1]), timeout=5000)


def test_every_control_explains_itself(open_widget):
    from qtpy.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar

    for name in ("Train VAE", "Detect atoms"):
        widget = open_widget(name)
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QAbstractSlider):
            for control in widget.findChildren(kind):
                if isinstance(control, QScrollBar) or control.objectName() or not control.isEnabledTo(widget):
                    continue
                assert control.toolTip() or control.parent().toolTip(), (name, control)


def test_opening_does_not_import_torch():
    import subprocess

    code = "import sys, napari_vae.widgets.train, napari_vae.widgets.detect; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0


def test_durations_in_words():
    assert (duration(0.4), duration(61), duration(3725)) == ("0 s", "1 min 1 s", "1 h 2 min")
