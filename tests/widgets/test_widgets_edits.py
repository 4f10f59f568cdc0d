"""Detect again in a real window: edits by hand survive, a region or frame only, undo."""

import numpy as np
import pytest

from training_widget import LONG, TURNED, settle

NAME = "atoms"


@pytest.fixture
def scene(viewer, lattice):
    return viewer.add_image(lattice[0], name="lattice", **TURNED)


@pytest.fixture
def widget(scene, open_widget):
    return open_widget("Detect atoms")


@pytest.fixture
def points(viewer, widget, qtbot):
    """The atoms as they are first detected."""
    detect(qtbot, widget)
    return viewer.layers[NAME]


def detect(qtbot, widget):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.detect()


def has(points, place, within=0.1):
    return bool((np.linalg.norm(points.data - place, axis=1) < within).any())


def edit(points):
    """Add one, move one, delete two; returns where these are and were."""
    rows = np.flatnonzero((np.abs(points.data - 80) < 50).all(axis=1))[:3]
    moved, *deleted = points.data[rows]
    data = points.data.copy()
    data[rows[0]] += (1.5, 2.0)
    points.data = data
    points.selected_data = set(rows[1:].tolist())
    points.remove_selected()
    added = np.array([84.0, 78.0])
    points.add(added[None])
    return added, moved + np.array([1.5, 2.0]), deleted


def test_edits_survive_every_further_detection(viewer, widget, points, qtbot):
    before = len(points.data)
    added, moved, deleted = edit(points)
    for refine in (True, False, True):
        widget.form.refine.setChecked(refine)
        detect(qtbot, widget)
        assert [layer.name for layer in viewer.layers] == ["lattice", NAME] and viewer.layers[NAME] == points
        assert has(points, added) and has(points, moved)
        assert not any(has(points, place, within=3) for place in deleted)
        assert len(points.data) == before - 1
        assert points.features["score"].isna().sum() == 2
        assert (
            widget.progress.words.text().startswith(f"{before - 1} atoms")
            and "stays so" in widget.progress.words.text()
        )
    assert viewer.layers.selection == {points}


def test_columns_and_looks_of_the_user_follow_the_atoms(widget, points, qtbot):
    mine = np.arange(len(points.data))
    points.features = points.features.assign(mine=mine.astype(float))
    size = np.where(mine % 2, 5.0, 9.0)
    points.size = size
    points.face_color = "red"
    at = {tuple(place): number for place, number in zip(points.data, mine, strict=True)}
    points.data = points.data[::-1]
    points.features = points.features.iloc[::-1].reset_index(drop=True)
    points.size = size[::-1]
    detect(qtbot, widget)
    assert [at[tuple(place)] for place in points.data] == points.features["mine"].tolist()
    assert np.array_equal(points.size, np.where(points.features["mine"] % 2, 5.0, 9.0))
    assert np.array_equal(np.unique(points.face_color, axis=0), [[1, 0, 0, 1]])
    points.face_color = "mine"
    points.add([[84.0, 78.0]])
    detect(qtbot, widget)
    assert points.face_color_mode == "colormap" and len(np.unique(points.face_color, axis=0)) > 50


def test_sublattices_are_coloured_and_their_colours_leave_with_them(widget, points, qtbot):
    for choice, colors in ((2, 2), (2, 2), (0, 1)):
        widget.form.sublattices.setCurrentIndex(choice)
        detect(qtbot, widget)
        assert ("sublattice" in points.features) == (colors > 1)
        assert len(np.unique(points.border_color, axis=0)) == colors
    assert widget.history.undo() and len(np.unique(points.border_color, axis=0)) == 2


def test_values_of_atoms_that_vanish_are_kept_in_the_layer_that_was(viewer, widget, points, qtbot):
    points.features = points.features.assign(mine=np.arange(len(points.data)))
    added, _, deleted = edit(points)
    before, features = points.data.copy(), points.features.copy()
    widget.form.threshold.by_hand = True
    widget.form.threshold._score = float(points.features["score"].median())
    detect(qtbot, widget)
    assert points in viewer.layers and np.array_equal(points.data, before) and points.features.equals(features)
    new = viewer.layers[-1]
    assert new != points and len(new.data) < len(before)
    assert has(new, added) and not has(new, deleted[0], within=3)
    assert "layer of their own" in widget.progress.words.text()
    widget.undo()
    assert viewer.layers[-1] == points


