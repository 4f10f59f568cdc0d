"""Oblong pixels: a squeezed image gives the same crystal, windows and latents as the one before."""

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.core.square import pixel_sides, resampled, square_points, square_shape, squared, with_sides
from napari_vae.crystal import Lattice, find_vacancies, measure_displacements, measure_lattice, voronoi_intensities
from napari_vae.patches.grid import grid_positions
from napari_vae.patches.patches import paste_patches

SIDE = 0.012  # nm
STRAINS = ["strain_xx", "strain_xy", "dilation", "local_rotation"]


def squeezed(image, axis):
    """Every two pixels along an axis as one."""
    pixels = np.asarray(image.data, float)
    pairs = (pixels[0::2] + pixels[1::2] if axis == 0 else pixels[:, 0::2] + pixels[:, 1::2]) / 2
    return nv.Micrograph(pairs, (2 * SIDE, SIDE) if axis == 0 else (SIDE, 2 * SIDE), "nm")


@pytest.fixture(scope="module")
def square():
    image, _ = nv.samples.micrograph("perovskite", size=448, seed=1, angle=12.0, dose=5000, vacancies=0.0)
    return image, nv.assign_sublattices(nv.detect_atoms(image))


@pytest.fixture(scope="module", params=[0, 1])
def oblong(request, square):
    image = squeezed(square[0], request.param)
    return image, nv.assign_sublattices(nv.detect_atoms(image))


def together(square, oblong, margin=24):
    """Rows of both tables that are of the same atoms; those that the edge cuts are fitted to what is left of them."""
    from scipy.spatial import cKDTree

    where = square_points(oblong[1])
    where[:, int(pixel_sides(oblong[0].pixel_size)[1] > 1)] += 0.5  # two pixels are one, in their middle
    distance, index = cKDTree(square[1][["y", "x"]]).query(where)
    whole = ((where > margin) & (where < 448 - margin)).all(axis=1)
    return np.flatnonzero(whole & (distance < 3)), index[whole & (distance < 3)]


def test_the_atoms_are_the_same(square, oblong):
    here, there = together(square, oblong)
    assert len(here) > 0.97 * square[1][["y", "x"]].apply(lambda place: place.between(24, 424)).all(axis=1).sum()
    sublattices = oblong[1]["sublattice"].to_numpy()[here], square[1]["sublattice"].to_numpy()[there]
    assert (sublattices[0] == sublattices[1]).mean() > 0.98
    for name, side in zip(("y", "x"), pixel_sides(oblong[0].pixel_size), strict=True):
        ratio = oblong[1][f"{name}_err"].to_numpy()[here] * side / square[1][f"{name}_err"].to_numpy()[there]
        assert 0.8 < np.nanmedian(ratio) < 1.3
    assert oblong[1].attrs["napari_vae"]["spacing"] == pytest.approx(square[1].attrs["napari_vae"]["spacing"], rel=0.02)


def test_the_lattice_is_the_same(square, oblong):
    ours, known = (measure_lattice(atoms).scaled(image.scale) for image, atoms in (oblong, square))
    assert ours.lengths == pytest.approx(known.lengths, rel=0.001)
    assert ours.vectors == pytest.approx(known.vectors, abs=0.001)
    assert (ours.angle, ours.spacing) == (pytest.approx(known.angle, abs=0.1), pytest.approx(known.spacing, rel=0.002))
    assert ours.residual == pytest.approx(known.residual, rel=0.15)


def test_strain_rotation_and_intensities_are_the_same(square, oblong):
    here, there = together(square, oblong, margin=24 + 33)  # whose neighbours are whole
    for (image, atoms), rows in ((oblong, here), (square, there)):
        measured = measure_displacements(atoms)
        if image is oblong[0]:
            ours, bright = measured.iloc[here], voronoi_intensities(image, atoms).iloc[here]
        else:
            known, sure = measured.iloc[rows], voronoi_intensities(image, atoms).iloc[there]
    for name in STRAINS:
        a, b = ours[name].to_numpy(), known[name].to_numpy()
        both = np.isfinite(a) & np.isfinite(b)
        assert np.corrcoef(a[both], b[both])[0, 1] > 0.99
        assert np.median(np.abs(a[both] - b[both])) < 0.1 * np.std(b[both])
    for axis, side in zip("yx", pixel_sides(oblong[0].pixel_size), strict=True):
        a, b = ours[f"displacement_{axis}"].to_numpy() * side, known[f"displacement_{axis}"].to_numpy()
        both = np.isfinite(a) & np.isfinite(b)
        assert np.corrcoef(a[both], b[both])[0, 1] > 0.99
        assert np.median(np.abs(a[both] - b[both])) < 0.1 * np.std(b[both])
    ratio = 2 * bright["intensity"].to_numpy() / sure["intensity"].to_numpy()
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.03)


