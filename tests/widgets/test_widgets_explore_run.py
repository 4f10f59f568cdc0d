"""Explore latents with a model: pictures under the cursor, traversals, the worst atoms, maps, figures."""

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_vae import Micrograph, ModelConfig, TrainConfig, extract_patches, fit
from napari_vae.analysis.figures.windows import upright
from napari_vae.core.placement import Placement
from napari_vae.layers.active import active_of
from napari_vae.layers.open_runs import OpenRun, keep_run, run_of
from napari_vae.layers.points import KEY
from napari_vae.runs.decoding import FRAMES
from napari_vae.widgets.explore.film import GAP
from training_widget import LONG, TURNED


@pytest.fixture(scope="module")
def opened(lattice):
    image, positions, bright = lattice
    atoms = pd.DataFrame(positions, columns=["y", "x"])
    patches = extract_patches(Micrograph(image), atoms, window=24)  # those on the border have none
    config = ModelConfig.preset("ss-rvae", hidden=(32, 32))
    labels = np.where(np.arange(len(patches)) % 3, "", np.where(bright[patches.atoms.index], "strong", "weak"))
    return fit(patches, config, TrainConfig(epochs=2), labels=labels), patches


@pytest.fixture
def points(viewer, lattice, opened):
    image, positions, _ = lattice
    run, patches = opened
    layer = viewer.add_image(image, name="lattice", **TURNED)
    latents = run.encode(patches)
    features = latents.drop(columns="class").reindex(range(len(positions)))
    key = keep_run(viewer, OpenRun(run, patches, Placement.of_layer(layer)))
    metadata = {KEY: {"kind": "atoms", "source": "lattice", "run": key}}
    return viewer.add_points(positions, name="atoms", features=features, metadata=metadata, **TURNED)


