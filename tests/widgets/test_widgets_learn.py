"""Active learning in a real window: steps, runs, Stop, undo, the user as the instrument, and what goes wrong."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from learning_widget import done, layer_of
from napari_vae.layers.showing import shown_column
from napari_vae.layers.table import numeric_columns
from napari_vae.widgets.learn.session import Session
from training_widget import LONG, kinds


def test_steps_show_what_is_next_and_then_what_was_learned_and_are_undone(viewer, measurable, learn, qtbot):
    image, points, strength = measurable
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


def test_a_run_finds_the_largest_within_its_budget(viewer, measurable, learn, qtbot):
    learn.plan.budget.setValue(14)
    seen = []
    learn.job.progressed.connect(seen.append)
    done(qtbot, learn, learn.progress.button.click)
    assert len(learn.session.exploration.measured) == 14 and "budget of 14" in learn.progress.words.text()
    assert any(getattr(event, "fraction", 0) > 0 for event in seen)
    learned = layer_of(viewer, "learned").features
    truth = learned["measured"].where(learned["measured"].notna(), learned["predicted"])
    _, points, strength = measurable
    nearest = [np.abs(points.data - place).sum(1).argmin() for place in layer_of(viewer, "learned").data]
    assert np.corrcoef(truth, strength[nearest])[0, 1] > 0.9
    assert learn.live.embedding.marks == (14, 1)
    assert learn.live.curve.line.getData()[1][-1] == pytest.approx(learn.session.exploration.values.max())
    picture = layer_of(viewer, "prediction")
    assert picture.data.shape == measurable[0].data.shape and not picture.visible
    learn.plan.rule.setCurrentIndex(learn.plan.rule.findData("patience"))
    learn.plan.limit.setValue(2)
    learn.plan.budget.setValue(90)
    done(qtbot, learn, learn.run)
    assert "nothing better" in learn.progress.words.text() and len(learn.session.exploration.measured) < 90
    bar, points = learn.live.embedding.show_bar, layer_of(viewer, "learned")
    before = np.array(points.face_color)
    bar.buttons["predicted_sd"].click()
    assert shown_column(points) == "predicted_sd" and "sd" in bar.key.name.text()
    assert not np.array_equal(points.face_color, before)
    assert np.array_equal(bar.coloring.rgba, np.rint(255 * points.face_color)), "plot and canvas are alike"


@pytest.mark.own_window
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


def test_the_user_is_the_instrument(viewer, measurable, learn, qtbot):
    learn.form.target.target.choose(learn.form.target.target.EXTRA)
    learn.form.start.number.setValue(3)
    assert learn.progress.button.text() == "Suggest" and learn.step_button.isHidden()
    done(qtbot, learn, learn.progress.button.click)
    upcoming = layer_of(viewer, "next points")
    assert list(viewer.layers.selection) == [upcoming] and upcoming.selected_data == {0}
    assert np.allclose(viewer.scene.camera.center[-2:], upcoming.data_to_world(upcoming.data[0]))
    assert "2 more" in learn.instrument.words.text()
    viewer.scene.camera.center = (0, 0, 0)
    viewer.add_labels(np.zeros((9, 9), dtype=int), name="another")
    assert tuple(viewer.scene.camera.center) == (0, 0, 0)  # the user looks elsewhere
    learn.instrument.show_button.click()
    assert np.allclose(viewer.scene.camera.center[-2:], upcoming.data_to_world(upcoming.data[0]))
    failed = int(learn.session.upcoming[1])
    size = layer_of(viewer, "next points").scale[-1]
    assert f"x = {upcoming.data[0][1] * size:.4g} nm" in learn.instrument.words.text()
    QTest.keyClicks(learn.instrument.value, "7.5")
    QTest.keyClick(learn.instrument.value, Qt.Key.Key_Return)
    assert np.allclose(viewer.scene.camera.center[-2:], upcoming.data_to_world(upcoming.data[0]))
    QTest.keyClick(learn.instrument.value, Qt.Key.Key_Return)  # once more: nothing is typed in for the next place
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


def test_a_mistyped_value_of_a_batch_is_asked_for_again(viewer, measurable, learn, qtbot):
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


def test_places_without_a_value_are_undone_with_their_batch(viewer, measurable, learn, qtbot):
    points = measurable[1]
    some = np.where(np.arange(len(points.data)) % 2, measurable[2], np.nan)
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


def test_layers_deleted_meanwhile_do_no_harm(viewer, measurable, learn, qtbot):
    for _ in range(2):
        done(qtbot, learn, learn.step)
    viewer.layers.remove(layer_of(viewer, "prediction"))
    viewer.layers.remove(measurable[0])
    viewer.layers.remove(measurable[1])
    learn.step()
    viewer.layers.remove(layer_of(viewer, "learned"))
    with qtbot.waitSignal(learn.job.ended, timeout=LONG):
        pass
    assert "learned" in kinds(viewer) and "prediction" not in kinds(viewer)  # pictures stay away
    viewer.layers.clear()
    done(qtbot, learn, learn.step)
    assert len(learn.session.exploration.measured) == 12 and "learned" in kinds(viewer)


def test_a_record_is_saved_and_gone_on_with(viewer, measurable, learn, qtbot, tmp_path, monkeypatch, remembered):
    learn.form.target.goal.setCurrentIndex(learn.form.target.goal.findData("near"))
    learn.form.target.value.setValue(0.5)
    learn.plan.acquisition.setCurrentIndex(learn.plan.acquisition.findData("ucb"))
    learn.form.kernel.kappa.setValue(3)
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
    learn.form.kernel.kappa.setValue(1)
    chosen = learn.plan.acquisition.currentData()
    done(qtbot, learn, learn.open_record, str(tmp_path / "record"))
    assert learn.plan.acquisition.currentData() == "ucb" and learn.form.kernel.kappa.value() == 3
    kept = remembered.learning
    assert (kept.acquisition, kept.kappa) == (chosen, 1), "what was opened is not what was chosen"
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
