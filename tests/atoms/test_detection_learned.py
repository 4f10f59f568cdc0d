"""The learned detector: single atoms on supports, lattices, what its score means, tiles, images without atoms."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from measuring import detection
from napari_vae import detect_atoms
from napari_vae.atoms.network import resampled
from napari_vae.core.errors import InputError
from napari_vae.samples import micrograph

SIGMA = 3.0


def texture(rng, size, width):
    field = gaussian_filter(rng.normal(size=(size, size)), width, mode="wrap")
    return field / field.std()


def supported(seed, size=384, n=60):
    """Single atoms of uneven brightness on a support whose texture is as fine as they are, thicker to one side."""
    rng = np.random.default_rng(seed)
    spots = np.zeros((size, size))
    places = rng.uniform(0, size, (n, 2))
    far = [i for i in range(n) if i == 0 or np.linalg.norm(places[:i] - places[i], axis=1).min() > 4 * SIGMA]
    places = places[far]
    grid = np.mgrid[:size, :size].transpose(1, 2, 0)
    for place in places:
        spots += np.exp(rng.normal(0, 0.2)) * np.exp(-0.5 * ((grid - place) ** 2).sum(-1) / SIGMA**2)
    support = 4 * np.linspace(0.5, 2, size)[:, None] + 0.14 * texture(rng, size, SIGMA) + 0.25 * texture(rng, size, 9)
    return detection.Labelled("supported", rng.poisson((support + spots) * 60).astype(float), places)


def agreed(sample, **options):
    table = detect_atoms(sample.image, refine=False, **options)
    return detection.compare(sample, table[["y", "x"]].to_numpy(), SIGMA * 1.5, 0), table


@pytest.fixture(scope="module")
def single():
    return [supported(seed, size=320, n=45) for seed in range(6)]


@pytest.mark.slow
def test_single_atoms_on_a_support_are_found(single):
    found = [agreed(sample, method="learned")[0] for sample in single]
    assert np.mean([a.precision for a in found]) > 0.8
    assert np.mean([a.recall for a in found]) > 0.55


def test_the_method_used_is_said(single):
    for asked, used in (("auto", "filter"), ("filter", "filter"), ("learned", "learned")):
        assert agreed(single[0], method=asked)[1].attrs["napari_vae"]["method"] == used


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
def test_lattices_are_found(kind):
    image, truth = micrograph(kind, size=384, dose=30)
    place = truth[["y", "x"]].to_numpy()
    spacing = detection.spacing_of(place)
    table = detect_atoms(image, method="learned")
    found = detection.compare(
        detection.Labelled(kind, image, place), table[["y", "x"]].to_numpy(), spacing / 4, spacing
    )
    assert found.precision >= 0.99 and found.recall >= 0.99
    assert table.score.between(0, 1).all()


def test_dark_atoms_are_bright_ones_negated(single):
    bright = agreed(single[0], method="learned")[1]
    dark = detect_atoms(-single[0].image, refine=False, method="learned")
    assert dark.attrs["napari_vae"]["polarity"] == "dark"
    np.testing.assert_allclose(dark[["y", "x"]], bright[["y", "x"]], atol=0.05)


@pytest.mark.parametrize("smooth", [0, 1.5, 4])
def test_noise_and_texture_are_no_atoms(smooth):
    noise = np.random.default_rng(3).normal(10, 3, (256, 256))
    image = gaussian_filter(noise, smooth) if smooth else noise
    assert len(detect_atoms(image, method="learned")) == 0


def test_the_threshold_is_a_probability(single):
    few, many = (agreed(single[0], method="learned", threshold=t)[1] for t in (0.9, 0.1))
    assert len(few) < len(many) and few.score.min() >= 0.9
    with pytest.raises(InputError, match=r"probability.*at most 1"):
        detect_atoms(single[0].image, method="learned", threshold=5)


def test_the_score_is_how_often_it_is_an_atom(monkeypatch):
    """Among simulated images that the network was not trained on."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    import train_detector

    from napari_vae.atoms.network import load_network

    said, true, _ = train_detector.maxima(load_network(), 30, seed=1234)
    bins = [(said >= low) & (said < low + 0.1) for low in np.arange(0, 1, 0.1)]
    off = sum(here.sum() * abs(true[here].mean() - said[here].mean()) for here in bins if here.any()) / len(said)
    assert off < 0.06


def test_tiles_say_what_one_piece_says():
    from napari_vae.atoms.network import apply

    image = np.random.default_rng(0).normal(size=(3, 301, 270)).astype(np.float32)
    np.testing.assert_allclose(apply(image, tile=96), apply(image, tile=512), atol=1e-3)


def test_the_weights_are_small():
    import napari_vae

    weights = Path(napari_vae.__file__).parent / "atoms" / "weights" / "atomnet.safetensors"
    assert weights.stat().st_size < 5e6


@pytest.mark.parametrize("size", [(60, 90), (30, 45), (15, 20)])
def test_an_image_on_another_grid_shows_the_same_places(size):
    y, x = np.mgrid[:30, :45].astype(np.float32)
    rows, columns = (np.arange(n) * (whole / n) + whole / n / 2 - 0.5 for n, whole in zip(size, (30, 45), strict=True))
    found = resampled(2 * y + x, size)
    expected = 2 * rows[:, None] + columns
    np.testing.assert_allclose(found[4:-4, 4:-4], expected[4:-4, 4:-4], atol=0.05)
