"""Maps of bands are what is known of spectra that were made: sums, positions of peaks, ratios, without background."""

import dask.array as da
import numpy as np
import pytest

from napari_vae import InputError
from napari_vae.analysis import band_map
from napari_vae.core import SpectrumImage
from napari_vae.core import spectra as core_spectra
from napari_vae.samples import spectrum_image

RNG = np.random.default_rng(0)
ENERGY = np.arange(300.0, 700.0, 2.0)


def edges(heights, exponents, noise=0.0, ratio=None):
    """Spectra (Y, X, E) of edges at 500 eV on power laws; with second ones from 600 eV that are `ratio` as high."""
    law = 50 * (ENERGY / 300) ** -exponents[..., None]
    edge = np.where(ENERGY >= 500, heights[..., None], 0.0)
    if ratio is not None:
        edge = edge + np.where(ENERGY >= 600, (heights * ratio)[..., None] - edge, 0.0)
    return SpectrumImage(law + edge + noise * RNG.standard_normal((*heights.shape, len(ENERGY))), ENERGY, "loss", "eV")


def test_sums_above_a_power_law():
    heights, exponents = RNG.uniform(0.5, 3, (6, 7)), RNG.uniform(1, 5, (6, 7))
    exact = band_map(edges(heights, exponents), (500, 548), background="power law")
    np.testing.assert_allclose(exact.data, 25 * heights, rtol=1e-4)
    noisy = band_map(edges(heights, exponents, 0.05), (500, 548), background="power law")
    assert np.corrcoef(noisy.data.ravel(), heights.ravel())[0, 1] > 0.98
    assert noisy.data.mean() == pytest.approx(25 * heights.mean(), rel=0.05)
    plain = band_map(edges(heights, exponents), (500, 548))
    assert (plain.data > 25 * heights).all() and plain.name == "loss 500 to 548 eV"


def test_a_peak_on_a_line():
    place, height = RNG.uniform(420, 460, (5, 4)), RNG.uniform(2, 5, (5, 4))
    peak = height[..., None] * np.exp(-0.5 * ((ENERGY - place[..., None]) / 8) ** 2)
    line = 7 + 0.02 * RNG.standard_normal((5, 4, 1)) * (ENERGY - 500)
    spectra = SpectrumImage(line + peak, ENERGY)
    total = band_map(spectra, (380, 500), background="line")
    np.testing.assert_allclose(total.data, height * 8 * np.sqrt(2 * np.pi) / 2, rtol=1e-3)
    found = band_map(spectra, (380, 500), "peak", background="line")
    assert np.abs(found.data - place).max() < 0.2


def test_the_ratio_of_two_bands():
    heights, ratio = RNG.uniform(1, 3, (4, 4)), RNG.uniform(0.5, 2, (4, 4))
    spectra = edges(heights, np.zeros((4, 4)), ratio=ratio)
    spectra = SpectrumImage(np.asarray(spectra.data) - 50, ENERGY)
    found = band_map(spectra, (600, 650), "ratio", second=(520, 570))
    np.testing.assert_allclose(found.data, ratio, rtol=1e-9)


def test_the_simulated_sample_gives_what_its_table_says():
    sample = spectrum_image(20, noise=0.03)
    found = band_map(sample.spectrum_image, (-0.8, 0.1), "peak")
    assert found.pixel_size == pytest.approx((0.56, 0.56)) and found.units == "nm"
    table = sample.structures
    first = table["species"].map({0: -0.5, 1: -0.2, 2: 0.0}) + 0.15 * table["stretch"]
    whole = first < -0.15  # others reach beyond the band
    assert (found.data.ravel() - first)[whole].abs().max() < 0.05


def test_large_spectra_are_read_some_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(core_spectra, "AT_ONCE", 2 * 7 * len(ENERGY))
    spectra = edges(RNG.uniform(1, 2, (5, 7)), RNG.uniform(1, 2, (5, 7)))
    lazy = SpectrumImage(da.from_array(spectra.data, chunks=(1, 7, -1)), ENERGY, "loss", "eV")
    stages = []
    found = band_map(lazy, (500, 540), background="power law", callback=stages.append)
    np.testing.assert_array_equal(found.data, band_map(spectra, (500, 540), background="power law").data)
    assert [stage.fraction for stage in stages] == [0, 0.4, 0.8]


def test_what_is_not_known_is_nan_and_nothing_is_no_error():
    data = np.zeros((1, 3, len(ENERGY)))
    data[0, 1, 120] = np.nan
    data[0, 2] = -1.0
    for background in ("none", "power law", "line"):
        total = band_map(SpectrumImage(data, ENERGY), (500, 560), background=background).data[0]
        assert total[0] == 0 and np.isnan(total[1]), background
        assert total[2] == pytest.approx(-31 if background == "none" else 0), background
    peak = band_map(SpectrumImage(data, ENERGY), (500, 560), "peak").data[0]
    assert np.isnan(peak).all()


def test_bands_that_cannot_be():
    spectra = SpectrumImage(np.ones((2, 2, len(ENERGY))), ENERGY, "loss", "eV")
    assert band_map(spectra, (540, 500)).data[0, 0] == 21, "from either end"
    for arguments, words in (
        ({"band": (900, 950)}, "No energy lies from 900 to 950 eV; the spectra reach from 300 to 698 eV"),
        ({"band": (301, 301.5)}, "No energy lies"),
        ({"band": (300, 350), "background": "power law"}, "too few energies above 0 before 300 to 350 eV"),
        ({"band": (300, 698), "background": "line"}, "too few energies beside"),
        ({"band": (300, 350), "quantity": "ratio"}, "give the second band for ratios only"),
        ({"band": (300, 350), "second": (400, 450)}, "give the second band for ratios only"),
        ({"band": (300, 350), "background": "spline"}, "background"),
    ):
        with pytest.raises(InputError, match=words):
            band_map(spectra, **arguments)
    below = SpectrumImage(np.ones((1, 1, 50)), np.linspace(-1, 1, 50))
    with pytest.raises(InputError, match="choose a line"):
        band_map(below, (0.2, 0.5), background="power law")