def test_an_image_that_has_moved(viewer, scene, widget, points, qtbot):
    scene.translate = (50, 60)
    detect(qtbot, widget)  # nothing was edited: the atoms move with the image
    assert len(viewer.layers) == 2 and np.allclose(points.translate, (50, 60))
    edit(points)
    scene.scale = (0.03, 0.03)
    detect(qtbot, widget)
    assert len(viewer.layers) == 3 and np.allclose(points.scale, 0.02)
    assert np.allclose(viewer.layers[-1].scale, 0.03)
    assert "has moved" in widget.progress.words.text()


def test_nothing_found_leaves_the_atoms_alone_and_all_deleted_stay_deleted(
    viewer, widget, points, qtbot, notifications
):
    before = points.data.copy()
    widget.form.threshold.by_hand = True
    widget.form.threshold._score = 1e9
    detect(qtbot, widget)
    assert points in viewer.layers and np.array_equal(points.data, before)
    assert len(notifications) == 1 and notifications[0].startswith("No atoms were found")
    assert len(widget.history) == 1
    points.selected_data = set(range(len(points.data)))
    points.remove_selected()
    widget.form.threshold.by_hand = False
    detect(qtbot, widget)
    assert len(points.data) == 0 and "start afresh" in widget.progress.words.text()


def test_a_drawn_region_only(viewer, scene, widget, qtbot):
    widget.form.where.setCurrentText("drawn region")
    shape = [[20.0, 20.0], [20.0, 90.0], [90.0, 90.0], [90.0, 20.0]]
    world = [[scene.data_to_world(corner) for corner in shape]]
    drawn = viewer.add_shapes(world, shape_type="ellipse", name="somewhere else in the world")
    detect(qtbot, widget)
    points = viewer.layers[NAME]
    assert len(points.data) == pytest.approx(np.pi * 35**2 / 12**2, rel=0.15)
    assert np.linalg.norm(points.data - 55, axis=1).max() < 35.8
    few = points.data.copy()
    beside = np.array(shape) + np.array([0, 60])
    drawn.add_rectangles(np.array([scene.data_to_world(corner) for corner in beside]))
    drawn.add_lines(np.array([scene.data_to_world(corner) for corner in [(0, 0), (150, 150)]]))
    detect(qtbot, widget)
    assert len(points.data) == pytest.approx(len(few) + 70**2 / 12**2 - 2, abs=8)
    assert points.data[:, 0].min() > 19 and all(has(points, place, within=0.01) for place in few)


def test_what_lies_outside_of_the_region_stays(viewer, scene, widget, points, qtbot):
    added, _, _ = edit(points)
    points.add([[5.0, 5.0]])
    before = points.data.copy()
    widget.form.where.setCurrentText("drawn region")
    viewer.add_shapes([[[60, 60], [60, 155], [155, 155], [155, 60]]], shape_type="polygon", **TURNED)
    widget.form.refine.setChecked(False)
    detect(qtbot, widget)
    outside = (before < 59).any(axis=1)
    assert all(has(points, place, within=1e-9) for place in before[outside])
    assert has(points, added, within=1e-9) and len(points.data) == len(before)
    changed = np.abs(points.data[:, None] - before[None]).sum(axis=2).min(axis=1) > 1e-6
    assert changed.sum() > 40 and (points.data[changed] > 58).all()


def test_where_there_is_no_region_it_is_said_how_to_draw_one(viewer, widget, qtbot, notifications):
    widget.form.where.setCurrentText("drawn region")
    widget.detect()
    assert len(notifications) == 1 and "add a Shapes layer" in notifications[0]
    viewer.add_shapes([[[900, 900], [900, 950], [950, 950]]], shape_type="polygon", **TURNED)
    widget.detect()
    assert "no pixel" in notifications[-1]
    viewer.layers[-1].data = [[[11, 11], [11, 13], [13, 13], [13, 11]]]  # between atoms
    detect(qtbot, widget)
    assert "inside the region" in notifications[-1] and NAME not in viewer.layers


