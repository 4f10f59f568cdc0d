"""Width, polarity and threshold are chosen by what the atoms explain: kinds of images, movies, doubt, evidence."""

import numpy as np
import pytest

import kinds
from measuring import detection
from napari_vae import Micrograph, detect_atoms, samples
from napari_vae.atoms.choice import parts_of
from napari_vae.atoms.constants import FIXED
from napari_vae.atoms.damage import Mended
from napari_vae.atoms.evidence import Spectrum, _bins
from napari_vae.atoms.hypotheses import Evidence, Hypothesis
from napari_vae.core.errors import InputError
from napari_vae.samples import micrograph, without_atoms
from napari_vae.samples.empty import KINDS

KEY = "napari_vae"


def agreement(found, truth, shape, border=12.0):
    """F1 within a quarter of the spacing, or four pixels, away from the border."""
    radius = min(0.25 * detection.spacing_of(truth), 4.0)
    image = np.broadcast_to(0, shape)
    return detection.compare(detection.Labelled("", image, truth), found[["y", "x"]].to_numpy(), radius, border).f1


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        (kinds.layers, 0.95),
        (kinds.dumbbells, 0.97),
        (kinds.island, 0.9),
        (kinds.adatoms, 0.98),
        (kinds.molecules, 0.97),
        (kinds.terraces, 0.85),
        (kinds.faint_particle, 0.8),
        (kinds.single_atoms, 0.93),
    ],
)
@pytest.mark.parametrize(("seed", "polarity"), [(0, "bright"), (0, "dark"), (1, "bright"), (1, "dark")])
def test_atoms_of_every_kind_are_found(kind, least, seed, polarity):
    image, truth = kind(np.random.default_rng(seed))
    found = detect_atoms(image if polarity == "bright" else -image, refine=False)
    assert agreement(found, truth, image.shape) >= least
    assert found.attrs[KEY]["polarity"] == polarity


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_images_without_atoms_give_hardly_any(kind, seed):
    found = detect_atoms(without_atoms(kind, seed=seed), refine=False)
    assert len(found) <= 5
    assert found.attrs[KEY]["sure"] < 0.5
    assert "set Spacing" in found.attrs[KEY]["doubt"]


def test_a_levelled_image_has_the_same_atoms():
    from scipy.ndimage import gaussian_filter

    image, _ = kinds.adatoms(np.random.default_rng(3))
    as_it_is, levelled = (detect_atoms(i, refine=False) for i in (image, image - gaussian_filter(image, 25)))
    assert len(levelled) == pytest.approx(len(as_it_is), rel=0.02)
    partner = detection.pair(levelled[["y", "x"]].to_numpy(), as_it_is[["y", "x"]].to_numpy(), 2.0)
    assert (partner >= 0).mean() >= 0.98


def test_a_first_frame_of_noise_or_of_inverted_contrast_spoils_no_movie():
    rng = np.random.default_rng(0)
    good = [micrograph("graphene", size=128, dose=30, seed=seed)[0].data for seed in range(3)]
    truth = micrograph("graphene", size=128, dose=30, seed=1)[1][["y", "x"]].to_numpy()
    for first in (rng.normal(size=(128, 128)), -good[0]):
        movie = np.stack([first, *good[1:]])
        found = detect_atoms(movie, refine=False)
        assert found.attrs[KEY]["polarity"] == "bright"
        assert agreement(found[found["frame"] == 1], truth, (128, 128)) >= 0.97


def test_what_the_user_gives_is_kept():
    image, truth = kinds.dumbbells(np.random.default_rng(1))
    dark = detect_atoms(image, polarity="dark", refine=False)
    assert dark.attrs[KEY]["polarity"] == "dark"
    pairs = detect_atoms(image, spacing=13.0, refine=False)
    assert pairs.attrs[KEY]["spacing"] == 13.0
    assert len(pairs) <= 0.6 * len(truth)
    assert detect_atoms(image, threshold=7.5, refine=False).attrs[KEY]["threshold"] == 7.5


