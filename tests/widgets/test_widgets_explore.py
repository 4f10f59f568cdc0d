"""Explore latents in a real window: what is plotted, linked both ways, hovered over, and what cannot be plotted."""

import numpy as np
import pandas as pd
import pyqtgraph
import pytest
from qtpy.QtCore import Qt

from training_widget import LONG, TURNED


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


def pixel(widget, x, y):
    """Where a place of the plane lies in the widget of the plot."""
    scene = widget.plot.box.mapFromViewToItem(widget.plot.box, _point(x, y))
    return widget.plot.plot.mapFromScene(widget.plot.box.mapToScene(scene))


def _point(x, y):
    from qtpy.QtCore import QPointF

    return QPointF(float(x), float(y))


@pytest.fixture(autouse=True)
def every_move(monkeypatch):
    """No move of the mouse is left out because it follows soon on another."""
    monkeypatch.setitem(pyqtgraph.CONFIG_OPTIONS, "mouseRateLimit", 0)


def drag(qtbot, widget, places, modifier=Qt.KeyboardModifier.NoModifier):
    """Press at the first place of the plane, move over the others, release."""
    view = widget.plot.plot.viewport()
    pixels = [pixel(widget, *place) for place in places]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, modifier, pixels[0])
    for place in pixels[1:]:
        for _ in range(2):  # pyqtgraph begins a drag with the second move
            send_move(view, place, modifier)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, modifier, pixels[-1])


def send_move(view, place, modifier, buttons=Qt.MouseButton.LeftButton):
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        QPointF(view.mapToGlobal(place)),
        Qt.MouseButton.NoButton,
        buttons,
        modifier,
    )
    QApplication.sendEvent(view, event)


LOW = [(-1.36, -1.36), (-0.4, -1.36), (-0.4, -0.4), (-1.36, -0.4)]


def mode(qtbot, widget, text):
    button = next(button for button in widget.tools.modes.buttons() if button.text() == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


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


def test_hovering_shows_values(explore, groups, qtbot):
    view = explore.plot.plot.viewport()

    def hover(place):
        send_move(view, place, Qt.KeyboardModifier.NoModifier, Qt.MouseButton.NoButton)
        return explore.card.words.text()

    place = pixel(explore, *groups.features.loc[7, ["z1", "z2"]])
    qtbot.waitUntil(lambda: "no." in hover(place), timeout=LONG)
    assert "z1" in explore.card.words.text()
    qtbot.waitUntil(lambda: "Hover" in hover(pixel(explore, 0, 0)), timeout=LONG)


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


def test_what_is_outlined_is_of_the_frame_in_view(viewer, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    viewer.add_image(np.zeros((2, 20, 20)))
    points = [[0, 1, 1], [0, 2, 2], [1, 3, 3]]
    viewer.add_points(points, features={"z1": [0.0, 1.0, 2.0], "z2": [0.0, 1.0, 0.0]})
    viewer.dims.set_current_step(0, 0)
    widget = show_widget(ExploreWidget)
    widget.resize(360, 700)
    mode(qtbot, widget, "Box")
    for frame, rows in ((0, [0, 1]), (1, [2])):
        viewer.dims.set_current_step(0, frame)
        qtbot.waitUntil(lambda: widget.plot.drawn, timeout=LONG)
        drag(qtbot, widget, [(-0.05, -0.05), (2.05, 1.05)])
        assert widget.plot.selection.tolist() == rows


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
    assert "empty" in widget.words.text()


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