def test_of_several_shapes_layers_the_selected_one_counts(viewer, scene, widget, notifications):
    small, large = (np.array([[1, 1], [1, n], [n, n], [n, 1]]) * 10 for n in (3, 9))
    drawn = [viewer.add_shapes([corners], shape_type="polygon", **TURNED) for corners in (small, large)]
    widget.form.where.setCurrentText("drawn region")
    assert widget.form.request().region.sum() == 80**2
    viewer.layers.selection = [drawn[0]]
    assert widget.form.request().region.sum() == 20**2
    viewer.layers.selection = [scene]  # the last one still counts
    assert widget.form.request().region.sum() == 20**2
    viewer.add_shapes([small + 40], shape_type="polygon", **TURNED)
    for layer in drawn[:1] + viewer.layers[-1:]:
        viewer.layers.remove(layer)
    assert widget.form.request().region.sum() == 80**2
    assert not notifications


def test_a_region_is_where_the_canvas_shows_it_whatever_its_unit(viewer, scene, open_widget):
    """napari draws a layer in Å ten times smaller than one in nm, and all in bare numbers where units do not match."""
    scene.rotate, scene.translate = 0, (0, 0)
    square = np.array([[0.5, 0.5], [0.5, 40.5], [40.5, 40.5], [40.5, 0.5]])
    points = viewer.add_points([[1, 1]], scale=(0.1, 0.1), units=("Å", "Å"), name="ångström")
    drawn = viewer.add_shapes([square * 0.02 * 10 / 0.1], shape_type="polygon", scale=points.scale, units=points.units)
    form = open_widget("Detect atoms").form
    form.image.choose(scene)
    form.where.setCurrentText("drawn region")
    assert form.request().region.sum() == 40**2
    drawn.units, drawn.scale = viewer.layers.extent.units, (1, 1)  # as the button above the layer list does
    drawn.data = [square * 0.02 * 10]
    assert str(drawn.units[0]) == "angstrom" and form.request().region.sum() == 40**2
    uncalibrated = viewer.add_image(np.zeros((9, 9)), name="uncalibrated")
    form.image.choose(scene)  # the other takes on its unit meanwhile
    assert str(viewer.layers.units[0]) == "angstrom" and form.request().region.sum() == 40**2
    viewer.layers.remove(uncalibrated)
    drawn.units, drawn.data = ("pixel", "pixel"), [square * 0.02]
    assert form.request().region.sum() == 40**2


def test_without_a_choice_between_shapes_layers_it_is_asked_for(viewer, scene, open_widget, notifications):
    for _ in range(2):
        viewer.add_shapes([[[0, 0], [0, 9], [9, 9]]], shape_type="polygon", **TURNED)
    viewer.layers.selection = [scene]
    widget = open_widget("Detect atoms")
    widget.form.where.setCurrentText("drawn region")
    widget.detect()
    assert "several Shapes layers" in notifications[-1]


def test_marks_follow_the_region_while_it_is_drawn(viewer, show_widget, scene, qtbot):
    from napari_vae.widgets.detect.dock import DetectWidget

    widget = show_widget(DetectWidget)
    qtbot.waitUntil(lambda: "preview of atoms" in viewer.layers, timeout=LONG)
    widget.form.where.setCurrentText("drawn region")
    qtbot.waitUntil(lambda: "add a Shapes layer" in widget.progress.words.text(), timeout=LONG)
    drawing = viewer.add_shapes(ndim=2, **TURNED)
    drawing.add_polygons([[20, 20], [20, 90], [90, 90]])
    marks = viewer.layers["preview of atoms"]
    qtbot.waitUntil(lambda: len(marks.data) > 10, timeout=LONG)
    assert viewer.layers.selection == {drawing}  # adding a layer would have ended the drawing
    assert (marks.data[:, 0] < marks.data[:, 1] + 1).all() and not widget.progress.words.text()
    detect(qtbot, widget)
    settle(qtbot, widget)
    assert not widget.preview_job.running and not len(marks.data)  # until there is something else to mark


