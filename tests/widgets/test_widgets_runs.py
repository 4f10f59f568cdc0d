"""The trained model at hand: saved, loaded, applied to other images, trained on."""

import numpy as np
import pytest

from napari_vae.widgets.train.model_form import called
from training_widget import LONG, finish, quick


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
    return np.stack(widget.loss.curves["held_out"].getData())


def test_a_training_goes_on(viewer, scene, widget, qtbot):
    assert not widget.runs.continue_button.isEnabled()
    widget.train()
    finish(qtbot, widget)
    before = curve_of(widget)
    widget.model.choose("trvae")  # the run's own model is what counts
    widget.data.window_px.setValue(24)
    widget.runs.continue_button.click()
    finish(qtbot, widget)
    after = curve_of(widget)
    assert np.allclose(after[:, : before.shape[1]], before) and after.shape[1] > before.shape[1]
    assert after[0, -1] == pytest.approx(before[0, -1] + 10)
    assert widget.runs.run.model_config.name == "vae" and widget.runs.run.window == (11, 11)


def test_a_suggested_model_is_chosen_in_a_sentence_and_remembered_when_it_was_trained(
    scene, widget, qtbot, monkeypatch, remembered
):
    monkeypatch.setattr("napari_vae.workflow.trials.STEPS", 10)  # a choice of some sort
    monkeypatch.setattr("napari_vae.workflow.trials.LATENTS", (1, 2))
    widget.model.choose("trvae")
    widget.model.latent_dim.setValue(9)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.advice.button.click()
        assert not widget.advice.button.isEnabled() and widget.progress.button.text() == "Stop"
    table = widget.advice.table
    (row,) = {index.row() for index in table.selectedIndexes()}
    window, ignored, latents = (table.item(row, column).text() for column in range(3))
    model, words = widget.model.model(), widget.progress.words.text()
    assert str(widget.data.window_px.value()) == window and model.latent_dim == max(2, int(latents))
    assert (", ".join(model.invariances) or "none") == ignored
    assert table.rowCount() > 5 and "latent" in widget.advice.reasons.text()
    assert widget.advice.button.isEnabled()
    assert f"{called(model)}, windows of {window} px" in words and "z1, z2" in words and "sure" in words
    assert "nats" not in words and "ELBO" not in words
    assert remembered.training.latents == 9 and remembered.training.rotation and remembered.training.translation
    widget.model.training["epochs"].setValue(20)  # the suggested windows are large
    widget.train()
    assert remembered.training.latents == model.latent_dim
    assert remembered.training.translation == ("translation" in model.invariances)
    finish(qtbot, widget)


def test_a_suggested_window_is_chosen(viewer, open_widget, qtbot, monkeypatch):
    monkeypatch.setattr("napari_vae.workflow.window_scan.STEPS", 2)
    monkeypatch.setattr("napari_vae.workflow.window_scan.FACTORS", (0.5, 1))
    viewer.add_image(np.random.default_rng(0).normal(size=(128, 128)), name="noise")
    widget = quick(open_widget("Train VAE"))
    widget.data.window_px.setValue(40)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.advice.window_button.click()
        assert not widget.advice.window_button.isEnabled() and not widget.advice.button.isEnabled()
    assert widget.data.window_px.value() == 24  # as usual, where nothing is gained
    assert "No window shows anything that repeats; 24 px" in widget.progress.words.text()
    assert "12 px: " in widget.advice.reasons.text() and "24 px: " in widget.advice.reasons.text()
    assert widget.advice.window_button.isEnabled() and widget.advice.table.isHidden()


def test_too_few_atoms_for_a_suggestion_are_told(scene, widget, qtbot, notifications):
    scene[1].data = scene[1].data[:30]
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.advice.button.click()
    assert "too few to compare models" in notifications[-1] and "too few" in widget.progress.words.text()


def test_an_image_unlike_the_training_data_is_told(viewer, open_widget, qtbot, notifications):
    from napari_vae import samples
    from napari_vae.layers.images import image_layer
    from napari_vae.layers.points import atoms_to_points, placement_of

    def show(seed, zoom=1.0):
        viewer.layers.clear()
        image, truth = samples.micrograph("graphene", size=192, seed=seed)
        data, options, _ = image_layer(image)
        layer = viewer.add_image(data, **{**options, "scale": np.array(options["scale"]) * zoom})
        data, options, _ = atoms_to_points(truth, placement_of(layer))
        viewer.add_points(data, **options)

    def told():
        notifications.clear()
        widget.apply()
        finish(qtbot, widget)
        return [sentence for sentence in notifications if "take the results with care" in sentence]

    show(0)
    widget = quick(open_widget("Train VAE"), epochs=3)
    widget.model.choose("rvae")
    widget.data.window_px.setValue(24)
    widget.train()
    finish(qtbot, widget)
    show(1)
    assert not told()
    show(1, zoom=2)
    assert "2 times as large" in told()[0] and told()[0] in widget.progress.words.text()


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


def test_a_model_that_is_none_is_refused(viewer, scene, widget, qtbot, tmp_path, notifications):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.load(str(tmp_path))
    assert len(notifications) == 1 and not widget.runs.apply_button.isEnabled()
