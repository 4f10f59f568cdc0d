"""Described images and opened analyses: figures, files and models are of their own image, whatever it is called."""

import threading

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

import napari_vae as nv
from napari_vae.core.placement import Placement
from napari_vae.layers.active import active_of
from napari_vae.layers.analysis import analysis_layers
from napari_vae.layers.identity import note, ours, token_of
from napari_vae.layers.open_runs import OpenRun, keep_run, run_of
from napari_vae.layers.points import KEY
from training_widget import LONG, duplicate, of_kind


@pytest.fixture
def described(viewer, lattice, trained):
    """Points that a model has described, on an image of which they have the token, below a larger one."""
    (pixels, positions, _), (run, patches) = lattice, trained
    image = viewer.add_image(pixels, name="lattice")
    key = keep_run(viewer, OpenRun(run, patches, Placement.of_layer(image)))
    features = run.encode(patches).reindex(range(len(positions)))
    noted = {"kind": "atoms", "image": token_of(viewer.layers, image), "run": key, "columns": tuple(features)}
    points = viewer.add_points(positions, name="atoms", features=features, metadata={KEY: noted})
    return image, points, viewer.add_image(np.zeros((300, 300)), name="unrelated")


def test_figures_are_drawn_on_the_image_of_the_points_only(viewer, described, show_widget, qtbot):
    from napari_vae.widgets.explore.dock import ExploreWidget

    image, points, unrelated = described
    explore = show_widget(ExploreWidget)

    def drawn_on():
        micrograph = explore._figure_data().micrograph
        return None if micrograph is None else micrograph.name

    assert explore.link.layer is None and explore.axes.image.currentText() == "unrelated"
    explore.axes.image.choose(image)
    assert drawn_on() == explore.axes.image.currentText() == "lattice"
    image.name, unrelated.name = "renamed", "lattice"
    assert drawn_on() == explore.axes.image.currentText() == "renamed"
    copy = duplicate(viewer, image)
    assert explore.link.layer is None and explore.axes.image.layer() == copy, "it is another image, and the newest"
    explore.axes.image.choose(image)
    assert drawn_on() == "renamed"
    viewer.layers.remove(image)
    assert drawn_on() is None and explore.axes.image.currentText() == "not known"
    explore.color.setCurrentText("z1")
    explore.quality.map_asked.emit()
    assert "choose its image at the head" in explore.words.text()
    explore.axes.image.choose(copy)
    assert drawn_on() == "renamed copy" and explore.axes.image.layer() == copy
    explore.axes.image.setCurrentText("not known")  # cannot be unknown again
    assert explore.axes.image.layer() == copy and explore.opened is not None
    note(points, run="")  # as another widget may
    qtbot.waitUntil(lambda: explore.opened is None, timeout=LONG)


def test_pictures_of_a_column_replace_their_own_only(viewer, described, show_widget, qtbot):
    from napari_vae.layers.pictures import class_labels
    from napari_vae.widgets.explore.dock import ExploreWidget

    _, points, _ = described
    points.features = points.features.assign(kind=np.where(np.arange(len(points.data)) % 2, "odd", "even"))
    explore = show_widget(ExploreWidget)

    def make():
        with qtbot.waitSignal(explore.maker.job.ended, timeout=LONG):
            explore.maker.make(class_labels, points, "kind")
        return of_kind(viewer, "classes")

    (first,) = make()
    backup = duplicate(viewer, first)
    points.name = "renamed"
    assert set(make()) == {backup, viewer.layers["kind of lattice"]} and first not in viewer.layers


def test_a_described_image_is_saved_whatever_it_is_called(viewer, described, tmp_path):
    from npe2 import PluginManager

    PluginManager.instance().discover()
    image, points, unrelated = described
    image.name, unrelated.name = "renamed", "lattice"
    for images, saved in (({unrelated}, False), ({image, unrelated}, True)):
        viewer.layers.selection = {points, *images}
        target = str(tmp_path / f"{len(images)}.vae")
        if saved:
            assert viewer.layers.save(target, selected=True, plugin="napari-vae") == [target]
            assert nv.load_analysis(target).micrograph.shape == image.data.shape
        else:
            with pytest.raises(OSError, match="the image below them"):
                viewer.layers.save(target, selected=True, plugin="napari-vae")


