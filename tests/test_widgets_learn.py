"""Active learning in a real window: steps, runs, Stop, undo, the user as the instrument, and what goes wrong."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QFileDialog

import napari_vae.widgets.learn as learn_module
from napari_vae import ModelConfig, TrainConfig, extract_patches, fit
from napari_vae.layer_table import numeric_columns
from napari_vae.layers import KEY, atoms_from_points
from napari_vae.widgets.learning.session import Session
from training_widget import LONG, TURNED, kinds

STRONG = 1.5  # the target of the brightest atoms


@pytest.fixture
def scene(scene):
    """The lattice, whose atoms have how strong they are, what kind, and latents as columns."""
    image, points, bright = scene
    rng = np.random.default_rng(0)
    strength = np.where(bright, STRONG, 0.5) + 0.01 * rng.standard_normal(len(bright))
    z = np.column_stack([strength, rng.standard_normal(len(bright))]).astype(np.float32)
    points.features = points.features.assign(
        strength=strength, kind=np.where(bright, "strong", "weak"), even=1.0, z1=z[:, 0], z2=z[:, 1]
    )
    return image, points, strength


@pytest.fixture
def learn(scene, open_widget):
    """Active learning on that scene, of the strength of its atoms, quick."""
    return quick(open_widget("Active learning"))


def quick(widget, target="strength"):
    widget.form.data.window_px.setValue(11)
    widget.form.kernel.model = lambda: {"network": "linear", "ensemble": 1, "steps": 40, "warm_steps": 5}
    widget.form.target.target.choose(target)
    return widget


def done(qtbot, widget, action, *args):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        action(*args)


def layer_of(viewer, kind):
    """The newest layer of a kind."""
    return [layer for layer in viewer.layers if layer.metadata.get(KEY, {}).get("kind") == kind][-1]


def test_steps_show_what_is_next_and_then_what_was_learned_and_are_undone(viewer, scene, learn, qtbot):
    image, points, strength = scene
    before = points.features.copy()
    done(qtbot, learn, learn.step_button.click)
    upcoming = layer_of(viewer, "next points")
    assert list(upcoming.text.values) == [str(n) for n in range(1, 11)]
    assert "0 of" in learn.progress.words.text() and not learn.undo_button.isEnabled()
    first = upcoming.data.copy()
    done(qtbot, learn, learn.step_button.click)
    assert len(upcoming.data) == 1 and len(learn.session.exploration.measured) == 10
    learned = layer_of(viewer, "learned")
    table = learned.features
    assert {"predicted", "predicted_sd", "measured", "embedding_1", "embedding_2"} <= set(table)
    assert np.allclose(learned.data[table["order"].argsort()[:10]], first)
    truth = strength[[np.abs(points.data - place).sum(1).argmin() for place in learned.data]]
    assert np.allclose(table["measured"].dropna(), truth[table["measured"].notna()], atol=1e-6)
    assert points.features.equals(before)
    assert numeric_columns(table)[:2] == ["embedding_1", "embedding_2"]  # what “Explore latents” opens with
    for layer in viewer.layers:
        assert np.allclose(layer.scale, image.scale) and np.allclose(layer.rotate, image.rotate)
        assert np.allclose(layer.translate, image.translate) and layer.units == image.units
    asked = learn.session.upcoming
    done(qtbot, learn, learn.step)
    assert len(learn.session.exploration.measured) == 11 and learn.live.embedding.marks == (11, 1)
    done(qtbot, learn, learn.undo_button.click)
    assert len(learn.session.exploration.measured) == 10 and np.array_equal(learn.session.upcoming, asked)
    assert learn.live.embedding.marks == (10, 1) and np.allclose(upcoming.data, learned.data[asked])


def test_a_run_finds_the_largest_within_its_budget(viewer, scene, learn, qtbot):
    learn.plan.budget.setValue(14)
    seen = []
    learn.job.progressed.connect(seen.append)
    done(qtbot, learn, learn.progress.button.click)
    assert len(learn.session.exploration.measured) == 14 and "budget of 14" in learn.progress.words.text()
    assert any(getattr(event, "fraction", 0) > 0 for event in seen)
    learned = layer_of(viewer, "learned").features
    truth = learned["measured"].where(learned["measured"].notna(), learned["predicted"])
    strength = scene[2][[np.abs(scene[1].data - place).sum(1).argmin() for place in layer_of(viewer, "learned").data]]
    assert np.corrcoef(truth, strength)[0, 1] > 0.9
    assert learn.live.embedding.marks == (14, 1)
    assert learn.live.curve.line.getData()[1][-1] == pytest.approx(learn.session.exploration.values.max())
    picture = layer_of(viewer, "prediction")
    assert picture.data.shape == scene[0].data.shape and not picture.visible
    learn.plan.rule.setCurrentIndex(learn.plan.rule.findData("patience"))
    learn.plan.limit.setValue(2)
    learn.plan.budget.setValue(90)
    done(qtbot, learn, learn.run)
    assert "nothing better" in learn.progress.words.text() and len(learn.session.exploration.measured) < 90
    learn.live.embedding.color.setCurrentIndex(1)
    assert layer_of(viewer, "learned").face_color_mode == "colormap" and "sd" in learn.live.embedding.key.name.text()


def test_stop_or_closing_the_window_ends_it_at_once_and_keeps_what_is_there(viewer, learn, qtbot, monkeypatch):
    go_on, measure = threading.Event(), Session.measure

    def held(session, most):
        assert session.tried < 12 or go_on.wait(LONG / 1000)
        return measure(session, most)

    monkeypatch.setattr(Session, "measure", held)
    learn.plan.budget.setValue(100)
    learn.run()
    qtbot.waitUntil(lambda: "learned" in kinds(viewer), timeout=LONG)
    with qtbot.waitSignal(learn.job.ended, timeout=LONG):
        learn.progress.button.click()
        go_on.set()
    assert 10 <= len(learn.session.exploration.measured) <= 13 and learn.progress.button.text() == "Run"
    n = len(learn.session.exploration.measured)
    done(qtbot, learn, learn.step)  # fits what was not fitted, or measures
    assert len(learn.session.upcoming) == 1 and len(learn.session.exploration.measured) >= n
    learn.run()
    qtbot.waitUntil(lambda: len(learn.session.exploration.measured) > n + 1, timeout=LONG)
    viewer.close()
    assert QThreadPool.globalInstance().waitForDone(LONG)


def test_the_user_is_the_instrument(viewer, scene, learn, qtbot):
    learn.form.target.target.choose(learn.form.target.target.EXTRA)
    learn.form.start.number.setValue(3)
    assert learn.progress.button.text() == "Suggest" and learn.step_button.isHidden()
    done(qtbot, learn, learn.progress.button.click)
    upcoming = layer_of(viewer, "next points")
    assert list(viewer.layers.selection) == [upcoming] and upcoming.selected_data == {0}
    assert np.allclose(viewer.scene.camera.center[-2:], upcoming.data_to_world(upcoming.data[0]))
    assert "2 more" in learn.instrument.words.text()
    viewer.scene.camera.center = (0, 0, 0)
    viewer.add_image(np.zeros((9, 9)), name="another")
    assert tuple(viewer.scene.camera.center) == (0, 0, 0)  # the user looks elsewhere
    learn.instrument.show_button.click()
    assert np.allclose(viewer.scene.camera.center[-2:], upcoming.data_to_world(upcoming.data[0]))
    failed = int(learn.session.upcoming[1])
    learn.instrument.value.setValue(7.5)
    learn.instrument.measured_button.click()
    assert learn.session.exploration.values.tolist() == [7.5] and len(upcoming.data) == 2
    learn.instrument.failed_button.click()
    assert list(learn.session.exploration.failed) == [failed]
    for value in (3.0, 1.0):
        done(qtbot, learn, learn.instrument.measured.emit, value) if len(learn.session.upcoming) == 1 else learn.tell(
            value
        )
    assert learn.session.exploration.values.tolist() == [7.5, 3.0, 1.0]
    assert failed not in learn.session.upcoming and len(upcoming.data) == 1
    done(qtbot, learn, learn.undo)
    assert learn.session.exploration.values.tolist() == [7.5, 3.0]


def test_a_mistyped_value_of_a_batch_is_asked_for_again(viewer, scene, learn, qtbot):
    learn.form.target.target.choose(learn.form.target.target.EXTRA)
    learn.form.start.number.setValue(3)
    learn.plan.batch.setValue(3)
    done(qtbot, learn, learn.run)
    learn.tell(1.0)
    learn.tell(2.0)
    done(qtbot, learn, learn.tell, 3.0)
    asked = learn.session.upcoming.tolist()
    learn.tell(4.0)
    learn.tell(5.0)
    learn.undo()
    assert learn.session.upcoming.tolist() == asked[1:] and learn.instrument.row == asked[1]
    assert not learn.job.running and learn.session.exploration.values.tolist() == [1.0, 2.0, 3.0, 4.0]
    done(qtbot, learn, learn.undo)
    assert learn.session.upcoming.tolist() == asked


def test_places_without_a_value_are_undone_with_their_batch(viewer, scene, learn, qtbot):
    points = scene[1]
    some = np.where(np.arange(len(points.data)) % 2, scene[2], np.nan)
    points.features = points.features.assign(some=some)
    learn.form.target.target.choose("some")
    done(qtbot, learn, learn.step)
    seeds = learn.session.upcoming.tolist()
    done(qtbot, learn, learn.step)
    assert learn.session.exploration.failed and len(learn.session.exploration.record.steps) == 1
    viewer.layers.selection = [layer_of(viewer, "learned")]
    layer_of(viewer, "learned").selected_data = {0}
    layer_of(viewer, "learned").remove_selected()
    done(qtbot, learn, learn.step)
    assert len(layer_of(viewer, "learned").data) == len(learn.session.candidates.atoms)
    for _ in range(2):
        done(qtbot, learn, learn.undo)
    assert learn.session.tried == 0 and learn.session.upcoming.tolist() == seeds


def test_a_layer_of_another_scale_is_the_target(viewer, scene, learn, qtbot):
    _, points, strength = scene
    coarse = np.zeros((80, 80))
    rows = np.rint(points.data / 2).astype(int).clip(0, 79)
    for (y, x), value in zip(rows, strength, strict=True):
        coarse[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = value
    where = {**TURNED, "scale": (0.04, 0.04)}
    viewer.add_image(coarse, name="map", **where)
    learn.form.target.target.choose(viewer.layers["map"])
    learn.form.target.radius.setValue(2)
    learn.plan.budget.setValue(12)
    done(qtbot, learn, learn.run)
    rows = learn.session.candidates.atoms.index.to_numpy()[learn.session.exploration.measured]
    assert np.allclose(learn.session.exploration.values, strength[rows], atol=1e-9)


def test_labels_are_classes_and_the_rare_one_is_sought(viewer, scene, learn, qtbot):
    labels = np.ones(scene[0].data.shape, int)
    labels[:60, :60] = 2
    viewer.add_labels(labels, name="grains", **TURNED)
    learn.form.target.target.choose(viewer.layers["grains"])
    learn.form.target.goal.setCurrentIndex(learn.form.target.goal.findData("2"))
    assert learn.plan.acquisition.findData("ei") < 0 and learn.plan.acquisition.currentData() == "pi"
    learn.plan.budget.setValue(12)
    done(qtbot, learn, learn.run)
    learned = layer_of(viewer, "learned").features
    assert set(learned["measured"]) <= {"", "1", "2"} and learned["predicted"].dtype == "category"
    assert "“2” found" in learn.progress.words.text()


def test_it_begins_inside_the_drawn_region_or_with_the_selected_points(viewer, scene, learn, qtbot):
    points = scene[1]
    corners = np.array([[20, 20], [20, 80], [80, 80], [80, 20]])
    viewer.add_shapes([corners], shape_type="polygon", **TURNED)
    learn.form.start.start.setCurrentIndex(learn.form.start.start.findData("region"))
    learn.form.start.number.setValue(6)
    done(qtbot, learn, learn.step)
    places = layer_of(viewer, "next points").data
    assert len(places) == 6 and (places > 20).all() and (places < 80).all()
    learn.start_over()
    points.selected_data = {40, 41, 55}
    learn.form.start.start.setCurrentIndex(learn.form.start.start.findData("selected"))
    done(qtbot, learn, learn.step)
    assert np.allclose(layer_of(viewer, "next points").data, points.data[[40, 41, 55]])


def test_a_regular_grid_is_learned_everywhere(viewer, scene, learn, qtbot):
    learn.form.data.atoms.setCurrentIndex(learn.form.data.atoms.count() - 1)
    learn.form.data.step_px.setValue(12)
    ramp = np.add.outer(np.arange(160.0), np.zeros(160))
    viewer.add_image(ramp, name="ramp", **TURNED)
    learn.form.target.target.choose(viewer.layers["ramp"])
    learn.form.target.goal.setCurrentIndex(learn.form.target.goal.findData("everywhere"))
    assert learn.plan.acquisition.currentData() == "variance"
    learn.plan.budget.setValue(12)
    done(qtbot, learn, learn.run)
    picture = layer_of(viewer, "prediction")
    assert picture.data.size == len(learn.session.candidates.atoms) and picture.visible
    assert np.allclose(picture.scale, 12 * 0.02) and "error (RMS)" in learn.live.curve.caption.text()
    assert learn.form.data.atoms.layer() is None  # our own points are not taken for atoms


def test_a_trained_encoder_or_latents_describe_the_places(viewer, scene, learn, qtbot, tmp_path):
    image, points, strength = scene
    patches = extract_patches(image.data, atoms_from_points(points), window=12)
    fit(patches, ModelConfig(latent_dim=2), TrainConfig(epochs=1)).save(tmp_path / "model")
    choice = learn.form.features.choice
    assert [choice.itemData(i) for i in range(choice.count())] == ["windows", "latents"]
    choice.setCurrentIndex(1)
    learn.plan.budget.setValue(12)
    done(qtbot, learn, learn.run)
    table = layer_of(viewer, "learned").features
    assert np.corrcoef(table["predicted"], strength[learn.session.candidates.atoms.index])[0, 1] > 0.9
    learn.start_over()
    done(qtbot, learn, learn.load_run, str(tmp_path / "model"))
    assert choice.currentData() == "saved" and "encoder" in learn.progress.words.text()
    done(qtbot, learn, learn.run)
    assert len(learn.session.exploration.measured) == 12
    assert learn.session.exploration.record.settings["model"]["features"]  # which run it was


def test_layers_deleted_meanwhile_do_no_harm(viewer, scene, learn, qtbot):
    for _ in range(2):
        done(qtbot, learn, learn.step)
    viewer.layers.remove(layer_of(viewer, "prediction"))
    viewer.layers.remove(scene[0])
    viewer.layers.remove(scene[1])
    learn.step()
    viewer.layers.remove(layer_of(viewer, "learned"))
    with qtbot.waitSignal(learn.job.ended, timeout=LONG):
        pass
    assert "learned" in kinds(viewer) and "prediction" not in kinds(viewer)  # pictures stay away
    viewer.layers.clear()
    done(qtbot, learn, learn.step)
    assert len(learn.session.exploration.measured) == 12 and "learned" in kinds(viewer)


def test_a_record_is_saved_and_gone_on_with(viewer, scene, learn, qtbot, tmp_path, monkeypatch):
    learn.form.target.goal.setCurrentIndex(learn.form.target.goal.findData("near"))
    learn.form.target.value.setValue(0.5)
    learn.plan.acquisition.setCurrentIndex(learn.plan.acquisition.findData("ucb"))
    for _ in range(3):
        done(qtbot, learn, learn.step)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "record"), ""))
    learn.records.save_button.click()
    assert "Saved" in learn.progress.words.text() and (tmp_path / "record" / "measurements.csv").exists()
    before = learn.session
    learn.records.over_button.click()
    assert learn.session is None and learn.form.isEnabled() and not layer_of(viewer, "learned").visible
    learn.form.target.goal.setCurrentIndex(0)
    learn.plan.acquisition.setCurrentIndex(0)
    done(qtbot, learn, learn.open_record, str(tmp_path / "record"))
    assert learn.session is not before and learn.form.target.read_purpose().value == 0.5
    assert np.array_equal(learn.session.exploration.measured, before.exploration.measured)
    assert np.array_equal(learn.session.upcoming, before.upcoming)
    done(qtbot, learn, learn.step)
    assert len(learn.session.exploration.measured) == 12


def test_when_all_is_measured_it_says_so(viewer, learn, qtbot):
    learn.form.data.atoms.setCurrentIndex(learn.form.data.atoms.count() - 1)
    learn.form.data.step_px.setValue(30)
    learn.form.target.target.choose(viewer.layers["lattice"])
    learn.plan.batch.setValue(10)
    learn.plan.budget.setValue(1000)
    done(qtbot, learn, learn.run)
    assert learn.session.finished and "nothing left" in learn.progress.words.text()
    assert not learn.step_button.isEnabled() and learn.undo_button.isEnabled()


def no_target(widget, viewer):
    widget.form.target.target.choose(None)


def constant(widget, viewer):
    widget.form.target.target.choose("even")


def few(widget, viewer):
    points = viewer.layers["atoms"]
    values = np.full(len(points.data), np.nan)
    values[:2] = 1, 2
    points.features = points.features.assign(few=values)
    widget.form.target.target.choose("few")


def no_region(widget, viewer):
    widget.form.start.start.setCurrentIndex(widget.form.start.start.findData("region"))


def none_selected(widget, viewer):
    widget.form.start.start.setCurrentIndex(widget.form.start.start.findData("selected"))


def no_image(widget, viewer):
    viewer.layers.clear()


def elsewhere(widget, viewer):
    viewer.add_image(np.random.default_rng(0).random((9, 9)), name="far", translate=(900, 900), units=("nm", "nm"))
    widget.form.target.target.choose(viewer.layers["far"])


def nowhere(widget, viewer):
    image = viewer.layers["lattice"]
    labels = np.ones(image.data.shape, int)
    labels[:, 40:], labels[0, 0] = 2, 9  # no atom is in the corner
    layer = viewer.add_labels(labels, name="grains", **TURNED)
    widget.form.target.target.choose(layer)
    widget.form.target.goal.setCurrentIndex(widget.form.target.goal.findData("9"))


def test_bad_input_is_a_sentence(viewer, scene, show_widget, qtbot, notifications, tmp_path):
    widget = quick(show_widget(learn_module.LearnWidget))
    for spoil, sentence in (
        (no_target, "Choose what is measured"),
        (constant, "1 everywhere"),
        (few, "2 values"),
        (no_region, "No region is drawn"),
        (none_selected, "No point is selected"),
        (elsewhere, "no values"),
        (nowhere, "No place is of the class “9”"),
        (no_image, "There is no image"),
    ):
        quick(widget).form.start.start.setCurrentIndex(0)
        spoil(widget, viewer)
        widget.step()
        qtbot.waitUntil(lambda: not widget.job.running, timeout=LONG)
        assert sentence in widget.progress.words.text() and any(sentence in words for words in notifications)
        assert widget.session is None and widget.form.isEnabled() and widget.progress.button.text() == "Run"
    widget.open_record(str(tmp_path))
    assert "no exploration" in widget.progress.words.text() and widget.session is None


def test_choices_are_remembered(viewer, scene, show_widget, remembered):
    first = show_widget(learn_module.LearnWidget)
    first.plan.acquisition.setCurrentIndex(first.plan.acquisition.findData("ucb"))
    first.plan.budget.setValue(77)
    first.form.kernel.ensemble.setValue(7)
    second = show_widget(learn_module.LearnWidget)
    assert second.plan.acquisition.currentData() == "ucb"
    assert (second.plan.budget.value(), second.form.kernel.model()["ensemble"]) == (77, 7)
