"""Written tables and images come back as they were."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from napari_vae.errors import InputError, ReadError
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


@pytest.fixture
def mixed():
    """A table of everything that columns hold: latents, classes, words with gaps, yes and no."""
    return pd.DataFrame(
        {
            "frame": [0, 0, 1],
            "y": [0.5, 1.5, 2.25],
            "x": [10.0, 20.0, 30.0],
            "z1": np.float32([0.1, np.nan, 0.3]),
            "z2": np.float32([1.0, 2.0, 3.0]),
            "class": pd.Categorical(["0", "", "1"], categories=["", "0", "1"]),
            "species": ["Sr", "Sr", None],
            "edited": [True, False, True],
        },
        index=[4, 9, 2],
    )


def test_parquet_round_trip_keeps_types(tmp_path, mixed):
    pytest.importorskip("pyarrow", reason="parquet needs the extra “tables”")
    back = read_table(write_table(mixed, tmp_path / "t.parquet"))
    pd.testing.assert_frame_equal(back, mixed, check_dtype=False, check_names=False, check_categorical=False)
    assert back["z1"].dtype == np.float32 and list(back["class"].cat.categories) == ["", "0", "1"]
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_anndata_has_latents_places_and_origin(tmp_path, mixed):
    anndata = pytest.importorskip("anndata", reason="AnnData needs the extra “tables”")
    path = tmp_path / "t.h5ad"
    write_table(mixed, path, pixel_size=(0.2, 0.1), units="Å", provenance={"seed": np.int64(3), "model": None})
    data = anndata.read_h5ad(path)
    assert list(data.var_names) == ["z1", "z2"]
    np.testing.assert_array_equal(data.X, mixed[["z1", "z2"]])
    np.testing.assert_array_equal(data.obsm["spatial"], mixed[["x", "y"]])
    np.testing.assert_allclose(data.obsm["spatial_nm"], [[0.1, 0.01], [0.2, 0.03], [0.3, 0.045]])
    assert list(data.obs_names) == ["4", "9", "2"]
    assert set(data.obs) == {"frame", "class", "species", "edited"}
    assert data.obs["species"].isna().tolist() == [False, False, True]
    assert json.loads(data.uns["napari_vae"]["provenance"]) == {"seed": 3, "model": None}
    back = read_table(path)
    assert list(back.index) == [4, 9, 2]
    np.testing.assert_array_equal(back[["y", "x", "z1", "z2"]], mixed[["y", "x", "z1", "z2"]])


def test_anndata_of_features_without_latents_has_their_numbers(tmp_path):
    anndata = pytest.importorskip("anndata", reason="AnnData needs the extra “tables”")
    features = pd.DataFrame({"area": [1.0, 2.0], "kind": ["a", "b"]})
    data = anndata.read_h5ad(write_table(features, tmp_path / "t.h5ad"))
    assert list(data.var_names) == ["area"] and "spatial" not in data.obsm


def test_a_missing_package_is_named_with_its_remedy(tmp_path, mixed, monkeypatch):
    monkeypatch.setattr("napari_vae.io.tables.find_spec", lambda name: None)
    for ending, package in ((".parquet", "pyarrow"), (".h5ad", "anndata")):
        with pytest.raises(InputError, match=rf"{package}.*napari-vae\[tables\]"):
            write_table(mixed, tmp_path / f"t{ending}")
        with pytest.raises(InputError, match=package):
            read_table(tmp_path / f"t{ending}")
    with pytest.raises(InputError, match="let the name end"):
        write_table(mixed, tmp_path / "t.xlsx")
    assert not any(tmp_path.iterdir())


def test_files_that_are_no_tables_are_one_sentence(tmp_path):
    for ending, package in ((".parquet", "pyarrow"), (".h5ad", "anndata")):
        pytest.importorskip(package, reason="needs the extra “tables”")
        (tmp_path / f"t{ending}").write_bytes(b"no table")
        with pytest.raises(ReadError, match="missing or not a table"):
            read_table(tmp_path / f"t{ending}")


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
