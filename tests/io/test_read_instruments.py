"""Files of scanning probe microscopes, cameras and other programs: written here, whose pixels and steps are known."""

import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_vae.core.errors import ReadError
from napari_vae.io import list_datasets, read
from refusing import assert_refused

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from fuzzing import instruments

PIXELS = np.random.default_rng(0).integers(1, 100, (24, 32)).astype(np.uint16)
NAMES = {
    ".gsf": ["Phase"],
    ".gwy": ["Topography", "Current"],
    ".ibw": ["HeightRetrace", "AmplitudeRetrace"],
    ".sm4": ["Topography forward", "Current forward", "Topography backward"],
    ".nxs": ["z_forward", "current_forward", "z_backward", "current_backward"],
    ".npz": ["image", "movie"],
    ".prz": ["scan"],
    ".zarr": ["0"],
    ".zspy": ["HAADF"],
    ".blo": ["bright field"],
    ".mib": ["a"],
    ".sur": ["image 0"],
    ".dat": ["Z forward", "Current forward", "Z backward", "Current backward"],
}


@pytest.fixture(params=NAMES)
def written(request, tmp_path):
    """A file of each format."""
    packages = {".nxs": "h5py", ".zarr": "zarr", ".zspy": "zarr", ".sur": "rsciio"}
    if request.param in packages:
        pytest.importorskip(packages[request.param])
    path = tmp_path / f"a{request.param}"
    instruments.WRITERS[request.param](path, PIXELS)
    return path


def test_pixels_channels_and_calibration(written):
    assert set(instruments.WRITERS) == set(NAMES)
    assert list_datasets(written) == NAMES[written.suffix]
    image = read(written)
    assert image.axes == ("TYX" if written.suffix in (".zarr", ".mib") else "YX")
    assert image.data.dtype.isnative
    np.testing.assert_array_equal(image.frame()[0] if image.axes == "TYX" else image.data, PIXELS)
    if written.suffix == ".mib":
        assert image.pixel_size is None and image.n_frames == 3
    else:
        assert (image.pixel_size, image.units) == (pytest.approx((0.02, 0.03), rel=1e-5), "nm")


def test_channels_are_not_mixed_up(written):
    """Where there are two kinds, the second was written as twice the first."""
    names = list_datasets(written)
    if len(names) > 1 and written.suffix != ".npz":
        factor = 3 if written.suffix == ".nxs" else 2
        np.testing.assert_array_equal(read(written, dataset=1).data, factor * PIXELS)


