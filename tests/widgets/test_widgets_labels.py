"""Labels and conditions in the real widget: by point and click, painted, from columns; learnt, applied, refused."""

import numpy as np
import pytest

from napari_vae import samples
from napari_vae.layers.images import image_layer
from napari_vae.layers.points import atoms_to_points, placement_of
from training_widget import finish, quick


@pytest.fixture
def crystal(viewer):
    """A perovskite of two kinds of columns: image layer, points without a word on them, and the kind of each."""
    image, truth = samples.micrograph("perovskite", size=256, seed=1, vacancies=0, dopants=0)
    data, options, _ = image_layer(image)
    layer = viewer.add_image(data, **options)
    data, options, _ = atoms_to_points(truth[["y", "x"]], placement_of(layer))
    return layer, viewer.add_points(data, **options), truth["species"].to_numpy()


def label(widget, points, rows, name):
    points.selected_data = set(map(int, rows))
    widget.labels.name.setText(name)
    widget.labels.label_button.click()


def upright(widget):
    """A model of classes alone, which is quicker than one that looks for the rotation too."""
    widget.model.choose("ss-rvae")
    widget.model.checks["rotation"].setChecked(False)


def test_a_few_labels_by_the_buttons_give_the_class_of_all(viewer, crystal, open_widget, qtbot):
    _, points, species = crystal
    widget = quick(open_widget("Train VAE"), epochs=30)
    widget.data.suggest()
    upright(widget)
    rng = np.random.default_rng(0)
    for name in ("Sr", "Ti"):
        label(widget, points, rng.choice(np.flatnonzero(species == name), 10, replace=False), name)
    assert widget.given.labels.chosen() == "label"
    assert "20 of" in widget.given.summary.text() and "Sr 10, Ti 10" in widget.given.summary.text()
    widget.train()
    finish(qtbot, widget)
    columns = points.features
    seen = columns["z1"].notna().to_numpy()
    assert seen.mean() > 0.6
    assert (columns["class_name"].astype(str)[seen] == species[seen]).mean() >= 0.9
    assert {"class", "class_probability", "class_entropy"} <= set(columns)
    assert (columns["label"] != "").sum() == 20  # what the user said stays
    widget.show_bar.buttons["class_name"].click()
    assert "Sr:&nbsp;" in widget.show_bar.key.legend.text() and "in 2 classes" in widget.progress.words.text()
    check_next(viewer, widget, points)
    points.add([5.0, 5.0])  # by hand: nothing is known of it yet
    added = points.features.iloc[-1]
    assert added["label"] == "" and np.isnan(added["z1"]) and added["class_name"] == "", added


def check_next(viewer, widget, points):
    """The least sure are selected, the first in the middle; those that are labelled are not asked for again."""
    widget.labels.next_button.click()
    first = set(points.selected_data)
    assert len(first) == 10
    doubt = points.features["class_entropy"].where(points.features["label"] == "")
    assert first == set(doubt.nlargest(10).index)
    assert np.allclose(viewer.scene.camera.center[-2:], points.data_to_world(points.data[doubt.idxmax()]))
    label(widget, points, first, "Sr")
    widget.labels.next_button.click()
    assert len(points.selected_data) == 10 and not set(points.selected_data) & first


def test_painted_labels_count_from_one(viewer, scene, widget, qtbot):
    image, points, bright = scene
    painted = np.zeros(image.data.shape, np.uint8)
    for row in np.flatnonzero(np.arange(len(bright)) % 4 == 0):
        y, x = np.rint(points.data[row]).astype(int)
        painted[y - 1 : y + 2, x - 1 : x + 2] = 1 + bright[row]
    layer = viewer.add_labels(painted, name="painted", scale=image.scale, translate=image.translate, rotate=30)
    layer.units = image.units
    upright(widget)
    widget.model.training["epochs"].setValue(12)
    widget.given.labels.choose(layer)
    widget.train()
    finish(qtbot, widget)
    seen = points.features["z1"].notna()
    assert (points.features["class"][seen].astype(str) == bright[seen].astype(int).astype(str)).mean() > 0.9
    assert "class_name" not in points.features
    widget.model.training["epochs"].setValue(3)
    widget.continue_training()
    finish(qtbot, widget)
    widget.given.labels.choose(None)  # a trained model needs no labels
    widget.apply()
    finish(qtbot, widget)
    assert (points.features["class"][seen].astype(str) == bright[seen].astype(int).astype(str)).mean() > 0.9


