"""Nanonis, Nion Swift and HDF5 of other programs: files made here, whose pixels and steps are known."""

import json
import zipfile

import numpy as np
import pytest

from napari_vae.core.errors import ReadError
from napari_vae.io import list_datasets, read

STEPS = [{"offset": 0.0, "scale": 0.02, "units": "nm"}, {"offset": 0.0, "scale": 30.0, "units": "pm"}]
IMAGE = {"dimensional_calibrations": STEPS, "collection_dimension_count": 0, "datum_dimension_count": 2}
IMAGE |= {"is_sequence": False, "title": "HAADF", "metadata": {"instrument": {"high_tension": 60000}}}
MOVIE = IMAGE | {"dimensional_calibrations": [{"scale": 0.5, "units": "s"}, *STEPS], "is_sequence": True}


@pytest.fixture
def ramp():
    return np.arange(12 * 20, dtype=np.float32).reshape(12, 20)


def write_sxm(path, images, direction="down", ways="both"):
    rows, columns = images[0].shape
    table = f"\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n\t14\tZ\tm\t{ways}\t1.0\t0.0\n"
    header = (
        f":NANONIS_VERSION:\n2\n:SCANIT_TYPE:\n      FLOAT            MSBFIRST\n:SCAN_PIXELS:\n {columns} {rows}\n"
        f":SCAN_RANGE:\n 4.0E-9 1.2E-9\n:SCAN_DIR:\n{direction}\n:BIAS:\n -9.0E-4\n:DATA_INFO:\n{table}\n"
        ":SCANIT_END:\n\n\n"
    )
    pixels = b"".join(image.astype(">f4").tobytes() for image in images)
    path.write_bytes(header.encode() + b"\x1a\x04" + pixels)
    return path


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_scan_is_upright_and_both_ways_agree(tmp_path, ramp, direction):
    scanned = ramp[::-1] if direction == "up" else ramp
    path = write_sxm(tmp_path / "a.sxm", [scanned, scanned[:, ::-1]], direction)
    assert list_datasets(path) == ["Z forward", "Z backward"]
    for way in (0, 1):
        image = read(path, dataset=way)
        np.testing.assert_array_equal(image.data, ramp)
        assert image.data.dtype.isnative
    assert (image.pixel_size, image.units) == (pytest.approx((0.1, 0.2)), "nm")
    assert image.metadata["intensity_unit"] == "m"
    assert image.metadata["acquisition"]["BIAS"].split() == ["-9.0E-4"]


def test_a_scan_that_lost_its_end(tmp_path, ramp):
    path = write_sxm(tmp_path / "a.sxm", [ramp])
    with pytest.raises(ReadError, match=f"cut short by {ramp.nbytes} bytes"):
        read(path)