@pytest.fixture
def explore(points, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    widget = show_widget(ExploreWidget)
    for section in widget.sections.values():
        section.expand(animate=False)
    widget.resize(380, 1400)
    qtbot.waitUntil(lambda: widget.plot.drawn, timeout=LONG)
    return widget


def test_windows_belong_to_the_points_that_they_were_cut_around(viewer, points, opened):
    run, patches = opened
    open_run = run_of(viewer, points)
    assert open_run.run is run
    windows = open_run.windows_of(points)
    assert (windows >= 0).sum() == len(patches)
    assert np.array_equal(patches.atoms.index[windows[windows >= 0]], np.flatnonzero(windows >= 0))
    points.data = np.vstack([points.data[1:], [[80.0, 81.0]]])
    moved = open_run.windows_of(points)
    assert np.array_equal(moved[:-1], windows[1:]) and moved[-1] == -1


def test_figures_take_the_windows_as_they_are_and_of_fewer_points_fewer(explore, points, opened, qtbot):
    patches = explore._figure_data().patches
    assert patches.data is opened[1].data, "no copy of what may fill the memory"
    assert np.array_equal(patches.atoms.index, opened[1].atoms.index)
    points.data = points.data[:80]
    qtbot.waitUntil(lambda: len(explore.table) == 80, timeout=LONG)
    fewer = explore._figure_data().patches
    kept = opened[1].atoms.index < 80
    assert np.array_equal(fewer.atoms.index, opened[1].atoms.index[kept])
    assert np.array_equal(fewer.data, opened[1].data[kept])


def test_the_model_draws_what_lies_under_the_cursor(explore, opened):
    run, _ = opened
    (x0, x1), (y0, y1) = run.latent_range
    explore.plot.cursor_moved.emit((x0 + x1) / 2, (y0 + y1) / 2)
    assert explore.manifold.knobs["z1"].value == pytest.approx((x0 + x1) / 2, abs=0.02 * (x1 - x0))
    before = explore.manifold.picture.pixmap().toImage()
    explore.manifold.knobs["angle"].slider.setValue(30)
    assert explore.manifold.picture.pixmap().toImage() != before
    explore.manifold.follow.setChecked(False)
    value = explore.manifold.knobs["z2"].value
    explore.plot.cursor_moved.emit(x1, y1)
    assert explore.manifold.knobs["z2"].value == value


def test_every_class_can_be_drawn(explore, qtbot):
    assert [explore.manifold.classes.itemText(i) for i in range(explore.manifold.classes.count())] == ["strong", "weak"]
    before = explore.manifold.picture.pixmap().toImage()
    explore.manifold.classes.setCurrentIndex(1)
    assert explore.manifold.label() == 1 and explore.manifold.picture.pixmap().toImage() != before


@pytest.mark.parametrize("button, ndim", [("image_button", 2), ("grid_button", 2), ("traverse_button", 3)])
def test_what_is_drawn_becomes_a_layer(viewer, explore, points, qtbot, button, ndim):
    selected = set(viewer.layers.selection)
    points.scale, points.units = (0.5, 0.5), ("Å", "Å")  # calibrated since the model has described it
    qtbot.mouseClick(getattr(explore.manifold, button), Qt.MouseButton.LeftButton)
    layer = next(layer for layer in viewer.layers if layer.metadata.get(KEY, {}).get("kind") == "decoded")
    assert layer.ndim == ndim and np.allclose(layer.scale[-2:], points.scale) and layer.units[-1] == points.units[-1]
    assert set(viewer.layers.selection) == selected
    viewer.layers.selection = [layer]
    assert active_of(viewer).image == viewer.layers["lattice"] and explore.link.layer == points, (
        "which it was made from"
    )


def test_a_path_becomes_a_film_beside_the_nearest_windows(viewer, explore, points, opened, tmp_path, notifications):
    run, patches = opened
    start, end = (points.features.loc[row, ["z1", "z2"]].to_numpy(float) for row in patches.atoms.index[[3, 40]])
    explore.plot.box.led.emit(np.stack([start, (start + end) / 2, end]))
    film = next(layer for layer in viewer.layers if "film" in layer.name)
    assert film.data.shape[0] == FRAMES and film.data.shape[1:] == (24, 2 * 24 + GAP)
    (upright_one,) = upright(patches.data[[3]], run.encode(patches).iloc[[3]])
    inner = np.s_[8:16, 8:16]
    np.testing.assert_allclose(film.data[0][:, 24 + GAP :][inner], upright_one[0][inner], atol=0.02)
    viewer.layers.selection = {film}
    viewer.layers.save(str(tmp_path / "film.gif"), selected=True, plugin="napari-vae")
    frames = imageio.imread(tmp_path / "film.gif")
    assert len(frames) == FRAMES and frames.shape[2] / frames.shape[1] == pytest.approx(50 / 24, rel=0.01)
    film.gamma = 0.3
    viewer.layers.save(str(tmp_path / "bright.gif"), selected=True, plugin="napari-vae")
    assert imageio.imread(tmp_path / "bright.gif").mean() > frames.mean() + 10
    explore.y.setCurrentText("angle")
    explore.plot.box.led.emit(np.array([[0.0, 0.0], [0.1, 10.0]]))
    assert "choose two as axes" in notifications[-1]


def test_the_grid_lies_behind_the_plot_of_two_latents_only(explore):
    seen = []
    explore.manifold.backdrop_changed.connect(lambda picture, rect: seen.append(rect))
    explore.manifold.behind.setChecked(True)
    assert seen[-1] is not None
    explore.y.setCurrentText("angle")
    assert seen[-1] is None


def test_hovering_shows_what_is_measured_the_model_and_the_difference(explore, points, viewer):
    windows = run_of(viewer, points).windows_of(points)
    row, border = int(np.flatnonzero(windows >= 0)[3]), int(np.flatnonzero(windows < 0)[0])
    pictures = explore.strip.pictures
    explore.plot.hovered.emit(row)
    assert all(picture.isVisible() and not picture.pixmap().isNull() for picture in pictures.values())
    words = explore.strip.words.text()
    assert all(f"{name}: " in words for name in ("z1", "z2", "angle", "error")) and f"no. {row}" in words
    explore.plot.hovered.emit(border)
    assert pictures["measured"].isVisible(), "it is seen as it lies in the image"
    assert not pictures["model"].isVisible() and f"no. {border}" in explore.strip.words.text()
    explore.plot.hovered.emit(-1)
    assert f"no. {points.features['elbo'].idxmin()}<" in explore.strip.words.text(), "the most unusual one"


def test_pixels_around_a_point_are_those_of_the_image(viewer, points, lattice):
    from napari_vae.widgets.explore.pictures import cut_around, stretched

    row = int(np.flatnonzero((points.data > 30).all(axis=1) & (points.data < 120).all(axis=1))[0])
    y, x = np.rint(points.data[row]).astype(int)
    seen = stretched(cut_around(viewer, points)(row))
    cut = lattice[0][y - 12 : y + 13, x - 12 : x + 13]
    np.testing.assert_allclose(seen, (cut - cut.min()) / np.ptp(cut), atol=1e-5)
    viewer.layers.remove(viewer.layers["lattice"])
    assert cut_around(viewer, points)(row) is None


def test_the_most_unusual_atoms_are_a_gallery_that_the_arrow_keys_go_through(viewer, explore, points, qtbot):
    worst = points.features["elbo"].sort_values().index[:2].tolist()
    gallery = explore.quality.unusual
    assert [gallery.item(i).text() for i in range(2)] == [f"no. {row}" for row in worst]
    black = gallery.item(0).icon().pixmap(62).toImage()
    qtbot.waitUntil(
        lambda: gallery.item(0).icon().pixmap(62).toImage() != black or not gallery.job.running, timeout=LONG
    )
    place = gallery.visualItemRect(gallery.item(0)).center()
    qtbot.mouseClick(gallery.viewport(), Qt.MouseButton.LeftButton, pos=place)
    for row in worst:
        qtbot.waitUntil(lambda row=row: points.selected_data == {row}, timeout=LONG)
        assert np.allclose(viewer.scene.camera.center[-2:], points.data_to_world(points.data[row]))
        assert f"no. {row}<" in explore.strip.words.text()
        qtbot.keyClick(gallery, Qt.Key.Key_Right)
    assert "z1" in explore.quality.latents.text()


def test_what_is_unsure_is_less_opaque(explore, points, qtbot):
    explore.color.setCurrentText("z1")
    points.features = points.features.assign(z1_sd=np.linspace(0, points.features["z1"].std(), len(points.features)))
    rgba = []
    explore.plot.set_colors = rgba.append
    explore.quality.certainty.setChecked(True)
    qtbot.waitUntil(lambda: len(np.unique(rgba[-1][:, 3])) > 5, timeout=LONG)


def test_a_map_of_a_column(viewer, explore, points, qtbot, notifications):
    explore.color.setCurrentText("reconstruction_error")
    with qtbot.waitSignal(explore.maker.job.ended, timeout=LONG):
        qtbot.mouseClick(explore.quality.map_button, Qt.MouseButton.LeftButton)
    layer = viewer.layers["map of reconstruction_error"]
    assert viewer.layers.index(layer) < viewer.layers.index(points)
    known = points.features["reconstruction_error"].notna().to_numpy()
    row, column = np.rint(points.data[known]).astype(int).T
    values = points.features["reconstruction_error"][known]
    np.testing.assert_allclose(layer.data[row, column], values, rtol=1e-5)
    assert not notifications


def test_figures_of_what_is_explored(explore, tmp_path, qtbot):
    assert explore.figures.boxes["overlay"].isEnabled()
    with qtbot.waitSignal(explore.figures.job.ended, timeout=LONG):
        explore.figures.save_figures(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".svg"}


def test_a_saved_model_for_points_without_one(viewer, explore, points, opened, tmp_path, qtbot, notifications):
    other = viewer.add_points(points.data, name="other", features={"a": points.data[:, 0], "b": points.data[:, 1]},
                              **TURNED)  # fmt: skip
    explore.layer_box.choose(other)
    assert explore.manifold.load_button.isVisible()
    with qtbot.waitSignal(explore.loader.job.ended, timeout=LONG):
        explore.load_run(str(tmp_path / "moved"))
    assert len(notifications) == 1 and "is not the folder of a run" in notifications[0]
    opened[0].save(tmp_path / "run")
    with qtbot.waitSignal(explore.loader.job.ended, timeout=LONG):
        explore.load_run(str(tmp_path / "run"))
    assert explore.opened is not None and explore.manifold.picture.isVisible()
