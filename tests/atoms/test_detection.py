"""Detection: what is found where, whatever the units, the polarity or the container."""

import subprocess
import sys
import tracemalloc

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from measuring import detection
from napari_vae import Micrograph, detect_atoms
from napari_vae.atoms import iter_detect_atoms
from napari_vae.atoms.blurs import blur
from napari_vae.atoms.spots import standing
from napari_vae.core.errors import InputError
from napari_vae.samples import micrograph

COLUMNS = ["frame", "y", "x", "amplitude", "sigma", "background", "y_err", "x_err", "score", "fitted"]


@pytest.fixture(scope="module")
def graphene():
    return micrograph("graphene", size=200)[0]


@pytest.fixture(scope="module")
def atoms(graphene):
    return detect_atoms(graphene)


def positions(table):
    return table[["y", "x"]].to_numpy()


def test_the_table(atoms):
    assert list(atoms.columns) == COLUMNS
    assert atoms.frame.dtype == np.int64
    assert all(atoms[name].dtype == np.float64 for name in COLUMNS[1:-1])
    assert atoms.fitted.dtype == bool
    found = atoms.attrs["napari_vae"]
    assert found["polarity"] == "bright"
    assert found["spacing"] == pytest.approx(12.3, rel=0.05)
    assert (atoms.score >= found["threshold"]).all()


def test_contaminated_and_drifting():
    for kind in ("graphene", "perovskite"):
        image, truth = micrograph(kind, size=384, dose=30, contaminated=2.0, jitter=0.3, drift=4, grains=2)
        spacing = detection.spacing_of(positions(truth))
        sample = detection.Labelled(kind, image, positions(truth))
        agreed = detection.compare(sample, positions(detect_atoms(image)), 0.25 * spacing, spacing)
        assert agreed.precision >= 0.98
        assert agreed.recall >= 0.98


@pytest.mark.parametrize(("seed", "size"), [(0, 384), (1, 512)])
def test_light_columns_between_heavy_ones_are_found_at_a_low_dose(seed, size):
    columns = micrograph("perovskite", size=64, dose=1, jitter=0, drift=0)[1]
    dose = 100 / (2 * np.pi * columns["sigma"].iloc[0] ** 2)  # 100 electrons in a column of the A site
    image, truth = micrograph("perovskite", size=size, dose=dose, jitter=0, drift=0, background=0.1, seed=seed)
    spacing = detection.spacing_of(positions(truth))
    found = positions(detect_atoms(image, refine=False))
    agreed = detection.compare(detection.Labelled("", image, positions(truth)), found, 0.25 * spacing, spacing)
    assert agreed.recall >= 0.97
    assert agreed.precision >= 0.97


def test_dark_columns_are_bright_ones_negated(graphene, atoms):
    dark = detect_atoms(-graphene.data)
    assert dark.attrs["napari_vae"]["polarity"] == "dark"
    np.testing.assert_allclose(positions(dark), positions(atoms), atol=1e-3)
    np.testing.assert_allclose(dark.amplitude, -atoms.amplitude, rtol=1e-2)


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image * 1e-10,
        lambda image: image.astype(np.float64) * 1e-310,
        lambda image: image.astype(np.float64) * 1e300,
        lambda image: image.astype(np.float64) * 1e12 + 3e13,
        lambda image: (image * 1000 + 2_000_000).astype(np.uint32),
        lambda image: image.astype(np.float16),
        lambda image: image.astype(">f4"),
    ],
    ids=["1e-10", "1e-310", "1e300", "1e12", "uint32", "float16", "big-endian"],
)
def test_units_do_not_matter(graphene, atoms, convert):
    again = detect_atoms(convert(graphene.data))
    assert len(again) == len(atoms)
    np.testing.assert_allclose(positions(again), positions(atoms), atol=0.02)
    np.testing.assert_allclose(again.y_err, atoms.y_err, rtol=0.1)


@pytest.mark.parametrize("exponent", [-1000, 1000])
def test_the_unit_changes_amplitudes_only_and_rounds_nothing(graphene, atoms, exponent):
    again = detect_atoms(np.ldexp(graphene.data.astype(np.float64), exponent))
    for column in ("amplitude", "background"):
        again[column] = np.ldexp(again[column], -exponent)
    pd.testing.assert_frame_equal(again, atoms, check_exact=True)


def test_memory_grows_with_the_pixels_of_a_strip_not_with_their_square():
    strip = np.zeros((16_000, 20), dtype=np.float32)
    tracemalloc.start()
    try:
        blur(strip, 9.0)
        assert tracemalloc.get_traced_memory()[1] < 20 * strip.nbytes
    finally:
        tracemalloc.stop()


