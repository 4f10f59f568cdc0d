"""Explore latents in a real window: what is plotted, linked both ways, hovered over, and what cannot be plotted."""

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_vae.layers.identity import note, ours, token_of
from napari_vae.layers.points import KEY
from plot_mouse import drag, mode, pixel, send_move
from training_widget import LONG, TURNED

pytestmark = pytest.mark.usefixtures("every_move")


@pytest.fixture
def groups(viewer):
    """Points in two groups of the plane z1, z2, on an image."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 100, (60, 2))
    z = rng.normal(0, 0.1, (60, 2)) + np.where(np.arange(60) < 30, -1.0, 1.0)[:, None]
    features = pd.DataFrame({"z1": z[:, 0], "z2": z[:, 1], "kind": np.where(np.arange(60) < 30, "low", "high")})
    viewer.add_image(np.zeros((100, 100)), name="image", **TURNED)
    return viewer.add_points(places, name="atoms", features=features, **TURNED)


@pytest.fixture
def explore(groups, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    widget = show_widget(ExploreWidget)
    widget.resize(360, 700)
    qtbot.waitUntil(lambda: widget.plot.drawn, timeout=LONG)
    return widget


LOW = [(-1.36, -1.36), (-0.4, -1.36), (-0.4, -0.4), (-1.36, -0.4)]


def test_latents_are_plotted_in_the_colours_of_the_classes(explore, groups):
    assert (explore.x.currentText(), explore.y.currentText()) == ("z1", "z2")
    explore.color.setCurrentText("kind")
    assert "low" in explore.key.legend.text() and ":&nbsp;30" in explore.key.legend.text()
    assert "60 points" in explore.words.text()
    explore.color.setCurrentText("z1")
    assert explore.key.name.text() == "z1" and explore.key.low.isVisible()


@pytest.mark.parametrize("tool", ["Lasso", "Box"])
def test_what_is_outlined_is_selected_on_the_canvas(explore, groups, qtbot, tool):
    mode(qtbot, explore, tool)
    corners = [LOW[0], LOW[2]] if tool == "Box" else LOW
    drag(qtbot, explore, corners)
    qtbot.waitUntil(lambda: groups.selected_data == set(range(30)), timeout=LONG)
    assert "30 selected" in explore.words.text()
    left = [(-1.36, -1.36), (-1.0, -1.36), (-1.0, -0.4), (-1.36, -0.4)]
    drag(qtbot, explore, left[::2] if tool == "Box" else left, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: 0 < len(groups.selected_data) < 30, timeout=LONG)
    high = [(0.4, 0.4), (1.25, 0.4), (1.25, 1.4), (0.4, 1.4)]
    drag(qtbot, explore, high[::2] if tool == "Box" else high, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: set(range(30, 60)) <= groups.selected_data, timeout=LONG)
    qtbot.mouseClick(explore.tools.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not groups.selected_data, timeout=LONG)
    assert "selected" not in explore.words.text()


def test_a_path_is_drawn_and_selects_nothing(explore, groups, qtbot):
    paths = []
    explore.plot.box.led.connect(paths.append)
    mode(qtbot, explore, "Path")
    drag(qtbot, explore, [(-1, -1), (0, 0.5), (1, 1)])
    assert np.allclose(paths[0][[0, -1]], [[-1, -1], [1, 1]], atol=0.05) and not len(explore.plot.selection)
    assert explore.plot.box.line.isVisible()
    mode(qtbot, explore, "Move")
    assert not explore.plot.box.line.isVisible()


def test_what_is_selected_on_the_canvas_is_selected_here(explore, groups, qtbot):
    told = []
    explore.plot.selection_changed.connect(told.append)
    groups.selected_data = {3, 40}
    qtbot.waitUntil(lambda: explore.plot.selection.tolist() == [3, 40], timeout=LONG)
    assert not told, "it does not go round in circles"


def test_a_click_selects_one_and_a_double_click_goes_there(explore, groups, viewer, qtbot):
    place = pixel(explore, *groups.features.loc[7, ["z1", "z2"]])
    view = explore.plot.plot.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: len(groups.selected_data) == 1, timeout=LONG)
    row = next(iter(groups.selected_data))
    explore.plot.double_clicked.emit(row)
    assert np.allclose(viewer.scene.camera.center[-2:], groups.data_to_world(groups.data[row]))


def test_dragging_moves_the_view_and_fit_brings_it_back(explore, qtbot):
    before = explore.plot.box.viewRange()
    drag(qtbot, explore, [(0, 0), (0.5, 0.2), (1, 0.4)])
    assert explore.plot.box.viewRange()[0][0] < before[0][0] - 0.2
    qtbot.mouseClick(explore.tools.fit, Qt.MouseButton.LeftButton)
    assert np.allclose(explore.plot.box.viewRange(), before)


def hover(widget, place):
    """Move the mouse, without a button, to a place of the plane; gives what the strip says then."""
    send_move(
        widget.plot.plot.viewport(), pixel(widget, *place), Qt.KeyboardModifier.NoModifier, Qt.MouseButton.NoButton
    )
    return widget.strip.words.text()


def test_hovering_shows_values(explore, groups, qtbot):
    place = groups.features.loc[7, ["z1", "z2"]]
    qtbot.waitUntil(lambda: "no. 7" in hover(explore, place), timeout=LONG)
    assert "z1" in explore.strip.words.text()
    qtbot.waitUntil(lambda: "Point at" in hover(explore, (0, 0)), timeout=LONG)
    explore.plot.select_within(LOW)
    assert "no. 0<" in explore.strip.words.text(), "the first that is selected"


def test_the_strip_stays_in_view(explore, qtbot):
    for section in explore.sections.values():
        section.expand(animate=False)
    explore.resize(360, 500)
    for value in (0, explore.verticalScrollBar().maximum()):
        explore.verticalScrollBar().setValue(value)
        corner = explore.strip.mapTo(explore, explore.strip.rect().bottomRight())
        assert explore.rect().contains(corner) and explore.strip.isVisible()
        assert explore.viewport().geometry().bottom() < explore.strip.geometry().top()


def test_the_plot_is_as_high_as_the_dock_allows(explore, qtbot):
    explore.resize(360, 1000)
    qtbot.waitUntil(lambda: explore.plot.height() > 300, timeout=LONG)
    before = explore.plot.height()
    explore.resize(360, 1200)
    qtbot.waitUntil(lambda: explore.plot.height() == before + 200, timeout=LONG)
    assert explore.verticalScrollBar().maximum() == 0


@pytest.fixture
def docked(viewer, groups, open_widget, qtbot):
    """Explore latents in a napari window on the screen, and its canvas."""
    from qtpy.QtOpenGLWidgets import QOpenGLWidget

    widget = open_widget("Explore latents")
    main = widget.window()
    main.resize(1366, 768)
    main.show()
    qtbot.waitUntil(lambda: widget.plot.drawn, timeout=LONG)
    viewer.reset_view()
    return widget, main.centralWidget().findChild(QOpenGLWidget)


@pytest.mark.own_window
def test_an_atom_under_the_cursor_of_the_plot_is_crossed_out_on_the_image(viewer, docked, groups, qtbot):
    explore, canvas = docked
    layers, colors = list(viewer.layers), np.array(groups.face_color)
    place = groups.features.loc[7, ["z1", "z2"]]
    qtbot.waitUntil(lambda: "no. 7" in hover(explore, place), timeout=LONG)
    crosshair = explore.pointer.crosshair
    assert crosshair.parent() is canvas and crosshair.isVisible() and crosshair.size() == canvas.size()
    wanted = groups.data_to_world(groups.data[7])

    def cursor(place):
        qtbot.mouseMove(canvas, place)
        return viewer.cursor.position

    near = 2 / viewer.scene.camera.zoom
    qtbot.waitUntil(lambda: np.allclose(cursor(crosshair.places()[0].toPoint()), wanted, atol=near), timeout=LONG)
    qtbot.waitUntil(lambda: "no. 7" in hover(explore, place) and crosshair.isVisible(), timeout=LONG)
    viewer.scene.camera.zoom *= 2
    away = crosshair.places()[0] - canvas.rect().center().toPointF()
    centre = np.array(viewer.scene.camera.center[-2:])
    assert np.allclose((away.y(), away.x()), (np.array(wanted) - centre) * viewer.scene.camera.zoom, atol=2)
    assert list(viewer.layers) == layers and np.array_equal(groups.face_color, colors), "it is no layer"
    qtbot.waitUntil(lambda: "Point at" in hover(explore, (0, 0)), timeout=LONG)
    assert not crosshair.isVisible()


@pytest.mark.own_window
def test_an_atom_under_the_cursor_of_the_image_is_marked_on_the_plot(viewer, docked, groups, qtbot):
    explore, canvas = docked
    row = int(np.argmax(np.sort(np.linalg.norm(groups.data[:, None] - groups.data[None], axis=2), axis=1)[:, 1]))
    explore.pointer._on_plot(row)
    on_canvas = explore.pointer.crosshair.places()[0].toPoint()
    explore.pointer.leave()

    def says():
        qtbot.mouseMove(explore.strip)  # a mouse that has not left does not enter
        qtbot.mouseMove(canvas, on_canvas)
        return explore.strip.words.text()

    qtbot.waitUntil(lambda: f"no. {row}<" in says(), timeout=LONG)
    assert [tuple(spot.pos()) for spot in explore.plot.mark.points()[:1]] == [
        pytest.approx(tuple(groups.features.loc[row, ["z1", "z2"]]), abs=1e-5)
    ]
    qtbot.mouseMove(explore.plot.plot.viewport(), pixel(explore, 0, 0))
    viewer.mouse_over_canvas = False  # as napari notes when the mouse leaves
    assert not len(explore.plot.mark.points()) and "Point at" in explore.strip.words.text()


def test_what_is_not_selected_fades_on_the_image_too(viewer, docked, groups, qtbot):
    explore, _ = docked
    before = np.array(groups.face_color), np.array(groups.border_color)
    explore.plot.select_within(LOW)
    qtbot.waitUntil(lambda: len(groups.selected_data) == 30, timeout=LONG)
    for now, then in zip((groups.face_color, groups.border_color), before, strict=True):
        assert np.array_equal(now[:30], then[:30]) and np.array_equal(now[:, :3], then[:, :3])
        assert np.allclose(now[30:, 3], 0.25 * then[30:, 3])
    groups.add([[5.0, 5.0]])  # napari selects it
    qtbot.waitUntil(lambda: explore.plot.selection.tolist() == [60], timeout=LONG)
    assert np.allclose(groups.face_color[:60, 3], 0.25 * before[0][:, 3]) and groups.face_color[60, 3] == 1
    groups.face_color = "red"
    qtbot.waitUntil(lambda: np.allclose(groups.face_color[:60], (1, 0, 0, 0.25)), timeout=LONG)
    explore.tools.clear.click()
    qtbot.waitUntil(lambda: np.allclose(groups.face_color, (1, 0, 0, 1)), timeout=LONG)
    groups.selected_data = {3}
    qtbot.waitUntil(lambda: groups.face_color[4, 3] < 1, timeout=LONG)
    explore.hide()
    assert np.allclose(groups.face_color, (1, 0, 0, 1)), "the layer is left as it was"
    groups.face_color = "blue"
    qtbot.waitUntil(lambda: not explore.link._dimming_timer.isActive(), timeout=LONG)
    assert np.allclose(groups.face_color, (0, 0, 1, 1)), "colours of another dock do not fade"


@pytest.mark.own_window
def test_what_is_selected_is_marked_over_a_picture_that_hides_the_points(viewer, docked, groups):
    explore, canvas = docked
    explore.plot.select_within(LOW)
    note(groups, image=token_of(viewer.layers, viewer.layers["image"]))
    noted = {"kind": "map", "column": "z1", "image": ours(groups)["image"]}
    viewer.add_image(np.zeros((4, 4)), metadata={KEY: noted})
    assert explore.pointer.dots is None, "points that are seen fade instead"
    groups.visible = False
    dots = explore.pointer.dots
    explore.pointer._on_plot(29)
    assert dots.parent() is canvas and dots.isVisible() and len(dots.places()) == 30
    assert dots.places()[29] == explore.pointer.crosshair.places()[0]
    groups.visible = True
    assert not dots.isVisible()


def test_a_selection_too_large_for_napari_fades_the_others_and_is_handed_over_when_asked_for(explore, groups, qtbot):
    explore.link.most = 20

    def faded():
        return np.flatnonzero(groups.face_color[:, 3] < 1).tolist()

    explore.plot.select_within(LOW)
    qtbot.waitUntil(lambda: faded() == list(range(30, 60)), timeout=LONG)
    assert not groups.selected_data and "30 selected; not in napari's layer" in explore.words.text()
    explore.show_bar.choose("z1")  # all that is drawn anew keeps it
    groups.features = groups.features.assign(z3=np.arange(60.0))
    qtbot.waitUntil(lambda: explore.x.findText("z3") >= 0, timeout=LONG)
    assert explore.plot.selection.tolist() == list(range(30)) and faded() == list(range(30, 60))
    explore.words.linkActivated.emit("layer")
    assert groups.selected_data == set(range(30)) and faded() == list(range(30, 60))
    explore.plot.select_within(LOW)
    qtbot.waitUntil(lambda: not groups.selected_data, timeout=LONG)
    groups.selected_data = {3, 4}  # on the canvas
    qtbot.waitUntil(lambda: explore.plot.selection.tolist() == [3, 4], timeout=LONG)
    assert len(faded()) == 58
    explore.plot.select_within(LOW)
    qtbot.waitUntil(lambda: not groups.selected_data, timeout=LONG)
    with qtbot.waitSignal(explore.link.table_changed, timeout=LONG):
        groups.remove([0])  # whose rows are others' by now
    assert not len(explore.plot.selection) and not faded()


def test_the_nearest_of_many_points_is_found():
    from napari_vae.widgets.explore.linking import nearest_row

    points = np.random.default_rng(0).uniform(0, 100, (2000, 3))
    place = np.array([40.0, 60.0])
    nearest = int(np.argmin(np.linalg.norm(points[:, 1:] - place, axis=1)))
    assert nearest_row(points, place, 5.0) == nearest
    others = np.arange(2000) != nearest
    assert nearest_row(points, place, 5.0, others) == int(
        np.flatnonzero(others)[np.argmin(np.linalg.norm(points[others, 1:] - place, axis=1))]
    )
    assert nearest_row(points, place + 200, 5.0) == -1


def test_the_table_is_followed(explore, groups, qtbot):
    groups.features = groups.features.assign(z3=np.arange(60.0))
    qtbot.waitUntil(lambda: explore.x.findText("z3") >= 0, timeout=LONG)
    assert explore.x.currentText() == "z1"
    groups.add([[5.0, 5.0]])
    qtbot.waitUntil(lambda: "61 points" in explore.words.text(), timeout=LONG)


def test_layers_come_and_go(explore, groups, viewer, qtbot):
    other = viewer.add_points(np.eye(3)[:, :2], name="other", features={"a": [1.0, 2.0, 3.0]}, **TURNED)
    explore.layer_box.choose(other)
    assert explore.x.currentText() == "a" and "3 points" in explore.words.text()
    viewer.layers.remove(other)
    assert explore.layer_box.layer().name == "atoms"
    assert "60 points" in explore.words.text()
    viewer.layers.remove(groups)
    assert "detect atoms" in explore.words.text()


def test_labels_with_features(viewer, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    features = pd.DataFrame({"index": [0, 1, 2], "area": [0.0, 4.0, 6.0], "mean": [0.0, 1.0, 0.5]})
    labels = viewer.add_labels(np.repeat([[0, 1, 2]], 3, axis=0), features=features)
    widget = show_widget(ExploreWidget)
    widget.x.setCurrentText("area")
    widget.plot.set_selection([2])
    widget.plot.selection_changed.emit(np.array([2]))
    qtbot.waitUntil(lambda: labels.selected_label == 2, timeout=LONG)


@pytest.mark.parametrize(
    "features, words",
    [
        ({"kind": ["a", "b", "c"]}, "60 points"),
        ({"z1": [np.nan] * 3, "z2": [1.0, 2.0, 3.0]}, "3 without a value"),
        ({"z1": [1.0] * 3, "z2": [2.0] * 3}, "3 points"),
    ],
)
def test_what_is_hard_to_plot(viewer, show_widget, features, words):
    from napari_vae.widgets.explore.dock import ExploreWidget

    viewer.add_points(np.eye(3)[:, :2], features=features)
    widget = show_widget(ExploreWidget)
    assert words.replace("60", "3") in widget.words.text()


def test_no_layer_and_an_empty_one(viewer, show_widget):
    from napari_vae.widgets.explore.dock import ExploreWidget

    widget = show_widget(ExploreWidget)
    assert "detect atoms" in widget.words.text()
    viewer.add_points(np.zeros((0, 2)))
    widget.tools.clear.click()
    assert "empty" in widget.words.text()


def test_a_dock_that_is_not_seen_is_left_alone_by_the_cursor_on_the_image(explore, groups, viewer):
    explore.link._row_at = lambda place: 0
    viewer.mouse_over_canvas = True
    assert "no. 0<" in explore.strip.words.text()
    explore.hide()
    viewer.cursor.position = (1.0, 1.0)
    assert "no. 0<" not in explore.strip.words.text()
    viewer.mouse_over_canvas = False


def test_a_million_classes(explore, groups, notifications):
    groups.features = groups.features.assign(name=[f"atom {i % 300}" for i in range(60)])
    from napari_vae.analysis import coloring

    assert coloring.color_by(groups.features["name"]).classes  # 60 are fine
    big = pd.DataFrame({"z1": np.zeros(300), "z2": np.zeros(300), "name": [f"atom {i}" for i in range(300)]})
    explore._viewer.add_points(np.zeros((300, 2)), name="many", features=big, **TURNED)
    explore.layer_box.choose(explore._viewer.layers["many"])
    explore.color.setCurrentText("name")
    assert len(notifications) == 1, notifications
    assert "more than colours can tell apart" in notifications[0]
