"""Single atoms against the support around: what the score means on noise, on texture, and where atoms stand dense."""

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_vae.atoms.clutter import score_above_clutter
from napari_vae.atoms.spots import spot_maps

SIGMA = 3.0


def scores(image):
    """Score of the local fit and score against noise and support."""
    maps = spot_maps(image.astype(np.float32), SIGMA)
    return maps.score, score_above_clutter(maps, SIGMA)


def test_on_white_noise_it_counts_standard_errors():
    fit, clear = scores(np.random.default_rng(0).normal(size=(256, 256)))
    assert 0.97 < clear.std() < min(1.15, fit.std())
    assert np.array_equal(np.sign(fit), np.sign(clear))


def test_texture_scores_less_and_atoms_on_it_stand_out_more():
    rng = np.random.default_rng(1)
    support = gaussian_filter(rng.normal(size=(256, 256)), 3.5, mode="wrap")
    support /= support.std()
    atoms = np.zeros_like(support)
    places = np.stack(np.meshgrid([40, 128, 216], [40, 128, 216]), -1).reshape(-1, 2)
    atoms[tuple(places.T)] = 6 * 2 * np.pi * SIGMA**2
    at = tuple(places.T)
    fit, clear = scores(support + gaussian_filter(atoms, SIGMA) + rng.normal(0, 0.3, support.shape))
    bare_fit, bare_clear = scores(support + rng.normal(0, 0.3, support.shape))
    assert bare_clear.max() < 0.6 * bare_fit.max()
    assert clear[at].min() / bare_clear.max() > 1.2 * fit[at].min() / bare_fit.max()


def test_the_unit_of_the_image_does_not_matter():
    image = np.random.default_rng(2).normal(size=(128, 128))
    np.testing.assert_allclose(scores(1e-6 * image)[1], scores(image)[1], rtol=1e-3, atol=1e-3)