def test_a_lattice_turned_by_a_degree_is_turned_by_a_degree():
    cells = np.mgrid[:20, :20].reshape(2, -1).T * 20.0
    angle = np.deg2rad(1.0)
    turned = cells @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    atoms = with_sides(pd.DataFrame(turned / (2.0, 1.0), columns=["y", "x"]), (2.0, 1.0))
    measured = measure_displacements(atoms, Lattice.ideal((0, 20), (-10, 0)))[STRAINS].median()
    np.testing.assert_allclose(measured, [0, 0, 0, 1], atol=1e-6)
    lattice = measure_lattice(atoms).scaled((0.04, 0.02))
    assert lattice.lengths == pytest.approx([0.4, 0.4]) and lattice.spacing == pytest.approx(0.4)
    gone = find_vacancies(atoms.drop(index=210).reset_index(drop=True))
    assert gone[["y", "x"]].to_numpy() == pytest.approx(atoms.loc[[210], ["y", "x"]].to_numpy(), abs=0.01)


def test_windows_look_the_same_and_go_back_to_their_places(square, oblong):
    here, there = together(square, oblong)
    (image, atoms), (known, _) = oblong, square
    patches = nv.extract_patches(image, atoms.iloc[here], window=32)
    others = nv.extract_patches(known, square[1].iloc[there], window=32)
    assert patches.pixel_size == pytest.approx((SIDE, SIDE)) and patches.window == (32, 32)
    rows = {atom: number for number, atom in enumerate(patches.atoms.index)}
    pairs = [(rows[a], n) for a, n in zip(atoms.index[here], range(len(here)), strict=True) if a in rows]
    places = {atom: number for number, atom in enumerate(others.atoms.index)}
    both = [(i, places[square[1].index[there[n]]]) for i, n in pairs if square[1].index[there[n]] in places]
    one, two = (np.array(side) for side in zip(*both, strict=True))
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(patches.data[one], others.data[two], strict=True)]
    assert np.median(alike) > 0.98
    back = paste_patches(patches.data, patches.atoms, image.shape)[0]
    inside = np.isfinite(back)
    assert inside.mean() > 0.8
    assert np.corrcoef(back[inside], image.data[inside])[0, 1] > 0.99


@pytest.fixture(scope="module")
def turned(square):
    """A model of the square pixels, which tells angles, and its windows."""
    known = nv.extract_patches(*square, window=32)
    return nv.fit(known, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=2, device="cpu")), known


def test_angles_are_the_same(square, oblong, turned):
    here, there = together(square, oblong)
    run, known = turned
    given = nv.extract_patches(oblong[0], oblong[1].iloc[here], window=run.window, normalization=run.normalization)
    of = pd.Series(square[1].index[there], oblong[1].index[here])
    angle = pd.Series(run.encode(given)["angle"].to_numpy(), of[given.atoms.index])
    true = pd.Series(run.encode(known)["angle"].to_numpy(), known.atoms.index)
    period = 360 / run.symmetry
    off = (angle - true.reindex(angle.index)).dropna().to_numpy()
    assert np.median(np.abs((off + period / 2) % period - period / 2)) < 1


def test_models_of_oblong_pixels_see_windows_as_they_did(oblong):
    image, atoms = oblong
    patches = nv.extract_patches(image, atoms, window=20, square=False)
    run = nv.fit(patches, nv.ModelConfig.preset("vae"), nv.TrainConfig(epochs=1, device="cpu"))
    assert not run.cutting["square"]
    applied = nv.apply_run(run, image, atoms=atoms).patches
    assert applied.pixel_size == image.pixel_size
    assert paste_patches(patches.data, patches.atoms, image.shape)[0][100:110, 100:110].std() > 0


def test_square_pixels_stay_as_they_are():
    image, _ = nv.samples.micrograph("graphene", size=128)
    assert squared(image) is image
    assert pixel_sides((0.02, 0.02)) == pixel_sides(None) == (1, 1)
    assert "pixel_sides" not in nv.detect_atoms(image).attrs["napari_vae"]


def test_movies_are_read_frame_by_frame():
    frames = np.random.default_rng(0).random((3, 20, 30))
    movie = squared(nv.Micrograph(frames, (0.03, 0.02), "nm"))
    assert movie.shape == (3, *square_shape((20, 30), (1.5, 1.0)))
    np.testing.assert_allclose(movie.frame(1)[0, ::3], frames[1, ::2], rtol=1e-6)


def test_what_was_not_measured_stays_so():
    frame = np.ones((10, 10))
    frame[4, 4] = np.nan
    wide = resampled(frame, (0.5, 1.0), (19, 10))
    assert np.isnan(wide[8, 4]) and np.isnan(wide).sum() < 10 and np.isfinite(wide[:, :4]).all()


def test_a_grid_covers_the_image_with_windows_of_square_pixels():
    image = nv.Micrograph(np.random.default_rng(0).random((64, 128)), (0.04, 0.02), "nm")
    atoms = grid_positions(image, window=16, step=8)
    assert len(nv.extract_patches(image, atoms, window=16).dropped) == 0
    assert np.diff(np.unique(atoms["y"])) == pytest.approx(4) and np.diff(np.unique(atoms["x"])) == pytest.approx(8)


def test_a_region_is_drawn_on_the_image_itself(oblong):
    image, atoms = oblong
    rows, columns = image.shape
    half = np.array([[0, 0], [0, columns], [rows / 2, columns], [rows / 2, 0]])
    found = nv.detect_atoms(image, region=[half])
    assert abs(len(found) - (atoms["y"] <= rows / 2).sum()) <= 1 and found["y"].max() <= rows / 2
