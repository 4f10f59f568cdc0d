"""Real micrographs of the package: pixels, calibration, and where they come from."""

import numpy as np
import pytest

from napari_vae import InputError, read, samples
from napari_vae.samples.real_images import FILES, FOLDER

SAMPLES = {  # name: (shape, pixel size, the file it was made of)
    "DyScO3": ((1024, 1024), 8 / 1024, "unseen/samples/DyScO3.png"),
    "gold grain boundary": ((512, 512), None, "unseen/samples/gold_grain_boundary.png"),
    "oxide superlattice": ((512, 512), None, "lattices/DMReader_Image_SI-Survey.dm3"),
    "Pt single atoms": ((512, 512), 0.02929687, "acstem/048_HAADF_15nm_Sample_PtNC_21Oct20.tif"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_with_its_source_and_licence(name):
    shape, step, _ = SAMPLES[name]
    image = samples.real(name)
    assert (image.name, image.shape, image.axes) == (name, shape, "YX")
    if step is None:
        assert (image.pixel_size, image.units) == (None, "px")
    else:
        assert (image.pixel_size, image.units) == (pytest.approx((step, step)), "nm")
    assert image.metadata["source"].startswith("https://github.com/") and image.metadata["title"]
    words = image.metadata["licence"].split(", ")
    assert words[0] == "MIT" and "MIT License" in (FOLDER / words[1]).read_text()
    assert image.metadata["notes"] and "path" not in image.metadata


@pytest.mark.parametrize("name", SAMPLES)
def test_pixels_are_those_of_the_original(real_data, name):
    original = read(real_data / SAMPLES[name][2])
    ours = samples.real(name)
    assert ours.data.dtype == original.data.dtype
    np.testing.assert_array_equal(ours.data, original.data)


def test_they_are_at_most_three_megabytes():
    assert set(FILES) == set(SAMPLES)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 3_000_000


def test_an_unknown_name_is_one_sentence():
    with pytest.raises(InputError, match="no real sample 'gold'; choose one of 'DyScO3'"):
        samples.real("gold")
