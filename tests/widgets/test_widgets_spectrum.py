"""The dock Spectrum in a real window: bands that are dragged become maps, the spectrum under the cursor, columns."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_vae import extract_patches, load_run
from napari_vae.analysis import band_map
from napari_vae.core import SpectrumImage
from napari_vae.layers.identity import ours
from napari_vae.layers.images import image_layer
from napari_vae.layers.spectra import spectra_layers, spectra_of, wanted_of
from napari_vae.samples import spectrum_image
from napari_vae.widgets.spectrum.dock import SpectrumWidget
from napari_vae.widgets.spectrum.models_box import PAIRS, SPECTRA
from training_widget import LONG, of_kind, settle


@pytest.fixture(scope="module")
def sample():
    return spectrum_image(8)


def add(viewer, spectra):
    for data, options, kind in spectra_layers(spectra):
        getattr(viewer, f"add_{kind}")(data, **options)
    return viewer.layers[-1]


@pytest.fixture
def opened(viewer, sample, show_widget, qtbot):
    layer = add(viewer, sample.spectrum_image)
    widget = show_widget(SpectrumWidget)
    rest(qtbot, widget)
    return widget, layer


def rest(qtbot, widget):
    """Wait until nothing is to be done any more."""
    settle(qtbot, widget)
    qtbot.waitUntil(lambda: not (widget.job.running or widget.place_job.running), timeout=LONG)
    settle(qtbot, widget)


def choose(widget, name, value):
    control = widget.settings[name]
    control.setCurrentIndex(control.findData(value))


def drag(widget, low, high, band="first"):
    """As the mouse does: the region is moved, then let go."""
    region = getattr(widget, band).region
    region.setRegion((low, high))
    region.sigRegionChangeFinished.emit(region)


def test_a_spectrum_image_is_two_layers_that_lie_on_each_other(viewer, sample, opened):
    _, layer = opened
    survey, _ = viewer.layers
    assert (survey.name, survey.visible, layer.visible) == ("simulated structures", True, True)
    np.testing.assert_array_equal(layer.data, band_map(sample.spectrum_image, wanted_of(layer).band).data)
    borders = [layer.data_to_world(place) for place in ((-0.5, -0.5), (7.5, 7.5))]
    np.testing.assert_allclose(borders, [survey.data_to_world(place) for place in ((-0.5, -0.5), (223.5, 223.5))])


def test_dragging_the_band_changes_the_map(sample, opened, qtbot):
    widget, layer = opened
    np.testing.assert_allclose(widget.plot.spectrum, sample.spectra.mean(0), atol=1e-6)
    drag(widget, 0.3, 0.7)
    rest(qtbot, widget)
    np.testing.assert_array_equal(layer.data, band_map(sample.spectrum_image, (0.3, 0.7)).data)
    assert layer.name == "energy 0.3 to 0.7 V" and widget.layer.currentText() == layer.name
    assert (widget.first.low.value(), widget.first.high.value()) == (0.3, 0.7)
    choose(widget, "quantity", "peak")
    choose(widget, "background", "line")
    rest(qtbot, widget)
    np.testing.assert_array_equal(
        layer.data, band_map(sample.spectrum_image, (0.3, 0.7), "peak", background="line").data
    )
    assert len(widget.plot.below.xData), "the background is drawn"
    choose(widget, "quantity", "ratio")
    drag(widget, -0.8, -0.4, "second")
    rest(qtbot, widget)
    expected = band_map(sample.spectrum_image, (0.3, 0.7), "ratio", background="line", second=(-0.8, -0.4))
    np.testing.assert_array_equal(layer.data, expected.data)


def test_numbers_are_typed(sample, opened, qtbot):
    widget, layer = opened
    widget.first.set_bounds((-0.2, 0.2))
    widget.first.high.setValue(0.45)
    assert widget.first.bounds == (-0.2, 0.45)
    rest(qtbot, widget)
    np.testing.assert_array_equal(layer.data, band_map(sample.spectrum_image, (-0.2, 0.45)).data)


def test_what_cannot_be_made_is_said_and_leaves_the_map(opened, qtbot):
    widget, layer = opened
    drag(widget, -0.5, 0.0)
    rest(qtbot, widget)
    before = layer.data.copy()
    choose(widget, "background", "power law")
    rest(qtbot, widget)
    assert "choose a line" in widget.words.text()
    np.testing.assert_array_equal(layer.data, before)


@pytest.mark.parametrize("lazy", [False, True])
def test_the_spectrum_under_the_cursor(viewer, sample, show_widget, qtbot, lazy):
    spectra = sample.spectrum_image
    if lazy:
        spectra = SpectrumImage(da.from_array(spectra.data), spectra.energy, pixel_size=0.5, units="nm")
    layer = add(viewer, spectra)
    widget = show_widget(SpectrumWidget)
    rest(qtbot, widget)
    viewer.mouse_over_canvas = True
    viewer.cursor.position = layer.data_to_world((3.2, 4.9))
    rest(qtbot, widget)
    np.testing.assert_allclose(widget.plot.spectrum, spectra.spectrum(3, 5))
    viewer.cursor.position = layer.data_to_world((3.2, 40.0))
    np.testing.assert_allclose(widget.plot.spectrum, sample.spectra.mean(0), atol=1e-6)


def test_a_new_map_leaves_the_one_before(viewer, opened, qtbot):
    widget, layer = opened
    before, name = layer.data.copy(), layer.name
    widget.new_button.click()
    newest = viewer.layers[-1]
    assert newest is not layer and spectra_of(newest) is spectra_of(layer) and widget.layer.layer() == newest
    drag(widget, 0.3, 0.7)
    rest(qtbot, widget)
    assert (layer.name, newest.name) == (name, "energy 0.3 to 0.7 V")
    np.testing.assert_array_equal(layer.data, before)
    widget.layer.choose(layer)
    assert widget.first.bounds == pytest.approx(wanted_of(layer).band)
    rest(qtbot, widget)
    np.testing.assert_array_equal(layer.data, before)


def test_the_map_becomes_a_column_of_the_atoms_and_a_target(viewer, sample, opened, open_widget, qtbot):
    widget, layer = opened
    widget.column_button.click()
    assert "detect atoms" in widget.words.text()
    places = sample.structures[["y", "x"]].to_numpy()
    points = viewer.add_points(places, scale=(0.02, 0.02), units=("nm", "nm"), name="structures")
    widget.column_button.click()
    np.testing.assert_allclose(points.features[layer.name], layer.data.ravel())
    assert len(np.unique(points.face_color, axis=0)) > 10, "and colours them"
    target = open_widget("Active learning").form.target.target
    offered = [target.itemText(i) for i in range(target.count())]
    assert layer.name in offered and f"layer “{layer.name}”" in offered


def test_files_are_opened_in_the_background(viewer, sample, show_widget, qtbot, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        group = file.create_group("entry")
        group.attrs.update({"signal": "counts", "axes": ["y", "x", "energy"]})
        group["counts"], group["energy"] = sample.spectra.reshape(8, 8, -1), sample.energy
        group["energy"].attrs["units"] = "V"
    widget = show_widget(SpectrumWidget)
    assert "No spectra are open" in widget.hint.text() and not widget.plot.isVisible()
    widget.open(str(tmp_path / "missing.nxs"))
    rest(qtbot, widget)
    assert "There is no file" in widget.words.text()
    widget.open(str(tmp_path / "a.nxs"))
    rest(qtbot, widget)
    (layer,) = viewer.layers
    assert isinstance(layer, Image) and layer.data.shape == (8, 8) and widget.plot.isVisible()
    viewer.layers.clear()
    viewer.open(str(tmp_path / "a.nxs"), plugin="napari-vae")
    assert spectra_of(viewer.layers[0]).shape == (8, 8, 80)
    viewer.layers.clear()
    rest(qtbot, widget)
    assert "No spectra are open" in widget.hint.text()


def test_a_map_of_unknown_place_is_an_image_of_its_own(viewer, sample):
    spectra = sample.spectrum_image
    other = SpectrumImage(spectra.data[:3], spectra.energy, survey=spectra.survey, pixel_size=0.56, units="nm")
    assert not other.covers(other.survey)
    layer = add(viewer, other)
    assert layer.opacity == 1 and not layer.metadata["napari_vae"].get("image")


def learn(widget, qtbot, kind):
    models = widget.models
    models.kind.setCurrentIndex(models.kind.findData(kind))
    models.training["epochs"].setValue(2)
    with qtbot.waitSignal(models.job.ended, timeout=LONG):
        models.progress.button.click()
    assert models.progress.words.text().startswith("Learnt from 64 spectra")
    return models


def test_latents_of_the_spectra_become_maps(viewer, sample, opened, qtbot):
    widget, layer = opened
    for _ in range(2):  # the maps of the second take the place of those of the first
        models = learn(widget, qtbot, SPECTRA)
    maps = {ours(one)["column"]: one for one in of_kind(viewer, "map")}
    assert list(maps) == ["z2", "z1"] and maps["z1"].visible and not maps["z2"].visible
    latents = models.kept.encode(sample.spectra)
    np.testing.assert_allclose(maps["z1"].data.ravel(), latents["z1"], atol=1e-5)
    assert maps["z1"].data_to_world((7, 7)) == pytest.approx(layer.data_to_world((7, 7)))
    assert not models.predict_button.isVisible()


def test_spectra_are_predicted_from_another_image(viewer, opened, qtbot, tmp_path):
    widget, _ = opened
    widget.section.expand(animate=False)
    models = learn(widget, qtbot, PAIRS)
    other = spectrum_image(6, seed=1)
    data, options, _ = image_layer(other.image)
    image = viewer.add_image(data, **options | {"name": "other"})
    assert models.other.chosen() == image and models.predict_button.isVisible()
    with qtbot.waitSignal(models.job.ended, timeout=LONG):
        models.predict_button.click()
    rest(qtbot, widget)
    predicted = widget.layer.layer()
    spectra = spectra_of(predicted)
    assert spectra.shape == (6, 6, 80) and spectra.energy_label == "energy (V)" and "predicted" in predicted.name
    places = extract_patches(other.image, other.structures, window=24, levels=models.kept.levels, level="none")
    mean, _ = models.kept.predict(places)
    np.testing.assert_allclose(spectra.data.reshape(36, 80), mean, atol=1e-4)
    borders = [predicted.data_to_world(place) for place in ((-0.5, -0.5), (5.5, 5.5))]
    np.testing.assert_allclose(borders, [image.data_to_world(place) for place in ((-0.5, -0.5), (167.5, 167.5))])
    drag(widget, -0.4, 0.4)
    rest(qtbot, widget)
    assert predicted.name == "predicted energy -0.4 to 0.4 V"
    np.testing.assert_allclose(predicted.data, band_map(spectra, (-0.4, 0.4)).data)
    models.save(tmp_path / "run")
    assert load_run(tmp_path / "run").provenance["energy"]["units"] == "V"
