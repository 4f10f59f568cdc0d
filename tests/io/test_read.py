"""Reading files: pixels and calibration against what was written, for each format and for napari."""

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from pint import Unit

from napari_vae.core.errors import InputError, ReadError
from napari_vae.core.micrograph import Micrograph
from napari_vae.io import list_datasets, read
from napari_vae.io.channels import varies
from napari_vae.layers.reader import get_reader


@pytest.fixture
def ramp():
    return np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)


# ---- TIFF -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["nm", "micron", "\\u00B5m", "um"])
def test_imagej_calibration(tmp_path, ramp, unit):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ramp, imagej=True, resolution=(1 / 0.03, 1 / 0.02), metadata={"unit": unit})
    image = read(path)
    per_unit = 1 if unit == "nm" else 1000
    np.testing.assert_array_equal(image.data, ramp)
    assert image.pixel_size == pytest.approx((0.02 * per_unit, 0.03 * per_unit), rel=1e-4)
    assert (image.units, image.axes, image.name) == ("nm", "YX", "a")


def test_imagej_without_unit_is_uncalibrated(tmp_path, ramp):
    tifffile.imwrite(tmp_path / "a.tif", ramp, imagej=True, resolution=(72, 72))
    assert read(tmp_path / "a.tif").pixel_size is None


def test_ome_calibration(tmp_path, ramp):
    path = tmp_path / "a.ome.tif"
    metadata = {
        "axes": "TYX",
        "PhysicalSizeX": 0.3,
        "PhysicalSizeXUnit": "Å",
        "PhysicalSizeY": 20,
        "PhysicalSizeYUnit": "pm",
    }
    tifffile.imwrite(path, np.stack([ramp, ramp + 1]), metadata=metadata)
    movie = read(path)
    assert (movie.axes, movie.n_frames, movie.units) == ("TYX", 2, "nm")
    assert movie.pixel_size == pytest.approx((0.02, 0.03))


def test_ome_default_unit_is_micrometre(tmp_path, ramp):
    tifffile.imwrite(tmp_path / "a.ome.tif", ramp, metadata={"PhysicalSizeX": 0.001, "PhysicalSizeY": 0.001})
    assert read(tmp_path / "a.ome.tif").pixel_size == pytest.approx((1, 1))


@pytest.mark.parametrize(("unit", "per_unit"), [("INCH", 300), ("INCH", 2.54e8), ("CENTIMETER", 118)])
def test_printing_resolution_is_not_a_calibration(tmp_path, ramp, unit, per_unit):
    tifffile.imwrite(tmp_path / "a.tif", ramp, resolution=(per_unit, per_unit), resolutionunit=unit)
    assert read(tmp_path / "a.tif").pixel_size is None


def test_resolution_in_centimetres_of_a_microscope(tmp_path, ramp):
    tifffile.imwrite(tmp_path / "a.tif", ramp, resolution=(2e8, 1e8), resolutionunit="CENTIMETER")
    assert read(tmp_path / "a.tif").pixel_size == pytest.approx((0.1, 0.05))


