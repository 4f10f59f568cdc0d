"""Explore latents with a movie: the frame in view, and followed atoms through time."""

import numpy as np
import pandas as pd
import pytest

from plot_mouse import drag, mode
from training_widget import LONG

pytestmark = pytest.mark.usefixtures("every_move")


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


def test_followed_atoms_are_traced_through_the_frames(viewer, show_widget, qtbot):
    """Frames along the axis: all are shown, what is selected is joined in time, the line at the frame is dragged."""
    from napari_vae.widgets.explore.dock import ExploreWidget

    placed = {"scale": (0.4, 1, 1), "translate": (4, 0, 0)}
    viewer.add_image(np.zeros((30, 4, 4)), name="another")
    viewer.add_image(np.zeros((6, 40, 40)), name="movie", **placed)
    frame, track = (grid.ravel() for grid in np.indices((6, 3)))
    z1 = np.where(frame < 3, 0.0, 1.0) + 0.1 * track
    table = pd.DataFrame({"z1": z1, "z2": frame / 7, "track": track}).sample(frac=1, random_state=0)
    points = viewer.add_points(np.c_[frame, 10.0 * track + 5, np.full(18, 20)][table.index], features=table, **placed)
    viewer.dims.set_point(0, 4.4)
    widget = show_widget(ExploreWidget)
    widget.x.setCurrentText("frame")
    widget.y.setCurrentText("z1")
    qtbot.waitUntil(lambda: widget.plot.drawn, timeout=LONG)
    traces, named = widget.traces, points.features["track"].to_numpy()
    assert traces.now.isVisible() and traces.now.value() == 1
    widget.plot.select_within([(-1, -1), (9, -1), (9, 9), (-1, 9)])
    qtbot.waitUntil(lambda: len(points.selected_data) == 18, timeout=LONG)
    points.selected_data = {int(np.flatnonzero(named == 2)[0]), int(np.flatnonzero(named == 0)[0])}
    qtbot.waitUntil(lambda: len(widget.plot.selection) == 2, timeout=LONG)
    frames, values = traces.line.getData()
    assert np.array_equal(frames, [*range(6), np.nan, *range(6)], equal_nan=True)
    assert np.allclose(values, [0, 0, 0, 1, 1, 1, np.nan, 0.2, 0.2, 0.2, 1.2, 1.2, 1.2], equal_nan=True)
    widget.y.setCurrentText("frame")
    assert np.array_equal(*traces.line.getData(), equal_nan=True)
    widget.y.setCurrentText("track")
    assert set(traces.line.getData()[1]) >= {0, 2}
    widget.y.setCurrentText("z1")
    drag(qtbot, widget, [(1, 0.6), (2.4, 0.6), (4.1, 0.6)])
    assert viewer.dims.point[0] == pytest.approx(4 + 4 * 0.4) and traces.now.value() == pytest.approx(4)
    widget.x.setCurrentText("z2")
    assert not traces.now.isVisible() and not traces.line.isVisible()
