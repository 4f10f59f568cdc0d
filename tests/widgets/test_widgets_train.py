"""Train VAE in a real window: results in their place, Stop, and trouble while the job runs."""

import re
import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QInputDialog

import napari_vae.widgets.train.dock as train_module
from napari_vae.layers.open_runs import run_of
from napari_vae.layers.showing import shown_column
from napari_vae.patches.grid import grid_positions
from napari_vae.widgets.common.jobs import OUT_OF_MEMORY, Step
from napari_vae.widgets.common.plot import ORANGE
from napari_vae.widgets.train.live_view import LossPlot
from training_widget import LONG, add_layer, finish, kinds, quick, settle


def test_latents_classes_and_pictures_lie_where_the_image_lies(viewer, scene, widget, qtbot):
    image, points, bright = scene
    seen = []
    widget.job.progressed.connect(seen.append)
    widget.model.training["epochs"].setValue(20)
    widget.train()
    finish(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["lattice", "atoms"], "the rest is made when it is asked for"
    assert "atoms in" in widget.progress.words.text()
    for kind in ("residual", "reconstruction", "classes", "map"):
        add_layer(qtbot, widget, kind)
        (made,) = (layer for layer in viewer.layers if layer.metadata.get("napari_vae", {}).get("kind") == kind)
        assert made.visible
    assert kinds(viewer).count("residual") == 1
    for layer in viewer.layers:
        assert np.allclose(layer.scale, image.scale) and np.allclose(layer.translate, image.translate)
        assert np.allclose(layer.rotate, image.rotate) and layer.units == image.units
    columns = points.features
    assert list(columns["mine"]) == list(range(len(bright)))
    assert columns["z1"].dtype == np.float32 and {"z2", "class"} <= set(columns)
    inside = np.isfinite(columns["z1"])
    best = max(abs(np.corrcoef(columns[z][inside], bright[inside])[0, 1]) for z in ("z1", "z2"))
    assert best > 0.7  # what varies is the brightness of the atom
    assert shown_column(points) == "z1" and viewer.layers[-1] == points
    assert [event for event in seen if getattr(event, "manifold", None) is not None]
    assert widget.loss.curves["held_out"].getData()[1][-1] < widget.loss.curves["held_out"].getData()[1][0]
    assert not widget.manifold.pixmap().isNull()
    assert widget.progress.button.text() == "Train"


def test_a_peak_of_the_loss_leaves_the_rest_of_its_curve_to_be_seen(qtbot):
    """Numbers of a training in which the strain that helped is taken away after the tenth row."""
    held = [1968, 1734, 1555, 1585, 1550, 1508, 1522, 1497, 1478, 1715, 1582, 1954, 1550, 1510, 1462, 1414, 1371, 1337]
    loss = [3182, 1861, 1748, 1696, 1685, 1674, 1661, 1664, 1679, 1742, 1810, 3447, 1824, 1677, 1572, 1471, 1401, 1372]
    rows = [{"epoch": i + 1, "loss": a, "held_out": b} for i, (a, b) in enumerate(zip(loss, held, strict=True))]
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.show_history(rows)
    low, high = plot.curves["loss"].getViewBox().viewRange()[1]
    assert low < min(held) and 1824 < high < 2000, "a rise that lasts is in view, a single peak is not"
    plot.show_history([*rows[:3], {"epoch": 4, "loss": float("nan"), "held_out": 1600}])
    assert np.isfinite(plot.curves["loss"].getViewBox().viewRange()[1]).all()


def test_stop_keeps_what_was_learnt(viewer, scene, widget, qtbot):
    widget.model.training["epochs"].setValue(500)
    widget.progress.button.click()
    qtbot.waitUntil(lambda: "Training" in widget.progress.words.text(), timeout=LONG)
    seen = []
    widget.job.progressed.connect(lambda event: seen.append(len(getattr(event, "history", ()))))
    qtbot.waitUntil(lambda: seen[-1:] > [3], timeout=LONG)  # more than the mean of the windows is learnt
    settle(qtbot, widget)  # a click at once would be taken for the second one of a double click
    assert widget.progress.button.text() == "Stop"
    widget.progress.button.click()
    assert widget.progress.button.text() == "Stopping …"
    finish(qtbot, widget)
    assert "Stopped early" in widget.progress.words.text()
    assert "z1" in scene[1].features
    assert widget.runs.save_button.isEnabled()


def test_training_again_replaces_a_run_that_was_not_kept(viewer, scene, widget, qtbot, monkeypatch):
    def train(*kinds):
        widget.train()
        finish(qtbot, widget)
        for kind in kinds:
            add_layer(qtbot, widget, kind)

    for _ in range(2):
        train("classes", "residual")
    assert list(scene[1].features.columns).count("z1") == 1 and "vae_z1" not in scene[1].features
    assert [layer.name for layer in viewer.layers] == ["lattice", "class", "residual", "atoms"]
    offered = []
    monkeypatch.setattr(QInputDialog, "getText", lambda *args, text: (offered.append(text) or "first", True))
    widget.runs.keep_button.click()
    assert offered == ["run 1"]
    first = viewer.layers["first"].features["z1"].copy()
    widget.model.training["epochs"].setValue(15)
    train("classes")
    names = [layer.name for layer in viewer.layers]
    assert (
        set(names) == {"lattice", "residual, first", "class, first", "first", "class", "atoms"} and names[-1] == "atoms"
    )
    assert not viewer.layers["first"].visible and widget.data.atoms.layer() == scene[1]
    assert first.equals(viewer.layers["first"].features["z1"]) and not first.equals(scene[1].features["z1"])
    assert run_of(viewer, viewer.layers["first"]).run is not run_of(viewer, scene[1]).run


def test_what_was_changed_by_hand_is_not_taken_away(viewer, scene, widget, qtbot):
    widget.train()
    finish(qtbot, widget)
    add_layer(qtbot, widget, "classes")
    labels = viewer.layers["class"]
    labels.data[:5] = 1
    widget.train()
    finish(qtbot, widget)
    assert labels in viewer.layers and not labels.visible


def test_three_trainings_on_two_images_leave_few_layers(viewer, scene, widget, qtbot):
    other = viewer.add_image(scene[0].data[::-1], name="other", scale=scene[0].scale, units=scene[0].units)
    viewer.add_points(scene[1].data, name="others", scale=scene[0].scale, units=scene[0].units)
    for image in (other, scene[0], scene[0]):
        widget.data.image.choose(image)
        widget.data.window_px.setValue(11)
        widget.train()
        finish(qtbot, widget)
        add_layer(qtbot, widget, "classes")
    assert len(viewer.layers) <= 9 and not any("[" in layer.name for layer in viewer.layers)


def test_points_deleted_meanwhile_still_give_a_result(viewer, scene, widget, qtbot, notifications):
    widget.train()
    viewer.layers.remove(scene[1])
    finish(qtbot, widget)
    assert "z1" in viewer.layers["latents"].features
    assert any("layer of their own" in sentence for sentence in notifications)


def test_points_edited_meanwhile_are_not_touched(viewer, scene, widget, qtbot):
    widget.train()
    scene[1].add([[50.0, 50.0]])
    finish(qtbot, widget)
    assert list(scene[1].features) == ["mine"] and "z1" in viewer.layers["latents"].features


def test_image_deleted_meanwhile_does_no_harm(viewer, scene, widget, qtbot):
    widget.train()
    viewer.layers.remove(scene[0])
    finish(qtbot, widget)
    assert "z1" in scene[1].features


def test_every_layer_deleted_meanwhile(viewer, scene, widget, qtbot):
    widget.train()
    viewer.layers.clear()
    finish(qtbot, widget)
    assert "z1" in viewer.layers["latents"].features


@pytest.mark.own_window
def test_window_closed_meanwhile(viewer, scene, widget, qtbot):
    from qtpy.QtCore import QThreadPool

    widget.model.training["epochs"].setValue(10_000)
    widget.train()
    qtbot.waitUntil(lambda: "Training" in widget.progress.words.text(), timeout=LONG)
    viewer.close()
    assert QThreadPool.globalInstance().waitForDone(LONG)


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


def test_a_result_that_overtakes_another_loses_no_layer(viewer, scene, widget, qtbot):
    results = []
    widget.job.succeeded.connect(results.append)
    widget.train()
    finish(qtbot, widget)
    layers = list(viewer.layers)
    widget.delivery.start(results[0])
    widget.delivery.start(results[0])
    finish(qtbot, widget)
    assert list(viewer.layers) == layers


def test_points_moved_to_another_frame_meanwhile_are_not_touched(viewer, qtbot, open_widget, lattice):
    viewer.add_image(np.stack([lattice[0]] * 2), name="movie")
    points = viewer.add_points(np.insert(lattice[1], 0, 0, axis=1), name="atoms")
    widget = quick(open_widget("Train VAE"))
    widget.train()
    points.data = np.insert(lattice[1], 0, 1, axis=1)
    finish(qtbot, widget)
    assert "z1" not in points.features and "z1" in viewer.layers["latents"].features


def test_colours_are_explained(viewer, scene, widget, qtbot):
    from napari_vae.core.class_colors import CLASS_COLORS

    widget.train()
    finish(qtbot, widget)
    assert widget.show_bar.key.name.text() == "z1" and widget.show_bar.key.bar.isVisibleTo(widget)
    widget.show_bar.buttons["class"].click()
    counts = scene[1].features["class"].value_counts()
    words = widget.show_bar.key.legend.text()
    assert f"0:&nbsp;{counts['0']}" in words and CLASS_COLORS[0] in words


def test_a_result_leaves_the_view_as_it_is(viewer, scene, widget, qtbot):
    camera = viewer.scene.camera
    viewer.reset_view()
    before = camera.center, camera.zoom
    widget.train()
    finish(qtbot, widget)
    assert (camera.center, camera.zoom) == before


def test_a_training_that_ended_badly_is_told(scene, widget, qtbot, notifications, monkeypatch):
    from napari_vae.training import fit as training

    whole = training.iter_fit

    def noted(*args, **options):
        run = yield from whole(*args, **options)
        run.note = "The loss diverged; lower the learning rate."
        return run

    monkeypatch.setattr(training, "iter_fit", noted)
    widget.train()
    finish(qtbot, widget)
    assert any("The loss diverged" in sentence for sentence in notifications)
    assert "The loss diverged" in widget.progress.words.text()


def test_stopped_before_anything_was_learnt_changes_nothing(viewer, scene, widget, qtbot, monkeypatch):
    from napari_vae.training import session

    monkeypatch.setattr(session, "SHORTEST_EPOCH", 10_000)  # no evaluation before the stop
    monkeypatch.setattr(session, "LONGEST_EPOCH", 10_000)
    widget.model.training["epochs"].setValue(10_000)
    layers = list(viewer.layers)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.train()
        qtbot.waitUntil(lambda: "Training" in widget.progress.words.text(), timeout=LONG)
        widget.progress.button.click()
    assert "before anything was learnt" in widget.progress.words.text()
    assert list(viewer.layers) == layers
    assert list(scene[1].features) == ["mine"] and not widget.runs.save_button.isEnabled()


def test_a_model_no_better_than_the_mean_makes_no_layers(viewer, scene, widget, qtbot, monkeypatch):
    from napari_vae import Run

    describe = Run.describe

    def poorly(run, patches, **given):
        table, rebuilt = describe(run, patches, **given)
        return table, np.broadcast_to(1 - rebuilt.mean(axis=0), rebuilt.shape)

    monkeypatch.setattr(Run, "describe", poorly)
    layers = list(viewer.layers)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.train()
    assert "learnt nothing" in widget.progress.words.text()
    assert list(viewer.layers) == layers
    assert widget.runs.continue_button.isEnabled()


def test_who_does_not_want_to_wait_after_stop_leaves_without_result(viewer, scene, widget, qtbot):
    gone = threading.Event()

    def slow(stop):
        yield Step("Training", 0.1)
        while not gone.is_set():  # Stop is not heeded
            yield Step("Reading the latents …", 1.0)

    widget.job.start(slow)
    widget.progress.begin("Starting …")
    widget.progress.button.click()
    assert not widget.progress.button.isEnabled()
    qtbot.waitUntil(widget.progress.button.isEnabled, timeout=LONG)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.progress.button.click()
    assert "nothing was kept" in widget.progress.words.text() and widget.progress.button.text() == "Train"


def test_the_line_above_train_says_what_will_be_learnt_from_and_what_it_takes(viewer, scene, widget, qtbot):
    line = widget.forecast
    widget.data.suggest()
    settle(qtbot, widget)
    words = line.words.text()
    inside = ((scene[2] >= 0) & whole(scene, 24)).sum()
    assert words.startswith(f"{inside} of {len(scene[2])} atoms · 24 px = 0.48 nm · ")
    assert re.search(r"(about \d+ (s|min)|some seconds) · 0\.\d GB$", words)
    widget.data.window_px.setValue(101)
    settle(qtbot, widget)
    few = line.words.text()
    assert few.startswith("<span") and ORANGE in few
    assert f"{whole(scene, 101).sum()} of {len(scene[2])} atoms" in few
    (advised,) = map(int, re.findall(r"window of (\d+) px at most", few))
    assert whole(scene, advised).mean() >= 0.5 > whole(scene, 101).mean()
    widget.data.window_px.setValue(advised)
    settle(qtbot, widget)
    assert ORANGE not in line.words.text()
    widget.data.atoms.setCurrentIndex(widget.data.atoms.count() - 1)
    settle(qtbot, widget)
    for side, step in ((24, 12), (100, 10), (101, 10)):
        widget.data.window_px.setValue(side)
        widget.data.step_px.setValue(step)
        settle(qtbot, widget)
        n = len(grid_positions(scene[0].data, window=side, step=step))
        assert re.sub("<.*>&nbsp;", "", line.words.text()).startswith(f"{n} windows · ")


def test_whatever_changes_what_is_trained_renews_the_line_above_train(viewer, scene, widget, qtbot):
    line, (image, points, _) = widget.forecast, scene
    widget.data.suggest()
    viewer.add_image(image.data, name="second detector", visible=False, scale=image.scale, translate=image.translate)
    viewer.layers.selection = [image]
    points.data = points.data[3:]
    settle(qtbot, widget)
    assert f"of {len(points.data)} atoms" in line.words.text() and "= 0.48 nm" in line.words.text()
    image.scale = points.scale = (0.03, 0.03)
    settle(qtbot, widget)
    assert "24 px = 0.72 nm" in line.words.text()
    widget.data.atoms.setCurrentIndex(widget.data.atoms.count() - 1)
    settle(qtbot, widget)
    n, memory = (counted(line.words.text(), what) for what in ("windows", "GB"))
    widget.data.step_px.setValue(8)
    settle(qtbot, widget)
    assert counted(line.words.text(), "windows") > n
    widget.data.window_px.setValue(81)
    settle(qtbot, widget)
    memory = counted(line.words.text(), "GB")
    widget.data.channels.item(0).setCheckState(Qt.CheckState.Checked)
    settle(qtbot, widget)
    assert counted(line.words.text(), "GB") > memory


def counted(words, what):
    """The number before a word of the line."""
    return float(re.search(rf"([\d.]+) {what}", words).group(1))


def whole(scene, side):
    """Which atoms have a whole window."""
    (image, points, _), half = scene, (side - 1) / 2
    rows, columns = image.data.shape
    y, x = points.data.T
    return (y >= half) & (x >= half) & (y <= rows - 1 - half) & (x <= columns - 1 - half)


def test_a_message_goes_when_what_it_was_about_is_changed(viewer, scene, widget, qtbot):
    widget.progress.say("5011 atoms in 5 classes.")
    widget.model.checks["translation"].toggle()
    assert widget.progress.words.text() == ""
    widget.progress.say("5011 atoms in 5 classes.")
    widget.data.window_px.setValue(18)
    assert widget.progress.words.text() == ""
