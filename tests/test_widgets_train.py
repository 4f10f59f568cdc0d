"""Train VAE in a real window: results in their place, Stop, trouble while the job runs, and bad input."""

import sys

import numpy as np
import pytest

import napari_vae.widgets.train as train_module
from napari_vae.models.config import INVARIANCES
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


def test_regular_grid_needs_no_atoms(viewer, qtbot, open_widget, lattice):
    viewer.add_image(lattice[0], name="lattice", scale=(0.5, 0.5))
    widget = quick(open_widget("Train VAE"))
    assert widget.data.atoms.currentText() == "a regular grid"
    widget.train()
    finish(qtbot, widget)
    assert "z1" in viewer.layers["latents of lattice"].features


def test_two_channels(viewer, scene, widget, qtbot):
    viewer.add_image(-scene[0].data, name="dark", **TURNED)
    widget.data.image.choose(scene[0])
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
    widget.runs.set_run(None)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.load(str(tmp_path / "model"))
    widget.apply()
    finish(qtbot, widget)
    assert np.allclose(scene[1].features["z1"], first, atol=1e-4, equal_nan=True)


def test_a_model_that_is_none_is_refused(viewer, scene, widget, qtbot, tmp_path, notifications):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.load(str(tmp_path))
    assert len(notifications) == 1 and not widget.runs.apply_button.isEnabled()


def test_window_is_suggested_and_drawn(viewer, scene, show_widget, qtbot):
    widget = show_widget(train_module.TrainWidget)
    assert widget.data.window_px.value() == 24
    qtbot.waitUntil(lambda: "window" in kinds(viewer), timeout=5000)
    square = viewer.layers["window size"]
    assert np.allclose(np.ptp(square.data[0], axis=0), 24) and np.allclose(square.scale, (0.02, 0.02))
    widget.data.window_px.setValue(30)
    qtbot.waitUntil(lambda: np.allclose(np.ptp(viewer.layers["window size"].data[0], axis=0), 30), timeout=5000)
    widget.hide()
    assert "window" not in kinds(viewer)


def test_presets_and_check_boxes_agree(open_widget):
    form = open_widget("Train VAE").model
    form.choose("strain-rvae")
    assert [name for name in INVARIANCES if form.checks[name].isChecked()] == ["rotation", "strain"]
    form.checks["strain"].setChecked(False)
    assert form.preset.currentData() == "rvae"
    form.checks["scale"].setChecked(True)
    assert form.preset.currentText() == "as ticked below" and form.model().name == "rsvae"


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
