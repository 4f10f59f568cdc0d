"""The cell of a crystal and its grains, against the truth: many sites, checkerboards, missing and false atoms."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

import napari_vae as nv
from napari_vae.crystal import Lattice, find_vacancies, measure_displacements, measure_grains, measure_lattice
from napari_vae.crystal.lattice import reduced

SIZE = 500.0  # px
HEXAGONAL = np.array([[0.0, 20.0], [-17.32, 10.0]])
SQUARE = np.array([[0.0, 20.0], [-20.0, 0.0]])


def rotation(degrees):
    """Matrix for rows (y, x): counter-clockwise on screen."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, -sin], [sin, cos]]).T


def filled(vectors, sites=((0.0, 0.0),), size=SIZE):
    """Positions (N, 2) in a square image, the site (N,) and the cell (N, 2) of each."""
    n = int(3 * size / np.linalg.norm(vectors, axis=1).min()) + 2
    cells = np.mgrid[-n:n, -n:n].reshape(2, -1).T
    points = np.concatenate([(cells + site) @ vectors for site in np.asarray(sites)]) + size / 2
    inside = ((points > 0) & (points < size)).all(axis=1)
    return points[inside], np.repeat(np.arange(len(sites)), len(cells))[inside], np.tile(cells, (len(sites), 1))[inside]


def many_sites(n, rng, distance=20.0):
    """Vectors (2, 2) and sites (n, 2) of an oblique cell, nowhere closer than most atoms are."""
    while True:
        angle, aspect = np.deg2rad(rng.uniform(65, 115)), rng.uniform(1, 3)
        a = np.sqrt(n / aspect / np.sin(angle)) * distance
        vectors = np.array([[0, a], [-a * aspect * np.sin(angle), a * aspect * np.cos(angle)]])
        vectors = vectors @ rotation(rng.uniform(0, 360))
        sites = [rng.random(2)]
        around = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
        for _ in range(400):
            new = rng.random(2)
            if np.linalg.norm((new - np.array(sites)[:, None] + around) @ vectors, axis=2).min() > 0.72 * distance:
                sites.append(new)
            if len(sites) == n:
                return vectors, sites


def disturbed(points, rng, missing=0.0, false=0.0, noise=0.8):
    """Which atoms are left, and a table of these and of false ones after them."""
    kept = rng.random(len(points)) >= missing
    there = points[kept] + rng.normal(0, noise, (kept.sum(), 2))
    wrong = rng.uniform(0, SIZE, (int(false * len(there)), 2))
    return kept, pd.DataFrame(np.concatenate([there, wrong]), columns=["y", "x"])


def is_lattice(lattice, vectors, tolerance=0.01):
    """Whether it is the shortest basis of the lattice of these vectors."""
    shortest = np.sort(np.linalg.norm(reduced(vectors), axis=1))
    return np.allclose(np.sort(lattice.lengths), shortest, rtol=tolerance) and np.isclose(
        abs(np.linalg.det(lattice.vectors)), abs(np.linalg.det(vectors)), rtol=2 * tolerance
    )


def agreement(found, true):
    """Share of atoms with the right number, up to the naming, which must be one to one."""
    table = pd.crosstab(found, true).to_numpy()
    return table[linear_sum_assignment(-table)].sum() / table.sum()


@pytest.mark.parametrize(("missing", "false"), [(0.05, 0.0), (0.4, 0.0), (0.1, 0.2)])
@pytest.mark.parametrize("n", [5, pytest.param(7, marks=pytest.mark.slow), 9])
def test_cells_of_many_sites(n, missing, false):
    rng = np.random.default_rng(n)
    vectors, sites = many_sites(n, rng)
    points, site, _ = filled(vectors, sites, SIZE)
    kept, atoms = disturbed(points, rng, missing, false)
    assert is_lattice(measure_lattice(atoms), vectors)
    found = nv.assign_sublattices(atoms, by="position")["sublattice"].to_numpy()[: kept.sum()]
    assert agreement(found, site[kept]) > 0.99


def test_of_many_sites_the_nearest_atom_of_another_site_is_no_fellow():
    """A bent scan leads a vector astray by less than half of the nearest distance, and by more to any other site."""
    rng = np.random.default_rng(0)
    vectors, sites = many_sites(9, rng)
    points, _, _ = filled(vectors, sites)
    bent = points + 6 * np.sin(3 * points[:, ::-1] / SIZE)
    kept, atoms = disturbed(bent, rng, missing=0.1, false=0.1)
    lattice = measure_lattice(atoms)
    assert is_lattice(lattice, vectors, 0.02)
    assert lattice.residual < 0.2 * lattice.spacing
    assert measure_displacements(atoms)[["displacement_y", "displacement_x"]].std().max() < 1.2
    missing, found = bent[~kept], find_vacancies(atoms)[["y", "x"]].to_numpy()
    assert len(found) > 0.5 * len(missing)
    assert np.mean([np.linalg.norm(missing - one, axis=1).min() < 3 for one in found]) > 0.9