def write_ndata(path, data, properties, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        with archive.open("data.npy", "w") as file:
            np.save(file, data)
        archive.writestr("metadata.json", json.dumps(properties))
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_ndata(tmp_path, ramp, compression):
    image = read(write_ndata(tmp_path / "a.ndata", ramp.astype(">f4"), IMAGE, compression))
    np.testing.assert_array_equal(image.data, ramp)
    assert (image.pixel_size, image.units) == (pytest.approx((0.02, 0.03)), "nm")
    assert image.metadata["acquisition"]["instrument"]["high_tension"] == 60000


def test_ndata_of_an_older_version(tmp_path, ramp):
    image = read(write_ndata(tmp_path / "a.ndata", ramp, {"version": 10, "data_sources": [IMAGE]}))
    assert image.pixel_size == pytest.approx((0.02, 0.03))


def test_ndata_movies_are_mapped(tmp_path, ramp, monkeypatch):
    movie = np.stack([ramp, ramp + 1])
    monkeypatch.setattr("napari_vae.io.dataset.LAZY_BYTES", 100)
    image = read(write_ndata(tmp_path / "a.ndata", movie, MOVIE))
    assert (image.axes, hasattr(image.data, "dask")) == ("TYX", True)
    np.testing.assert_array_equal(image.frame(1)[0], ramp + 1)
    assert image.pixel_size == pytest.approx((0.02, 0.03))


def test_nion_spectra_are_passed_over(tmp_path):
    properties = IMAGE | {"collection_dimension_count": 2, "datum_dimension_count": 1}
    with pytest.raises(ReadError, match="no image"):
        read(write_ndata(tmp_path / "a.ndata", np.zeros((9, 9, 30)), properties))


@pytest.mark.parametrize("suffix", [".h5", ".nhdf"])
def test_nion_hdf5(tmp_path, ramp, suffix):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / f"a{suffix}"
    with h5py.File(path, "w") as file:
        name = "data" if suffix == ".h5" else "data/0"
        file.create_dataset(name, data=ramp).attrs["properties"] = json.dumps(IMAGE)
        if suffix == ".nhdf":
            other = np.stack([ramp, ramp])
            file.create_dataset("data/1", data=other).attrs["properties"] = json.dumps(MOVIE | {"title": "series"})
    assert list_datasets(path) == ["HAADF"] + ["series"] * (suffix == ".nhdf")
    np.testing.assert_array_equal(read(path).data, ramp)
    assert read(path).pixel_size == pytest.approx((0.02, 0.03))


def test_nion_colours_are_blue_green_red(tmp_path):
    colours = np.zeros((12, 20, 3), np.uint8)
    colours[..., 2] = 100  # red
    colours[0, 0] = 0
    image = read(write_ndata(tmp_path / "a.ndata", colours, IMAGE))
    assert float(image.data[5, 5]) == pytest.approx(29.9)
    assert "luminance" in image.metadata["notes"][0]


def test_dm5_without_its_thumbnail(tmp_path, ramp):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.dm5", "w") as file:
        for number, data in enumerate([np.zeros((8, 8), np.uint8), ramp]):
            image = file.create_group(f"ImageList/[{number}]")
            image.attrs["Name"] = b"HAADF"
            image["ImageData/Data"] = data
            for axis, (step, unit) in enumerate([(0.3, "Å"), (0.02, "nm")]):
                told = image.create_group(f"ImageData/Calibrations/Dimension/[{axis}]")
                told.attrs["Scale"], told.attrs["Units"] = np.float32(step), unit.encode()
        file.create_group("Thumbnails/[0]").attrs["ImageIndex"] = np.uint32(0)
    image = read(tmp_path / "a.dm5")
    np.testing.assert_array_equal(image.data, ramp)
    assert image.pixel_size == pytest.approx((0.02, 0.03))
    assert list_datasets(tmp_path / "a.dm5") == ["HAADF"]


def test_hdf5_of_an_unknown_program_shows_its_arrays_without_scale(tmp_path, ramp, monkeypatch):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/movie"], file["entry/image"] = np.stack([ramp] * 3), ramp.astype(">i4")
        file["entry/positions"], file["words"] = np.zeros((50, 2)), [b"a", b"b"]
    assert list_datasets(tmp_path / "a.h5") == ["entry/image", "entry/movie"]
    image = read(tmp_path / "a.h5")
    np.testing.assert_array_equal(image.data, ramp)
    assert image.pixel_size is None and "unknown program" in image.metadata["notes"][-1]
    with h5py.File(tmp_path / "data.h5", "w") as file:  # where that of Nion Swift has its items
        file["data"] = ramp
    assert list_datasets(tmp_path / "data.h5") == ["data"]
    with h5py.File(tmp_path / "empty.nhdf", "w") as file:
        file.create_group("data")
    with pytest.raises(ReadError, match="holds no image"):
        read(tmp_path / "empty.nhdf")
    monkeypatch.setattr("napari_vae.io.dataset.LAZY_BYTES", 100)
    movie = read(tmp_path / "a.h5", dataset="entry/movie")
    assert hasattr(movie.data, "dask")
    np.testing.assert_array_equal(movie.frame(2)[0], ramp)


def test_field_of_view_in_the_json_beside_an_array(tmp_path, ramp):
    np.save(tmp_path / "a.npy", ramp)
    view = {"field_of_view_x": 4.0, "field_of_view_y": 1.2, "field_of_view_units": "nm"}
    (tmp_path / "a.json").write_text(json.dumps({"experimental_details": {"spatial_info": view}}))
    assert read(tmp_path / "a.npy").pixel_size == pytest.approx((0.1, 0.2))
    (tmp_path / "a.json").write_text('{"something": "else"}')
    assert read(tmp_path / "a.npy").pixel_size is None


def test_large_big_endian_stacks_of_imagej_stay_on_disk(tmp_path, ramp, monkeypatch):
    import tifffile

    monkeypatch.setattr("napari_vae.io.dataset.LAZY_BYTES", 100)
    stack = np.stack([ramp + n for n in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TYX"})  # big-endian, as ImageJ has it
    movie = read(tmp_path / "a.tif")
    assert hasattr(movie.data, "dask") and movie.data.dtype.isnative
    np.testing.assert_array_equal(movie.frame(2)[0], ramp + 2)
