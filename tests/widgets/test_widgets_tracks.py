"""Atoms followed through a movie in a real window: the check box, the column, the lines behind the points."""

import numpy as np
import pandas as pd
import pytest

from training_widget import LONG

NM = {
    "scale": (1, 0.02, 0.02),
    "translate": (0, 5.0, -3.0),
    "units": ("pixel", "nm", "nm"),
    "axis_labels": tuple("tyx"),
}


def detect(qtbot, widget):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.detect()


@pytest.fixture
def movie(viewer, lattice):
    """The lattice, moving by (1, 3) px a frame."""
    frames = [np.roll(lattice[0], (n, 3 * n), axis=(0, 1)) for n in range(4)]
    return viewer.add_image(np.stack(frames), name="movie", **NM)


@pytest.fixture
def widget(movie, open_widget):
    return open_widget("Detect atoms")


def test_the_check_box_is_for_movies_and_is_remembered(viewer, movie, lattice, show_widget, remembered):
    from napari_vae.widgets.detect.dock import DetectWidget

    form = show_widget(DetectWidget).form
    assert form.follow.isVisible() and not form.request().follow
    form.follow.setChecked(True)
    assert form.request().follow and remembered.detection.follow
    form.where.setCurrentIndex(1)
    assert not form.request().follow  # one frame has nothing to follow
    form.where.setCurrentIndex(0)
    viewer.layers.remove(movie)
    viewer.add_image(lattice[0], name="single")
    assert not form.follow.isVisible() and not form.request().follow


def test_tracks_are_a_column_and_lines_behind_the_points(viewer, movie, widget, qtbot):
    widget.form.follow.setChecked(True)
    detect(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["movie", "tracks", "atoms"]
    _, lines, points = viewer.layers
    assert viewer.layers.selection == {points}
    assert np.allclose(lines.scale, movie.scale) and np.allclose(lines.translate, movie.translate)
    assert lines.units == movie.units and lines.axis_labels == movie.axis_labels
    steps = np.diff(points.metadata["napari_vae"]["drift"], axis=0)
    assert np.allclose(steps, [1, 3], atol=0.1)
    tracks = points.features["track"]
    whole = tracks.value_counts() == 4
    assert whole.sum() > 100
    place = points.data[:, 1:] - np.outer(points.data[:, 0], [1, 3])
    for track in whole[whole].index[:20]:
        assert np.ptp(place[tracks == track], axis=0).max() < 1
    assert set(lines.data[:, 0]) <= set(tracks) and np.percentile(lines.features["moved"], 95) < 1
    kind = pd.Categorical(np.where(points.data[:, 1] < 60, "upper", "lower"), ["", "upper", "lower"])
    points.features = points.features.assign(z1=points.data[:, 2], **{"class": kind})  # as a training does
    assert np.allclose(lines.features["z1"], lines.data[:, 3])
    assert (lines.features["class"] == (lines.data[:, 2] >= 60)).all() and lines.color_by == "moved"
    gone, (_, y, x) = tracks[0], points.data[0]
    points.selected_data = {0}
    points.remove_selected()
    points.add([[0, y + 7, x]])
    lines.color_by = "z1"
    z2 = np.where(points.data[:, 1] > 100, np.nan, points.data[:, 1])
    points.features = points.features.drop(columns="z1").assign(z2=z2, length=7.0)
    known = (lines.data[:, 2] <= 100) & ~((lines.data[:, 0] == gone) & (lines.data[:, 1] == 0))
    assert np.allclose(lines.features["z2"][known], lines.data[known, 2]), "whatever was added or deleted"
    assert np.isfinite(lines.features["z2"]).all() and lines.color_by == "moved"
    assert set(lines.features["length"]) <= {2, 3, 4}, "a column of the user with the name of ours is left out"


@pytest.mark.slow
def test_the_lines_go_with_the_points_that_they_are_of(viewer, widget, qtbot):
    widget.form.follow.setChecked(True)
    detect(qtbot, widget)
    detect(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["movie", "tracks", "atoms"]
    edited = viewer.layers["atoms"]
    edited.add([[0, 33.3, 44.4]])
    assert edited.features["track"].iloc[-1] == -1
    detect(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["movie", "tracks", "atoms"]
    assert edited in viewer.layers and np.allclose(edited.data[-1], [0, 33.3, 44.4])
    widget.form.follow.setChecked(False)
    detect(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["movie", "atoms"]
    assert "track" not in edited.features


def test_stopping_keeps_the_atoms(widget):
    from napari_vae.widgets.detect.steps import detect_steps

    widget.form.follow.setChecked(True)
    told = []
    steps = detect_steps(lambda: "Following atoms …" in told, widget.form.request())
    with pytest.raises(StopIteration) as end:
        while True:
            told.append(next(steps).message)
    atoms = end.value.value
    assert told.count("Following atoms …") == 1
    assert "track" not in atoms and set(atoms["frame"]) == {0, 1, 2, 3}


def test_undo_takes_the_tracks_with_the_atoms_and_brings_those_before_back(viewer, widget, qtbot):
    widget.form.follow.setChecked(True)
    detect(qtbot, widget)
    first = viewer.layers["tracks"].data.copy()
    widget.form.follow.setChecked(False)
    detect(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["movie", "atoms"]
    widget.undo_button.click()
    assert [layer.name for layer in viewer.layers] == ["movie", "tracks", "atoms"]
    assert np.array_equal(viewer.layers["tracks"].data, first)
    widget.undo_button.click()
    assert [layer.name for layer in viewer.layers] == ["movie"]