def test_doubt_names_the_control_that_helps():
    image, heavy, light = kinds.heavy_and_light(np.random.default_rng(0))
    found = detect_atoms(image, refine=False)
    both = np.concatenate([heavy, light])
    if agreement(found, both, image.shape) < 0.9:
        known = found.attrs[KEY]
        assert known["sure"] < 0.15 and "more atoms" in known["doubt"]
        spacing = float(known["doubt"].split("Spacing to ")[1].split(" px")[0])
        found = detect_atoms(image, spacing=spacing, refine=False)
    assert agreement(found, both, image.shape) >= 0.9


def test_doubt_says_a_spacing_in_the_unit_of_the_image_too():
    image, _, _ = kinds.heavy_and_light(np.random.default_rng(0))
    doubt = detect_atoms(Micrograph(image, (0.02, 0.02), "nm"), refine=False).attrs[KEY]["doubt"]
    pixels, length = doubt.split("Spacing to ")[1].removesuffix(" nm).").split(" px (")
    assert float(length) == pytest.approx(0.02 * float(pixels), rel=0.01)


def test_doubt_names_no_control_that_is_set_already():
    image = np.random.default_rng(0).normal(size=(128, 128))
    for spacing, control in ((None, "set Spacing to their distance."), (12.0, "lower the Threshold.")):
        doubt = detect_atoms(image, spacing=spacing).attrs[KEY]["doubt"]
        assert doubt.startswith("Nothing here looks clearly like atoms: if a part does") and doubt.endswith(control)


def test_alternatives_are_sentences_the_runner_up_first():
    known = detect_atoms(kinds.heavy_and_light(np.random.default_rng(0))[0], refine=False).attrs[KEY]
    assert 0 <= known["sure"] <= 1
    assert known["alternatives"] and len(set(known["alternatives"])) == len(known["alternatives"])
    for words in known["alternatives"]:
        contrast, rest = words.split(" columns, ")
        assert contrast in ("bright", "dark") and float(rest.removesuffix(" px apart")) > 2


def test_a_sure_choice_says_nothing():
    known = detect_atoms(micrograph("graphene", size=200)[0], refine=False).attrs[KEY]
    assert known["sure"] > 0.5 and known["doubt"] == ""


def test_spots_where_the_columns_are_explain_most_of_an_image():
    rng = np.random.default_rng(0)
    places = kinds.lattice((128, 128), (12.0, 0.0), (0.0, 12.0))
    columns = kinds.spots((128, 128), places, 1.0, 2.5)
    seen = Spectrum(columns + 0.3 * rng.normal(size=columns.shape))
    heights = np.ones(len(places))
    right = seen.gain(places, heights)
    assert right > 300
    assert seen.gain(places + 6, heights) < 0.3 * right
    assert seen.gain(places + rng.normal(0, 2, places.shape), heights) < 0.6 * right
    noise = Spectrum(seen.surrogate())
    assert noise.gain(places, heights) < 0.1 * right


def test_a_spot_that_is_all_of_an_image_explains_each_wave_down_to_the_floor():
    image = np.zeros((64, 48))
    image[30, 20] = 5.0
    waves = image.size * _bins(image.shape).independent
    expected = 0.5 * waves * np.log1p(1 / FIXED.evidence_floor)
    for scale in (1.0, 1e-3):
        gain = Spectrum(scale * image).gain(np.array([[30.0, 20.0]]), np.ones(1))
        assert gain == pytest.approx(expected, rel=0.02)


def test_steps_and_scan_lines_cost_the_right_atoms_nothing():
    rng = np.random.default_rng(1)
    places = kinds.lattice((128, 128), (12.0, 0.0), (0.0, 12.0))
    image = kinds.spots((128, 128), places, 1.0, 2.5) + 0.3 * rng.normal(size=(128, 128))
    plain = Spectrum(image).gain(places, np.ones(len(places)))
    lines = Spectrum(image + 2 * rng.normal(size=(128, 1))).gain(places, np.ones(len(places)))
    assert lines > 0.7 * plain


def test_widths_are_a_series():
    one = Hypothesis(2.0, 1, True)
    assert one.of_width(one.sigma).step == pytest.approx(2.0)
    assert {h.step for h in one.beside} == {1.0, 3.0}
    assert {h.step for h in Hypothesis(0.0, -1, False).beside} == {1.0}


def test_unknown_images_without_atoms_are_refused():
    with pytest.raises(InputError, match='no image "photograph"'):
        samples.without_atoms("photograph")