def test_transposed_image_transposed_positions(graphene, atoms):
    again = detect_atoms(graphene.data.T)
    pairs = [sorted(map(tuple, np.round(p, 1))) for p in (positions(atoms), positions(again)[:, ::-1])]
    assert len(pairs[0]) == len(pairs[1])
    np.testing.assert_allclose(pairs[0], pairs[1], atol=0.21)


def test_without_refining_positions_are_close_and_errors_unknown(graphene, atoms):
    rough = detect_atoms(graphene, refine=False)
    apart, nearest = cKDTree(positions(rough)).query(positions(atoms))
    assert np.median(apart) < 0.5 and apart.max() < 2
    others = np.delete(positions(rough), nearest, axis=0)  # flanks of columns beyond the image, which only a fit tells
    assert ((others == 0) | (others == np.array(graphene.shape) - 1)).any(axis=1).all()
    assert rough[["sigma", "y_err", "x_err"]].isna().all(axis=None)
    assert not rough.fitted.any()


def test_threshold_and_spacing_found_can_be_given_back(graphene, atoms):
    found = atoms.attrs["napari_vae"]
    everything = detect_atoms(graphene, threshold=0.0, spacing=found["spacing"], polarity="bright", refine=False)
    chosen = positions(everything[everything.score >= found["threshold"]])
    inside = ((chosen > 0) & (chosen < 199)).all(axis=1)  # on the rim only a fit tells columns from flanks
    assert (cKDTree(chosen).query(positions(atoms))[0] < 2).mean() > 0.99
    assert (cKDTree(positions(atoms)).query(chosen[inside])[0] < 2).mean() > 0.99
    again = detect_atoms(graphene, **{name: found[name] for name in ("threshold", "spacing", "polarity")})
    pd.testing.assert_frame_equal(again, atoms)


@pytest.fixture(scope="module")
def movie():
    return np.stack([micrograph("graphene", size=128, dose=30, seed=s, angle=7.0)[0].data for s in range(3)])


def test_a_movie_is_its_frames(movie):
    whole = detect_atoms(movie)
    found = whole.attrs["napari_vae"]
    assert whole.frame.unique().tolist() == [0, 1, 2]
    options = {name: found[name] for name in ("threshold", "spacing", "polarity")}
    single = detect_atoms(movie, frames=1, spacing=options["spacing"], threshold=options["threshold"])
    part = whole[whole.frame == 1]
    assert len(single) == pytest.approx(len(part), rel=0.05)  # whose width is its own
    assert set(single.frame) == {1}


def test_dask_is_numpy_and_stays_lazy(movie):
    read = []

    def load(block, block_info=None):
        if block_info:
            read.append(block_info[0]["chunk-location"][0])
        return block

    long = np.tile(movie, (3, 1, 1))
    lazy = da.from_array(long, chunks=(1, 128, 128)).map_blocks(load, dtype=long.dtype, meta=np.empty((0, 0, 0)))
    events = iter_detect_atoms(Micrograph(lazy))
    assert next(events) == (1, 9)
    assert set(read) == {0, 4, 8}, "the first, the middle and the last, to measure them"
    pd.testing.assert_frame_equal(*(detect_atoms(frames, refine="centre of mass") for frames in (lazy, long)))


def test_stop_keeps_what_is_there(movie):
    events = iter_detect_atoms(movie, stop=lambda: done >= 2)
    done = 0
    with pytest.raises(StopIteration) as end:
        while True:
            done, total = next(events)
    assert (done, total) == (2, 3)
    assert end.value.value.frame.unique().tolist() == [0, 1]


def test_a_blank_frame_has_no_atoms(movie):
    blank = movie.copy()
    blank[1] = 7
    assert detect_atoms(blank).frame.unique().tolist() == [0, 2]


@pytest.mark.parametrize("smooth", [0, 1, 3])
def test_an_image_without_atoms_gives_an_empty_table(smooth):
    noise = np.random.default_rng(2).normal(10, 3, (256, 256))
    table = detect_atoms(gaussian_filter(noise, smooth) if smooth else noise)
    assert len(table) == 0
    assert list(table.columns) == COLUMNS
    assert table.frame.dtype == np.int64


