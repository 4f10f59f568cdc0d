"""What is made of the signals that readers of other formats hand over: images, axes, calibration, plain metadata."""

import struct
import zipfile
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest

from napari_vae.core.errors import ReadError
from napari_vae.io import archives, dataset, nion, read, vendor_checks, vendors
from napari_vae.io.calibration import calibrate
from napari_vae.io.nion import nion_datasets

RAMP = np.arange(6 * 8.0).reshape(6, 8)


def signal(data=RAMP, axes=None, **metadata):
    """A signal as RosettaSciIO hands it over, with steps of 0.02 and 0.03 nm."""
    names = [("", 1, True), ("y", 0.02, False), ("x", 0.03, False)][-data.ndim :]
    made = [{"name": n, "scale": scale, "units": "nm", "navigate": moves} for n, scale, moves in names]
    return {"data": data, "axes": made if axes is None else axes, "metadata": metadata}


def test_an_image_and_a_movie():
    one = vendors.signal_dataset(signal(General={"title": "HAADF"}), 0)
    assert (one.name, one.axes, one.shape, one.calibration.pixel_size) == ("HAADF", "YX", (6, 8), (0.02, 0.03))
    assert one.load() is RAMP and one.metadata["acquisition"]["General"]["title"] == "HAADF"
    movie = vendors.signal_dataset(signal(np.stack([RAMP] * 3)), 4)
    assert (movie.name, movie.axes, movie.shape) == ("image 4", "TYX", (3, 6, 8))


def test_what_is_no_image_is_passed_over():
    for kind in ("EELS", "EDS_TEM", "CL_SEM"):
        assert vendors.signal_dataset(signal(Signal={"signal_type": kind}), 0) is None
    assert vendors.signal_dataset(signal(Signal={"signal_type": "HAADF"}), 0) is not None
    lines = [{"navigate": True}, {"navigate": True}, {"navigate": False}]
    assert vendors.signal_dataset(signal(np.stack([RAMP] * 3), lines), 0) is None, "a spectrum image"
    assert (
        vendors.signal_dataset(signal(RAMP[:1]), 0) is None and vendors.signal_dataset(signal(RAMP[:, :1]), 0) is None
    )
    assert vendors.signal_dataset(signal(RAMP[:2]), 0) is not None
    assert vendors.signal_dataset(signal(RAMP[0]), 0) is None
    assert vendors.signal_dataset(signal(np.zeros((2, 2, 6, 8)), [{"navigate": False}] * 4), 0) is None


def test_files_that_were_transposed_are_turned_back():
    axes = [{"name": "X", "scale": 0.03, "units": "nm"}, {"name": "Y", "scale": 0.02, "units": "nm"}]
    one = vendors.signal_dataset(signal(RAMP.T, axes), 0)
    np.testing.assert_array_equal(one.load(), RAMP)
    assert (one.shape, one.calibration.pixel_size) == ((6, 8), (0.02, 0.03))
    movie = np.stack([RAMP, 2 * RAMP])
    many = vendors.signal_dataset(signal(movie.swapaxes(1, 2), [{"name": "time", "navigate": True}, *axes]), 0)
    np.testing.assert_array_equal(many.load(), movie)


def test_metadata_become_plain_and_small():
    given = {
        1: np.float32(0.5),
        "many": np.zeros(101),
        "few": np.arange(3),
        "path": SimpleNamespace(),
        "list": [*range(150)],
    }
    plain = vendors.plain(given)
    assert plain["1"] == 0.5 and plain["many"] is None and plain["few"] == [0, 1, 2]
    assert len(plain["list"]) == 100 and len(plain["path"]) <= 200 and isinstance(plain["path"], str)
    assert vendors.plain((True, None, "a")) == [True, None, "a"]
    assert len(vendors.plain(np.zeros(100))) == 100