def test_real_images_of_the_kinds(real_data):
    import napari_vae as nv

    unseen = real_data / "unseen"
    layers = detect_atoms(np.load(unseen / "exp_hrstem_1.npy"), refine=False)
    truth = np.loadtxt(unseen / "reference" / "exp_hrstem_1.csv", delimiter=",", skiprows=1)[:, 1::-1]
    inside = layers[layers["y"].between(170, 470) & layers["x"].between(250, 550)][["y", "x"]].to_numpy()
    assert (
        detection.Agreement(
            float((detection.pair(inside, truth, 2.0) >= 0).mean()),
            float((detection.pair(truth, inside, 2.0) >= 0).mean()),
        ).f1
        >= 0.95
    )
    assert len(detect_atoms(np.load(unseen / "createc_scan_11nm_ch0.npy"), refine=False)) <= 10
    molecules = detect_atoms(nv.read(unseen / "example_LineProfile.sxm"), refine=False)
    assert 120 <= (molecules["y"] > 155).sum() <= 160
    assert (molecules["y"] > 155).mean() >= 0.97


def test_the_surrogate_of_an_image_is_noise_of_its_power_without_outliers():
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    for width in (0, 1.5):
        image = gaussian_filter(rng.normal(0, 3, (160, 128)), width) + 50
        noise = Spectrum(image).surrogate()
        assert noise.shape == image.shape
        assert noise.std() == pytest.approx(image.std(), rel=0.06)
        alike = [np.corrcoef(values[1:].ravel(), values[:-1].ravel())[0, 1] for values in (image, noise)]
        assert alike[1] == pytest.approx(alike[0], abs=0.06)
        image[40, 60] += 100 * image.std()
        assert Spectrum(image).surrogate().std() == pytest.approx(noise.std(), rel=0.1)


def test_spots_are_drawn_as_points_where_they_lie():
    place = np.array([[10.25, 20.75], [0.0, 30.0], [31.5, 12.0]])
    for one, height in zip(place, (2.0, 1.0, 3.0), strict=True):
        drawn = Spectrum(np.random.default_rng(0).normal(size=(48, 40)))._drawn(one[None], np.array([height]))
        assert drawn.shape == (48, 40) and drawn.sum() == pytest.approx(height)
        centre = [(drawn.sum(1 - axis) * np.arange(drawn.shape[axis])).sum() / height for axis in (0, 1)]
        assert centre == pytest.approx(one)


def test_of_a_large_frame_the_part_with_the_most_fine_contrast_comes_first():
    frame = np.random.default_rng(0).normal(size=(700, 330)) * np.linspace(0.2, 1, 330)
    frame[:440] *= 0.1
    parts = parts_of(Mended(frame, np.zeros(frame.shape, bool)), 3)
    assert np.array_equal(parts[0].frame, frame[444:, 74:])
    assert len(parts) == 3 and all(part.frame.shape == (256, 256) for part in parts)
    small = Mended(frame[:300, :300], np.zeros((300, 300), bool))
    assert parts_of(small, 3) == [small]


def spotted(places, size=120, sigma=2.0):
    """A part of a frame with round columns at the places."""
    y, x = np.mgrid[:size, :size]
    image = np.random.default_rng(0).normal(0, 0.02, (size, size))
    for row, column in places:
        image += np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
    return Mended(image, np.zeros((size, size), bool))


@pytest.mark.parametrize("turned_round", [False, True])
def test_the_spacing_is_that_of_the_part_with_the_most_atoms(turned_round):
    many, few = spotted(np.mgrid[6:120:9, 6:120:9].reshape(2, -1).T), spotted([(20, 30), (51, 70), (95, 25), (90, 90)])
    parts = Evidence([few, many] if turned_round else [many, few])
    lattice = Hypothesis(0.0, 1, True).of_width(2.0)
    assert parts.spacing(lattice) == pytest.approx(9, rel=0.03) and parts.ordered(lattice)
    assert parts.fits(lattice, 9.0) and not parts.fits(lattice, 30.0)
    alone = Hypothesis(0.0, 1, False).of_width(2.0)
    assert Evidence([few]).spacing(alone) == pytest.approx(FIXED.scale_isolated * 2.0)
