"""What a crystal is, against the truth: lattice vectors, vacancies, displacements, strain, brightness."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from napari_vae import assign_sublattices, describe_crystal, detect_atoms
from napari_vae.core.errors import InputError
from napari_vae.core.positions import nearest_distance
from napari_vae.crystal import Lattice, find_vacancies, measure_displacements, measure_lattice, voronoi_intensities
from napari_vae.crystal.lattice import angle_between, angle_error
from napari_vae.crystal.lattice_fit import fit_lattice
from napari_vae.crystal.neighbours import apart_by_kind, lattice_shell, surroundings, vector_peaks
from napari_vae.samples import micrograph

SQUARE = np.array([[0.0, 20.0], [-20.0, 0.0]])
OBLIQUE = np.array([[1.0, 20.0], [-18.0, 4.0]])
NEAR = 4.0  # px


def lattice_points(vectors, n=20, basis=((0.0, 0.0),)):
    """Table of n × n cells with a sublattice for every site of the basis."""
    cells = np.mgrid[:n, :n].reshape(2, -1).T @ vectors
    tables = [pd.DataFrame(cells + np.array(site) @ vectors, columns=["y", "x"]) for site in basis]
    return pd.concat([t.assign(sublattice=k) for k, t in enumerate(tables)], ignore_index=True)


def noisy(atoms, seed):
    """All atoms but a twentieth, each off its place."""
    rng = np.random.default_rng(seed)
    return atoms.assign(**(atoms[["y", "x"]] + rng.normal(0, 0.5, (len(atoms), 2))))[rng.random(len(atoms)) > 0.05]


@pytest.fixture(scope="module", params=["graphene", "perovskite"])
def crystal(request):
    image, truth = micrograph(request.param, size=640, seed=1, dopants=0.0)
    atoms = assign_sublattices(detect_atoms(image))
    distance, index = cKDTree(truth[["y", "x"]]).query(atoms[["y", "x"]])
    assert (distance < NEAR).mean() > 0.99  # flanks of columns beyond the image are no atoms
    return request.param, image, truth, atoms, truth.iloc[index].reset_index(drop=True)


def test_vectors_of_a_perfect_lattice():
    lattice = measure_lattice(lattice_points(OBLIQUE))
    np.testing.assert_allclose(lattice.vectors, Lattice.ideal(*OBLIQUE).vectors, atol=1e-9)
    assert lattice.residual < 1e-9
    assert lattice.n_atoms == 400
    assert lattice.spacing == pytest.approx(Lattice.ideal(*OBLIQUE).spacing)


def test_errors_of_the_vectors_are_those_of_the_noise():
    standardised = []
    for seed in range(30):
        atoms = noisy(lattice_points(OBLIQUE, 8), seed)
        vectors, variances, *_ = fit_lattice(apart_by_kind(atoms[["y", "x"]].to_numpy()), OBLIQUE)
        errors = np.sqrt(variances)
        turn = (angle_between(vectors) - angle_between(OBLIQUE)) / angle_error(vectors, errors)
        standardised.append([*((vectors - OBLIQUE) / errors).ravel(), turn])
    assert (np.std(standardised, axis=0) < 1.35).all()
    assert (np.std(standardised, axis=0) > 0.7).all()


def test_the_error_of_the_spacing_is_that_of_the_noise():
    standardised = []
    for seed in range(30):
        lattice = measure_lattice(noisy(lattice_points(OBLIQUE, 7), seed))
        standardised.append((lattice.spacing - Lattice.ideal(*OBLIQUE).spacing) / lattice.spacing_err)
    assert np.std(standardised) < 1.35  # it may be on the safe side


def test_strays_and_a_second_grain_do_no_harm():
    rng = np.random.default_rng(0)
    atoms = lattice_points(SQUARE, 20)[["y", "x"]]
    turn = np.deg2rad(30)
    other = lattice_points(SQUARE @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]), 10)
    other = other[["y", "x"]] + [0, 700]
    strays = pd.DataFrame(rng.uniform([-400, 0], [0, 400], (30, 2)), columns=["y", "x"])
    lattice = measure_lattice(pd.concat([atoms, other, strays], ignore_index=True))
    np.testing.assert_allclose(np.linalg.norm(lattice.vectors, axis=1), 20, atol=0.02)
    assert (np.abs(lattice.vectors).min(axis=1) < 0.1).all()


def test_vectors_of_the_samples(crystal):
    kind, _, _, atoms, _ = crystal
    lattice = measure_lattice(atoms)
    bond, length, angle = (12.35, 21.39, 120) if kind == "graphene" else (22.98, 32.5, 90)
    assert np.linalg.norm(lattice.vectors, axis=1) == pytest.approx(length, rel=0.005)
    assert lattice.spacing == pytest.approx(bond, rel=0.005)
    assert lattice.angle == pytest.approx(angle, abs=0.5)


def test_the_edge_does_not_bias_the_spacing():
    image, truth = micrograph("graphene", size=160, seed=0)
    assert measure_lattice(detect_atoms(image)).spacing == pytest.approx(measure_lattice(truth).spacing, abs=0.03)


def test_frames_of_a_movie_share_a_lattice():
    one = lattice_points(SQUARE, 6)
    movie = pd.concat([one.assign(frame=0), one.assign(frame=1, y=one.y + 7)], ignore_index=True)
    np.testing.assert_allclose(np.sort(np.abs(measure_lattice(movie).vectors)), np.sort(np.abs(SQUARE)), atol=1e-9)


@pytest.mark.parametrize("known", [True, False])
def test_vacancies_of_the_samples(crystal, known):
    _, image, truth, atoms, _ = crystal
    found = find_vacancies(atoms if known else atoms.drop(columns="sublattice"), image)
    size = np.array(image.shape) - 1
    true = np.array(truth.attrs["vacancies"])
    places = found[["y", "x"]].to_numpy()
    assert (cKDTree(true).query(places)[0] < NEAR).mean() >= 0.95
    inside = ((true > 12) & (true < size - 12)).all(axis=1)
    assert (cKDTree(places).query(true[inside])[0] < NEAR).mean() >= 0.99


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
def test_vacancies_of_a_strained_crystal(kind):
    image, truth = micrograph(kind, size=448, strain_field=0.05, seed=2)
    places = find_vacancies(detect_atoms(image), image.shape)[["y", "x"]].to_numpy()
    true = np.array(truth.attrs["vacancies"])
    true = true[((true > 16) & (true < 448 - 17)).all(axis=1)]
    assert (cKDTree(places).query(true)[0] < NEAR).mean() >= 0.95
    assert len(places) <= len(truth.attrs["vacancies"])


def test_the_rim_of_a_particle_and_a_hole_are_no_vacancies():
    atoms = lattice_points(SQUARE, 30)
    from_centre = np.hypot(*(atoms[["y", "x"]] - atoms[["y", "x"]].mean()).to_numpy().T)
    ring = atoms[(from_centre < 250) & (from_centre > 80)]
    assert len(find_vacancies(ring)) == 0
    lacking = ring.drop(index=ring.index[len(ring) // 4])
    assert len(find_vacancies(lacking)) == 1


HEXAGONAL = np.array([[0.0, 20.0], [-17.32, 10.0]])
OF_TWO = np.array([[0.0, 0.0], [0.5, 0.5]]) @ (1.4 * SQUARE)  # sites of a cell


def noisy_crystal(sites, vectors, seed):
    """Positions (N, 2) of some 1600 atoms around (0, 0), noise included."""
    cells = (np.mgrid[-20:20, -20:20].reshape(2, -1).T @ vectors)[:, None] + sites
    return cells.reshape(-1, 2) + np.random.default_rng(seed).normal(0, 0.4, (cells.size // 2, 2))


def vacancies_of(points):
    return find_vacancies(pd.DataFrame(points, columns=["y", "x"]))[["y", "x"]].to_numpy()


CRYSTALS = pytest.mark.parametrize(
    ("sites", "vectors"), [(np.zeros((1, 2)), SQUARE), (np.zeros((1, 2)), HEXAGONAL), (OF_TWO, 1.4 * SQUARE)]
)


@CRYSTALS
def test_missing_columns_are_found(sites, vectors):
    points = noisy_crystal(sites, vectors, 1)
    gone = np.random.default_rng(0).random(len(points)) < 0.05
    found = vacancies_of(points[~gone])
    inner = gone & (np.abs(points @ np.linalg.inv(vectors)) < 17).all(axis=1)
    assert (cKDTree(points[gone]).query(found)[0] < 3).all()
    assert (cKDTree(found).query(points[inner])[0] < 3).mean() > 0.9


@CRYSTALS
@pytest.mark.parametrize("kind", ["island", "grain boundary", "shifted", "distorted"])
def test_no_vacancies_where_the_lattice_does_not_hold(kind, sites, vectors):
    points = noisy_crystal(sites, vectors, 2)
    near = np.median(cKDTree(points).query(points, 2)[0][:, 1])
    size = np.linalg.norm(vectors[0])
    if kind == "island":
        radius = 12 * size + size * np.sin(4 * np.arctan2(*points.T))
        points = points[np.hypot(*points.T) < radius]
    elif kind == "distorted":
        for centre in ((0, 0), 9 * vectors[0], 9 * vectors[1]):
            inside = np.hypot(*(points - centre).T) < 3.5 * near
            points[inside] += np.random.default_rng(3).normal(0, 0.4 * near, (inside.sum(), 2))
        points = points[
            [
                all(one <= other for other in pair)
                for one, pair in enumerate(cKDTree(points).query_ball_point(points, 0.4 * near))
            ]
        ]
    else:
        angle = np.deg2rad(22.0 if kind == "grain boundary" else 0.0)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        other = noisy_crystal(sites, vectors, 3) @ turn + 0.37 * vectors[0] + 0.41 * vectors[1]
        normal = np.array([0.8, 0.6])
        here, there = points[points @ normal > 0], other[other @ normal <= 0]
        points = np.concatenate([here, there[cKDTree(here).query(there)[0] > 0.6 * near]])
        points = points[np.hypot(*points.T) < 15 * size]
    assert len(vacancies_of(points)) == 0


def test_static_displacements(crystal):
    kind, _, _, atoms, truth = crystal
    measured = measure_displacements(atoms)
    same = truth.sublattice.to_numpy()
    for axis in "yx":
        known = measured[f"displacement_{axis}"].notna()
        true = truth[f"d{axis}"] - truth[f"polar_{axis}"]
        assert np.corrcoef(measured[f"displacement_{axis}"][known], true[known])[0, 1] > 0.8
        if kind == "perovskite":
            known = measured[f"polarisation_{axis}"].notna() & (same == 1)
            assert known.sum() > 0.8 * (same == 1).sum()
            assert np.corrcoef(measured[f"polarisation_{axis}"][known], truth[f"d{axis}"][known])[0, 1] > 0.9
            slope = np.polyfit(truth[f"polar_{axis}"][known], measured[f"polarisation_{axis}"][known], 1)[0]
            assert slope == pytest.approx(1, abs=0.15)


def test_one_displaced_atom():
    atoms = lattice_points(SQUARE, 9)
    atoms.loc[40, ["y", "x"]] += [1.0, -2.0]
    measured = measure_displacements(atoms, Lattice.ideal(*map(tuple, SQUARE)))
    assert measured.loc[40, "displacement_y"] == pytest.approx(1.0)
    assert measured.loc[40, "displacement_x"] == pytest.approx(-2.0)
    on_border = (measured[["y", "x"]].abs().isin([0, 160])).any(axis=1)
    assert measured.loc[on_border, "strain_xx"].isna().all()
    assert measured.loc[~on_border, "strain_xx"].notna().all()


@pytest.mark.parametrize("basis", [((0.0, 0.0),), ((0.0, 0.0), (0.5, 0.5))])
def test_known_strain_and_rotation(basis):
    turn = np.deg2rad(4)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])  # (row, column): on screen ccw
    xx, xy, dilation = 0.02, -0.015, 0.01
    screen = np.array([[-xx, -xy], [-xy, xx]])  # (row, column), y up
    exact = np.exp(dilation) * (np.eye(2) + screen + screen @ screen / 2) @ rotation
    atoms = lattice_points(SQUARE, 12, basis)
    atoms[["y", "x"]] = atoms[["y", "x"]].to_numpy() @ exact.T
    measured = measure_displacements(atoms, Lattice.ideal(*map(tuple, SQUARE)))
    typical = measured[["strain_xx", "strain_xy", "dilation", "local_rotation"]].median()
    np.testing.assert_allclose(typical, [xx, xy, dilation, 4.0], atol=1e-4)
    assert measured["displacement_x"].abs().max() < 1e-9


def test_strain_field_of_a_sample():
    image, truth = micrograph("perovskite", size=448, strain_field=0.06, displacement=0.0, polar=0.0, dopants=0.0)
    atoms = measure_displacements(assign_sublattices(detect_atoms(image)))
    truth = truth.iloc[cKDTree(truth[["y", "x"]]).query(atoms[["y", "x"]])[1]].reset_index(drop=True)
    names = {"local_rotation": "rotation"} | {name: name for name in ("strain_xx", "strain_xy", "dilation")}
    for measured, true in names.items():
        known = atoms[measured].notna()
        assert np.corrcoef(atoms[measured][known], truth[true][known])[0, 1] > 0.99


def test_nine_atoms_make_a_lattice_but_four_or_a_row_do_not():
    for rows, columns, enough in ((3, 3, True), (2, 2, False), (1, 12, False)):
        cells = np.mgrid[:rows, :columns].reshape(2, -1).T
        apart = np.column_stack([cells @ SQUARE, np.zeros(len(cells))])
        if enough:
            np.testing.assert_allclose(fit_lattice(apart, SQUARE + 0.5)[0], SQUARE, atol=1e-9)
        else:
            with pytest.raises(InputError, match="rows but no lattice"):
                fit_lattice(apart, SQUARE)


def test_the_order_of_the_atoms_does_not_matter():
    apart = np.column_stack([lattice_points(SQUARE, 6)[["y", "x"]], np.zeros(36)])
    apart[:, :2] += np.random.default_rng(0).normal(0, 1.0, (36, 2))
    turn, backwards = (surroundings(points, lattice_shell(SQUARE)).turn for points in (apart, apart[::-1]))
    np.testing.assert_allclose(backwards[::-1], turn, atol=1e-12)


def test_another_grain_is_told_by_its_rotation():
    one = lattice_points(SQUARE, 14)
    turn = np.deg2rad(25)
    other = lattice_points(SQUARE @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).T, 9)
    other["x"] += 500
    measured = measure_displacements(pd.concat([one, other], ignore_index=True))
    assert measured["local_rotation"][: len(one)].median() == pytest.approx(0, abs=0.1)
    assert measured["local_rotation"][len(one) :].median() == pytest.approx(25, abs=0.1)
    assert measured["strain_xx"].abs().max() < 1e-3


@pytest.mark.parametrize("background", ["none", "fitted"])
def test_intensities_are_electrons_of_the_columns(crystal, background):
    _, image, _, atoms, truth = crystal
    bright = voronoi_intensities(image, atoms, background=background)
    known = bright["intensity"].notna() & (truth["vacant_neighbours"] == 0)
    true = truth["peak"] * 2 * np.pi * truth["sigma"] ** 2
    if background == "none":
        true = true + 10 * bright["cell_area"]
    assert (bright["intensity"] / true)[known].median() == pytest.approx(1, abs=0.02)
    assert 0.02 < bright["intensity"].isna().mean() < 0.2


def test_cells_are_those_of_voronoi():
    atoms = lattice_points(SQUARE, 5)[["y", "x"]] + [90, 10]
    found = voronoi_intensities(np.ones((101, 101)) + np.eye(101), atoms, radius=15)
    closed = found["cell_area"].notna()
    assert closed.sum() == 9
    np.testing.assert_allclose(found["cell_area"][closed], 400, atol=41)
    assert voronoi_intensities(np.ones((101, 101)), atoms, radius=1e9)["cell_area"].notna().sum() == 9


def test_movies_frame_by_frame():
    one = lattice_points(SQUARE, 8)[["y", "x"]]
    lacking = one.drop(index=27)
    movie = pd.concat([one.assign(frame=0), lacking.assign(frame=1), one[:3].assign(frame=2)], ignore_index=True)
    found = find_vacancies(movie)
    assert found["frame"].tolist() == [1]
    assert np.allclose(found[["y", "x"]], one.loc[[27]])
    strained = measure_displacements(movie)
    assert strained["strain_xx"].notna().groupby(movie["frame"]).sum().tolist() == [36, 35, 0]


def test_what_cannot_be_measured_is_one_sentence():
    atoms = lattice_points(SQUARE, 6)
    scattered = pd.DataFrame(np.random.default_rng(0).uniform(0, 500, (300, 2)), columns=["y", "x"])
    row = pd.DataFrame({"y": 0.0, "x": np.arange(20) * 10.0})
    for bad in (atoms[:11], atoms.assign(y=np.nan), scattered, row, atoms.assign(y=0.0, x=0.0)):
        for measure in (measure_lattice, find_vacancies, measure_displacements):
            with pytest.raises(InputError):
                measure(bad)
    for number, seed in product((15, 60, 120), range(3)):
        place = np.random.default_rng(seed).uniform(0, 25 * number**0.5, (number, 2))
        with pytest.raises(InputError, match="no lattice"):
            measure_lattice(pd.DataFrame(place, columns=["y", "x"]))
    with pytest.raises(InputError, match="collinear"):
        Lattice.ideal((0, 1), (0, 2))
    with pytest.raises(InputError, match="shape"):
        find_vacancies(atoms, 512)
    for options in ({"radius": -1}, {"background": "guessed"}, {"background": "fitted"}):
        with pytest.raises(InputError):
            voronoi_intensities(np.eye(200), atoms, **options)


def test_a_lattice_that_is_known_has_no_errors():
    lattice = Lattice.ideal((0, 8), (-8, 0))
    assert (lattice.a, lattice.b, lattice.spacing, lattice.angle) == ((0, 8), (-8, 0), 8, 90)
    assert lattice.a_err == lattice.b_err == (0, 0)
    assert lattice.spacing_err == lattice.angle_err == lattice.residual == lattice.n_atoms == 0


@pytest.mark.parametrize("axis", ["y", "x"])
@pytest.mark.parametrize("end", ["min", "max"])
def test_columns_that_an_edge_cuts_do_not_count_for_the_spacing(axis, end):
    atoms = lattice_points(SQUARE, 9)
    cut = atoms[axis] == getattr(atoms[axis], end)()
    atoms.loc[cut, axis] += 3 if end == "min" else -3
    assert measure_lattice(atoms).spacing == pytest.approx(20, abs=1e-6)


def test_atoms_too_far_apart_share_no_vectors():
    peaks = vector_peaks(np.array([[0.0, 0, 0], [500, 0, 0]]), 20.0)
    assert peaks.vectors.shape == (0, 2) and peaks.count.shape == peaks.scatter.shape == peaks.lengths.shape == (0,)


def test_an_atom_of_another_kind_near_a_site_fills_it():
    atoms = lattice_points(SQUARE, 9, basis=((0, 0), (0.5, 0.5)))
    inner = np.flatnonzero(np.isclose(atoms["y"], -80) & np.isclose(atoms["x"], 80))[0]
    missing = find_vacancies(atoms.drop(index=inner))
    assert missing[["y", "x"]].to_numpy() == pytest.approx(np.array([[-80.0, 80.0]]), abs=1e-6)
    atoms.loc[inner, ["y", "x", "sublattice"]] = -78.0, 81.0, 1
    assert len(find_vacancies(atoms)) == 0


@pytest.mark.parametrize("angle", [0.0, 12.0])
@pytest.mark.parametrize(("gone", "told"), [((0,), 2), ((0, 3), 3), ((0, 2, 4), 3)])
def test_a_site_is_missing_where_more_than_half_of_its_neighbours_say_so(angle, gone, told):
    """Of six neighbours, five, four and three are there; and always five of each of those that are gone."""
    turns = np.deg2rad(angle + 60 * np.arange(6))
    ring = 10 * np.column_stack([np.sin(turns), np.cos(turns)])
    points = np.mgrid[-12:13, -12:13].reshape(2, -1).T @ ring[:2] + 60
    points = points[((points > 0) & (points < 120)).all(axis=1)]
    missing = np.array([(60, 60), *(60 + ring[list(gone)])])
    atoms = pd.DataFrame(points[cKDTree(missing).query(points)[0] > 1], columns=["y", "x"])
    found = find_vacancies(atoms, (120, 120))
    expected = missing[len(missing) - told :]
    assert len(found) == told and cKDTree(found[["y", "x"]]).query(expected)[0].max() < 0.1
    assert sorted(found["neighbours"]) == sorted([6 - len(gone)] * (told > len(gone)) + [5] * len(gone))


def test_a_few_atoms_off_their_places_are_left_out_of_the_lattice():
    rng = np.random.default_rng(0)
    atoms = lattice_points(SQUARE, 16)[["y", "x"]] + rng.normal(0, 0.2, (256, 2))
    off = rng.choice(256, 12, replace=False)
    atoms.loc[off, "y"] += np.where(off < 128, 3.0, -3.0)
    lattice = measure_lattice(atoms)
    assert lattice.n_atoms < 256 - 10 and lattice.residual == pytest.approx(0.2 * np.sqrt(2), rel=0.1)
    np.testing.assert_allclose(np.sort(np.abs(lattice.vectors)), np.sort(np.abs(SQUARE)), atol=0.02)


@pytest.mark.parametrize("function", [measure_lattice, describe_crystal, assign_sublattices])
def test_many_atoms_at_one_place_are_refused_before_they_are_compared_with_each_other(function):
    """A search for neighbours among them took for ever."""
    atoms = pd.DataFrame({"y": np.zeros(100_000), "x": 0.0, "amplitude": 1.0})
    with pytest.raises(InputError, match="on top of another"):
        function(atoms)
    assert nearest_distance(atoms) == 0
    atoms.loc[: len(atoms) // 2 - 1, "y"] = 3.0 * np.arange(len(atoms) // 2)
    assert nearest_distance(atoms) < 3
