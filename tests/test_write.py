"""Written tables and images come back as they were."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from napari_vae.io import read
from napari_vae.io.writing import read_table, write_image, write_table


@pytest.mark.parametrize("shape", [(20, 30), (3, 20, 30)])
def test_written_images_read_back(tmp_path, shape):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    image = read(write_image(data, tmp_path / "a.tif", pixel_size=(0.0125, 0.025), units="nm"))
    np.testing.assert_array_equal(image.data, data)
    assert image.pixel_size == pytest.approx((0.0125, 0.025), rel=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_labels_stay_whole_numbers(tmp_path):
    assert read(write_image(np.eye(8, dtype=int), tmp_path / "a.tif")).data.dtype == np.uint16


def test_table_round_trip(tmp_path):
    table = pd.DataFrame({"y": [0.1, 1 / 3], "class": [0, 1]}, index=[4, 9])
    pd.testing.assert_frame_equal(read_table(write_table(table, tmp_path / "t.csv")), table, check_names=False)


def test_reading_needs_no_heavy_package():
    code = (
        "import sys, napari_vae.io, napari_vae.io.napari_reader;"
        "print([m for m in ('torch', 'napari', 'qtpy', 'pandas', 'scipy', 'matplotlib', 'dask') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_units_that_tiff_has_no_letters_for_come_back(tmp_path):
    for units, nanometres in (("Å", 0.1), ("µm", 1000.0)):
        path = write_image(np.eye(8), tmp_path / "image.tif", pixel_size=(2.0, 2.0), units=units)
        assert read(path).pixel_size == pytest.approx((2 * nanometres,) * 2)