def test_movies_frame_by_frame(viewer, open_widget, qtbot, lattice):
    movie = np.stack([lattice[0], np.roll(lattice[0], 3, axis=1), lattice[0]])
    viewer.add_image(movie, name="movie", scale=(1, 0.02, 0.02), units=("pixel", "nm", "nm"))
    widget = open_widget("Detect atoms")
    assert [widget.form.where.itemText(i) for i in range(3)][1] == "the frame in view"
    detect(qtbot, widget)
    points = viewer.layers["atoms"]
    points.selected_data = set(np.flatnonzero(points.data[:, 0] == 0)[:4].tolist())
    points.remove_selected()
    counts = np.bincount(points.data[:, 0].astype(int))
    first = points.data[points.data[:, 0] == 0]
    viewer.dims.set_current_step(0, 1)
    widget.form.where.setCurrentText("the frame in view")
    widget.form.refine.setChecked(False)
    detect(qtbot, widget)
    now = np.bincount(points.data[:, 0].astype(int))
    assert np.array_equal(now[[0, 2]], counts[[0, 2]])
    assert abs(now[1] - counts[1]) <= 2  # a frame by itself has a threshold of its own
    assert np.array_equal(points.data[points.data[:, 0] == 0], first)
    widget.form.where.setCurrentText("drawn region, in view")
    square = [[1, 40, 40], [1, 40, 110], [1, 110, 110], [1, 110, 40]]
    viewer.add_shapes([square], shape_type="polygon", scale=(1, 0.02, 0.02), units=("pixel", "nm", "nm"))
    viewer.dims.set_current_step(0, 1)
    assert widget.form.request().region.sum() == pytest.approx(70**2, rel=0.05)
    viewer.dims.set_current_step(0, 2)
    widget.detect()
    assert "No region is drawn" in widget.progress.words.text()  # on this frame


def test_undo_goes_back_step_by_step(viewer, widget, points, qtbot):
    assert widget.undo_button.isEnabled()
    first = points.data.copy()
    edit(points)
    points.size = 3
    edited, features = points.data.copy(), points.features.copy()
    widget.form.refine.setChecked(False)
    detect(qtbot, widget)
    detect(qtbot, widget)
    assert not np.array_equal(points.data, edited)
    widget.undo_button.click()
    widget.undo_button.click()
    assert np.array_equal(points.data, edited) and points.features.equals(features)
    assert (points.size == 3).all()
    widget.undo_button.click()  # of the first detection; the edits since then are kept aside
    assert not widget.undo_button.isEnabled()
    assert "edited" in widget.progress.words.text() and not points.visible
    assert np.array_equal(points.data, edited)
    detect(qtbot, widget)
    assert np.allclose(np.sort(viewer.layers[-1].data, axis=0), np.sort(first, axis=0), atol=1)


def test_undo_keeps_aside_what_was_edited_since(viewer, widget, points, qtbot):
    first = points.data.copy()
    widget.form.refine.setChecked(False)
    detect(qtbot, widget)
    edit(points)
    edited = points.data.copy()
    widget.undo()
    assert np.array_equal(points.data, first) and points.visible
    aside = viewer.layers[f"{NAME}, edited"]
    assert np.array_equal(aside.data, edited) and not aside.visible
    assert "is hidden" in widget.progress.words.text()
    detect(qtbot, widget)
    assert np.array_equal(aside.data, edited) and len(points.data) == len(first)


def test_undo_when_layers_were_deleted(viewer, widget, points, qtbot):
    first = points.data.copy()
    widget.form.refine.setChecked(False)
    detect(qtbot, widget)
    viewer.layers.remove(points)
    widget.undo()
    back = viewer.layers[NAME]
    assert np.array_equal(back.data, first) and np.allclose(back.rotate, viewer.layers["lattice"].rotate)
    assert "deleted meanwhile" in widget.progress.words.text()
    widget.undo()
    assert len(viewer.layers) == 1 and not widget.undo_button.isEnabled()
    detect(qtbot, widget)
    viewer.layers.remove(viewer.layers[NAME])
    widget.undo()
    assert "nothing to undo" in widget.progress.words.text() and len(viewer.layers) == 1
