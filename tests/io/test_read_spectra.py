"""Spectrum images of every format have their energies, places and survey image, or one sentence says why not."""

import os

import numpy as np
import pytest

from napari_vae.core.errors import InputError, ReadError
from napari_vae.core.spectra import SpectrumImage
from napari_vae.io import list_datasets, read, read_spectra, spectra
from napari_vae.io.spectra import Spectra, holds_map
from refusing import assert_refused

CUBE = np.arange(4 * 5 * 30, dtype=np.float32).reshape(4, 5, 30)
ENERGY = 400 + 0.5 * np.arange(30)


def signal(data=CUBE, **changed):
    """A signal as the writers of RosettaSciIO take it: EELS, with pixels of 0.2 and 0.3 nm."""
    axes = [
        {"name": "y", "scale": 2.0, "offset": 0.0, "units": "Å", "size": 4, "navigate": True},
        {"name": "x", "scale": 0.3, "offset": 0.0, "units": "nm", "size": 5, "navigate": True},
        {"name": "Energy loss", "scale": 0.5, "offset": 400.0, "units": "eV", "size": 30, "navigate": False},
    ][-data.ndim :]
    axes = [{**axis, "_type": "UniformDataAxis", "index_in_array": n} for n, axis in enumerate(axes)]
    axes[-1] |= changed
    metadata = {"General": {"title": "core loss"}, "Signal": {"signal_type": "EELS"}}
    return {
        "data": data,
        "axes": axes,
        "metadata": metadata,
        "original_metadata": {},
        "package_info": {"package": "test", "package_version": "1"},
        "learning_results": {},
        "models": {},
        "tmp_parameters": {},
        "attributes": {"_lazy": False, "ragged": False},
    }


def assert_is_the_cube(image, data=CUBE, energy=ENERGY):
    np.testing.assert_array_equal(image.data, data)
    np.testing.assert_allclose(image.energy, energy)


def as_zarr(path, folder):
    """The groups and arrays of an HDF5 file in a folder of zarr, which is what .zspy is to .hspy."""
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    root = zarr.open_group(folder, mode="w")

    def copy(name, item):
        if isinstance(item, h5py.Group):
            made = root.require_group(name)
            made.attrs.update({key: np.asarray(value).tolist() for key, value in item.attrs.items()})
        elif item.dtype.kind in "iuf":
            root.create_array(name, data=item[()])

    with h5py.File(path) as file:
        file.visititems(copy)


@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_what_hyperspy_writes(here, suffix):
    writer = pytest.importorskip("rsciio.hspy")
    writer.file_writer(str(here / "a.hspy"), signal(), show_progressbar=False)
    if suffix == "zspy":
        as_zarr(here / "a.hspy", here / "a.zspy")
    image = read_spectra(here / f"a.{suffix}")
    assert_is_the_cube(image)
    assert (image.energy_label, image.pixel_size, image.units) == ("Energy loss (eV)", pytest.approx((0.2, 0.3)), "nm")
    assert image.survey is None and image.metadata["dataset"] == "core loss" and isinstance(image.data, np.ndarray)
    assert holds_map(here / f"a.{suffix}")
    with pytest.raises(ReadError, match="has no dataset 'b'; choose one of “core loss”"):
        read_spectra(here / f"a.{suffix}", dataset="b")


def test_a_line_a_single_spectrum_and_energies_that_are_listed(here):
    writer = pytest.importorskip("rsciio.hspy")
    writer.file_writer(str(here / "line.hspy"), signal(CUBE[0]), show_progressbar=False)
    line = read_spectra(here / "line.hspy")
    assert line.shape == (1, 5, 30) and line.pixel_size is None
    listed = np.geomspace(1, 9, 30)
    writer.file_writer(
        str(here / "one.hspy"), signal(CUBE[0, 0], axis=listed, _type="DataAxis"), show_progressbar=False
    )
    assert_is_the_cube(read_spectra(here / "one.hspy"), CUBE[:1, :1], listed)
    assert not holds_map(here / "one.hspy")