def test_columns_of_the_user_are_saved_beside_results_of_their_name(viewer, described, tmp_path):
    from npe2 import PluginManager

    PluginManager.instance().discover()
    image, points, _ = described
    columns = set(ours(points)["columns"]) - {"z1", "class"}
    note(points, columns=tuple(columns))
    points.features = points.features.assign(**{"class": "mine"})
    viewer.layers.selection = {points, image}
    viewer.layers.save(str(tmp_path / "saved.vae"), selected=True, plugin="napari-vae")
    latents = nv.load_analysis(tmp_path / "saved.vae").latents
    assert (latents["class_given"] == "mine").all() and {"z1", "z1_given"} <= set(latents)


def test_an_analysis_opened_twice_is_two(results, lattice):
    viewer = ViewerModel()
    opened = [viewer.open(results, plugin="napari-vae") for _ in range(2)]
    viewer.add_image(np.zeros((500, 500)), name="on top")
    for image, *made in opened:
        image.name = f"{image.name} renamed"
        points = next(layer for layer in made if ours(layer)["kind"] == "atoms")
        assert active_of(viewer).image_of(points) == image
        token = token_of(viewer.layers, image)
        assert all(ours(layer)["image"] == token for layer in made)
        copy = duplicate(viewer, image)
        assert token_of(viewer.layers, copy) != token and token_of(viewer.layers, image) == token
        assert active_of(viewer).image_of(points) == image


def test_channels_of_an_analysis_are_images_of_their_own(lattice):
    pixels, positions, _ = lattice
    image = nv.Micrograph(np.stack([pixels, pixels[::-1]]), axes="CYX", name="two")
    atoms = pd.DataFrame({"frame": 0, "y": positions[:, 0], "x": positions[:, 1]})
    analysis = nv.analyze(image, atoms=atoms, window=12, model="vae", train=nv.TrainConfig(epochs=1, device="cpu"))
    viewer = ViewerModel()
    (data, options, _), *others = analysis_layers(analysis)
    first, second = viewer.add_image(data, **options)
    assert active_of(viewer).image_of(viewer.add_points(others[-1][0], **others[-1][1])) == first
    assert token_of(viewer.layers, first) != token_of(viewer.layers, second)


@pytest.mark.parametrize("name", ["Explore latents", "Active learning"])
def test_the_model_of_an_opened_analysis_is_read_in_the_background(
    viewer, results, open_widget, qtbot, monkeypatch, name
):
    import napari_vae.layers.analysis as analysis

    points = next(layer for layer in viewer.open(results, plugin="napari-vae") if ours(layer)["kind"] == "atoms")
    threads, load = [], analysis.load_analysis
    monkeypatch.setattr(
        analysis, "load_analysis", lambda path: threads.append(threading.current_thread()) or load(path)
    )
    widget = open_widget(name)
    assert run_of(viewer, points) is None, "the window does not wait"
    words = []
    loader = widget.loader if name == "Explore latents" else widget.form.features.loader
    loader.said.connect(words.append)
    qtbot.waitUntil(lambda: run_of(viewer, points) is not None and not loader.job.running, timeout=LONG)
    assert threads and threading.main_thread() not in threads and "Loading the model" in words[0]
    if name == "Explore latents":
        assert widget.opened is run_of(viewer, points)
    else:
        assert widget.form.features.choice.findData("open") >= 0


def test_an_analysis_that_was_moved_is_plotted_without_its_model(
    viewer, results, open_widget, qtbot, tmp_path, notifications
):
    points = next(layer for layer in viewer.open(results, plugin="napari-vae") if ours(layer)["kind"] == "atoms")
    points.metadata[KEY]["folder"] = str(tmp_path / "moved")
    widget = open_widget("Explore latents")
    qtbot.waitUntil(lambda: not widget.loader.job.running, timeout=LONG)
    assert widget.opened is None and len(widget.table) == len(points.data) and not notifications