def test_every_suffix_has_its_reader(monkeypatch, tmp_path):
    asked, held = {}, [signal(Signal={"signal_type": "EELS"}), signal(General={"title": "kept"})]

    def reader(path, **options):
        asked.update(options)
        return held

    def imported(name):
        asked.update(name=name)
        return SimpleNamespace(file_reader=reader)

    monkeypatch.setattr(vendors.importlib, "import_module", imported)
    monkeypatch.setattr(vendors, "check_file", lambda path: ">")
    for suffix, name in vendors.READERS.items():
        asked.clear()
        path = tmp_path / f"a{suffix.upper()}"
        path.write_bytes(bytes(8))
        assert [one.name for one in vendors.vendor_datasets(path)] == ["kept"]
        assert asked["name"] == f"rsciio.{name}" and asked["lazy"] is False
        assert asked.get("endianness") == (">" if suffix == ".mrc" else None)
        assert asked.get("select_type") == {".emd": "images", ".bcf": "image"}.get(suffix)
    held.pop()
    for suffix, remedy in ((".emi", "put the .ser files beside it"), (".dm3", "choose a file with an image")):
        (tmp_path / f"b{suffix}").write_bytes(bytes(8))
        with pytest.raises(ReadError, match=remedy):
            vendors.vendor_datasets(tmp_path / f"b{suffix}")


def test_the_missing_extra_is_named(monkeypatch, tmp_path):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(vendors.importlib, "import_module", missing)
    with pytest.raises(ReadError, match=r"Reading \.dm4 files needs RosettaSciIO"):
        vendors.vendor_datasets(tmp_path / "a.DM4")


def test_the_order_of_bytes_of_an_mrc_is_that_in_which_it_has_room(tmp_path):
    path = tmp_path / "a.mrc"
    for order in "<>":
        path.write_bytes(struct.pack(f"{order}3i", 10, 20, 1) + bytes(1000))
        assert vendor_checks.check_file(path) == order
    path.write_bytes(struct.pack("<3i", 100, 50, 1) + bytes(2500 - 12))
    assert vendor_checks.check_file(path) == "<", "two pixels a byte"
    for bad in ((100, 51, 1), (0, 5, 1), (-3, -5, 1)):
        path.write_bytes(struct.pack("<3i", *bad) + bytes(2500 - 12))
        with pytest.raises(ReadError, match="damaged"):
            vendor_checks.check_file(path)
    assert vendor_checks.check_file(tmp_path / "a.hspy") == "<"


# ---- Nion Swift -----------------------------------------------------------------------------------------------------

STEPS = [{"scale": 0.02, "units": "nm"}, {"scale": 0.03, "units": "nm"}]
FOUR = np.dtype("f4")


def nion_item(shape, dtype=FOUR, **properties):
    told = {"dimensional_calibrations": STEPS, "title": "scan", **properties}
    return nion_datasets("file", told, shape, dtype, lambda: RAMP)


def test_what_nion_says_of_dimensions():
    (image,) = nion_item((6, 8))
    assert (image.name, image.axes, image.calibration.pixel_size) == ("scan", "YX", (0.02, 0.03))
    (movie,) = nion_item((3, 6, 8), is_sequence=True, dimensional_calibrations=[{"scale": 9, "units": "s"}, *STEPS])
    assert (movie.axes, movie.calibration.pixel_size) == ("TYX", (0.02, 0.03))
    (mapped,) = nion_item((6, 8), collection_dimension_count=2, datum_dimension_count=0)
    assert mapped.axes == "YX"
    (colour,) = nion_item((6, 8, 3), np.dtype("u1"))
    assert colour.axes == "YXS"
    for shape, told in (
        ((6, 8, 5), {"collection_dimension_count": 2, "datum_dimension_count": 1}),
        ((6, 8, 5, 5), {"collection_dimension_count": 2, "datum_dimension_count": 2}),
        ((9,), {}),
        ((3, 6, 8), {}),
        ((6, 8), {"is_sequence": True, "datum_dimension_count": 1}),
    ):
        assert nion_item(shape, **told) == []
    assert nion_item((6, 8, 5), np.dtype("u1")) == [], "five channels are no colours"
    (older,) = nion_datasets("file", {"data_sources": [{"spatial_calibrations": STEPS}]}, (6, 8), FOUR, None)
    assert (older.name, older.calibration.pixel_size) == ("file", (0.02, 0.03))
    assert nion_item((6, 8), dimensional_calibrations=STEPS[:1])[0].calibration.pixel_size is None
    assert nion_item((6, 8), dimensional_calibrations=[{}, {}])[0].calibration.pixel_size is None