@pytest.mark.slow
def test_a_condition_is_read_from_a_column_and_again_to_apply_and_continue(viewer, scene, widget, qtbot, notifications):
    _, points, bright = scene
    points.features = points.features.assign(kind=np.where(bright, "bright", "dim"))
    widget.model.choose("crvae")
    widget.train()
    assert "Condition on" in notifications[-1] and not widget.job.running
    widget.given.condition.choose("kind")
    for start in (widget.train, widget.continue_training, widget.apply):
        start()
        finish(qtbot, widget)
    assert "z1" in points.features and list(points.features["kind"]) == list(np.where(bright, "bright", "dim"))
    widget.model.choose("rvae")
    assert not widget.given.condition.isHidden()  # the model at hand still asks for it
    points.features = points.features.assign(kind=np.where(bright, "bright", ""))
    notifications.clear()
    widget.apply()
    assert "have no value" in notifications[0] and not widget.job.running


def test_the_column_that_was_given_is_not_replaced_by_a_result(viewer, scene, widget, qtbot):
    widget.train()
    finish(qtbot, widget)
    points = scene[1]
    before = list(points.features["class"])
    widget.model.choose("crvae")
    widget.given.condition.choose("class")
    points.features = points.features.assign(**{"class": np.where(scene[2], "a", "b")})
    widget.train()
    finish(qtbot, widget)
    assert list(points.features["class"]) == list(np.where(scene[2], "a", "b")) != before
    assert "vae_class" in points.features


def test_a_joint_model_finds_as_many_classes_as_asked(viewer, scene, widget, qtbot):
    widget.model.choose("j-rvae")
    widget.model.n_classes.setValue(3)
    widget.train()
    finish(qtbot, widget)
    assert set(scene[1].features["class"]) <= {"", "0", "1", "2"}
    assert {"class_probability", "class_entropy"} <= set(scene[1].features)
    assert widget.runs.run.model_config.n_classes == 3


def test_numbers_with_gaps_are_targets(viewer, scene, widget, qtbot):
    _, points, bright = scene
    values = np.where(np.arange(len(bright)) % 3 == 0, bright + 0.5, np.nan)
    points.features = points.features.assign(height=values)
    widget.model.choose("ss-rvae")
    widget.given.labels.choose("height")
    assert "have a number" in widget.given.summary.text()
    widget.train()
    finish(qtbot, widget)
    assert {"target", "target_sd", "class"} <= set(points.features)


def test_rows_come_with_the_kind_that_needs_them(widget):
    given, form = widget.given, widget.model
    rows = (given.condition, given.labels, widget.labels, form.n_classes)
    for preset, wanted in (("rvae", None), ("crvae", 0), ("ss-rvae", 1), ("j-rvae", 3)):
        form.choose(preset)
        shown = [row.isVisibleTo(widget) for row in rows]
        assert shown == [wanted == 0, wanted == 1, wanted == 1, wanted == 3], preset


def test_columns_follow_the_layer(viewer, scene, widget):
    points, box = scene[1], widget.given.condition
    assert [box.itemText(i) for i in range(box.count())] == ["mine"]
    points.features = points.features.assign(other=1)
    assert [box.itemText(i) for i in range(box.count())] == ["mine", "other"]
    other = viewer.add_points(points.data, features={"theirs": points.data[:, 0]}, name="others")
    widget.data.atoms.choose(other)
    assert [box.itemText(i) for i in range(box.count())] == ["theirs"]
    widget.data.atoms.setCurrentIndex(widget.data.atoms.count() - 1)
    assert box.count() == 0


def test_labels_that_cannot_be_used_are_one_sentence(viewer, scene, widget, notifications):
    points = scene[1]
    widget.model.choose("ss-rvae")

    def refused(action, words):
        notifications.clear()
        action()
        assert len(notifications) == 1 and words in notifications[0], notifications
        assert widget.progress.words.text() == notifications[0] and not widget.job.running

    refused(widget.train, "There are no labels yet")
    refused(widget.labels.label_button.click, "No atom is selected")
    refused(widget.labels.next_button.click, "know of no classes")
    label(widget, points, [1, 2], "defect")
    refused(widget.train, "All labels are “defect”")
    label(widget, points, [1, 2], "")
    refused(widget.train, "No atom is labelled")
    widget.given.follow(None)
    refused(widget.labels.label_button.click, "regular grid has no atoms")


def test_the_next_to_label_is_shown_in_its_frame(viewer, open_widget, lattice):
    viewer.add_image(np.stack([lattice[0]] * 3), scale=(2, 1, 1))
    positions = np.insert(lattice[1], 0, np.arange(len(lattice[1])) % 3, axis=1)
    doubt = np.linspace(0, 1, len(positions))
    points = viewer.add_points(positions, features={"class_entropy": doubt}, scale=(2, 1, 1))
    widget = open_widget("Train VAE")
    widget.model.choose("ss-rvae")
    widget.labels.next_button.click()
    assert points.mode == "select" and len(points.selected_data) == 10
    assert viewer.dims.point[0] == 2 * positions[-1, 0]
    assert np.allclose(viewer.scene.camera.center[-2:], positions[-1, 1:])
