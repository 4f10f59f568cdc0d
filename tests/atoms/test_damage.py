"""Images that hold no atoms, and images that are damaged: what is found must not depend on the damage."""

from dataclasses import astuple, replace

import dask.array as da
import numpy as np
import pytest
from scipy.ndimage import binary_opening, distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree

from measuring import detection
from napari_vae import InputError, Micrograph, detect_atoms, link_atoms
from napari_vae.atoms import tiles
from napari_vae.atoms.constants import FIXED
from napari_vae.atoms.damage import mend, usable_frame
from napari_vae.atoms.frames import describe_skipped, open_frames
from napari_vae.atoms.recipe import Recipe
from napari_vae.atoms.tiles import tiles_of
from napari_vae.samples import micrograph

SIZE = 256
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)


@pytest.fixture(scope="module", params=["graphene", "perovskite"])
def lattice(request):
    """A micrograph and the positions of its atoms."""
    image, truth = micrograph(request.param, size=SIZE, dose=200)
    return image.data.astype(float), truth[["y", "x"]].to_numpy()


@pytest.fixture(scope="module")
def whole(lattice):
    """The atoms of the undamaged micrograph."""
    return detect_atoms(lattice[0])


def agreement(image, truth, discs=()):
    spacing = detection.spacing_of(truth)
    found = detect_atoms(image, refine=False)[["y", "x"]].to_numpy()
    sample = detection.Labelled("", image, truth, discs)
    return detection.compare(sample, found, 0.25 * spacing, spacing)


def without_atoms(name):
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(SIZE, SIZE))
    texture = gaussian_filter(noise, 2)
    return {
        "slope": Y + 2 * X,
        "noisy slope": Y + 2 * X + 3 * noise,
        "photograph": 100 * np.exp(-((Y - 90) ** 2 + (X - 150) ** 2) / (2 * 80**2)) + X / 5 + noise,
        "amorphous support": rng.poisson((20 + 5 * texture / texture.std()).clip(0)),
        "scan lines": 2 * rng.normal(size=(SIZE, 1)) + noise,
        "hum": 2 * np.sin(2 * np.pi * (X / 37 + 0.61 * Y)) + noise,
        "fringes": 2 * np.sin(2 * np.pi * (X / 9.3 + Y / 21)) + noise,
        "edge": 50 * (X > 128) + noise,
    }[name]


@pytest.mark.parametrize(
    "name",
    ["slope", "noisy slope", "photograph", "amorphous support", "scan lines", "hum", "fringes", "edge"],
)
def test_where_there_are_no_atoms_none_are_found(name):
    assert len(detect_atoms(without_atoms(name))) == 0


def hot_pixels(image):
    damaged = image.copy()
    rng = np.random.default_rng(0)
    damaged[rng.integers(0, SIZE, 40), rng.integers(0, SIZE, 40)] = 20 * image.max()
    damaged[100, 131] = 1e6 * image.max()
    damaged[60, 80] = 0
    return damaged


DAMAGES = {
    "plane": lambda image: image + 10 * np.ptp(image) * (Y + X / 2) / SIZE,
    "hot pixels": hot_pixels,
    "saturated": lambda image: np.minimum(image, np.quantile(image, 0.93)),
    "clipped": lambda image: image.clip(*np.quantile(image, [0.1, 0.85])),
    "four grey levels": lambda image: np.round(3 * (image - image.min()) / np.ptp(image)).astype(np.uint8),
    "lost lines": lambda image: np.where(np.isin(Y, [40, 41, 42, 150]), 0, image),
    "repeated columns": lambda image: np.where((X > 99) & (X < 103), image[:, 99:100], image),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_hides_no_atoms_and_makes_none(lattice, damage):
    image, truth = lattice
    agreed = agreement(DAMAGES[damage](image), truth)
    assert agreed.precision >= 0.99
    assert agreed.recall >= 0.98


def test_a_flat_top_is_one_atom_near_its_centre():
    truth = np.stack(np.meshgrid(np.arange(20, 240, 30), np.arange(20, 240, 30)), -1).reshape(-1, 2) + 0.4
    image = sum(np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * 5**2)) for y, x in truth).clip(0, 0.4)
    found = detect_atoms(np.round(255 * image / 0.4).astype(np.uint8))[["y", "x"]].to_numpy()
    found = found[(found < SIZE - 5).all(axis=1)]  # of the next column only the flank is in the image
    assert len(found) == len(truth)
    assert (detection.pair(found, truth, 1.0) >= 0).all()


