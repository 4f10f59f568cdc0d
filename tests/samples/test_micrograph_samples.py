"""The simulated micrographs show what their truth says."""

import numpy as np
import pytest
from scipy.linalg import logm, polar
from scipy.spatial import cKDTree

from napari_vae.core.errors import InputError
from napari_vae.samples import micrograph
from napari_vae.samples.empty import without_atoms

CALM = {"vacancies": 0, "dopants": 0, "displacement": 0, "jitter": 0, "drift": 0, "polar": 0}


def neighbours(truth, n=1):
    position = truth[["y", "x"]].to_numpy()
    inner = ((position > 40) & (position < position.max(axis=0) - 40)).all(axis=1)
    return cKDTree(position).query(position, n + 1)[0][inner, 1:]


@pytest.mark.parametrize(("kind", "bond"), [("graphene", 0.142), ("perovskite", 0.39 / np.sqrt(2))])
def test_the_bond_has_its_length(kind, bond):
    image, truth = micrograph(kind, size=300, **CALM)
    distance = neighbours(truth) * image.pixel_size[0]
    np.testing.assert_allclose(distance, bond, rtol=1e-6)
    assert image.units == "nm"


def test_graphene_of_the_default_size_has_about_5300_atoms():
    _, truth = micrograph("graphene", vacancies=0)
    assert len(truth) == pytest.approx(5300, rel=0.01)


def test_atoms_are_drawn_where_the_truth_says():
    image, truth = micrograph("graphene", size=200, dose=1e6, pixel_size=0.02, background=0.2)
    inner = truth[(truth.y > 15) & (truth.y < 185) & (truth.x > 15) & (truth.x < 185)]
    y, x = np.mgrid[-3:4, -3:4]
    rows, columns = np.rint(inner.y).astype(int), np.rint(inner.x).astype(int)
    patches = image.data[rows.to_numpy()[:, None, None] + y, columns.to_numpy()[:, None, None] + x]
    weight = patches - patches.min(axis=(1, 2), keepdims=True)
    centre = (weight * y).sum(axis=(1, 2)) / weight.sum(axis=(1, 2)) + rows
    assert np.median(np.abs(centre - inner.y)) < 0.15


def test_counts_are_poisson_about_dose_and_background():
    image, truth = micrograph("perovskite", size=256, dose=40, background=0.25)
    bare, _ = micrograph("perovskite", size=256, dose=40, background=0.25, vacancies=1.0, dopants=0)
    assert bare.data.mean() == pytest.approx(10, rel=0.01)
    assert bare.data.var() == pytest.approx(10, rel=0.05)
    assert set(truth.species) <= {"Sr", "Ti", "Ba", "Nb"}
    assert truth.peak[truth.species == "Sr"].iloc[0] == 40
    assert image.data.dtype == np.float32


@pytest.mark.parametrize(("kind", "bond"), [("graphene", 0.142 / 0.0115), ("perovskite", 0.39 / np.sqrt(2) / 0.012)])
def test_vacancies_and_dopants_have_their_share_and_are_counted_by_their_neighbours(kind, bond):
    _, truth = micrograph(kind, size=512, vacancies=0.05, dopants=0.1, drift=0, polar=0)
    sites = len(truth) + len(truth.attrs["vacancies"])
    assert len(truth.attrs["vacancies"]) / sites == pytest.approx(0.05, abs=0.015)
    assert (~truth.species.isin(["C", "Sr", "Ti"])).mean() == pytest.approx(0.1, abs=0.02)
    inner = truth[(truth.y > 30) & (truth.y < 480) & (truth.x > 30) & (truth.x < 480)]
    near = cKDTree(np.array(truth.attrs["vacancies"])).query_ball_point(inner[["y", "x"]], 1.15 * bond)
    assert [len(n) for n in near] == inner.vacant_neighbours.tolist()


def test_every_dopant_can_have_a_share_of_its_own():
    _, truth = micrograph("graphene", size=512, vacancies=0.05, dopants={"Si": 0.2, "N": 0.02}, drift=0)
    sites = len(truth) + len(truth.attrs["vacancies"])
    share = truth.species.value_counts() / sites
    assert share["Si"] == pytest.approx(0.2, abs=0.035)
    assert share["N"] == pytest.approx(0.02, abs=0.012)
    assert len(truth.attrs["vacancies"]) / sites == pytest.approx(0.05, abs=0.02)
    _, truth = micrograph("perovskite", size=512, vacancies=0, dopants={"Nb": 0.5})
    assert truth.species[truth.sublattice == 1].eq("Nb").mean() == pytest.approx(0.5, abs=0.1)
    assert truth.species[truth.sublattice == 0].eq("Sr").all()


