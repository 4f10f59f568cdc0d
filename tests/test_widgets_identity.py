"""Images and results are told apart whatever they are called: renamed, removed, copied, opened again."""

import threading

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import _layer_actions

import napari_vae as nv
from napari_vae.identity import image_of, note, ours, token_of
from napari_vae.layers import KEY
from napari_vae.open_runs import OpenRun, keep_run, run_of
from napari_vae.placement import Placement
from napari_vae.widgets.data_form import image_below, source_image
from training_widget import LONG, TURNED, finish


def duplicate(viewer, layer):
    """What napari's Duplicate makes of a layer."""
    viewer.layers.selection = {layer}
    _layer_actions._duplicate_layer(viewer.layers)
    return viewer.layers[viewer.layers.index(layer) + 1]


def of_kind(viewer, kind):
    return [layer for layer in viewer.layers if ours(layer).get("kind") == kind]


@pytest.fixture(scope="module")
def trained(lattice):
    """A model of the lattice, and the windows that it learnt from."""
    pixels, positions, _ = lattice
    patches = nv.extract_patches(nv.Micrograph(pixels), pd.DataFrame(positions, columns=["y", "x"]), window=12)
    return nv.fit(patches, nv.ModelConfig.preset("vae"), nv.TrainConfig(epochs=1, device="cpu")), patches


@pytest.fixture
def image(viewer, lattice):
    return viewer.add_image(lattice[0], name="lattice")


@pytest.fixture
def detector(image, show_widget):
    from napari_vae.widgets.detect import DetectWidget

    widget = show_widget(DetectWidget)
    widget.form.preview.setChecked(False)
    return widget


def detect(qtbot, widget, image):
    widget.form.image.choose(image)
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        widget.detect()


def edit(points):
    """Delete three atoms and add one, which is returned."""
    points.selected_data = {40, 41, 42}
    points.remove_selected()
    points.add([[83.0, 79.0]])
    return points.data.copy()


@pytest.mark.parametrize("how", ["renamed", "removed"])
def test_another_image_under_the_old_name_gets_atoms_of_its_own(viewer, lattice, image, detector, qtbot, how):
    detect(qtbot, detector, image)
    (points,) = of_kind(viewer, "atoms")
    n = len(points.data)
    edited = edit(points)
    if how == "renamed":
        image.name = "first"
    else:
        viewer.layers.remove(image)
    other = viewer.add_image(lattice[0], name="lattice")
    assert other.name == "lattice"
    detect(qtbot, detector, other)
    first, second = of_kind(viewer, "atoms")
    assert first == points and np.array_equal(points.data, edited)
    assert len(second.data) == n and "stays so" not in detector.progress.words.text()
    if how == "renamed":
        detect(qtbot, detector, image)
        assert len(of_kind(viewer, "atoms")) == 2 and len(points.data) == n - 2
        assert points.name == "atoms of lattice" and len(second.data) == n


def test_an_image_renamed_during_a_job_gives_its_new_name(viewer, image, detector, qtbot):
    detector.form.image.choose(image)
    with qtbot.waitSignal(detector.job.ended, timeout=LONG):
        detector.detect()
        image.name = "renamed"
    (points,) = of_kind(viewer, "atoms")
    assert points.name == "atoms of renamed" and ours(points)["source"] == "renamed"
    points.name = "mine"
    edited = edit(points)
    detect(qtbot, detector, image)
    assert of_kind(viewer, "atoms") == [points] and len(points.data) == len(edited) and points.name == "mine"