@pytest.mark.parametrize("shape", ["round", "flat"])
def test_a_bright_particle_is_not_all_that_is_seen(lattice, shape):
    image, truth = lattice
    distance = np.hypot(Y - 0.4 * SIZE, X - 0.6 * SIZE)
    particle = 5 * np.exp(-(distance**2) / (2 * 9**2)) if shape == "round" else 20 * (distance < 15)
    discs = ((0.4 * SIZE, 0.6 * SIZE, 45.0),)
    agreed = agreement(image + image.max() * particle, truth, discs)
    assert agreed.precision >= 0.98
    assert agreed.recall >= 0.98


@pytest.mark.parametrize("value", ["zero", "repeated"])
def test_no_atoms_in_a_wide_gap_or_along_its_edges(lattice, value):
    image, truth = lattice
    image = image.copy()
    image[120:150] = 0 if value == "zero" else image[119]
    found = detect_atoms(image)[["y", "x"]].to_numpy()
    assert not ((found[:, 0] > 119) & (found[:, 0] < 149.5)).any()
    far = np.abs(truth[:, 0] - 134.5) > 22
    partner = detection.pair(truth[far], found, 3.0)
    assert (partner >= 0).mean() > 0.97
    assert len(found) <= len(truth)


COS, SIN = np.cos(0.3), np.sin(0.3)
GAPS = {
    "stopped scan": Y >= 150,
    "two thirds": Y >= 90,
    "rotated": np.maximum(abs(COS * (Y - 128) + SIN * (X - 128)), abs(COS * (X - 128) - SIN * (Y - 128))) > 105,
    "drift": (Y < 40) | (X >= 230),
    "hole": np.hypot(Y - 100, X - 150) < 25,
    "lines": np.isin(Y, [60, 61, 62, 180]),
    "pixels": np.random.default_rng(0).random((SIZE, SIZE)) < 0.02,
}


