"""Images and results are told apart whatever they are called: renamed, removed, copied, opened again."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import _layer_actions

import napari_vae as nv
from napari_vae.layers.active import active_of
from napari_vae.layers.identity import note, ours, token_of
from napari_vae.layers.pictures import redrawn
from napari_vae.layers.points import KEY
from napari_vae.widgets.common.sources import source_image
from training_widget import LONG, TURNED, add_layer, duplicate, finish, of_kind


@pytest.fixture
def image(viewer, lattice):
    return viewer.add_image(lattice[0], name="lattice")


@pytest.fixture
def detector(image, show_widget):
    from napari_vae.widgets.detect.dock import DetectWidget

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
        assert (points.name, second.name) == ("atoms", "atoms of lattice") and len(second.data) == n


def test_an_image_renamed_during_a_job_gives_its_new_name(viewer, image, detector, qtbot):
    detector.form.image.choose(image)
    with qtbot.waitSignal(detector.job.ended, timeout=LONG):
        detector.detect()
        image.name = "renamed"
    (points,) = of_kind(viewer, "atoms")
    assert points.name == "atoms" and ours(points)["source"] == "renamed"
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


def test_who_works_on_another_image_by_now_is_not_called_away(viewer, image, detector, applier, scene, qtbot):
    other = viewer.add_image(image.data, name="other")
    active = active_of(viewer)
    for widget, ended in ((detector, detector.job.ended), (applier, applier.delivery.done)):
        active.choose(scene[0])
        with qtbot.waitSignal(ended, timeout=LONG):
            (detector.detect if widget is detector else applier.apply)()
            active.choose(other)
        seen = [layer for layer in viewer.layers if layer.visible]
        assert active.image == other and seen == [other]
    assert applier.show_bar.layer is None
    active.choose(scene[0])
    assert active.atoms.visible and "detected" in ours(active.atoms)
    assert [layer.visible for layer in viewer.layers if "z1" in getattr(layer, "features", ())] == [True]


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
    from napari_vae.widgets.train.dock import TrainWidget

    widget = show_widget(TrainWidget)
    widget.runs.set_run(trained[0])
    return widget


def apply(qtbot, widget, image, points):
    widget.data.image.choose(image)
    widget.data.atoms.choose(points)
    widget.apply()
    finish(qtbot, widget)


def test_results_of_a_model_belong_to_their_image(viewer, scene, applier, qtbot):
    image, points, _ = scene
    applier.apply()
    image.name = "renamed"
    finish(qtbot, applier)
    for kind in ("classes", "residual"):
        add_layer(qtbot, applier, kind)
    (classes,), (residual,) = of_kind(viewer, "classes"), of_kind(viewer, "residual")
    assert (classes.name, residual.name) == ("class", "residual") and ours(residual)["source"] == "renamed"
    classes.visible = True
    copy = duplicate(viewer, classes)
    other = viewer.add_image(image.data[:, ::-1], name="lattice", **TURNED)
    apply(qtbot, applier, other, points)
    assert not classes.visible and not copy.visible, "they are of another image"
    add_layer(qtbot, applier, "residual")
    assert [layer.name for layer in of_kind(viewer, "residual")] == ["residual", "residual of lattice"]
    assert active_of(viewer).image_of(points) == other, "its columns are those of that image now"
    apply(qtbot, applier, image, points)
    assert classes not in viewer.layers and residual not in viewer.layers, "of a run that was not kept"
    assert copy.visible, "a copy is the user's"


def test_a_picture_by_an_earlier_model_is_not_added(viewer, scene, applier, qtbot):
    image, points, _ = scene
    apply(qtbot, applier, image, points)
    maker = applier.show_bar.maker
    with qtbot.waitSignal(maker.job.ended, timeout=LONG):
        maker.make(redrawn, points, "residual")
        note(points, run="of another model")
    assert not of_kind(viewer, "residual") and "another model" in applier.progress.words.text()


def test_a_copy_of_described_atoms_is_chosen_by_the_user_only_and_keeps_its_columns(viewer, scene, applier, qtbot):
    from napari_vae.widgets.common.layer_box import LayerBox

    image, points, _ = scene
    apply(qtbot, applier, image, points)
    copy = duplicate(viewer, points)
    before = copy.features.copy()
    assert applier.data.atoms.layer() == points
    for _ in range(2):
        apply(qtbot, applier, image, copy)
    assert copy.features[list(before)].equals(before)
    assert set(copy.features) - set(before) == {f"vae_{name}" for name in ours(points)["columns"]}
    assert np.allclose(copy.features["vae_z1"], before["z1"], atol=1e-4, equal_nan=True)
    viewer.layers.remove(points)
    duplicate(viewer, copy)
    assert LayerBox(viewer, lambda layer: layer.name.startswith("atoms")).layer() == copy


def test_the_arrows_are_of_the_points_and_not_of_a_name(viewer, show_widget, qtbot):
    from napari_vae import samples
    from napari_vae.layers.images import image_layer
    from napari_vae.layers.points import atoms_to_points, placement_of
    from napari_vae.widgets.detect.dock import DetectWidget

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
    assert learned.name == "learned" and upcoming.name == "next points"
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
    assert active_of(viewer).image_of(points) is None


def test_frames_of_a_stack_that_is_split_are_images_of_their_own():
    viewer = ViewerModel()
    movie = viewer.add_image(np.zeros((3, 20, 20)), metadata={KEY: {"token": "of a file"}})
    viewer.layers.selection = {movie}
    _layer_actions._split_stack(viewer.layers)
    assert len({token_of(viewer.layers, layer) for layer in viewer.layers}) == 3
