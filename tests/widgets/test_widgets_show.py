"""The Show bar in a real window: one choice of colours for the canvas, the plot, and every dock."""

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_vae.layers.active import is_atoms
from napari_vae.layers.identity import note, token_of
from napari_vae.layers.points import blank_row
from napari_vae.layers.showing import show, shown_column
from napari_vae.widgets.common.steps_row import StepsRow
from training_widget import LONG, duplicate, settle


@pytest.fixture
def points(viewer):
    """Atoms with latents, classes, angles and strain, on an image."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 2) * 12.0 + 6
    image = viewer.add_image(rng.random((100, 100)), name="image")
    table = pd.DataFrame(rng.normal(size=(64, 2)).astype(np.float32), columns=["z1", "z2"])
    table["class"] = pd.Categorical(np.where(np.arange(64) < 30, "0", "1"), ["", "0", "1"])
    table["angle"] = rng.uniform(-180, 180, 64)
    table["strain_xx"] = rng.normal(0.01, 0.02, 64)
    noted = {"kind": "atoms", "image": token_of(viewer.layers, image), "columns": tuple(table)}
    looks = {"size": 6.6, "border_width": 0.12, "border_color": "#00e5ff", "face_color": "transparent"}
    return viewer.add_points(places, name="atoms", features=table, metadata={"napari_vae": noted}, **looks)


@pytest.fixture
def explore(points, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    widget = show_widget(ExploreWidget)
    qtbot.waitUntil(lambda: widget.plot.drawn, timeout=LONG)
    return widget


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def alike(explore, points):
    """Whether plot and canvas have the same colours."""
    return np.array_equal(explore.show_bar.coloring.rgba, np.rint(255 * points.face_color))


def test_a_colour_is_that_of_plot_canvas_bar_and_of_every_dock(explore, points, show_widget, qtbot):
    from napari_vae.widgets.train.dock import TrainWidget

    assert shown_column(points) == "class" and alike(explore, points), "from the first look on"
    drawn = []
    explore.plot.set_colors = drawn.append
    for name, title in (("z1", "z1"), ("angle", "angle (°)"), ("z2", "z2")):
        click(qtbot, explore.show_bar.buttons[name])
        assert alike(explore, points) and np.array_equal(drawn[-1], explore.show_bar.coloring.rgba)
        assert explore.show_bar.key.name.text() == title and explore.color.currentText() == name
    explore.color.setCurrentText("strain_xx")
    assert alike(explore, points) and not any(b.isChecked() for b in explore.show_bar.buttons.values())
    low, high = explore.show_bar.coloring.limits
    assert low == -high, "0 is in the middle"
    train = show_widget(TrainWidget)
    qtbot.waitUntil(lambda: train.show_bar.layer == points, timeout=LONG)
    assert train.show_bar.key.name.text() == "strain_xx"
    train.show_bar.buttons["z1"].click()
    assert explore.color.currentText() == "z1" and alike(explore, points)
    assert not points.face_colorbar.visible and not points.border_colorbar.visible


def test_image_is_the_plain_micrograph_and_a_second_click_brings_the_colours_back(viewer, explore, points, qtbot):
    click(qtbot, explore.show_bar.buttons["z1"])
    before = np.array(points.face_color)
    click(qtbot, explore.show_bar.buttons["Image"])
    assert [layer.name for layer in viewer.layers if layer.visible] == ["image"]
    assert explore.show_bar.coloring is None and explore.show_bar.buttons["Image"].isChecked()
    click(qtbot, explore.show_bar.buttons["Image"])
    assert points.visible and explore.show_bar.buttons["z1"].isChecked()
    assert np.array_equal(points.face_color, before) and alike(explore, points)
    points.visible = False  # by the eye in the list of layers
    assert explore.show_bar.buttons["Image"].isChecked()
    click(qtbot, explore.show_bar.buttons["class"])
    assert points.visible and alike(explore, points)


def test_atoms_are_rings_again_and_discs_leave_the_image_to_be_seen(explore, points, qtbot):
    assert (points.size < 4).all() and not points.border_width.any()
    click(qtbot, explore.show_bar.buttons["Atoms"])
    assert np.allclose(points.size, 6.6) and np.allclose(points.border_width, 0.12)
    assert not points.face_color[:, 3].any() and np.allclose(points.border_color[:, :3], [0, 0xE5 / 255, 1], atol=0.01)
    explore.show_bar.opacity.setValue(40)
    assert points.opacity == pytest.approx(0.4)
    points.opacity = 0.8  # in napari's controls
    assert explore.show_bar.opacity.value() == 80


def test_points_are_drawn_once_for_a_click_and_each_in_the_looks_that_it_had(viewer, explore, points, qtbot):
    sizes = np.where(np.arange(64) < 32, 4, 9)
    plain = viewer.add_points(np.array(points.data), size=sizes, features=points.features, symbol="square", name="mine")
    explore.layer_box.choose(plain)
    assert plain.size.tolist() == sizes.tolist() and not plain.border_width.any() and alike(explore, plain)
    copy = duplicate(viewer, plain)
    drawn = []
    plain.events.set_data.connect(lambda: drawn.append("data"))
    plain.events.face_color.connect(lambda: drawn.append("colours"))
    for name in ("z1", "Atoms", "angle", "Image", "Image", "class"):
        drawn.clear()
        click(qtbot, explore.show_bar.buttons[name])
        qtbot.wait(0)
        assert len(drawn) == (0 if name == "Image" and not plain.visible else 1), (name, drawn)
    click(qtbot, explore.show_bar.buttons["Atoms"])
    assert plain.border_width.all() and (plain.face_color == 1).all() and set(map(str, plain.symbol)) == {"square"}
    assert not copy.border_width.any() and not (copy.face_color[:, :3] == 1).all(), "a copy is left alone"


def test_new_values_and_points_get_their_colours(explore, points, qtbot):
    click(qtbot, explore.show_bar.buttons["z1"])
    before = np.array(points.face_color)
    points.features = points.features.assign(z1=points.features["z1"].to_numpy()[::-1])
    settle(qtbot, explore)
    assert alike(explore, points) and np.allclose(points.face_color, before[::-1])
    points.feature_defaults = blank_row(points.features)
    points.add([[50.0, 50.0]])
    points.selected_data = set()  # nothing fades
    settle(qtbot, explore)
    assert alike(explore, points) and points.face_color[-1, 3] < 0.5, "without a value"
    points.features = points.features.drop(columns="z1")
    settle(qtbot, explore)
    assert "z1" not in explore.show_bar.buttons and explore.show_bar.coloring is None


def test_points_of_others_are_rings_of_the_size_that_they_had(explore, points, qtbot):
    points.metadata = {}
    points.size = 5.0
    for name in ("z2", "Atoms", "z2"):
        click(qtbot, explore.show_bar.buttons[name])
    points.add([[50.0, 50.0]])
    points.selected_data = set()
    settle(qtbot, explore)
    click(qtbot, explore.show_bar.buttons["Atoms"])
    assert np.allclose(points.size[:64], 5.0) and points.border_width.all()


def test_a_column_that_has_too_many_classes_by_now_colours_nothing(explore, points, show_widget, qtbot):
    from napari_vae.widgets.train.dock import TrainWidget

    train = show_widget(TrainWidget)
    train.hide()
    points.data = np.tile(points.data, (5, 1))
    points.features = points.features.assign(**{"class": [f"atom {number}" for number in range(320)]})
    train.show_bar.refresh()
    settle(qtbot, explore)
    assert explore.show_bar.coloring is None and explore.show_bar.buttons["Atoms"].isChecked()
    assert not points.face_color[:, 3].any() and points.border_width.all()


def test_copies_of_faded_points_have_their_full_colours(viewer, explore, points, qtbot):
    click(qtbot, explore.show_bar.buttons["z1"])
    full = np.array(points.face_color), np.array(points.border_color)
    points.selected_data = {3, 4}
    settle(qtbot, explore)
    assert points.face_color[0, 3] < 1 == points.face_color[3, 3]
    data, options, _ = points.as_layer_data_tuple()  # what is saved, and what “Keep” copies
    for copy in (duplicate(viewer, points), viewer.add_points(data, **options)):
        assert np.allclose(copy.face_color, full[0]) and np.allclose(copy.border_color, full[1])
    assert points.face_color[0, 3] < 1, "which fade as before"


def test_what_is_saved_ticks_the_step_and_leads_on_until_another_model_describes_the_points(
    explore, points, qtbot, tmp_path
):
    steps = explore.findChild(StepsRow)
    assert steps.marks["explore"].text() != "✓" and not steps.next.isVisibleTo(explore)
    with qtbot.waitSignal(explore.figures.job.ended, timeout=LONG):
        explore.figures.save_table(tmp_path / "t.csv")
    assert steps.marks["explore"].text() == "✓" and steps.next.isVisibleTo(explore)
    assert steps.next.text() == "Next: Measure next"
    note(points, run="another")
    assert steps.marks["explore"].text() != "✓" and not steps.next.isVisibleTo(explore)


def test_points_that_fade_when_a_column_colours_them_are_atoms_in_full_colour_again(viewer, explore, points, qtbot):
    show(points, "")
    plain = points.face_color.copy(), points.border_color.copy()
    points.selected_data = {0}
    qtbot.waitUntil(lambda: points.border_color[1, 3] < plain[1][1, 3])
    show(points, "z1")  # as a training does
    points.selected_data = set()
    show(points, "")
    qtbot.waitUntil(lambda: np.allclose(points.border_color, plain[1]))
    np.testing.assert_allclose(points.face_color, plain[0])


def test_certainty_fades_points_on_plot_and_canvas(explore, points, qtbot):
    points.features = points.features.assign(z1_sd=np.linspace(0, 3, 64))
    settle(qtbot, explore)
    explore.color.setCurrentText("z1")
    explore.quality.certainty.setChecked(True)
    assert alike(explore, points) and points.face_color[0, 3] > points.face_color[-1, 3]


def test_changes_of_class_of_followed_atoms_are_points_in_the_colour_of_the_new_class(viewer, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    movie = viewer.add_image(np.zeros((10, 40, 90)), name="movie", scale=(1, 0.1, 0.1))
    track, frame = (grid.ravel() for grid in np.indices((8, 10)))
    kind = np.where((track < 3) & (frame >= 4), "moved", "still")
    table = pd.DataFrame({"track": track, "class": pd.Categorical(kind, ["", "still", "moved"])})
    noted = {"kind": "atoms", "image": token_of(viewer.layers, movie), "columns": ("class",)}
    places = np.column_stack([frame, np.full(80, 20.0), 10.0 * track + 5])
    viewer.add_points(places, name="atoms", features=table, scale=movie.scale, metadata={"napari_vae": noted})
    explore = show_widget(ExploreWidget)
    explore.show_bar.choose("class")
    said = []
    explore.show_bar.maker.said.connect(said.append)
    menu, maker = explore.show_bar.menu, explore.show_bar.maker
    count = next(action for action in menu.actions() if action.data() == "changes")
    count.trigger()
    menu.aboutToShow.emit()
    (stop,) = [action for action in menu.actions() if action.isEnabled()]
    with qtbot.waitSignal(maker.job.ended, timeout=LONG):
        stop.trigger()
    assert said[-1] == "Stopped; nothing was kept." and "changes" not in viewer.layers
    menu.aboutToShow.emit()
    assert count.isEnabled() and not stop.isEnabled()
    with qtbot.waitSignal(maker.made, timeout=LONG):
        count.trigger()
    changes = viewer.layers["changes"]
    assert changes.data.tolist() == [[4, 20, 5], [4, 20, 15], [4, 20, 25]] and np.allclose(changes.scale, movie.scale)
    assert set(changes.features["to"]) == {"moved"} and changes.visible and not is_atoms(changes)
    moved = viewer.layers["atoms"].face_color[kind == "moved"][0]
    assert np.allclose(changes.border_color, moved) and not changes.face_color[:, 3].any()
    assert said[-1].startswith("3 changes of class, per atom and frame: still → moved 0.0")