def test_a_formula_is_not_computed(here):
    writer = pytest.importorskip("rsciio.hspy")
    formula = {"expression": "__import__('os').system('true')", "_type": "FunctionalDataAxis"}
    writer.file_writer(str(here / "a.hspy"), signal(**formula), show_progressbar=False)
    with pytest.raises(ReadError, match="as a formula, which is not computed"):
        read_spectra(here / "a.hspy")


def test_the_image_beside_the_spectra_is_their_survey(here):
    writer = pytest.importorskip("rsciio.hspy")
    h5py = pytest.importorskip("h5py")
    writer.file_writer(str(here / "a.hspy"), signal(), show_progressbar=False)
    picture = {"name": "y", "scale": 0.02, "units": "nm", "size": 40, "offset": 0.0, "navigate": False}
    with h5py.File(here / "a.hspy", "a") as file:
        file.copy("Experiments/core loss", "Experiments/HAADF")
        group = file["Experiments/HAADF"]
        del group["data"], group["axis-2"]
        group["data"] = np.random.default_rng(0).random((40, 75), dtype=np.float32)
        for number, (step, size) in enumerate([(0.02, 40), (0.02, 75)]):
            group[f"axis-{number}"].attrs.update(picture | {"scale": step, "size": size, "name": "yx"[number]})
        group["metadata/General"].attrs["title"] = "HAADF"
        group["metadata/Signal"].attrs["signal_type"] = ""
    image = read_spectra(here / "a.hspy")
    assert_is_the_cube(image)
    assert image.survey.shape == (40, 75) and image.survey.pixel_size == (0.02, 0.02) and image.covers(image.survey)
    assert list_datasets(here / "a.hspy") == ["HAADF"]


def nexus(path, cube=CUBE, names=("y", "x", "bias")):
    h5py = pytest.importorskip("h5py")
    values = {"y": (0.2 * np.arange(4), "nm"), "x": (0.3 * np.arange(5), "nm"), "bias": (np.linspace(-1, 1, 30), "V")}
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"NX_class": "NXdata", "signal": "current", "axes": names})
        group["current"] = cube
        for name in names:
            group[name], unit = values[name]
            group[name].attrs["units"] = unit


def test_nexus_names_the_axes_wherever_that_of_energies_is(here):
    for names, cube in ((("y", "x", "bias"), CUBE), (("bias", "y", "x"), np.moveaxis(CUBE, -1, 0))):
        nexus(here / "a.nxs", cube, names)
        image = read_spectra(here / "a.nxs")
        assert_is_the_cube(image, energy=np.linspace(-1, 1, 30))
        assert (image.energy_label, image.pixel_size) == ("bias (V)", pytest.approx((0.2, 0.3)))
        with pytest.raises(ReadError, match="no image"):
            read(here / "a.nxs")


def test_arrays_of_hdf5_with_energies_beside_them_or_without(here):
    h5py = pytest.importorskip("h5py")
    with h5py.File(here / "a.h5", "w") as file:
        file["map/spectra"], file["map/energy"], file["map/time"] = CUBE, ENERGY[::-1], np.zeros(30)
        file["map/energy"].attrs["units"] = "meV"
        file["other"] = np.zeros(7)
    image = read_spectra(here / "a.h5")
    assert_is_the_cube(image, CUBE[..., ::-1])
    assert image.energy_label == "energy (meV)" and holds_map(here / "a.h5")
    with h5py.File(here / "b.h5", "w") as file:
        file["spectra"] = CUBE
    image = read_spectra(here / "b.h5")
    assert_is_the_cube(image, energy=np.arange(30))
    assert image.energy_label == "channel" and not holds_map(here / "b.h5"), "which may be a movie"


def test_a_text_of_one_spectrum(here):
    pytest.importorskip("rsciio")
    lines = ["#FORMAT : EMSA/MAS Spectral Data File", "#VERSION : 1.0", "#TITLE : one", "#NPOINTS : 3", "#NCOLUMNS : 1"]
    lines += [
        "#XUNITS : eV",
        "#YUNITS : counts",
        "#DATATYPE : Y",
        "#XPERCHAN : 0.5",
        "#OFFSET : 10",
        "#SIGNALTYPE : ELS",
    ]
    (here / "a.msa").write_text("\n".join([*lines, "#SPECTRUM", "1,", "4,", "9,", "#ENDOFDATA"]) + "\n")
    assert_is_the_cube(read_spectra(here / "a.msa"), np.array([[[1, 4, 9]]]), [10, 10.5, 11])