@pytest.mark.parametrize("place", ["above", "below", "alone"])
def test_a_copy_of_the_atoms_is_a_backup(viewer, image, detector, qtbot, place):
    detect(qtbot, detector, image)
    (points,) = of_kind(viewer, "atoms")
    before = edit(points)
    copy = duplicate(viewer, points)
    if place == "below":
        viewer.layers.move(viewer.layers.index(copy), 0)
    elif place == "alone":
        viewer.layers.remove(points)
    features = copy.features.copy()
    detector.form.refine.setChecked(False)
    detect(qtbot, detector, image)
    assert np.array_equal(copy.data, before) and copy.features.equals(features)
    (updated,) = (layer for layer in of_kind(viewer, "atoms") if layer != copy)
    assert (updated == points) == (place != "alone")
    assert "sigma" not in updated.features or updated.features["sigma"].isna().all()


def test_a_copy_of_the_image_is_another_image(viewer, image, detector, qtbot):
    copy = duplicate(viewer, image)  # before anything was made of it
    detect(qtbot, detector, image)
    (points,) = of_kind(viewer, "atoms")
    edited, late = edit(points), duplicate(viewer, image)
    for other in (copy, late):
        detect(qtbot, detector, other)
        assert np.array_equal(points.data, edited)
    tokens = {token_of(viewer.layers, layer) for layer in (image, copy, late)}
    assert {ours(layer)["image"] for layer in of_kind(viewer, "atoms")} == tokens and len(tokens) == 3


def test_atoms_that_undo_brings_back_are_updated_as_before(viewer, image, detector, qtbot):
    detect(qtbot, detector, image)
    (points,) = of_kind(viewer, "atoms")
    n = len(points.data)
    edit(points)
    detect(qtbot, detector, image)
    viewer.layers.remove(points)
    detector.undo()
    (back,) = of_kind(viewer, "atoms")
    detect(qtbot, detector, image)
    assert of_kind(viewer, "atoms") == [back] and len(back.data) == n - 2


@pytest.fixture
def applier(scene, show_widget, trained):
    """Train VAE with a model at hand."""
    from napari_vae.widgets.train import TrainWidget

    widget = show_widget(TrainWidget)
    widget.runs.set_run(trained[0])
    return widget


def apply(qtbot, widget, image):
    widget.data.image.choose(image)
    widget.apply()
    finish(qtbot, widget)


def test_results_of_a_model_belong_to_their_image(viewer, scene, applier, qtbot):
    image, points, _ = scene
    applier.apply()
    image.name = "renamed"
    finish(qtbot, applier)
    first = {kind: of_kind(viewer, kind)[0] for kind in ("residual", "classes", "manifold")}
    assert all(layer.name == f"{kind} of renamed" for kind, layer in first.items())
    first["classes"].visible = True
    copy = duplicate(viewer, first["classes"])
    other = viewer.add_image(image.data[:, ::-1], name="lattice", **TURNED)
    apply(qtbot, applier, other)
    assert first["classes"].visible and copy.visible, "they are of another image"
    assert len(of_kind(viewer, "residual")) == 2
    assert image_below(viewer, points) == other, "its columns are those of that image now"
    apply(qtbot, applier, image)
    assert not first["classes"].visible and copy.visible


def test_a_copy_of_described_atoms_is_chosen_by_the_user_only_and_keeps_its_columns(viewer, scene, applier, qtbot):
    from napari_vae.widgets.layer_box import LayerBox

    image, points, _ = scene
    apply(qtbot, applier, image)
    copy = duplicate(viewer, points)
    before = copy.features.copy()
    assert applier.data.atoms.layer() == points
    applier.data.atoms.choose(copy)
    for _ in range(2):
        apply(qtbot, applier, image)
    assert copy.features[list(before)].equals(before)
    assert set(copy.features) - set(before) == {f"vae_{name}" for name in ours(points)["columns"]}
    assert np.allclose(copy.features["vae_z1"], before["z1"], atol=1e-4, equal_nan=True)
    viewer.layers.remove(points)
    duplicate(viewer, copy)
    assert LayerBox(viewer, lambda layer: layer.name.startswith("atoms")).layer() == copy