def test_ordered_vacancies_make_a_larger_cell():
    rng = np.random.default_rng(0)
    points, _, cell = filled(SQUARE @ rotation(20))
    ordered = (np.mod(cell, 3) == 0).all(axis=1)
    _, atoms = disturbed(points[~ordered], rng, missing=0.05)
    assert is_lattice(measure_lattice(atoms), 3 * SQUARE)


@pytest.mark.parametrize("angle", [0, 50, *(pytest.param(angle, marks=pytest.mark.slow) for angle in (100, 150))])
@pytest.mark.parametrize("shape", [(1.0, 3.0, 90), (1.0, 1.06, 90), (1.0, 1.3, 75), (1.0, 3.06, 80), (1.0, 1.0, 61)])
def test_the_shortest_vectors_in_all_rotations(shape, angle):
    a, b, between = shape
    skew = np.deg2rad(between)
    vectors = 16 * np.array([[0, a], [-b * np.sin(skew), b * np.cos(skew)]]) @ rotation(angle)
    lattice = measure_lattice(disturbed(filled(vectors, size=300.0)[0], np.random.default_rng(0), noise=0.2)[1])
    assert is_lattice(lattice, vectors)
    assert 59 < lattice.angle < 121
    assert Lattice.ideal(*map(tuple, vectors @ [[1, 0], [0, 1]])).lengths == pytest.approx(lattice.lengths, rel=0.01)


PATTERNS = {  # cell, and which atoms are bright
    "checkerboard": ([[1, 1], [1, -1]], lambda i, j: (i + j) % 2 == 0),
    "rows": ([[2, 0], [0, 1]], lambda i, j: i % 2 == 0),
    "one of three": ([[1, -1], [1, 2]], lambda i, j: (i + j) % 3 == 0),
    "one of four": ([[2, 0], [0, 2]], lambda i, j: (i % 2 == 0) & (j % 2 == 0)),
}


