"""The simulated spectrum image is what its table says."""

import numpy as np
import pytest
from scipy.ndimage import rotate

from napari_vae import InputError, extract_patches
from napari_vae.samples import spectrum_image


def windows(sample):
    return extract_patches(sample.image, sample.structures, window=28, level="none").data[:, 0]


def test_spectra_do_not_depend_on_how_structures_are_turned():
    upright, turned = (spectrum_image(6, angle, noise=0, image_noise=0, seed=3) for angle in (0, 180))
    assert not upright.structures["angle"].any() and turned.structures["angle"].abs().max() > 100
    assert np.array_equal(upright.expected, turned.expected)
    assert np.allclose(turned.spectra, turned.expected, atol=1e-6)
    for was, now, angle in zip(windows(upright), windows(turned), turned.structures["angle"], strict=True):
        again = rotate(was, angle, reshape=False, order=3)  # counter-clockwise on screen
        assert np.abs(again - now).mean() < 0.02


def test_spectra_differ_with_what_is_seen():
    sample = spectrum_image(10, noise=0)
    table = sample.structures
    for kind, own in table.groupby("species"):
        order = own["stretch"].sort_values().index
        first = sample.expected[order][:, sample.energy < 0.15].argmax(1)  # of the peak that moves
        assert (np.diff(first) >= 0).all() and first[-1] > first[0], kind


def test_noise_grows_with_the_signal():
    sample = spectrum_image(40, noise=0.02, growth=0.2)
    residual = (sample.spectra - sample.expected) / (0.02 + 0.2 * sample.expected)
    high = sample.expected > 0.5
    assert residual[high].std() == pytest.approx(1, abs=0.02)
    assert residual[~high].std() == pytest.approx(1, abs=0.02)


def test_same_seed_same_sample():
    one, other = spectrum_image(3, seed=5), spectrum_image(3, seed=5)
    assert np.array_equal(one.spectra, other.spectra) and np.array_equal(one.image.data, other.image.data)
    assert not np.array_equal(one.spectra, spectrum_image(3, seed=6).spectra)
    assert one.spectra.reshape(one.side, one.side, -1).shape == (3, 3, 80) and len(one) == 9


def test_impossible_samples_are_refused():
    with pytest.raises(InputError, match="max_angle"):
        spectrum_image(3, max_angle=200)