@pytest.mark.parametrize("dopants", [{"Fe": 0.1}, {"N": -0.1}, {"N": -0.1, "Si": 0.3}, {"N": 0.6, "Si": 0.6}])
def test_dopants_that_cannot_be_are_refused(dopants):
    with pytest.raises(InputError, match=r"dopants (is|gives) a"):
        micrograph("graphene", size=64, dopants=dopants)


def test_b_columns_move_along_the_polar_field():
    _, truth = micrograph("perovskite", size=512, polar=0.03, displacement=0.001)
    shift = np.hypot(truth.polar_y, truth.polar_x)
    assert (shift[truth.sublattice == 0] == 0).all()
    assert 0.5 * 0.03 / 0.012 < shift.max() <= 0.03 / 0.012 + 1e-9
    assert np.corrcoef(truth.dy[truth.sublattice == 1], truth.polar_y[truth.sublattice == 1])[0, 1] > 0.9


@pytest.mark.parametrize("size", [(48, 384), (384, 48)])
def test_the_polar_field_varies_over_half_the_longer_side(size):
    _, truth = micrograph("perovskite", size=size, polar=0.03, pixel_size=0.024)
    moved = truth[truth.sublattice == 1]
    pairs = cKDTree(moved[["y", "x"]]).query_pairs(18, output_type="ndarray")  # neighbours
    shift = moved[["polar_y", "polar_x"]].to_numpy()
    apart = np.linalg.norm(shift[pairs[:, 0]] - shift[pairs[:, 1]], axis=1)
    assert len(pairs) > 60 and apart.max() < 0.4 * np.linalg.norm(shift, axis=1).max()


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
@pytest.mark.parametrize("size", [(40, 200), (200, 40), (150, 150)])
def test_a_crystal_at_any_angle_fills_the_image(kind, size):
    y, x = np.mgrid[5 : size[0] - 5, 5 : size[1] - 5].reshape(2, -1)
    for angle in (0, 20, 45, 80, 130, 170):
        _, truth = micrograph(kind, size=size, angle=angle, pixel_size=0.02, **CALM)
        farthest = cKDTree(truth[["y", "x"]]).query(np.column_stack([y, x]))[0].max()
        assert farthest < (0.18 if kind == "graphene" else 0.39) / 0.02


def test_a_seed_gives_the_same_images_as_ever():
    for kind, grains, first, counts in (
        ("graphene", 1, (36.242857, 6.785114), 87143),
        ("perovskite", 2, (3.591401, 38.222890), 55700),
    ):
        image, truth = micrograph(kind, size=48, seed=3, grains=grains)
        assert truth[["y", "x"]].iloc[0].to_numpy() == pytest.approx(first, abs=1e-5)
        assert image.data.sum() == pytest.approx(counts, abs=20)


def test_angle_is_counter_clockwise_on_screen():
    _, truth = micrograph("perovskite", size=300, angle=10, **CALM)
    a = truth[truth.sublattice == 0][["y", "x"]].to_numpy()
    centre = a[np.argmin(np.hypot(*(a - 150).T))]
    right = a[np.argmin(np.hypot(*(a - centre - (0, 0.39 / 0.012)).T))] - centre
    assert np.degrees(np.arctan2(-right[0], right[1])) == pytest.approx(10, abs=1e-6)


def test_strain_stretches_the_lattice():
    _, truth = micrograph("perovskite", size=300, angle=0, strain=(0.0, 0.05, 0.0), **CALM)
    row = truth[(truth.sublattice == 0)]
    row = row[np.abs(row.y - row.y.iloc[len(row) // 2]) < 1].sort_values("x")
    np.testing.assert_allclose(np.diff(row.x), 1.05 * 0.39 / 0.012)


def deformation_by_differences(sites, cell):
    """Sites with four neighbours in a square lattice at 0°, and the deformation there in (x to the right, y up)."""
    tree, found = cKDTree(sites), []
    steps = cell * np.array([[0, 1], [0, -1], [-1, 0], [1, 0]])  # right, left, up, down as (row, column)
    for number, site in enumerate(sites):
        distance, near = tree.query(site + steps)
        if distance.max() < 0.3 * cell:
            right, left, up, down = sites[near][:, ::-1] * (1, -1)
            found.append((number, np.column_stack([right - left, up - down]) / (2 * cell)))
    numbers, matrices = zip(*found, strict=True)
    return list(numbers), np.array(matrices)


@pytest.mark.parametrize(
    "changed", [{"strain_field": 0.04}, {"strain_field": 0.02, "strain": (0.0, 0.03, 0.01), "drift": 3}]
)
def test_the_strain_field_is_that_of_the_positions(changed):
    _, truth = micrograph("perovskite", size=512, angle=0, seed=3, pixel_size=0.06, **(CALM | changed))
    atoms = truth[truth.sublattice == 0].reset_index(drop=True)
    rows, deformation = deformation_by_differences(atoms[["y", "x"]].to_numpy(), 0.39 / 0.06)
    assert len(rows) > 1000
    for row, f in zip(rows[::20], deformation[::20], strict=True):
        turn, left = polar(f, side="left")
        strain = logm(left)
        expected = [(strain[0, 0] - strain[1, 1]) / 2, strain[0, 1], np.trace(strain) / 2]
        found = atoms.loc[row, ["strain_xx", "strain_xy", "dilation"]].astype(float)
        np.testing.assert_allclose(found, expected, atol=5e-4)
        assert atoms.loc[row, "rotation"] == pytest.approx(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])), abs=0.05)