@pytest.mark.parametrize(("contrast", "noise", "missing"), [(0.1, 0.04, 0.0), (0.3, 0.14, 0.2)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_columns_that_are_bright_and_weak_by_turns(pattern, contrast, noise, missing):
    rng = np.random.default_rng(1)
    cell, is_bright = PATTERNS[pattern]
    vectors = np.array([[0, 20.0], [-19.0, 2.0]]) @ rotation(33)
    points, _, place = filled(vectors)
    kept, atoms = disturbed(points, rng, missing, noise=0.5)
    bright = is_bright(*place[kept].T)
    thickness = 1 + 0.3 * np.sin(atoms["y"] / 90)
    atoms["amplitude"] = (1 + contrast * (bright - 0.5)) * np.exp(rng.normal(0, noise, len(atoms))) * thickness
    assert is_lattice(measure_lattice(atoms), np.array(cell) @ vectors)
    sublattice = nv.assign_sublattices(atoms)["sublattice"]
    assert pd.crosstab(sublattice, bright).min(axis=1).sum() < 0.01 * len(atoms)


def test_brightness_without_order_makes_no_larger_cell():
    rng = np.random.default_rng(2)
    points, _, _ = filled(SQUARE @ rotation(10))
    _, atoms = disturbed(points, rng, 0.1, noise=0.5)
    line = np.random.default_rng(0).normal(1, 0.1, 501)[atoms["y"].clip(0, 500).astype(int)]  # scan lines flicker
    for amplitude in (np.exp(rng.normal(0, 0.2, len(atoms))), np.where(rng.random(len(atoms)) < 0.3, 1.0, 0.5), line):
        assert is_lattice(measure_lattice(atoms.assign(amplitude=amplitude)), SQUARE)


@pytest.mark.parametrize("vectors", [SQUARE, np.array([[0.0, 15.0], [-22.0, 0.0]])])
@pytest.mark.parametrize("change", [0.08, 0.15])
def test_a_lattice_that_widens_slowly_makes_no_larger_cell(vectors, change):
    """Layers of other spacing, or a scan that drifts: positions change the more, the longer the vector."""
    points = filled(vectors)[0]
    y, x = points.T / SIZE
    wide = SIZE * np.column_stack([y + change * y**2 / 2, x + change * x**2 / 2])
    atoms = disturbed(wide, np.random.default_rng(0), noise=0.3)[1]
    assert is_lattice(measure_lattice(atoms), vectors * (1 + change / 2), 0.02)


def test_rows_that_zigzag_make_a_larger_cell():
    rng = np.random.default_rng(3)
    points, _, place = filled(SQUARE)
    points[:, 0] += np.where(place[:, 1] % 2 == 0, 1.2, -1.2)
    _, atoms = disturbed(points, rng, 0.1, noise=0.5)
    assert is_lattice(measure_lattice(atoms), np.array([[2, 0], [0, 1]]) @ SQUARE)
    assert nv.assign_sublattices(atoms, by="position")["sublattice"].nunique() == 2


def grains_of(vectors, angles, seeds, rng, sites=((0.0, 0.0),)):
    """Positions, and the grain of each: that whose seed is nearest."""
    tables = []
    for number, angle in enumerate(angles):
        points = filled(vectors @ rotation(angle), sites, 2 * SIZE)[0] - SIZE / 2 + rng.uniform(0, 20, 2)
        points = points[((points > 0) & (points < SIZE)).all(axis=1)]
        distance = np.linalg.norm(points[:, None] - seeds, axis=2)
        distance[:, number] += 4
        tables.append((points[distance.argmin(axis=1) == number], number))
    points = np.concatenate([points for points, _ in tables])
    number = np.concatenate([np.full(len(points), number) for points, number in tables])
    kept, atoms = disturbed(points, rng, missing=0.05, noise=0.5)
    return atoms, number[kept]


@pytest.mark.parametrize(("angles", "period"), [((5, 33), 60), ((80, 61, 40), 60), ((0, 37), 90), ((10, 100, 55), 180)])
def test_each_grain_has_its_lattice(angles, period):
    rng = np.random.default_rng(int(sum(angles)))
    vectors = {60: HEXAGONAL, 90: SQUARE, 180: np.array([[0, 20.0], [-26.0, 5.0]])}[period]
    seeds = SIZE * np.array([[0.3, 0.25], [0.4, 0.8], [0.85, 0.4]])[: len(angles)]
    atoms, true = grains_of(vectors, angles, seeds, rng)
    found, lattices = measure_grains(atoms)
    assert len(lattices) == len(angles)
    assert agreement(found["grain"], true) > 0.97
    assert all(is_lattice(lattice, vectors) for lattice in lattices)
    order = [np.bincount(true[found["grain"] == number]).argmax() for number in range(len(angles))]
    for number, lattice in zip(order, lattices, strict=True):
        turn, modulo = lattice.turn_from(lattices[0])
        off = turn - (angles[number] - angles[order[0]])
        assert modulo == period
        assert abs((off + period / 2) % period - period / 2) < 0.5


def test_a_few_atoms_that_lie_otherwise_are_no_grain():
    rng = np.random.default_rng(3)
    seeds = SIZE * np.array([[0.3, 0.3], [0.97, 0.97]])
    atoms, true = grains_of(SQUARE, (0, 37), seeds, rng)
    corner = np.flatnonzero(true == 1)
    atoms = atoms.drop(atoms.index[corner[np.argsort(-atoms[["y", "x"]].sum(axis=1).to_numpy()[corner])[12:]]])
    assert len(measure_grains(atoms)[1]) == 1


def test_gold_has_two_grains(real_data):
    positions = pd.read_csv(real_data / "unseen" / "reference" / "gold_grain_boundary.csv")
    _, lattices = measure_grains(positions.rename(columns={"x_px": "x", "y_px": "y"})[["y", "x"]])
    turn, modulo = lattices[1].turn_from(lattices[0])
    assert len(lattices) == 2
    assert (abs(turn), modulo) == (pytest.approx(25.5, abs=1), 60)


@pytest.mark.parametrize(
    ("path", "lengths", "angle", "sites"),
    [
        ("unseen/YBCO_tem.tif", (11.34, 34.7), 90.0, 2),
        ("formats/openNCEM_GPL3/Acquisition_18.emd", (33.5, 33.4), 91.1, 2),
    ],
)
def test_cells_of_real_crystals(real_data, path, lengths, angle, sites):
    atoms = nv.detect_atoms(nv.read(real_data / path))
    lattice = measure_lattice(atoms)
    assert np.sort(lattice.lengths) == pytest.approx(np.sort(lengths), rel=0.004)
    assert lattice.angle == pytest.approx(angle, abs=1)
    assert nv.assign_sublattices(atoms)["sublattice"].nunique() == sites


def test_a_tungsten_bronze(real_data):
    image = nv.read(real_data / "unseen" / "BSSN_iDPC_70_id2154.tif")
    atoms = nv.detect_atoms(nv.Micrograph(image.data[:900, :900]))
    lattice = measure_lattice(atoms)
    assert lattice.lengths == pytest.approx((141.67, 61.69), rel=0.003)
    assert lattice.angle == pytest.approx(91.15, abs=0.2)
    assert nv.assign_sublattices(atoms)["sublattice"].nunique() == 9
    classes = np.sort(np.bincount(nv.assign_sublattices(atoms, by="class")["sublattice"]))
    assert classes / classes.sum() == pytest.approx(np.array([1, 1, 1, 2, 2, 2]) / 9, abs=0.03)