def test_colours_of_nion_are_turned_round():
    blue_green_red = np.zeros((2, 2, 4), np.uint8)
    blue_green_red[..., :] = 10, 20, 30, 255
    assert nion._as_rgb(lambda: blue_green_red)[0, 0].tolist() == [30, 20, 10]


def test_an_archive_is_mapped_where_it_lies(tmp_path):
    path = tmp_path / "a.ndata"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("first of all.txt", b"some words")
        with archive.open("data.npy", "w") as file:
            np.save(file, RAMP)
        archive.writestr("metadata.json", "{}")
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("data.npy").header_offset
    mapped = archives._map_array(path, at)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, RAMP)
    np.testing.assert_array_equal(archives._unpack_array(path, "data.npy"), RAMP)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "transposed.npz", image=np.asfortranarray(RAMP))
        np.testing.assert_array_equal(read(tmp_path / "transposed.npz").data, RAMP)
    np.savez(tmp_path / "odd.npz", image=RAMP.astype(object))
    with pytest.raises(ReadError, match="holds no image"):
        read(tmp_path / "odd.npz")


# ---- arrays and steps of any format ---------------------------------------------------------------------------------


def test_axes_of_any_order_become_rows_and_columns():
    data = np.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8)
    for axes, shape, expected in (("TZYX", data.shape, "TYX"), ("CYX", (3, 6, 8), "CYX"), ("TYX", (1, 6, 8), "YX")):
        arranged, letters = dataset.arrange(data.ravel()[: np.prod(shape)].reshape(shape), axes)
        assert letters == expected
        np.testing.assert_array_equal(arranged.ravel(), np.arange(np.prod(shape)))
    planes = np.moveaxis(np.stack([RAMP, RAMP + 1, RAMP + 2], -1), -1, 0)
    coloured, letters = dataset.arrange(planes, "SYX")
    assert letters == "YXS" and coloured[2, 3].tolist() == [RAMP[2, 3] + n for n in range(3)]
    for axes, shape in (("CTYX", (2, 3, 6, 8)), ("XY", (6, 8))):
        with pytest.raises(ReadError, match="export the frames of one channel"):
            dataset.arrange(np.zeros(shape), axes)


def test_grey_of_colours():
    grey = np.stack([RAMP] * 3, -1)
    np.testing.assert_array_equal(dataset.luminance(grey), RAMP)
    np.testing.assert_array_equal(dataset.luminance(RAMP[..., None]), RAMP)
    np.testing.assert_array_equal(dataset.luminance(np.stack([RAMP, 0 * RAMP], -1)), RAMP)
    np.testing.assert_array_equal(dataset.luminance(da.from_array(RAMP)[..., None]), RAMP)
    red = np.stack([RAMP, 0 * RAMP, 0 * RAMP, 0 * RAMP + 255], -1)
    np.testing.assert_allclose(dataset.luminance(red), 0.299 * RAMP)
    assert dataset.native(RAMP.astype(">f4")).dtype.isnative and dataset.native(RAMP) is RAMP


def test_steps_with_units_are_lengths():
    assert calibrate((2.0, 1.0), ("A", "nm")).pixel_size == (0.2, 1.0)
    assert calibrate((0.5, 0.25), ("µm", "um")).pixel_size == (500, 250)
    for steps, units in (((0.0, 1.0), ("nm", "nm")), ((float("nan"), 1.0), ("nm", "nm"))):
        assert calibrate(steps, units).pixel_size is None and "no usable" in calibrate(steps, units).note
    assert calibrate((0.1, 0.1), ("1 / nm", "1 / nm")).units == "1/nm"
    assert (calibrate((1.0, 1.0), ("", "")).note, bool(calibrate((2.0, 2.0), ("", "")).note)) == ("", True)