@pytest.mark.parametrize("dtype", [np.uint8, ">u2", ">f4", np.float16, np.float64, np.uint32])
def test_any_pixel_type_arrives_in_native_order(tmp_path, ramp, dtype):
    tifffile.imwrite(tmp_path / "a.tif", ramp.astype(dtype), byteorder=">")
    image = read(tmp_path / "a.tif")
    assert image.data.dtype.isnative
    np.testing.assert_array_equal(image.data, ramp.astype(dtype))


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour_gives_luminance_and_says_so(tmp_path, planar):
    colour = np.zeros((16, 20, 3), np.uint8)
    colour[..., 1] = 100
    stored = colour if planar == "contig" else np.moveaxis(colour, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    image = read(tmp_path / "a.tif")
    assert image.shape == (16, 20)
    assert float(image.data[0, 0]) == pytest.approx(58.7)
    assert "luminance" in image.metadata["notes"][0]


@pytest.mark.parametrize("shape", [(24, 32, 3), (5, 24, 32, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colours_in_the_last_axis_become_luminance(tmp_path, shape, dtype):
    colours = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    np.save(tmp_path / "a.npy", colours)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="minisblack")
    for name in ("a.npy", "a.tif"):
        image = read(tmp_path / name)
        np.testing.assert_allclose(image.data, colours @ [0.299, 0.587, 0.114], rtol=1e-4)
        assert image.axes == "TYX"[-image.data.ndim :]
    with pytest.raises(InputError, match="colour picture or movie"):
        Micrograph(colours)


def test_lzw_compression(tmp_path, ramp):
    from PIL import Image

    Image.fromarray(ramp).save(tmp_path / "a.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").data, ramp)


@pytest.mark.parametrize(("compression", "known"), [(7, "JPEG"), (50000, "ZSTD"), (34887, "LERC")])
def test_a_compression_that_cannot_be_read_is_named(tmp_path, ramp, compression, known):
    tifffile.imwrite(tmp_path / "a.tif", ramp)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(compression)
    installed = find_spec("imagecodecs") is not None
    words = "is cut short or not" if installed else rf'compressed \({known}\).*pip install "napari-vae\[formats\]"'
    with pytest.raises(ReadError, match=words):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["jpeg", "zstd"])
def test_compressions_of_other_programs(tmp_path, ramp, compression):
    from PIL import Image

    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_allclose(read(tmp_path / "a.tif").data, ramp.astype(np.uint8), atol=3)


def test_a_frame_that_is_damaged_is_one_sentence_when_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vae.io.dataset.LAZY_BYTES", 1000)
    frames = np.random.default_rng(0).normal(size=(5, 32, 32)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", frames, compression="zlib", metadata={"axes": "TYX"}, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        place = tiff.pages[2].dataoffsets[0]
    movie = read(tmp_path / "a.tif")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[place : place + 100] = bytes(100)
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_array_equal(movie.frame(1)[0], frames[1])
    with pytest.raises(ReadError, match=r"Frame 2 of a\.tif is missing or damaged"):
        movie.frame(2)


def test_warnings_and_loggers_of_others_are_let_alone(tmp_path, ramp, caplog):
    tifffile.imwrite(tmp_path / "a.tif", ramp)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        place = tiff.pages[0].tags["ImageDescription"].offset + 2
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[place : place + 2] = b"\xff\xff"
    (tmp_path / "a.tif").write_bytes(content)
    logger = logging.getLogger("tifffile")
    before = warnings.filters[:], warnings.showwarning, logger.propagate, logger.handlers[:], logger.level
    with ThreadPoolExecutor(8) as pool:
        assert all(image.shape == ramp.shape for image in pool.map(read, [tmp_path / "a.tif"] * 40))
    assert before == (warnings.filters[:], warnings.showwarning, logger.propagate, logger.handlers[:], logger.level)
    assert caplog.records, "what a reader says reaches whoever listens"


def test_channels_stay_channels(tmp_path, ramp):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([ramp] * 3), imagej=True, metadata={"axes": "CYX"})
    assert read(tmp_path / "a.tif").axes == "CYX"


def test_movie_of_several_channels_is_refused(tmp_path, ramp):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 3, 24, 32), np.uint16), imagej=True, metadata={"axes": "TCYX"})
    with pytest.raises(ReadError, match="one channel"):
        read(tmp_path / "a.tif")


def test_large_stacks_stay_on_disk(tmp_path, ramp, monkeypatch):
    monkeypatch.setattr("napari_vae.io.dataset.LAZY_BYTES", 100)
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack([ramp, ramp + 7, ramp + 9]), photometric="minisblack", compression="zlib"
    )
    movie = read(tmp_path / "a.tif")
    assert hasattr(movie.data, "dask")
    np.testing.assert_array_equal(movie.frame(1)[0], ramp + 7)


# ---- pictures, arrays -----------------------------------------------------------------------------------------------


def test_sixteen_bit_png(tmp_path, ramp):
    imageio.imwrite(tmp_path / "a.png", ramp)
    image = read(tmp_path / "a.png")
    np.testing.assert_array_equal(image.data, ramp)
    assert image.pixel_size is None


def test_grey_picture_in_colours_keeps_its_values(tmp_path, ramp):
    grey = (ramp // 4).astype(np.uint8)
    imageio.imwrite(tmp_path / "a.png", np.stack([grey] * 3 + [np.full_like(grey, 255)], axis=-1))
    np.testing.assert_array_equal(read(tmp_path / "a.png").data, grey)


def test_an_npy_that_is_written_anew_does_not_change_what_was_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 16, 16), ">f8"))
    assert read(tmp_path / "a.npy").axes == "TYX"
    np.save(tmp_path / "b.npy", np.ones((16, 16)))
    data = read(tmp_path / "b.npy").data
    np.save(tmp_path / "b.npy", np.zeros((16, 16)))  # into the same file, which is mapped while it is looked at
    assert (data == 1).all()


def test_complex_gives_magnitude_and_says_so(tmp_path):
    np.save(tmp_path / "a.npy", np.full((16, 16), 3 + 4j))
    image = read(tmp_path / "a.npy")
    assert image.data.max() == 5
    assert "magnitude" in image.metadata["notes"][0]


