"""What active learning is given: targets, places, descriptions and seeds of any kind, and a sentence on bad ones."""

import numpy as np

import napari_vae.widgets.learn.dock as learn_module
from learning_widget import done, layer_of, quick
from napari_vae import ModelConfig, TrainConfig, extract_patches, fit
from napari_vae.layers.identity import ours
from napari_vae.layers.points import atoms_from_points
from napari_vae.widgets.learn.learned_layers import KINDS
from training_widget import LONG, TURNED


def test_a_layer_of_another_scale_is_the_target(viewer, measurable, learn, qtbot):
    _, points, strength = measurable
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


def test_labels_are_classes_and_the_rare_one_is_sought(viewer, measurable, learn, qtbot):
    labels = np.ones(measurable[0].data.shape, int)
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


def test_it_begins_inside_the_drawn_region_or_with_the_selected_points(viewer, measurable, learn, qtbot):
    points = measurable[1]
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


def test_a_regular_grid_is_learned_everywhere(viewer, measurable, learn, qtbot):
    ramp = np.add.outer(np.arange(160.0), np.zeros(160))
    viewer.add_image(ramp, name="ramp", **TURNED)
    learn.image.choose(measurable[0])
    learn.form.data.atoms.setCurrentIndex(learn.form.data.atoms.count() - 1)
    learn.form.data.step_px.setValue(12)
    learn.form.target.target.choose(viewer.layers["ramp"])
    learn.form.target.goal.setCurrentIndex(learn.form.target.goal.findData("everywhere"))
    assert learn.plan.acquisition.currentData() == "variance"
    learn.plan.budget.setValue(12)
    done(qtbot, learn, learn.run)
    picture = layer_of(viewer, "prediction")
    assert picture.data.size == len(learn.session.candidates.atoms) and picture.visible
    assert np.allclose(picture.scale, 12 * 0.02) and "error (RMS)" in learn.live.curve.caption.text()
    assert learn.form.data.atoms.layer() is None  # our own points are not taken for atoms
    shown = {"predicted_sd": "uncertainty", "predicted": "prediction", "Image": None, "image again": "prediction"}
    for name, kind in shown.items():
        learn.live.embedding.show_bar.buttons[name if name != "image again" else "Image"].click()
        seen = {ours(layer).get("kind") for layer in viewer.layers if layer.visible} & {*KINDS}
        assert seen - {"next points"} == ({kind} if kind else set()), "a picture, and no discs on it"


def test_a_trained_encoder_or_latents_describe_the_places(viewer, measurable, learn, qtbot, tmp_path):
    image, points, strength = measurable
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
    widget.image.choose(viewer.layers["lattice"])
    widget.form.target.target.choose(viewer.layers["far"])


def nowhere(widget, viewer):
    image = viewer.layers["lattice"]
    labels = np.ones(image.data.shape, int)
    labels[:, 40:], labels[0, 0] = 2, 9  # no atom is in the corner
    layer = viewer.add_labels(labels, name="grains", **TURNED)
    widget.form.target.target.choose(layer)
    widget.form.target.goal.setCurrentIndex(widget.form.target.goal.findData("9"))


def test_bad_input_is_a_sentence(viewer, measurable, show_widget, qtbot, notifications, tmp_path):
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


def test_choices_are_remembered(viewer, measurable, show_widget, remembered):
    first = show_widget(learn_module.LearnWidget)
    first.plan.acquisition.setCurrentIndex(first.plan.acquisition.findData("ucb"))
    first.plan.budget.setValue(77)
    first.form.kernel.controls["ensemble"].setValue(7)
    second = show_widget(learn_module.LearnWidget)
    assert second.plan.acquisition.currentData() == "ucb"
    assert (second.plan.budget.value(), second.form.kernel.model()["ensemble"]) == (77, 7)