def test_a_few_single_atoms_on_a_sloping_support():
    rng = np.random.default_rng(5)
    places = np.array([(40, 50), (120, 200), (200, 60), (60, 180), (170, 150)])
    image = np.zeros((256, 256))
    image[tuple(places.T)] = 1500
    image = gaussian_filter(image, 3) + np.linspace(0, 60, 256) + rng.normal(0, 2, image.shape)
    table = detect_atoms(image)
    order = np.lexsort(positions(table).T)
    assert len(table) == len(places)
    np.testing.assert_allclose(positions(table)[order], places[np.lexsort(places.T)], atol=0.5)


ONE_BRIGHT = np.zeros((64, 64))
ONE_BRIGHT[30, 30] = 1
NAN = np.full((64, 64), np.nan)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (NAN, "was not measured: all pixels are NaN"),
        (np.full((64, 64), np.inf), "was not measured: all pixels are NaN or infinite"),
        (np.full((64, 64), 3), "constant"),
        (ONE_BRIGHT, "single bright or dark pixels"),
        (np.ma.masked_invalid(NAN), "masked; fill them"),
        ([[1, 2], [3]], "pixels are no array.*same size"),
        (np.zeros((64, 64, 3), dtype=np.uint8), "grey"),
        (np.random.default_rng(0).random((64, 64, 3)), "grey"),
        (np.zeros((64, 64), dtype=complex), "np.abs"),
        (np.zeros((8, 100)), "too small"),
        (np.zeros(100), "rows, columns"),
        (Micrograph(np.zeros((2, 64, 64)), axes="CYX"), "2 channels"),
    ],
    ids=["nan", "inf", "constant", "pixel", "masked", "ragged", "rgb", "rgb-float", "complex", "small", "1-D", "stack"],
)
def test_bad_images_are_refused_in_one_sentence(image, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        detect_atoms(image)
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "magic"}, "filter"),
        ({"polarity": "grey"}, "bright"),
        ({"spacing": 0.5}, "at least 2 pixels"),
        ({"threshold": np.nan}, "finite"),
        ({"frames": 3}, "no frame 3"),
        ({"frames": 0.5}, "whole numbers"),
        ({"frames": ["first"]}, "whole numbers"),
        ({"spacing": 1e9}, "does not fit into 200 pixels"),
        ({"refine": "magic"}, "centre of mass"),
        ({"refine": 3}, "gaussian"),
        ({"spacing": "wide"}, "at least 2 pixels"),
        ({"treshold": 5}, "no setting 'treshold'; there are method, polarity"),
    ],
)
def test_bad_options_are_refused(graphene, options, sentence):
    with pytest.raises(InputError, match=sentence):
        next(iter_detect_atoms(graphene, **options))


def test_real_lattices(real_data):
    for sample in detection.lattices(real_data / "lattices"):
        agreed, _ = detection.agreement(sample)
        assert agreed.precision >= 0.98, sample.name
        assert agreed.recall >= 0.98, sample.name


def test_real_particle_on_an_uneven_support(real_data):
    """The labels are its authors': rough, and without part of the columns at the edge."""
    agreed, _ = detection.agreement(detection.gold_particle(real_data / "lattices"), detection.AUTHORS)
    assert agreed.f1 >= 0.86


def test_real_dark_field_and_bright_field_see_the_same_lattice(real_data):
    import napari_vae as nv

    adf, abf = (detect_atoms(nv.read(real_data / "lattices" / f"test_{k}_cropped.hdf5")) for k in ("ADF", "ABF"))
    assert adf.attrs["napari_vae"]["polarity"] == "bright"
    assert abf.attrs["napari_vae"]["polarity"] == "dark"
    distance = np.min(np.linalg.norm(positions(adf)[:, None] - positions(abf), axis=2), axis=1)
    assert (distance < 4).mean() > 0.95


def test_real_single_atoms(real_data):
    for name, goal in (("acstem", 0.64), ("re_bpy", 0.74)):
        samples = list(detection.single_atoms(real_data / name))[:4]
        scores = [detection.agreement(sample, detection.CLICKED, border=0)[0].f1 for sample in samples]
        assert np.mean(scores) >= goal, name


def test_import_brings_neither_torch_nor_qt():
    code = (
        "import sys, napari_vae.atoms; "
        "print([m for m in ('torch', 'qtpy', 'napari', 'scipy.ndimage') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_spot_beaten_only_by_one_that_is_dropped_itself_stays():
    chain = np.array([[0.0, 0.0], [0.0, 4.0], [0.0, 8.0]])
    assert chain[standing(chain, np.array([3.0, 2.0, 1.0]), 5)].tolist() == [[0, 0], [0, 8]]
    assert chain[standing(chain, np.array([1.0, 1.0, 1.0]), 5)].tolist() == [[0, 0], [0, 8]]