# ---- real files -----------------------------------------------------------------------------------------------------

REAL = {  # file: (shape, pixel size or None, units)
    "acstem/021_HAADF_15nm_Sample_PtNC_21Oct20.tif": ((512, 512), (0.0293, 0.0293), "nm"),
    "re_bpy/bpy_crop19.tif": ((512, 512), None, "px"),
    "re_bpy/bpy_crop1.png": ((512, 512), None, "px"),
    "lattices/16_STOimage_1.ser": ((1024, 1024), (0.010013, 0.010013), "nm"),
    "lattices/16_STOimage.emi": ((1024, 1024), (0.010013, 0.010013), "nm"),
    "lattices/example_Se_implanted_MoS2.dm3": ((1024, 1024), (0.012695, 0.012695), "nm"),
    "lattices/example_Au_nanoparticle.emd": ((2048, 2048), (0.0074984, 0.0074984), "nm"),
    "lattices/DMReader_Image_SI-Survey.dm3": ((512, 512), None, "px"),
    "lattices/MoS2_stem_Exp-001-5.npy": ((512, 512), (0.0136719, 0.0136719), "nm"),
    "lattices/image_with_defects.dat": ((256, 256), None, "px"),
    "lattices/Au_NP_Atom_Lattice.hdf5": ((479, 504), None, "px"),
    "lattices/test_ABF_cropped.hdf5": ((400, 380), None, "px"),
    "lattices/Si110_5nmX25us_03_none_none.png": ((512, 512), None, "px"),
    "lattices/test_ADF_cropped.hdf5": ((400, 380), None, "px"),
    "formats/openNCEM_GPL3/dmTest_float32_nonSquare_diffPixelSize.dm3": ((64, 128), (0.2, 1), "nm"),
    "formats/openNCEM_GPL3/dmTest_float32_nonSquare_diffPixelSize.dm4": ((64, 128), (0.2, 1), "nm"),
    "formats/openNCEM_GPL3/Acquisition_18.emd": ((1024, 1024), (0.0122465, 0.0122465), "nm"),
    "formats/openNCEM_GPL3/temp.mrc": ((3, 128, 128), (0.2, 0.2), "nm"),
    "formats/rsciio_GPL3/fei_example_tem_stack.emd": ((2, 3, 3), (0.0081729, 0.0081729), "nm"),
    "formats/rsciio_GPL3/03_Scanning Preview_1.ser": ((5, 128, 128), (0.38435, 0.38435), "nm"),
    "formats/rsciio_GPL3/multi_signal.dm3": ((512, 512), (0.017752, 0.017752), "nm"),
    "formats/rsciio_GPL3/example2_v3.1.hspy": ((16, 16), (0.17443, 0.17443), "1/nm"),
    "formats/rsciio_GPL3/test_loading_image_saved_with_imageJ.tif": ((68, 68), (168.675, 168.675), "nm"),
    "formats/rsciio_GPL3/test_loading_image_saved_with_imageJ_stack.tif": ((2, 68, 68), (168.675, 168.675), "nm"),
    "formats/rsciio_GPL3/test_loading_image_saved_with_imageJ_no_scale.tif": ((68, 68), None, "px"),
    "formats/rsciio_GPL3/test_loading_image_saved_with_DM_stack.tif": ((2, 68, 68), (1686.74, 168.674), "nm"),
    "formats/rsciio_GPL3/03_Scanning Preview.emi": ((5, 128, 128), (0.38435, 0.38435), "nm"),
    "formats/rsciio_GPL3/16x16_STEM_BF_DF_acquire_1.ser": ((16, 16), (21.5105, 21.5105), "nm"),
    "formats/rsciio_GPL3/16x16_STEM_BF_DF_acquire_2.ser": ((16, 16), (21.5105, 21.5105), "nm"),
    "formats/rsciio_GPL3/16x16_STEM_BF_DF_acquire.emi": ((16, 16), (21.5105, 21.5105), "nm"),
    "formats/rsciio_GPL3/HAADFscan.mrc": ((16, 16), (5.679, 5.679), "nm"),
    "formats/rsciio_GPL3/example_image.emd": ((3, 3), None, "px"),
    "formats/rsciio_GPL3/example_signal.emd": ((3, 3, 3), None, "px"),
    "formats/rsciio_GPL3/test-2_2D.dm4": ((2, 2), None, "px"),
    "formats/rsciio_GPL3/test-2_3D.dm4": ((2, 2, 2), None, "px"),
    "formats/rsciio_GPL3/test_STEM_image.dm3": ((68, 68), (0.2485, 0.2485), "nm"),
    "formats/rsciio_GPL3/test_fft_packed_complex8.dm4": ((5, 4), None, "px"),
    "formats/rsciio_GPL3/test_stackbuilder_imagestack.dm3": ((3, 2, 16), (59.98, 59.98), "nm"),
    "formats/rsciio_GPL3/test_loading_image_saved_with_DM.tif": ((68, 68), (168.674, 168.674), "nm"),
    "formats/SciFiReaders_MIT/SI-HAADF.dm3": ((1568, 192), None, "px"),
    "formats/SciFiReaders_MIT/fei_emd_image.emd": ((512, 512), (5.302, 5.302), "nm"),
    "formats/pynxtools_Apache2/A151216.123306-02602.sxm": ((128, 128), (0.015625, 0.015625), "nm"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_file(real_data, name):
    shape, pixel_size, units = REAL[name]
    image = read(real_data / name)
    assert (image.shape, image.units) == (shape, units)
    assert image.pixel_size == (None if pixel_size is None else pytest.approx(pixel_size, rel=2e-3))
    assert np.isfinite(image.frame()).all()


def test_no_real_file_is_left_out(real_data):
    """What is not in the table is no image: spectra, an archive, settings, positions."""
    spectra = {"ref_F_2_1.dm3", "ref_F_2_1.dm4", "ref_F_2_1.dm5"}
    other = {"velox_emd_version11.zip", "MoS2_stem_Exp-001-5.json", "Au_NP_atom_positions.npy"}
    files = {path for folder in ("formats", "lattices") for path in (real_data / folder).rglob("*.*")}
    names = {str(path.relative_to(real_data)) for path in files if path.is_file() and path.suffix != ".csv"}
    assert {Path(name).name for name in names - set(REAL)} == spectra | other
    for path in files:
        if path.name in spectra:
            with pytest.raises(ReadError, match="holds no image"):
                read(path)


def test_every_real_image_is_a_layer_for_each_dataset(real_data):
    for name in REAL:
        layers = get_reader(str(real_data / name))(str(real_data / name))
        image = read(real_data / name, dataset=0)
        assert len(layers) == len(list_datasets(real_data / name))
        assert all(
            tuple(options["scale"][-2:]) == pytest.approx(image.scale) for _, options, _ in layers if image.pixel_size
        )
        unit = "pixel" if image.pixel_size is None else image.units
        assert Unit(layers[0][1]["units"][-1]) == Unit(unit)


def test_ncem_file_is_not_transposed(real_data):
    h5py = pytest.importorskip("h5py")
    path = real_data / "formats/openNCEM_GPL3/Acquisition_18.emd"
    with h5py.File(path) as file:
        stored = file["data/single/data"][:]
        assert file["data/single/dim1"].attrs["name"] == b"Y"
    np.testing.assert_array_equal(read(path).data, stored)


def test_datasets_of_one_file_by_name_and_index(real_data):
    path = real_data / "formats/rsciio_GPL3/16x16_STEM_BF_DF_acquire.emi"
    names = list_datasets(path)
    assert len(names) == len(set(names)) == 2
    second = read(path, dataset=names[1])
    np.testing.assert_array_equal(second.data, read(path, dataset=1).data)
    assert not np.array_equal(second.data, read(path).data)
    with pytest.raises(ReadError, match="choose one of"):
        read(path, dataset="bright field")


def test_spectra_are_passed_over(real_data):
    assert list_datasets(real_data / "formats/rsciio_GPL3/multi_signal.dm3") == ["HAADF"]


def test_reading_leaves_no_trace_on_terminal_or_settings(real_data, capfd):
    before = warnings.filters[:], logging.getLogger("rsciio").propagate
    read(real_data / "formats/openNCEM_GPL3/temp.mrc")
    read(real_data / "formats/rsciio_GPL3/fei_example_tem_stack.emd")
    assert capfd.readouterr() == ("", "")
    assert before == (warnings.filters[:], logging.getLogger("rsciio").propagate)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.array([[np.nan, 1.0], [2.0, np.inf]]), True),
        (np.array([[np.nan, 1.0], [1.0, -np.inf]]), False),
        (np.full((2, 2), np.nan), False),
        (np.array([[0, 3]], np.uint8), True),
        (np.array([[3, 3]], np.uint8), False),
        (np.zeros((0, 2), np.float32), False),
    ],
)
def test_an_image_varies_where_pixels_that_were_measured_differ(data, expected):
    assert varies(data) is expected