def test_the_strain_field_is_as_large_as_asked_for_and_covers_the_image():
    _, truth = micrograph("graphene", size=400, strain_field=0.03, **CALM)
    assert np.hypot(truth.strain_xx, truth.strain_xy).max() == pytest.approx(0.03, rel=0.05)
    assert neighbours(truth).max() < 1.1 * 0.142 / 0.0115
    edges = np.histogram2d(truth.y, truth.x, bins=8, range=[[0, 400], [0, 400]])[0]
    assert edges.min() > 0.6 * edges.mean()


def test_without_a_strain_field_there_is_no_strain():
    _, truth = micrograph("graphene", size=100, angle=20, **CALM)
    assert (truth[["strain_xx", "strain_xy", "dilation", "rotation"]].abs() < 1e-12).all(axis=None)


def test_grains_have_their_own_angles_and_keep_their_distance():
    _, truth = micrograph("graphene", size=400, grains=3, **CALM)
    assert truth.grain.nunique() == 3
    assert truth.groupby("grain").angle.nunique().eq(1).all()
    assert neighbours(truth).min() > 0.5 * 0.142 / 0.0115


def test_the_truth_follows_the_drift():
    still, drifting = (micrograph("graphene", size=256, dose=1e4, jitter=0, drift=d)[1] for d in (0.0, 8.0))
    moved = drifting[["y", "x"]].to_numpy()[10:40] - still[["y", "x"]].to_numpy()[10:40]
    assert len(still) != len(drifting) or np.abs(moved).max() > 0.5


def test_same_seed_same_image_and_no_global_state():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - that it is untouched is the point
    first, second, other = (micrograph("graphene", size=64, seed=s)[0].data for s in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("seed", range(3))
def test_rims_are_bright_lines_on_an_even_ground_with_noise_of_a_tenth(seed):
    image = without_atoms("rims", size=128, seed=seed).data
    dark = image[image < np.median(image)]
    assert 0.02 < (image > 0.5).mean() < 0.4 and 1 < image.max() < 3
    assert -0.6 < image.min() < -0.2 and 0.04 < dark.std() < 0.1


def test_an_image_without_atoms_is_that_of_seed_0_and_256_pixels_wide_unless_asked_otherwise():
    image = without_atoms("noise")
    assert image.shape == (256, 256) and image.metadata["seed"] == 0
    assert np.array_equal(image.data, without_atoms("noise", 256, 0).data)
    assert abs(image.data.mean()) < 0.02 and image.data.std() == pytest.approx(1, abs=0.02)


def test_the_truth_has_a_row_for_every_atom_in_the_image_counted_from_0():
    _, truth = micrograph("graphene", size=64, vacancies=0.1)
    assert list(truth.index) == list(range(len(truth))) and not {"index", "level_0"} & set(truth)
    assert truth[["y", "x"]].to_numpy().min() >= -0.5 and truth[["y", "x"]].to_numpy().max() <= 63.5


def test_rectangular_images():
    image, truth = micrograph("perovskite", size=(96, 200))
    assert image.shape == (96, 200)
    assert truth.x.max() > 150 > truth.y.max()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "diamond"}, "kind is one of graphene, perovskite, not 'diamond'"),
        ({"size": 8}, "size is a whole number of 16 … 32 768"),
        ({"dose": 0}, "dose is a number above 0"),
        ({"pixel_size": -1}, "pixel_size is a number of 0.0001 … 0.1"),
        ({"grains": 0}, "grains is a whole number of 1 … 10 000, not 0"),
        ({"vacancies": 2}, "vacancies is a number of 0 … 1, not 2"),
        ({"strain_field": 3}, "strain_field is a number of 0 … 0.2, not 3"),
    ],
)
def test_bad_options_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        micrograph(**({"kind": "graphene", "size": 64} | options))


@pytest.mark.parametrize("seed", range(3))
def test_all_that_is_told_lies_in_the_image(seed):
    image, truth = micrograph("graphene", size=(96, 128), seed=seed, vacancies=0.2)
    for places in (truth[["y", "x"]].to_numpy(), np.array(truth.attrs["vacancies"])):
        assert len(places) and (places >= 0).all() and (places <= np.array(image.shape) - 1).all()
