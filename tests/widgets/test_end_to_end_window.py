"""The main job as a microscopist does it: open, detect, train, see; on a sample and on a real micrograph."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_vae.widgets.common.guide import Guide
from napari_vae.widgets.common.steps_row import steps_done
from training_widget import LONG, add_layer


def press(qtbot, button, signal):
    with qtbot.waitSignal(signal, timeout=LONG):
        button.click()


def analyse(viewer, open_widget, qtbot, epochs):
    """Both widgets with their defaults, but for the number of epochs."""
    detect = open_widget("Detect atoms")
    press(qtbot, detect.progress.button, detect.job.ended)
    train = open_widget("Train VAE")
    train.model.training["epochs"].setValue(epochs)
    press(qtbot, train.progress.button, train.delivery.done)
    head = train.findChild(Guide).steps
    assert head.marks["models"].text() == "✓" and head.next.isVisibleTo(train)
    for kind in ("classes", "reconstruction", "residual"):
        add_layer(qtbot, train, kind)
    return train.data.atoms.layer()


def check(viewer, image, points, spoken):
    assert steps_done(viewer) == {"detection", "models"}
    made = [layer for layer in viewer.layers if layer != image]
    assert sorted(type(layer).__name__ for layer in made) == ["Image", "Image", "Labels", "Points"]
    for layer in made:
        assert np.allclose(layer.scale, image.scale) and layer.units == image.units
    assert {"z1", "z2", "angle", "class"} <= set(points.features)
    seen = np.isfinite(points.features["z1"])
    assert seen.mean() > 0.6  # windows at the border are left out
    (classes,) = (layer for layer in made if type(layer).__name__ == "Labels")
    rows, columns = np.rint(points.data[seen]).astype(int).T
    at_atoms = classes.data[rows.clip(0, classes.data.shape[0] - 1), columns.clip(0, classes.data.shape[1] - 1)]
    numbers = points.features["class"][seen].astype(str).astype(int) + 1
    assert (at_atoms == numbers).mean() > 0.98
    assert "atoms in" in spoken


def test_sample(viewer, open_widget, qtbot, monkeypatch):
    from napari_vae import samples

    whole = samples.micrograph
    monkeypatch.setattr(samples, "micrograph", lambda kind: whole(kind, size=192), raising=False)
    (image,) = viewer.open_sample("napari-vae", "graphene")
    points = analyse(viewer, open_widget, qtbot, epochs=15)
    _, truth = whole("graphene", size=192)
    there = truth[(truth[["y", "x"]] > 4).all(axis=1) & (truth[["y", "x"]] < 187).all(axis=1)]
    there = there[there["species"] != "vacancy"] if "species" in there else there
    distance = cKDTree(points.data).query(there[["y", "x"]].to_numpy())[0]
    assert (distance < 2).mean() > 0.97
    check(viewer, image, points, "atoms in")


def test_real_file(real_data, viewer, open_widget, qtbot):  # first what may skip it
    (image,) = viewer.open(real_data / "lattices" / "example_Se_implanted_MoS2.dm3", plugin="napari-vae")
    assert str(image.units[-1]) == "nanometer"
    image.data = np.asarray(image.data)[300:600, 300:600]
    points = analyse(viewer, open_widget, qtbot, epochs=15)
    reference = np.loadtxt(real_data / "lattices" / "TEMUL_Se_MoS2.csv", delimiter=",", skiprows=1, usecols=(0, 1))
    inside = ((reference > 305) & (reference < 595)).all(axis=1)
    distance = cKDTree(points.data).query(reference[inside][:, ::-1] - 300)[0]
    assert (distance < 2.5).mean() > 0.95
    check(viewer, image, points, "atoms in")


@pytest.mark.parametrize("name", ["graphene", "perovskite", "cards"])
def test_samples_open_from_the_menu(viewer, name):
    (image,) = viewer.open_sample("napari-vae", name)
    assert image.data.ndim == 2 and np.isfinite(image.data).all()


def test_a_sample_movie_opens_from_the_menu(viewer):
    (movie,) = viewer.open_sample("napari-vae", "movie")
    assert movie.data.shape == (12, 192, 192) and viewer.dims.nsteps[0] == 12
    assert movie.scale[0] == 1 and movie.scale[1] < 0.1 and str(movie.units[-1]) == "nanometer"


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("DyScO3", 8 / 1024),
        ("gold grain boundary", None),
        ("oxide superlattice", None),
        ("Pt single atoms", 0.02929687),
    ],
)
def test_real_samples_open_from_the_menu(viewer, name, step):
    (image,) = viewer.open_sample("napari-vae", name)
    assert image.name == name and image.metadata["napari_vae"]["licence"].startswith("MIT")
    assert str(image.units[-1]) == ("pixel" if step is None else "nanometer")
    np.testing.assert_allclose(image.scale, step or 1.0)