def test_energies_first_as_digital_micrograph_has_them(here):
    axes = [("Energy loss", "eV", 0.5, True), ("y", "nm", 0.2, False), ("x", "nm", 0.3, False)]
    axes = [{"name": name, "units": unit, "scale": step, "navigate": moves} for name, unit, step, moves in axes]
    axes[0]["offset"] = 400
    turned = np.moveaxis(CUBE, -1, 0)
    found = Spectra("a", turned.shape, axes, lambda: turned, {})
    assert found.places == 20
    assert_is_the_cube(found.image(here / "a.dm4"))


def test_large_spectra_stay_on_the_disk(here, monkeypatch):
    nexus(here / "a.nxs")
    for name in ("napari_vae.io.hdf5_arrays.is_large", "napari_vae.io.spectra.is_large"):
        monkeypatch.setattr(name, lambda nbytes: nbytes > 1000)
    image = read_spectra(here / "a.nxs")
    assert hasattr(image.data, "dask")
    np.testing.assert_array_equal(image.spectrum(2, 3), CUBE[2, 3])
    np.testing.assert_allclose(image.mean(), CUBE.mean((0, 1)))


def test_a_real_map_of_bruker(real_data):
    image = read_spectra(real_data / "unseen/formats/test_TEM.bcf")
    assert image.shape == (64, 64, 2048) and image.energy_label == "Energy (keV)" and image.data.sum() == 26005
    assert image.survey.shape == (64, 64) and image.covers(image.survey)
    peak = image.energy[image.energy > 0.1][image.mean()[image.energy > 0.1].argmax()]
    assert 0 < peak < 20


def test_bad_files_end_in_one_sentence(here):
    pytest.importorskip("rsciio")
    h5py = pytest.importorskip("h5py")
    with h5py.File(here / "none.h5", "w") as file:
        file["line"] = np.zeros(9)
    with h5py.File(here / "link.hspy", "w") as file:
        file["Experiments/a/data"] = h5py.ExternalLink("none.h5", "line")
    with h5py.File(here / "rows.hspy", "w") as file:
        file["Experiments"] = np.zeros(9)
    with h5py.File(here / "bare.hspy", "w") as file:
        file["Experiments/a/data"] = CUBE
    for suffix in set(spectra.SPECTRA) - {".hdf5", ".nxs", ".h5", ".dm3", ".emi"}:
        path = here / f"short{suffix}"
        path.mkdir() if suffix == ".zspy" else path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    np.save(here / "a.npy", CUBE)
    for name in ["none.h5", "link.hspy", "rows.hspy", "bare.hspy", "a.npy", "missing.dm4"]:
        assert_refused(here / name, read_spectra)
    for path in here.glob("short*"):
        assert_refused(path, read_spectra)
    assert not holds_map(here / "short.dm4")
    if hasattr(os, "mkfifo"):
        os.mkfifo(here / "pipe.msa")
        assert_refused(here / "pipe.msa", read_spectra)


def test_what_a_spectrum_image_may_be():
    image = SpectrumImage(CUBE, ENERGY[::-1])
    np.testing.assert_array_equal(image.data, CUBE[..., ::-1])
    assert list(image.energy) == sorted(ENERGY) and SpectrumImage(CUBE).energy[-1] == 29
    unknown = CUBE.copy()
    unknown[0, 0, 3] = np.nan
    assert SpectrumImage(unknown).mean()[3] == pytest.approx(unknown[..., 3].ravel()[1:].mean())
    for data, energy, words in (
        (CUBE[0], None, "shape"),
        (CUBE + 1j, None, "complex64"),
        (CUBE[:0], None, "shape"),
        (CUBE, ENERGY[:5], "one for each of the 30 channels"),
        (CUBE, np.ones(30), "rise or fall"),
        (CUBE, np.full(30, np.nan), "rise or fall"),
    ):
        with pytest.raises(InputError, match=words):
            SpectrumImage(data, energy)
