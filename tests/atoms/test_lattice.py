"""Spacing and sublattices against the truth."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from measuring import detection
from napari_vae import assign_sublattices, detect_atoms, estimate_spacing
from napari_vae.core.errors import InputError
from napari_vae.samples import micrograph


@pytest.mark.parametrize("dose", [2, 100])
@pytest.mark.parametrize(
    ("kind", "pixel_size"), [("graphene", 0.0115), ("graphene", 0.02), ("perovskite", 0.012), ("perovskite", 0.025)]
)
def test_spacing_is_the_distance_of_neighbours(kind, pixel_size, dose):
    image, truth = micrograph(kind, size=384, dose=dose, pixel_size=pixel_size)
    position = truth[["y", "x"]].to_numpy()
    nearest = np.median(cKDTree(position).query(position, 2)[0][:, 1])
    assert estimate_spacing(image) == pytest.approx(nearest, rel=0.08)


def test_a_tilted_plane_does_not_matter():
    image, _ = micrograph("perovskite", size=256)
    plane = np.add.outer(np.arange(256.0), 3 * np.arange(256.0))
    assert estimate_spacing(image.data + 5 * plane) == pytest.approx(estimate_spacing(image), rel=0.05)


def test_isolated_spots_get_five_widths():
    rng = np.random.default_rng(1)
    image = np.zeros((256, 256))
    image[tuple(rng.integers(10, 246, (2, 40)))] = 300
    image = gaussian_filter(image, 2.5) + rng.normal(0, 0.5, image.shape)
    assert estimate_spacing(image) == pytest.approx(5 * 2.5, rel=0.3)


def agreement(atoms, truth):
    """Share of atoms on the true sublattice, up to the numbering."""
    distance, index = cKDTree(truth[["y", "x"]]).query(atoms[["y", "x"]])
    same = (truth.sublattice.to_numpy()[index] == atoms.sublattice)[distance < 4].mean()
    return max(same, 1 - same)


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
@pytest.mark.parametrize("dose", [10, 100])
def test_sublattices_are_those_of_the_crystal(kind, dose):
    image, truth = micrograph(kind, size=384, dose=dose, contaminated=0.5)
    atoms = assign_sublattices(detect_atoms(image))
    assert atoms.sublattice.nunique() == 2
    assert agreement(atoms, truth) > 0.98


def test_brightest_sublattice_is_number_0():
    image, _ = micrograph("perovskite", size=300)
    atoms = assign_sublattices(detect_atoms(image))
    mean = atoms.groupby("sublattice").amplitude.mean()
    assert mean[0] > mean[1]
    assert atoms.attrs["napari_vae"]["spacing"] > 0


def test_points_set_by_hand_are_measured_in_the_image():
    image, truth = micrograph("perovskite", size=300)
    atoms = assign_sublattices(truth[["y", "x"]], image)
    atoms_again = assign_sublattices(truth[["y", "x"]], image, n=2)
    assert agreement(atoms, truth) > 0.98
    assert agreement(atoms_again, truth) > 0.98


def test_one_sublattice_stays_one():
    _, truth = micrograph("perovskite", size=384)
    a_columns = truth[truth.sublattice == 0]
    assert assign_sublattices(a_columns.assign(amplitude=a_columns.peak)).sublattice.nunique() == 1


def test_bad_input_is_refused():
    image, truth = micrograph("perovskite", size=128)
    with pytest.raises(InputError, match="pass the image"):
        assign_sublattices(truth[["y", "x"]])
    with pytest.raises(InputError, match="lacks the columns"):
        assign_sublattices(truth[["species"]], image)
    with pytest.raises(InputError, match="atoms is a table"):
        assign_sublattices([[1.0, 2.0]], image)
    with pytest.raises(InputError, match="NaN or an infinite number as their frame"):
        assign_sublattices(truth.assign(frame=np.nan), image)
    with pytest.raises(InputError, match='n is "auto" or a whole number of 1'):
        assign_sublattices(truth[["y", "x"]], image, n=0)


def test_real_perovskite(real_data):
    sample = next(iter(detection.lattices(real_data / "lattices")))
    atoms = assign_sublattices(detect_atoms(sample.image))
    table = np.loadtxt(real_data / "lattices" / "NCEM_STO_ser_classes.csv", delimiter=",", skiprows=1)
    distance, index = cKDTree(table[:, 1::-1]).query(atoms[["y", "x"]])
    is_sr = table[index, 2] == 1
    assert (is_sr == (atoms.sublattice == 0))[distance < 5].mean() > 0.99