def test_files_cut_short(written):
    if written.is_dir():
        return
    content = written.read_bytes()
    for part in (8, 100, len(content) // 2, len(content) - 1000):
        cut = written.with_name(f"cut{written.suffix}")
        cut.write_bytes(content[:part])
        try:
            image = read(cut)
        except ReadError:
            assert_refused(cut)
        else:  # what is left is whole
            assert written.suffix in (".mib", ".dat", ".blo") and part > 100
            np.testing.assert_array_equal(image.frame(0)[0], PIXELS)


@pytest.mark.parametrize("version", ["Parameter", "Paramet32"])
def test_older_versions_of_createc(tmp_path, version):
    instruments.createc(tmp_path / "a.dat", PIXELS, version)
    image = read(tmp_path / "a.dat")
    np.testing.assert_array_equal(image.data, PIXELS)
    assert image.pixel_size == pytest.approx((0.02, 0.03))


def test_a_scan_of_createc_without_its_last_images_has_the_names_of_the_others(tmp_path):
    path = tmp_path / "a.dat"
    instruments.createc(path, PIXELS, "Paramet32")
    path.write_bytes(path.read_bytes()[: 1 - 4 * PIXELS.size])
    assert list_datasets(path) == NAMES[".dat"][:3]
    np.testing.assert_array_equal(read(path, dataset="Z backward").data, 3 * PIXELS)
    content = path.read_bytes().replace(b"Channels=4", b"Channels=5")
    path.write_bytes(content + bytes(8 * PIXELS.size - 1))
    assert list_datasets(path) == ["Z", "Current", "ADC 1", "ADC 2", "channel 4"], "an odd number has one direction"
    path.write_bytes(content.replace(b"ScanXMode=2", b"ScanXMode=0").replace(b"Channels=5", b"Channels=2"))
    assert list_datasets(path) == ["Z", "Current"]


def test_what_a_scan_of_createc_does_not_say(tmp_path):
    path = tmp_path / "a.dat"
    instruments.createc(path, PIXELS, "Paramet32")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Channels=", b"Chambers=").replace(b"Length", b"Breath"))
    assert list_datasets(path) == ["Z"] and read(path).pixel_size is None
    for side in (b"Num.X=32", b"Num.Y=24"):
        path.write_bytes(content.replace(side, side[:6] + b"00"))
        with pytest.raises(ReadError, match="pixels, which is no image"):
            read(path)
    path.write_bytes(content.replace(b"Num.X=32", b"Num.X= 1"))
    assert read(path).shape == (24, 1)
    path.write_bytes(content.replace(b"[Paramet32]", b"[ParVERT32]"))
    with pytest.raises(ReadError, match="no image but spectra"):
        read(path)


def test_a_page_of_rhk_without_texts_is_read(tmp_path):
    path = tmp_path / "a.sm4"
    instruments.sm4(path, PIXELS)
    content = path.read_bytes()
    texts = content.index(struct.pack("<H", 10) + "Topography".encode("utf-16-le"))
    known = struct.pack("<I", 10) + struct.pack("<I", texts)
    assert content.count(known) == 1
    path.write_bytes(content.replace(known, struct.pack("<2I", 11, texts)))
    assert list_datasets(path) == ["Topography forward", "Current forward", " backward"]
    image = read(path, dataset=" backward")
    np.testing.assert_array_equal(image.data, PIXELS)
    assert image.pixel_size is None and image.metadata["intensity_unit"] == ""


def test_gwyddion_1_and_the_prefix_of_its_unit(tmp_path):
    instruments.gwy_1(tmp_path / "a.gwy", PIXELS)
    image = read(tmp_path / "a.gwy")
    np.testing.assert_array_equal(image.data, PIXELS)
    assert image.pixel_size == pytest.approx((0.02, 0.03))


def test_a_wave_of_one_image_and_one_of_frames(tmp_path):
    instruments.ibw(tmp_path / "a.ibw", PIXELS, ())
    np.testing.assert_array_equal(read(tmp_path / "a.ibw").data, PIXELS)
    assert read(tmp_path / "a.ibw").metadata["intensity_unit"] == "m"
    instruments.ibw(tmp_path / "b.ibw", PIXELS, ("", ""))
    movie = read(tmp_path / "b.ibw")
    assert movie.axes == "TYX"
    np.testing.assert_array_equal(movie.frame(1)[0], PIXELS)


@pytest.mark.parametrize("size", [0, 1, 2, 100, 383])
def test_a_wave_that_ends_in_its_header_is_none(tmp_path, size):
    instruments.ibw(tmp_path / "a.ibw", PIXELS)
    (tmp_path / "a.ibw").write_bytes((tmp_path / "a.ibw").read_bytes()[:size])
    with pytest.raises(ReadError, match=r"a\.ibw.*(no image of Igor Pro|empty)"):
        read(tmp_path / "a.ibw")


@pytest.mark.parametrize("claimed", [8, 20, 2**31])
def test_an_array_of_gwyddion_that_claims_more_numbers_than_there_are(tmp_path, claimed):
    instruments.gwy(tmp_path / "a.gwy", PIXELS)
    content = bytearray((tmp_path / "a.gwy").read_bytes())
    at = content.index(struct.pack("<I2d", 2, 1.0, 2.0))  # where something is selected, after all images
    content[at : at + 4] = struct.pack("<I", claimed)
    (tmp_path / "a.gwy").write_bytes(content)
    assert_refused(tmp_path / "a.gwy")


def test_numbers_that_claim_to_be_larger_than_the_file(tmp_path):
    for name, place in (("a.sm4", 58), ("a.gwy", 17), ("a.ibw", 132), ("a.blo", 24)):
        instruments.WRITERS[name[1:]](tmp_path / name, PIXELS)
        content = bytearray((tmp_path / name).read_bytes())
        content[place : place + 4] = b"\xff\xff\xff\x7f"
        (tmp_path / name).write_bytes(content)
        assert_refused(tmp_path / name)


def test_what_pickles_is_refused_in_archives_and_folders(tmp_path):
    trap = np.empty((9, 9), object)
    np.savez(tmp_path / "a.npz", trap=trap)
    assert_refused(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", about={"gain": 3}, image=PIXELS)
    with zipfile.ZipFile(tmp_path / "b.npz", "a") as archive:
        archive.writestr("about.txt", "words")
    assert list_datasets(tmp_path / "b.npz") == ["image"], "what is no array of numbers is passed over"
    assert (read(tmp_path / "b.npz").data == PIXELS).all()
    pytest.importorskip("zarr")
    instruments.zspy(tmp_path / "a.zspy", PIXELS)
    about = tmp_path / "a.zspy" / "Experiments" / "scan" / "data" / ".zarray"
    about.write_text(about.read_text().replace('"filters": null', '"filters": [{"id": "pickle"}]'))
    (tmp_path / "a.zspy" / ".zmetadata").write_text("{}")  # one that names none beside it is not enough
    with pytest.raises(ReadError, match="pickled objects"):
        read(tmp_path / "a.zspy")


def test_zarr_that_is_no_folder(tmp_path):
    (tmp_path / "a.zarr").write_bytes(b"PK")
    with pytest.raises(ReadError, match=r"a\.zarr is a file, where \.zarr is a folder"):
        read(tmp_path / "a.zarr")


def test_arrays_of_hdf5_with_axes_of_length_one_are_frames(tmp_path):
    h5py = pytest.importorskip("h5py")
    frames = np.random.default_rng(0).integers(0, 9, (5, 1, 64, 64)).astype(np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exp"] = frames
    movie = read(tmp_path / "a.h5")
    assert (movie.axes, movie.n_frames, movie.shape) == ("TYX", 5, (5, 64, 64))
    np.testing.assert_array_equal(movie.frame(3)[0], frames[3, 0])
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["rgb"] = np.stack([frames[:, 0]] * 3, axis=-1)
        file["maps"] = np.zeros((9, 9, 64, 64))
    assert list_datasets(tmp_path / "b.h5") == ["rgb"], "four long axes are no movie"
    movie = read(tmp_path / "b.h5")
    assert movie.axes == "TYX" and any("luminance" in note for note in movie.metadata["notes"])
    np.testing.assert_array_equal(movie.frame(2)[0], frames[2, 0])


def test_large_arrays_of_hdf5_stay_on_disk(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    frames = np.random.default_rng(0).integers(0, 9, (5, 1, 64, 64)).astype(np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exp"] = frames
    monkeypatch.setattr("napari_vae.io.dataset.LAZY_BYTES", 1000)
    movie = read(tmp_path / "a.h5")
    assert hasattr(movie.data, "dask") and movie.shape == (5, 64, 64)
    np.testing.assert_array_equal(movie.frame(4)[0], frames[4, 0])


def test_arrays_are_listed_by_their_numbers(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in (1, 2, 10):
            file[f"scan{number}"] = np.full((20, 20), number)
    assert list_datasets(tmp_path / "a.h5") == ["scan1", "scan2", "scan10"]


def test_a_constant_channel_is_passed_over_and_named(tmp_path):
    current = np.random.default_rng(0).normal(size=PIXELS.shape)
    np.savez(tmp_path / "a.npz", Z=np.zeros(PIXELS.shape), Current=current, Phase=current + 1)
    assert list_datasets(tmp_path / "a.npz")[0] == "Z"
    image = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(image.data, current)
    assert image.metadata["notes"][-1] == (
        "“Z” has one value everywhere, so “Current” was read; another is chosen with --dataset."
    )
    assert (read(tmp_path / "a.npz", dataset="Z").data == 0).all()
    np.savez(tmp_path / "b.npz", Z=np.zeros((9, 9)), Current=np.full((9, 9), np.nan))
    assert read(tmp_path / "b.npz").metadata["dataset"] == "Z", "where none varies, the first"


def test_steps_that_no_pixel_has_are_not_believed(tmp_path):
    h5py = pytest.importorskip("h5py")
    instruments.nxs(tmp_path / "a.nxs", PIXELS)
    with h5py.File(tmp_path / "a.nxs", "a") as file:
        for axis in "xy":
            file[f"entry/z_forward/{axis}"].attrs["units"] = "A"
    image = read(tmp_path / "a.nxs")
    assert image.pixel_size is None and "no pixel" in image.metadata["notes"][-1]


def test_axes_of_another_kind_calibrate_nothing(tmp_path):
    h5py = pytest.importorskip("h5py")
    instruments.nxs(tmp_path / "a.nxs", PIXELS)
    with h5py.File(tmp_path / "a.nxs", "a") as file:
        axis = file["entry/z_forward/x"]
        values, units = axis[()].astype(complex), axis.attrs["units"]
        del file["entry/z_forward/x"]
        file["entry/z_forward/x"] = values
        file["entry/z_forward/x"].attrs["units"] = units
    assert read(tmp_path / "a.nxs").pixel_size is None


@pytest.mark.parametrize("suffix", [".npy", ".png", ".tif"])
def test_the_json_beside_any_image_without_calibration(tmp_path, suffix):
    import imageio.v3 as imageio

    if suffix == ".npy":
        np.save(tmp_path / "a.npy", PIXELS)
    else:
        imageio.imwrite(tmp_path / f"a{suffix}", PIXELS)
    path, beside = tmp_path / f"a{suffix}", tmp_path / "a.json"
    for content, expected in (
        ('{"pixel_size": 0.3, "units": "Å"}', (0.03, 0.03)),
        ('{"pixel_size": [20, 30], "unit": "pm"}', (0.02, 0.03)),
        ('{"spatial_info": {"field_of_view_x": 3.2, "field_of_view_y": 4.8, "field_of_view_units": "nm"}}', (0.2, 0.1)),
        ('{"pixel_size": 0.3}', None),
        ('{"pixel_size": 0, "units": "nm"}', None),
        ("[1, 2", None),
    ):
        beside.write_text(content)
        assert read(path).pixel_size == (expected and pytest.approx(expected))
    assert "a.json" in read(path).metadata["notes"][-1]


REAL = {  # file: (shape, pixel size in nm, the first channel)
    "chip.gwy": ((300, 300), 266.667, "image 0"),
    "chip.gsf": ((300, 300), 266.667, "Topography"),
    "image.ibw": ((256, 256), 7.84314, "HeightRetrace"),
    "topo_ABC_2.sm4": ((128, 128), 0.585938, "Topography forward"),
    "createc_scan_11nm.dat": ((512, 512), 0.0219733, "Z forward"),
    "stm_4_5.nxs": ((256, 256), 0.0156863, "z_forward"),
    "test_TEM.bcf": ((64, 64), 0.771005, "HAADF"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_of_instruments(real_data, name):
    shape, step, first = REAL[name]
    image = read(real_data / "unseen" / "formats" / name)
    assert (image.shape, image.units, image.metadata["dataset"]) == (shape, "nm", first)
    assert image.pixel_size == pytest.approx((step, step), rel=1e-4)
    assert np.ptp(image.data) > 0


def test_the_real_scan_of_createc_against_its_array(real_data):
    image = read(real_data / "unseen" / "formats" / "createc_scan_11nm.dat")
    np.testing.assert_array_equal(image.data, np.load(real_data / "unseen" / "createc_scan_11nm_ch0.npy"))


def test_a_real_scan_at_constant_height(real_data):
    image = read(real_data / "unseen" / "Au_mica_195.sxm")
    assert image.metadata["dataset"] == "Current forward"
    assert "“Z forward” has one value everywhere" in image.metadata["notes"][-1]


@pytest.mark.parametrize("suffix", [".zarr", ".zspy"])
def test_what_is_missing_is_named(tmp_path, monkeypatch, suffix):
    (tmp_path / f"a{suffix}").mkdir()
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ReadError, match=rf'Reading \{suffix} files needs zarr; .*pip install "napari-vae\[formats\]"'):
        read(tmp_path / f"a{suffix}")