def test_the_arrows_are_of_the_points_and_not_of_a_name(viewer, show_widget, qtbot):
    from napari_vae import samples
    from napari_vae.io.napari_reader import image_layer
    from napari_vae.layers import atoms_to_points, placement_of
    from napari_vae.widgets.detect import DetectWidget

    made, truth = samples.micrograph("perovskite", size=200, seed=1)
    data, options, _ = image_layer(made)
    image = viewer.add_image(data, **options)
    data, options, _ = atoms_to_points(truth[["y", "x", "sublattice"]], placement_of(image), name="a")
    points = viewer.add_points(data, **options)
    box = show_widget(DetectWidget).crystal

    def measure(layer):
        box.atoms.choose(layer)
        with qtbot.waitSignal(box.job.ended, timeout=LONG):
            box.measure()

    measure(points)
    arrows = of_kind(viewer, "displacements")[0]
    copy = duplicate(viewer, arrows)
    points.name = "b"
    other = viewer.add_points(data, **{**options, "name": "a"})
    measure(other)
    assert arrows in viewer.layers and copy in viewer.layers and len(of_kind(viewer, "displacements")) == 3
    measure(points)
    assert arrows not in viewer.layers and copy in viewer.layers and len(of_kind(viewer, "displacements")) == 3
    box.factor.setValue(77)
    assert sorted(layer.length == 77 for layer in of_kind(viewer, "displacements")) == [False, False, True]
    viewer.layers.remove(image)
    viewer.add_image(image.data, name=image.name, scale=image.scale, units=image.units)
    box.atoms.choose(points)
    box.measure()
    assert "not known which image “b” belongs to" in box.progress.words.text()


def test_what_was_learned_follows_its_layers_only(viewer, scene, open_widget, qtbot):
    image, points, bright = scene
    points.features = points.features.assign(strength=np.where(bright, 1.5, 0.5) + 0.01 * np.arange(len(bright)))
    learn = open_widget("Active learning")
    learn.form.data.window_px.setValue(11)
    learn.form.kernel.model = lambda: {"network": "linear", "ensemble": 1, "steps": 10, "warm_steps": 5}
    learn.form.target.target.choose("strength")
    for name in ("lattice", "renamed"):
        image.name = name
        with qtbot.waitSignal(learn.job.ended, timeout=LONG):
            learn.step()
    (learned,), (upcoming,) = of_kind(viewer, "learned"), of_kind(viewer, "next points")
    assert learned.name == "learned of renamed" and upcoming.name == "next points of lattice"
    backups = [duplicate(viewer, layer) for layer in (learned, upcoming)]
    before = [(copy.data.copy(), copy.features.copy()) for copy in backups]
    with qtbot.waitSignal(learn.job.ended, timeout=LONG):
        learn.step()
    for copy, (data, features) in zip(backups, before, strict=True):
        assert np.array_equal(copy.data, data) and copy.features.equals(features)
    learn.start_over()
    assert not learned.visible and backups[0].visible


