"""The section Crystal in the real widget: words, columns, layers, bad input, and points that change meanwhile."""

import numpy as np
import pytest

from napari_vae import samples
from napari_vae.core.placement import Placement
from napari_vae.crystal import measure_lattice
from napari_vae.layers.images import image_layer
from napari_vae.layers.points import atoms_to_points, placement_of
from napari_vae.widgets.common.pixel_size_box import calibrate
from training_widget import LONG


@pytest.fixture
def scene(viewer):
    """A perovskite: image layer, points with sublattices, and the truth."""
    image, truth = samples.micrograph("perovskite", size=320, seed=1)
    data, options, _ = image_layer(image)
    layer = viewer.add_image(data, **options)
    data, options, _ = atoms_to_points(truth[["y", "x", "sublattice"]], placement_of(layer))
    return layer, viewer.add_points(data, **options), truth


@pytest.fixture
def box(scene, show_widget):
    from napari_vae.widgets.detect.dock import DetectWidget

    widget = show_widget(DetectWidget)
    widget.form.preview.setChecked(False)  # no marks among the layers that are counted
    return widget.crystal


def measure(qtbot, box):
    with qtbot.waitSignal(box.job.ended, timeout=LONG):
        box.measure()


def made(viewer):
    return {layer.metadata.get("napari_vae", {}).get("kind"): layer for layer in viewer.layers}


def test_words_columns_and_layers(viewer, scene, box, qtbot):
    _, points, truth = scene
    points.features = points.features.assign(mine=1)
    measure(qtbot, box)
    words = box.words.text()
    assert measure_lattice(truth).scaled((0.012, 0.012)).describe("nm") in words and " ± " in words
    assert f"{len(made(viewer)['vacancies'].data)} vacanc" in words
    assert {"mine", "strain_xx", "displacement_y", "polarisation_x", "intensity"} <= set(points.features)
    assert {"displacements", "polarisations", "vacancies"} <= set(made(viewer))
    assert viewer.layers.selection == {points}
    assert viewer.layers.index(made(viewer)["vacancies"]) < viewer.layers.index(points)
    known = points.features["polarisation_y"].notna() & (truth["sublattice"] == 1)
    true = truth["dy"]
    assert np.corrcoef(points.features["polarisation_y"][known], true[known])[0, 1] > 0.9
    assert box.atoms.count() == 1  # vacancies are no atoms
    measure(qtbot, box)  # replaces what nobody touched
    assert len(viewer.layers) == 5 and list(points.features).count("strain_xx") == 1
    moved = made(viewer)["vacancies"]
    moved.data = moved.data + 1
    measure(qtbot, box)
    assert moved in viewer.layers and len(viewer.layers) == 6
    for name in ("vacancies", "displacements", "intensities"):
        box.quantities[name].setChecked(False)
    measure(qtbot, box)  # what is not measured again stays
    assert "strain_xx" in points.features and len(viewer.layers) == 6


def test_arrows_and_colours(viewer, scene, box, qtbot):
    _, points, _ = scene
    measure(qtbot, box)
    box.factor.setValue(30)
    assert made(viewer)["polarisations"].length == 30
    assert made(viewer)["polarisations"].metadata["napari_vae"]["factor"] == 30
    box.show_bar.buttons["strain_xx"].click()
    assert len(np.unique(points.face_color, axis=0)) > 20 and box.show_bar.key.name.text() == "strain_xx"
    assert not points.border_width.any()
    box.show_bar.buttons["Atoms"].click()
    assert not points.face_color[:, 3].any() and points.border_width.all()


def test_only_what_is_ticked(viewer, scene, box, qtbot):
    for name in ("vacancies", "displacements", "intensities"):
        box.quantities[name].setChecked(False)
    measure(qtbot, box)
    assert "distance of neighbours" in box.words.text() and "vacanc" not in box.words.text()
    assert len(viewer.layers) == 2 and "strain_xx" not in scene[1].features


def test_strain_against_the_selected_points(viewer, scene, box, qtbot, notifications):
    _, points, _ = scene
    box.reference.setCurrentIndex(1)
    box.measure()
    assert "No point is selected" in notifications[-1] and "No point is selected" in box.progress.words.text()
    points.data = np.where(points.data[:, 1:] > 160, points.data * [1, 1.03] - [0, 0.03 * 160], points.data)
    points.selected_data = set(np.flatnonzero(points.data[:, 1] < 150).tolist())
    measure(qtbot, box)
    strain = points.features["strain_xx"]
    assert strain[points.data[:, 1] < 140].median() == pytest.approx(0, abs=0.003)
    assert strain[points.data[:, 1] > 190].median() == pytest.approx(0.015, abs=0.003)


@pytest.mark.parametrize("change", ["deleted", "edited"])
def test_points_that_change_meanwhile(viewer, scene, box, qtbot, notifications, change):
    _, points, _ = scene
    with qtbot.waitSignal(box.job.ended, timeout=LONG):
        box.measure()
        viewer.layers.remove(points) if change == "deleted" else points.add([10.0, 10.0])
    assert "changed or deleted meanwhile" in notifications[-1]
    assert "strain_xx" not in points.features and not {"vacancies", "displacements"} & set(made(viewer))


def test_no_atoms_no_lattice_nothing_ticked(viewer, scene, box, qtbot, notifications):
    _, points, _ = scene
    points.data = points.data[:5]
    measure(qtbot, box)
    assert "at least 12 atoms" in notifications[-1]
    for check in box.quantities.values():
        check.setChecked(False)
    box.measure()
    assert "Nothing is chosen" in notifications[-1]
    viewer.layers.remove(points)
    box.measure()
    assert "no atoms to measure" in notifications[-1]


def test_lengths_are_those_of_the_whole_transform_when_it_is_measured(viewer, scene, box, qtbot):
    image, points, truth = scene
    for layer in (image, points):
        layer.scale, layer.affine = (1, 1), np.diag([0.012, 0.012, 1])
    measure(qtbot, box)
    assert measure_lattice(truth).scaled((0.012, 0.012)).describe("nm") in box.words.text()
    with qtbot.waitSignal(box.job.ended, timeout=LONG):
        box.measure()
        calibrate(viewer.layers, image, 0.024, "nm")
    assert measure_lattice(truth).scaled((0.024, 0.024)).describe("nm") in box.words.text()
    assert Placement.of_layer(made(viewer)["vacancies"]).lies_like(placement_of(image))


def test_points_without_frames_are_measured_on_the_frame_in_view(viewer, scene, box, qtbot, notifications):
    image, points, _ = scene
    empty = np.zeros_like(image.data)
    place = {"scale": (1, *image.scale), "units": ("s", *image.units)}
    movie = viewer.add_image(np.stack([empty, image.data, empty]), name="movie", **place)
    viewer.layers.remove(image)
    viewer.dims.set_current_step(0, 1)
    box.atoms.choose(points)
    measure(qtbot, box)
    assert (points.features["intensity"].dropna() > 0).all() and points.features["intensity"].notna().any()
    assert "belong to no frame" in notifications[0] and "in view, 1" in notifications[0]
    assert set(made(viewer)["vacancies"].data[:, 0]) <= {1} and made(viewer)["vacancies"].ndim == movie.ndim
