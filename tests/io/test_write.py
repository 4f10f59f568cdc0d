"""Written tables and images come back as they were."""

import csv
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from napari_vae import Micrograph
from napari_vae.core.errors import InputError, ReadError, sentence
from napari_vae.io import read
from napari_vae.io.writing import read_table, write_image, write_table
from napari_vae.layers.reader import read_layers


@pytest.mark.parametrize("shape", [(20, 30), (3, 20, 30)])
def test_written_images_read_back(tmp_path, shape):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    image = read(write_image(data, tmp_path / "a.tif", pixel_size=(0.0125, 0.025), units="nm"))
    np.testing.assert_array_equal(image.data, data)
    assert image.pixel_size == pytest.approx((0.0125, 0.025), rel=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_micrograph_brings_its_axes_and_the_size_of_its_pixels(tmp_path):
    channels = Micrograph(np.random.default_rng(0).random((2, 8, 9)), (0.02, 0.04), "nm", "CYX")
    again = read(write_image(channels, tmp_path / "a.tif"))
    assert again.axes == "CYX" and again.pixel_size == pytest.approx((0.02, 0.04)) and again.units == "nm"
    other = read(write_image(channels, tmp_path / "a.tif", pixel_size=0.5, units="nm"))
    assert other.pixel_size == pytest.approx((0.5, 0.5))


def test_complex_numbers_are_refused_and_not_halved(tmp_path):
    with pytest.raises(InputError, match="complex; take its magnitude"):
        write_image(np.ones((8, 8), complex), tmp_path / "a.tif")
    assert not any(tmp_path.iterdir())


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
    data = anndata.read_h5ad(write_table(features.assign(z1=0.5), tmp_path / "with.h5ad"))
    assert list(data.var_names) == ["z1"] and set(data.obs) == {"area", "kind"}


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


ORIGIN = {"pixel_size": (0.2, 0.1), "units": "Å", "provenance": {"seed": np.int64(3), "model": None}}


@pytest.mark.parametrize("ending", [".parquet", ".h5ad", ".xyz"])
def test_where_a_table_came_from_is_kept_with_it(tmp_path, mixed, ending):
    path = tmp_path / f"t{ending}"
    for package in ("pyarrow", "anndata"):
        pytest.importorskip(package, reason="needs the extra “tables”")
    back = read_table(write_table(mixed, path, **ORIGIN))
    told = back.attrs["origin"]
    assert (tuple(told["pixel_size"]), told["units"]) == ((0.2, 0.1), "Å")
    assert told["provenance"] == {"seed": 3, "model": None}
    assert sorted(back.index) == [2, 4, 9]
    ours = mixed.loc[back.index]
    np.testing.assert_allclose(back[["y", "x", "z1", "z2"]].astype(float), ours[["y", "x", "z1", "z2"]])
    np.testing.assert_array_equal(back["frame"], ours["frame"])
    assert ["" if word != word or word is None else word for word in back["species"]] == ["Sr", "Sr", ""]
    assert back["edited"].tolist() == ours["edited"].tolist()


FORMULAS = ["=HYPERLINK(1)", "@SUM(A1)", "+cmd", "-a", "\t=1", "'=b", "''=b", "'plain", "-1.5", "2", "", "Sr"]


@pytest.mark.parametrize("dtype", [object, "category", "string"])
def test_words_that_a_spreadsheet_computes_are_quoted_and_read_as_they_were(tmp_path, dtype):
    table = pd.DataFrame({"y": -1.5, "=class": pd.Series(FORMULAS, dtype=dtype)})
    path = write_table(table, tmp_path / "t.csv")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["atom", "y", "'=class"] and {row[1] for row in rows} == {"-1.5"}
    assert [row[2] for row in rows] == [*(f"'{word}" for word in FORMULAS[:7]), *FORMULAS[7:]]
    assert read_table(path)["=class"].fillna("").tolist() == FORMULAS


def test_a_table_in_hdf5_of_an_early_version_is_one_sentence(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file.attrs["origin"], file["table/y"] = "{}", [1.0]
    for load in (read_table, read):
        with pytest.raises(ReadError, match="one in HDF5 of an early version of napari-vae is read with h5py"):
            load(tmp_path / "t.h5")


def test_extended_xyz_is_read_by_its_rules(tmp_path, mixed):
    lines = write_table(mixed, tmp_path / "t.xyz", **ORIGIN).read_text(encoding="utf-8").splitlines()
    assert [lines[0], lines[4]] == ["2", "1"]  # atoms of the two frames
    assert "Properties=species:S:1:pos:R:3:atom:I:1:z1:R:1:z2:R:1:class:S:1:edited:L:1" in lines[1]
    assert lines[1].endswith("frame=0") and lines[5].endswith("frame=1")
    species, x, y, z, atom, *_, edited = lines[2].split()
    assert (species, float(x), float(y), float(z), atom, edited) == ("Sr", 1.0, -0.1, 0.0, "4", "T")
    assert lines[6].split()[0] == "X"  # of no known species


def test_extended_xyz_reads_in_ase(tmp_path, mixed):
    ase = pytest.importorskip("ase.io", reason="ASE is not among the dependencies")
    first, second = ase.read(write_table(mixed, tmp_path / "t.xyz", **ORIGIN), index=":", format="extxyz")
    assert first.get_chemical_symbols() == ["Sr", "Sr"] and len(second) == 1
    np.testing.assert_allclose(first.positions[:, :2], [[1.0, -0.1], [2.0, -0.3]])
    assert first.info["frame"] == 0 and "pixel_size" in str(first.info["origin"])


def test_extended_xyz_loses_no_column_and_its_words_no_more_than_is_told(tmp_path, mixed):
    back = read_table(write_table(mixed.assign(note='a "b" = c'), tmp_path / "t.xyz", **ORIGIN))
    assert set(back["note"]) == {"a_b_c"}
    with pytest.raises(InputError, match="Two columns get one name"):
        write_table(mixed.assign(**{"z 1": 0.0, "z_1": 1.0}), tmp_path / "u.xyz", **ORIGIN)


def test_extended_xyz_needs_a_pixel_size(tmp_path, mixed):
    with pytest.raises(InputError, match="no size"):
        write_table(mixed, tmp_path / "t.xyz")
    (tmp_path / "other.xyz").write_text("1\nwater\nO 0 0 0\n")
    with pytest.raises(ReadError, match="size of its pixels"):
        read_table(tmp_path / "other.xyz")
    assert [path.name for path in tmp_path.iterdir()] == ["other.xyz"]


def test_files_that_are_no_tables_are_one_sentence(tmp_path):
    for ending, package in ((".parquet", "pyarrow"), (".h5ad", "anndata"), (".xyz", "numpy")):
        pytest.importorskip(package, reason="needs the extra “tables”")
        (tmp_path / f"t{ending}").write_bytes(b"no table")
        with pytest.raises(ReadError, match=r"not a table|damaged|not of napari-vae"):
            read_table(tmp_path / f"t{ending}")


@pytest.mark.parametrize("ending", [".h5ad", ".parquet", ".xyz"])
@pytest.mark.parametrize("changes", [{"y": ["1.5", "left"]}, {"z1": ["a", 0.5]}, {"name": ["a\0b", "c"]}])
def test_what_a_format_cannot_hold_is_one_sentence(tmp_path, ending, changes):
    pytest.importorskip({".h5ad": "anndata", ".parquet": "pyarrow"}.get(ending, "pandas"))
    table = pd.DataFrame({"y": [1.0, 2.0], "x": [3.0, 4.0], "z1": [0.1, 0.2]}).assign(**changes)
    try:
        write_table(table, tmp_path / f"t{ending}", pixel_size=(0.1, 0.1), units="nm")
    except InputError as error:
        assert f"t{ending}" in str(error) and "\n" not in str(error)
        assert not list(tmp_path.iterdir())
    else:
        assert len(read_table(tmp_path / f"t{ending}")) == 2


def test_frames_that_are_words_of_numbers_are_frames(tmp_path):
    pytest.importorskip("anndata")
    table = pd.DataFrame({"frame": ["0", "1"], "y": [1.0, 2.0], "x": [3.0, 4.0]})
    write_table(table, tmp_path / "t.h5ad")
    ((places, _, kind),) = read_layers(str(tmp_path / "t.h5ad"))
    assert kind == "points" and places.tolist() == [[0, 1, 3], [1, 2, 4]]


def test_reading_needs_no_heavy_package():
    code = (
        "import sys, napari_vae.io, napari_vae.layers.reader;"
        "print([m for m in ('torch', 'napari', 'qtpy', 'pandas', 'scipy', 'matplotlib', 'dask') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_units_that_tiff_has_no_letters_for_come_back(tmp_path):
    for units, nanometres in (("Å", 0.1), ("µm", 1000.0)):
        path = write_image(np.eye(8), tmp_path / "image.tif", pixel_size=(2.0, 2.0), units=units)
        assert read(path).pixel_size == pytest.approx((2 * nanometres,) * 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        "Frame;Y;X;Größe\n0;10,5;20,25;1\n1;3;4;1,5\n",
        "frame\ty\tx\tGröße\n0\t10.5\t20.25\t1\n1\t3\t4\t1.5\n",
        "sep=;\nframe;y;x;Größe\n0;10.5;20.25;1\n1;3;4;1.5\n",
        "index,axis-0,axis-1,axis-2,Größe\n0,0,10.5,20.25,1\n1,1,3,4,1.5\n",
        'FRAME, y , X,Größe\n0,10.5,20.25,1\n1,3,"4",1.5\n',
        "frame y x Größe\n0 10.5 20.25 1\n1 3 4 1.5\n",
    ],
)
def test_positions_are_read_as_others_write_them(tmp_path, text, encoding):
    path = tmp_path / "foreign.csv"
    path.write_bytes(text.encode(encoding))
    table = read_table(path)
    assert list(table) == ["frame", "y", "x", "Größe"]
    assert table.to_numpy(float).tolist() == [[0, 10.5, 20.25, 1], [1, 3, 4, 1.5]]


def test_shapes_of_napari_and_tables_without_positions_are_refused_with_a_remedy(tmp_path):
    from napari_vae.layers.table_layers import table_layers

    path = tmp_path / "t.csv"
    path.write_text("index,shape-type,vertex-index,axis-0,axis-1\n0,polygon,0,1,2\n")
    with pytest.raises(ReadError, match="shapes"):
        read_table(path)
    path.write_text("row_nm;col_nm\n1,5;2\n")
    with pytest.raises(ReadError, match=r"columns row_nm, col_nm and no y and x; call the row and column"):
        table_layers(path)


@pytest.mark.parametrize(("size", "units"), [(0.02, "nm"), (2e-11, "m"), ((2e-5, 2e-5), "µm")])
def test_one_pixel_size_for_both_axes_in_any_unit(tmp_path, size, units):
    image = read(write_image(np.eye(8), tmp_path / "a.tif", pixel_size=size, units=units))
    assert image.pixel_size == pytest.approx((0.02, 0.02), rel=1e-4) and image.units == "nm"
    back = read_table(
        write_table(pd.DataFrame({"y": [1.0], "x": [2.0]}), tmp_path / "t.xyz", pixel_size=size, units=units)
    )
    assert back[["y", "x"]].to_numpy() == pytest.approx(np.array([[1.0, 2.0]]))


BAD_IMAGES = [
    np.zeros(3),
    np.zeros((2, 3, 4, 5)),
    np.zeros((4, 30, 40, 3)),
    [["a"]],
    [[1], [1, 2]],
    np.zeros((2, 2), "M8[s]"),
]


@pytest.mark.parametrize("data", BAD_IMAGES)
def test_what_is_no_image_is_not_written(tmp_path, data):
    with pytest.raises(InputError, match=r"The (image|pixels)"):
        write_image(data, tmp_path / "a.tif")
    for size in (0, -1, "a", np.nan, (1, 2, 3), 1e300):
        with pytest.raises(InputError, match="pixel"):
            write_image(np.eye(3), tmp_path / "a.tif", pixel_size=size)
    with pytest.raises(OSError) as refused:
        write_image(np.eye(3), tmp_path)
    assert "choose another name" in sentence(refused.value)
    assert not any(tmp_path.iterdir())


def test_a_table_that_its_format_cannot_hold_is_one_sentence(tmp_path):
    pytest.importorskip("anndata", reason="needs the extra “tables”")
    with pytest.raises(InputError, match=r"t\.h5ad cannot hold this table .*; write it as \.csv"):
        write_table(pd.DataFrame({"y": ["a"], "x": ["b"]}), tmp_path / "t.h5ad")
    with (tmp_path / "zeros.csv").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(ReadError, match="holds zeros, not text"):
        read_table(tmp_path / "zeros.csv")


def test_extended_xyz_of_no_atoms_is_an_empty_frame(tmp_path, mixed):
    path = write_table(mixed.head(0), tmp_path / "t.xyz", **ORIGIN)
    first, comment = path.read_text(encoding="utf-8").splitlines()
    assert first == "0" and comment.endswith("frame=0")
    assert len(read_table(path)) == 0
