"""Classes in the explorer: grouped, assigned, renamed, merged, painted, undone, as a layer and as labels."""

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QLineEdit

from napari_vae.widgets.explore.pictures import mean_steps
from plot_mouse import drag, mode
from training_widget import LONG, TURNED, settle

pytestmark = pytest.mark.usefixtures("every_move")


@pytest.fixture
def points(viewer):
    """Points in two groups of the plane z1, z2, on an image."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 2) * 12.0 + 6
    low = np.arange(64) < 30
    z = rng.normal(0, 0.1, (64, 2)) + np.where(low, -1.0, 1.0)[:, None]
    viewer.add_image(np.zeros((100, 100)), name="image", **TURNED)
    return viewer.add_points(places, name="atoms", features=pd.DataFrame(z, columns=["z1", "z2"]), **TURNED)


@pytest.fixture
def explore(points, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    widget = show_widget(ExploreWidget)
    widget.sections["Classes"].expand(animate=False)
    widget.resize(380, 1300)
    qtbot.waitUntil(lambda: widget.plot.drawn, timeout=LONG)
    return widget


@pytest.fixture
def grouped(explore, qtbot):
    with qtbot.waitSignal(explore.classes.grouping.job.ended, timeout=LONG):
        click(qtbot, explore.classes.grouping.button)
    return explore.classes


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def names(section):
    return [section.gallery.item(i).text() for i in range(section.gallery.count())]


def type_name(qtbot, section, name):
    section.name.clear()
    qtbot.keyClicks(section.name, name)


def test_groups_are_classes_in_one_colour_everywhere(explore, grouped, points):
    kinds = points.features["class"].astype(str).to_numpy()
    assert len(set(kinds[:30])) == 1 and len(set(kinds[30:])) == 1 and kinds[0] != kinds[-1]
    assert "2:\N{NO-BREAK SPACE}" in grouped.grouping.words.text() and "BIC" in grouped.grouping.words.text()
    assert explore.color.currentText() == "class"
    color = grouped.classes.palette[kinds[0]]
    assert np.allclose(points.face_color[0][:3], [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)], atol=0.01)
    assert color in explore.key.legend.text()


def test_selected_atoms_get_a_class(explore, points, qtbot):
    section = explore.classes
    explore.plot.select_within([(-2, -2), (0, -2), (0, 0), (-2, 0)])
    type_name(qtbot, section, "defect")
    click(qtbot, section.assign_button)
    assert (points.features["class"] == "defect").sum() == 30 and names(section) == ["defect"]
    qtbot.waitUntil(lambda: len(points.selected_data) == 30, timeout=LONG)
    points.selected_data = {40, 41}
    qtbot.waitUntil(lambda: len(explore.plot.selection) == 2, timeout=LONG)
    type_name(qtbot, section, "edge")
    qtbot.keyClick(section.name, Qt.Key.Key_Return)
    assert points.features["class"].tolist()[40:42] == ["edge", "edge"]


def test_rename_merge_and_undo(grouped, points, qtbot):
    before = points.features["class"].tolist()
    grouped.gallery.item(0).setText("Sr")
    qtbot.waitUntil(lambda: "Sr" in points.features["class"].tolist(), timeout=LONG)
    assert names(grouped)[0] == "Sr" and (points.features["class"] == "Sr").sum() in (30, 34)
    grouped.gallery.selectAll()
    click(qtbot, grouped.merge_button)
    assert points.features["class"].nunique() == 1
    click(qtbot, grouped.undo_button)
    assert names(grouped) == ["Sr", "1"]
    click(qtbot, grouped.undo_button)
    assert points.features["class"].tolist() == before
    click(qtbot, grouped.undo_button)
    assert "class" not in points.features and not grouped.undo_button.isEnabled()


def test_atoms_of_a_class_are_shown_and_split_by_hand(explore, grouped, points, qtbot):
    first, members = names(grouped)[0], np.flatnonzero(points.features["class"] == names(grouped)[0])
    grouped.gallery.setFocus()
    grouped.gallery.setCurrentRow(0)
    qtbot.keyClick(grouped.gallery, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: points.selected_data == set(members.tolist()), timeout=LONG)
    x, y = points.features[["z1", "z2"]].to_numpy()[members].T
    middle = float(np.median(x))
    mode(qtbot, explore, "Lasso")
    drag(qtbot, explore, [(x.min() - 0.1, y.min() - 0.1), (middle, y.min() - 0.1), (middle, y.max() + 0.1),
                          (x.min() - 0.1, y.max() + 0.1)])  # fmt: skip
    part = explore.plot.selection
    assert set(part) < set(members) and abs(len(part) - (x < middle).sum()) < 4
    click(qtbot, grouped.split_button)
    assert names(grouped) == ["0", "1", f"{first}.2"]
    assert np.array_equal(np.flatnonzero(points.features["class"] == f"{first}.2"), part)


def test_every_class_has_the_mean_of_its_windows(viewer, explore, grouped, points, qtbot):
    image = np.zeros((100, 100), np.float32)
    row, column = points.data.astype(int).T
    image[row, column] = np.where(points.features["class"] == names(grouped)[0], 1.0, 0.2)
    viewer.layers["image"].data = image
    black = [grouped.gallery.item(i).icon().pixmap(62).toImage() for i in range(2)]
    explore._on_table_changed()
    qtbot.waitUntil(lambda: all(grouped.gallery.item(i).icon().pixmap(62).toImage() != black[i] for i in range(2)),
                    timeout=LONG)  # fmt: skip
    middle = [grouped.gallery.item(i).icon().pixmap(62).toImage().pixelColor(31, 31).value() for i in range(2)]
    assert middle[0] > 200 and 0 < middle[1] < 100


def test_a_colour_is_that_of_points_and_plot(explore, grouped, points):
    grouped._put(grouped.classes.recolour("1", "#102030"))
    row = int(np.flatnonzero(points.features["class"] == "1")[0])
    assert np.allclose(points.face_color[row][:3], np.array([16, 32, 48]) / 255, atol=0.01)
    assert "#102030" in explore.key.legend.text()


def test_a_picture_has_the_colour_of_its_class_where_no_image_is_known(viewer, explore, grouped, qtbot):
    viewer.layers.remove("image")
    explore._on_table_changed()
    grouped._put(grouped.classes.recolour("1", "#102030"))

    def frame():
        icon = grouped.gallery.item(grouped.classes.names.index("1")).icon()
        return icon.pixmap(62).toImage().pixelColor(1, 1).name()

    qtbot.waitUntil(lambda: frame() == "#102030", timeout=LONG)


def test_painting_assigns_what_is_outlined(explore, points, qtbot):
    section = explore.classes
    type_name(qtbot, section, "left")
    section.paint.setChecked(True)
    explore.plot.set_mode("lasso")
    view = explore.plot.box.viewRange()
    explore.plot.box.translateBy(x=0.1)
    moved = explore.plot.box.viewRange()
    explore.plot.select_within([(-2, -2), (0, -2), (0, 0), (-2, 0)])
    assert (points.features["class"] == "left").sum() == 30
    settle(qtbot, explore)
    assert np.allclose(explore.plot.box.viewRange(), moved) and not np.allclose(view, moved), "the view stays"


def test_colours_that_come_back_are_not_faded(explore, grouped, points, qtbot):
    before = np.array(points.face_color)
    explore.plot.select_within([(-2, -2), (0, -2), (0, 0), (-2, 0)])
    qtbot.waitUntil(lambda: len(points.selected_data) == 30, timeout=LONG)
    type_name(qtbot, grouped, "defect")
    click(qtbot, grouped.assign_button)
    qtbot.waitUntil(lambda: points.face_color[40, 3] < 1, timeout=LONG)
    click(qtbot, grouped.undo_button)
    click(qtbot, explore.tools.clear)
    qtbot.waitUntil(lambda: np.allclose(points.face_color, before), timeout=LONG)


def test_a_labels_layer_of_the_classes(viewer, explore, grouped, points, qtbot):
    for _ in range(2):
        with qtbot.waitSignal(explore.maker.job.ended, timeout=LONG):
            grouped.layer_action.trigger()
    (layer,) = (layer for layer in viewer.layers if type(layer).__name__ == "Labels")
    row, column = points.data.astype(int).T
    codes = pd.Categorical(points.features["class"].astype(str), categories=names(grouped)).codes
    assert np.array_equal(layer.data[row, column], codes + 1)
    color = grouped.classes.colors[0]
    assert np.allclose(layer.colormap.map(1)[:3], [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)], atol=0.01)


def test_classes_are_handed_on_as_labels(grouped, points, qtbot):
    grouped.labels_action.trigger()
    assert points.features["label"].astype(str).tolist() == points.features["class"].astype(str).tolist()


def test_what_cannot_be_done_is_one_sentence(explore, qtbot, notifications):
    section = explore.classes
    for act, words in (
        (section.assign_button.click, "No atom is selected"),
        (section.merge_button.click, "at least two"),
        (section.show_button.click, "Choose a class"),
        (section.split_button.click, "one class above"),
        (section.layer_action.trigger, "no classes yet"),
        (section.labels_action.trigger, "no classes yet"),
        (section.color_action.trigger, "Choose one class"),
    ):
        act()
        assert words in notifications[-1]
    for i in range(section.grouping.columns.count()):
        section.grouping.columns.item(i).setCheckState(Qt.CheckState.Unchecked)
    click(qtbot, section.grouping.button)
    assert "Tick at least one column" in notifications[-1]


@pytest.fixture
def described(points):
    """The same points, with classes of a run."""
    points.features = points.features.assign(**{"class": pd.Categorical(["0"] * 30 + ["1"] * 34, ["", "0", "1"])})
    points.metadata = {"napari_vae": {"columns": ("z1", "z2", "class")}}
    return points


def test_a_name_is_changed_with_the_keyboard(grouped, points, qtbot):
    grouped.gallery.setCurrentRow(0)
    grouped.gallery.setFocus()
    qtbot.keyClick(grouped.gallery, Qt.Key.Key_F2)
    editor = grouped.gallery.findChild(QLineEdit)
    qtbot.keyClicks(editor, "Sr")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(grouped) == ["Sr", "1"], timeout=LONG)
    assert (points.features["class"] == "Sr").sum() == 34


def test_a_name_that_is_typed_stays_when_tiles_and_pictures_arrive(grouped, points, qtbot):
    gallery = grouped.gallery
    gallery.setCurrentRow(0)
    qtbot.keyClick(gallery, Qt.Key.Key_F2)
    editor = gallery.findChild(QLineEdit)
    qtbot.keyClicks(editor, "S")
    points.features = points.features.assign(other=1.0)  # the docks read the table again
    qtbot.waitUntil(lambda: not gallery.job.running, timeout=LONG)
    with qtbot.waitSignal(gallery.job.ended, timeout=LONG):
        gallery.job.start(mean_steps, grouped._windows[0], {"0": np.arange(3)}, None)
    qtbot.keyClicks(editor, "r")
    assert editor.text() == "Sr" and editor.isVisible()
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(grouped) == ["Sr", "1"], timeout=LONG)


def test_classes_of_a_run_stay(explore, described, qtbot):
    section = explore.classes
    qtbot.waitUntil(lambda: names(section) == ["0", "1"], timeout=LONG)
    before = np.array(described.face_color)
    section.gallery.item(0).setText("bulk")
    qtbot.waitUntil(lambda: "class_name" in described.features, timeout=LONG)
    assert section.column.currentText() == "class_name" and names(section) == ["bulk", "1"]
    assert described.features["class"].tolist() == ["0"] * 30 + ["1"] * 34
    click(qtbot, section.undo_button)
    assert "class_name" not in described.features and np.allclose(described.face_color, before)


def test_numbers_are_not_overwritten_and_integers_come_back(explore, points, qtbot, notifications):
    section, numbers = explore.classes, np.arange(64) % 3
    points.features = points.features.assign(kind=numbers)
    settle(qtbot, explore)
    points.selected_data = {1, 2}
    qtbot.waitUntil(lambda: len(explore.plot.selection) == 2, timeout=LONG)
    for column, words in (("z1", "holds numbers, not classes"), ("y", "is a position")):
        section.column.setCurrentText(column)
        type_name(qtbot, section, "defect")
        click(qtbot, section.assign_button)
        assert words in notifications[-1] and words in section.words.text()
    assert points.features["z1"].dtype == float
    section.column.setCurrentText("kind")
    assert section.words.text() == "" and names(section) == ["0", "1", "2"]
    click(qtbot, section.assign_button)
    assert points.features["kind"].tolist()[:4] == ["0", "defect", "defect", "0"]
    click(qtbot, section.undo_button)
    assert np.array_equal(points.features["kind"], numbers) and points.features["kind"].dtype == numbers.dtype


def test_labels_made_by_hand_come_back(grouped, points, qtbot):
    mine = ["mine"] + [""] * 63
    points.features = points.features.assign(label=mine)
    grouped.labels_action.trigger()
    assert points.features["label"].astype(str).tolist() == points.features["class"].astype(str).tolist()
    click(qtbot, grouped.undo_button)
    assert points.features["label"].tolist() == mine and grouped.column.currentText() == "class"


def test_groups_of_another_layer_or_of_other_points_are_not_written(explore, points, viewer, qtbot, notifications):
    job = explore.classes.grouping.job
    with qtbot.waitSignal(job.ended, timeout=LONG):
        click(qtbot, explore.classes.grouping.button)
        viewer.add_points(points.data, name="other", features=points.features, **TURNED)
        explore.layer_box.choose(viewer.layers["other"])
    assert all("class" not in viewer.layers[name].features for name in ("atoms", "other"))
    with qtbot.waitSignal(job.ended, timeout=LONG):
        click(qtbot, explore.classes.grouping.button)
        viewer.layers["other"].add([[1.0, 1.0]])
        settle(qtbot, explore)
    assert "class" not in viewer.layers["other"].features
    assert not notifications or "group again" in notifications[-1]


def test_deleted_points_end_what_can_be_undone(grouped, points, qtbot):
    points.selected_data = {3}
    points.remove_selected()
    qtbot.waitUntil(lambda: not grouped.undo_button.isEnabled(), timeout=LONG)
    assert sum(grouped.classes.counts) == 63


def test_a_colour_is_chosen(grouped, points, qtbot, monkeypatch):
    monkeypatch.setattr(QColorDialog, "getColor", lambda *a: QColor("#102030"))
    before = np.array(points.face_color)
    grouped.gallery.setCurrentRow(1)
    grouped.color_action.trigger()
    assert grouped.classes.palette["1"] == "#102030"
    click(qtbot, grouped.undo_button)
    assert grouped.classes.palette["1"] != "#102030" and np.allclose(points.face_color, before)


def test_only_what_is_outlined_is_painted(explore, points, qtbot):
    section = explore.classes
    type_name(qtbot, section, "left")
    section.paint.setChecked(True)
    explore.plot.set_mode("lasso")
    explore._on_row_chosen(5)
    assert "class" not in points.features
    corners = [(-1.3, -1.25), (0, -1.25), (0, 0), (-1.3, 0)]
    drag(qtbot, explore, corners)
    assert (points.features["class"] == "left").sum() == 30