@pytest.mark.parametrize("gap", GAPS)
def test_atoms_beside_a_gap_are_those_of_the_whole_image(lattice, whole, gap):
    image, gap = lattice[0], GAPS[gap]
    found = detect_atoms(np.where(gap, np.nan, image))
    points, beside = (table[["y", "x"]].to_numpy() for table in (found, whole))
    assert (cKDTree(beside).query(points)[0] < 2).mean() > 0.95  # but flanks of columns beyond the border
    depth = distance_transform_edt(~binary_opening(gap, np.ones((9, 9))))
    seen = depth[tuple(np.rint(beside).astype(int).clip(0, SIZE - 1).T)] > 2 * whole["sigma"].median()
    distance = cKDTree(points).query(beside[seen])[0]
    assert (distance < 2).mean() > 0.97
    errors = np.hypot(whole["y_err"], whole["x_err"])[seen][distance < 2]
    assert np.nanmedian(distance[distance < 2] / errors) < 0.4
    assert np.nanquantile(distance[distance < 2] / errors, 0.9) < 1
    inside = gap[tuple(np.rint(points).astype(int).clip(0, SIZE - 1).T)]
    assert inside.sum() <= (0 if gap.mean() > 0.025 else 0.03 * len(points))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_pixels_are_as_good_as_not_measured(lattice, value):
    unknown, infinite = (np.where(GAPS["hole"], gap, lattice[0]) for gap in (np.nan, value))
    mended = (astuple(usable_frame(open_frames(image), 0)) for image in (unknown, infinite))
    for one, other in zip(*mended, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weak_columns_are_looked_for_beside_a_gap_and_not_in_it():
    image, _ = micrograph("perovskite", size=SIZE, dose=300)
    whole = detect_atoms(image, weak=True)
    found = detect_atoms(np.where(Y >= 150, np.nan, image.data), weak=True)
    assert (found["y"] < 150).all()
    assert abs((found["found_in"] == 2).sum() - ((whole["found_in"] == 2) & (whole["y"] < 150)).sum()) <= 3


def test_a_gap_across_tiles_of_a_lazy_movie_is_the_gap_of_one_piece(lattice, monkeypatch):
    image = np.where(np.hypot(Y - 128, X - 128) < 40, np.nan, lattice[0])
    whole = detect_atoms(image)
    monkeypatch.setattr(tiles, "FIXED", replace(tiles.FIXED, tile=128))
    nothing = np.full_like(image, np.nan)
    divided = detect_atoms(da.from_array(np.stack([nothing, image, nothing]), chunks=(1, 100, 100)))
    assert divided.attrs["napari_vae"]["skipped_frames"] == [0, 2]
    assert len(divided) == pytest.approx(len(whole), abs=3)
    assert not (np.hypot(divided["y"] - 128, divided["x"] - 128) < 38).any()


def test_bad_frames_of_a_movie_are_skipped_and_named(lattice, whole):
    image, good = lattice[0], whole
    frames = [np.full_like(image, value) for value in (np.nan, 7, np.inf)]
    movie = np.stack([frames[0], image, *frames[1:], image])
    found = detect_atoms(movie)
    assert found.attrs["napari_vae"]["skipped_frames"] == [0, 2, 3]
    assert found["frame"].value_counts().to_dict() == {1: len(good), 4: len(good)}
    assert describe_skipped(found).startswith("Frames 0, 2–3 show nothing")
    assert len(link_atoms(found, image=movie)) == len(found)
    with pytest.raises(InputError, match="Frame 3 was not measured"):
        detect_atoms(movie, frames=[0, 2, 3])


def test_what_is_not_damaged_stays_as_it_is():
    for image in (micrograph("graphene", size=128, dose=0.5)[0].data, np.tile(X[:64], 2), gaussian_filter(X % 17, 1)):
        assert (mend(image).frame == image).all()


def test_a_defect_becomes_what_lies_around_it():
    sloped = 10 * X[:64] + np.random.default_rng(0).normal(0, 1, X[:64].shape)
    frame = sloped.copy()
    frame[30, 40] += 500
    found = mend(frame).frame
    assert abs(found[30, 40] - 10 * X[30, 40]) < 3
    found[30, 40] = frame[30, 40]
    assert (found == frame).all()


def test_hardly_any_pixels_are_enough_to_fill_a_frame():
    frame = np.full((60, 80), np.nan)
    frame[::20, 1::20] = np.arange(12.0).reshape(3, 4)
    assert np.isfinite(mend(frame).frame).all()


def test_tiles_own_every_pixel_once_and_see_what_is_around():
    shape, recipe = (5000, 2900), Recipe("filter", 3.0, 3.0, 20.0, 1, 0.0, True)
    owned = np.zeros(shape, np.uint8)
    for tile in tiles_of(shape, recipe):
        (top, bottom), (left, right) = tile.own
        owned[top:bottom, left:right] += 1
        for side, (low, high), n in zip(tile.window, tile.own, shape, strict=True):
            assert side.start == 0 or side.start <= low - 20
            assert side.stop == n or high + 20 <= side.stop <= n
        assert (bottom - top) * (right - left) <= FIXED.tile**2
    assert (owned == 1).all()


@pytest.mark.parametrize("level", ["smooth", "rows", "plane", "none"])
def test_a_frame_is_levelled_as_if_sixteen_columns_were_along_its_side(level):
    rng, size = np.random.default_rng(0), 128
    y, x = np.mgrid[:size, :size] / size
    columns = np.cos(32 * np.pi * x) * np.cos(32 * np.pi * y)
    added = {
        "smooth": 4 * np.cos(2 * np.pi * x + 1),
        "rows": 2 * rng.normal(size=(size, 1)) + 0 * x,
        "plane": 5 * x + 3 * y,
    }
    image = columns + added.get(level, 0)
    mended = usable_frame(open_frames(Micrograph(image), level), 0)
    scale = 2.0**mended.exponent
    left = mended.frame * scale - columns
    assert np.std(left[16:-16, 16:-16]) < 0.25 and np.corrcoef(mended.frame.ravel(), columns.ravel())[0, 1] > 0.9