def test_points_without_an_image_of_their_own_take_one_that_holds_them(viewer):
    small = viewer.add_image(np.zeros((40, 40)), name="small")
    points = viewer.add_points([[5, 5], [90, 80.0]], name="foreign")
    with pytest.raises(nv.InputError, match="not known which image “foreign” belongs to"):
        source_image(viewer, points)
    right = viewer.add_image(np.zeros((100, 100)), name="right")
    beside = viewer.add_image(np.zeros((100, 100)), name="beside", translate=(0, 300))
    assert source_image(viewer, points) == right and beside == viewer.layers[-1] and small in viewer.layers
    viewer.add_image(np.zeros((100, 100)), name="z1 of foreign", metadata={KEY: {"kind": "map", "image": "x"}})
    assert source_image(viewer, points) == right, "a map is no image of points"
    right.scale = (0.5, 0.5)
    assert image_below(viewer, points) is None


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
    from napari_vae.widgets.explorer.explore import ExploreWidget

    image, points, unrelated = described
    explore = show_widget(ExploreWidget)

    def drawn_on():
        micrograph = explore._figure_data().micrograph
        return None if micrograph is None else micrograph.name

    assert drawn_on() == explore.axes.image.currentText() == "lattice"
    image.name, unrelated.name = "renamed", "lattice"
    assert drawn_on() == explore.axes.image.currentText() == "renamed"
    copy = duplicate(viewer, image)
    assert drawn_on() == "renamed"
    viewer.layers.remove(image)
    assert drawn_on() is None and explore.axes.image.currentText() == "not known"
    explore.color.setCurrentText("z1")
    explore.quality.map_asked.emit()
    assert "choose it under Image" in explore.words.text()
    explore.axes.image.choose(copy)
    assert drawn_on() == "renamed copy" and explore.axes.image.layer() == copy
    explore.axes.image.setCurrentText("not known")  # cannot be unknown again
    assert explore.axes.image.layer() == copy and explore.opened is not None
    note(points, run="")  # as another widget may
    qtbot.waitUntil(lambda: explore.opened is None, timeout=LONG)


def test_pictures_of_a_column_replace_their_own_only(viewer, described, show_widget, qtbot):
    from napari_vae.widgets.explorer.explore import ExploreWidget

    _, points, _ = described
    points.features = points.features.assign(kind=np.where(np.arange(len(points.data)) % 2, "odd", "even"))
    explore = show_widget(ExploreWidget)

    def make():
        with qtbot.waitSignal(explore.maker.job.ended, timeout=LONG):
            explore.maker.make_classes(points, "kind")
        return of_kind(viewer, "classes")

    (first,) = make()
    backup = duplicate(viewer, first)
    points.name = "renamed"
    assert set(make()) == {backup, viewer.layers["kind of renamed"]} and first not in viewer.layers


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
        assert image_of(viewer.layers, points, []) == image
        token = token_of(viewer.layers, image)
        assert all(ours(layer)["image"] == token for layer in made)
        copy = duplicate(viewer, image)
        assert token_of(viewer.layers, copy) != token and token_of(viewer.layers, image) == token
        assert image_of(viewer.layers, points, []) == image


def test_frames_of_a_stack_that_is_split_are_images_of_their_own():
    viewer = ViewerModel()
    movie = viewer.add_image(np.zeros((3, 20, 20)), metadata={KEY: {"token": "of a file"}})
    viewer.layers.selection = {movie}
    _layer_actions._split_stack(viewer.layers)
    assert len({token_of(viewer.layers, layer) for layer in viewer.layers}) == 3


def test_channels_of_an_analysis_are_images_of_their_own(lattice):
    pixels, positions, _ = lattice
    image = nv.Micrograph(np.stack([pixels, pixels[::-1]]), axes="CYX", name="two")
    atoms = pd.DataFrame({"frame": 0, "y": positions[:, 0], "x": positions[:, 1]})
    analysis = nv.analyze(image, atoms=atoms, window=12, model="vae", train=nv.TrainConfig(epochs=1, device="cpu"))
    viewer = ViewerModel()
    (data, options, _), *others = analysis.layers()
    first, second = viewer.add_image(data, **options)
    assert image_of(viewer.layers, viewer.add_points(others[-2][0], **others[-2][1]), []) == first
    assert token_of(viewer.layers, first) != token_of(viewer.layers, second)


@pytest.mark.parametrize("name", ["Explore latents", "Active learning"])
def test_the_model_of_an_opened_analysis_is_read_in_the_background(
    viewer, results, open_widget, qtbot, monkeypatch, name
):
    import napari_vae.open_runs as open_runs

    threads, load = [], open_runs.load_analysis
    monkeypatch.setattr(
        open_runs, "load_analysis", lambda path: threads.append(threading.current_thread()) or load(path)
    )
    points = next(layer for layer in viewer.open(results, plugin="napari-vae") if ours(layer)["kind"] == "atoms")
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
