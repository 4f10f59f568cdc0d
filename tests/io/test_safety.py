"""Files made to do harm: nothing is executed, written or waited for, and each ends in one sentence."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.core.errors import ReadError
from napari_vae.io import read
from napari_vae.io.reading import FORMATS
from napari_vae.io.writing import TABLE_ENDINGS
from napari_vae.layers.reader import get_reader
from refusing import assert_refused

ALL = sorted({*FORMATS, *TABLE_ENDINGS} - {".tiff", ".jpeg"})


class Trap:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


@pytest.mark.parametrize("suffix", ALL)
def test_pickles_under_any_name(here, suffix):
    (here / f"a{suffix}").write_bytes(pickle.dumps(Trap()))
    assert_refused(here / f"a{suffix}")


def test_object_arrays(here):
    trap = np.empty((9, 9), object)
    trap[:] = Trap()
    np.save(here / "a.npy", trap, allow_pickle=True)
    assert_refused(here / "a.npy")
    with zipfile.ZipFile(here / "a.ndata", "w") as archive:
        archive.write("a.npy", "data.npy")
        archive.writestr("metadata.json", "{}")
    assert_refused(here / "a.ndata")


def test_pickles_in_a_run_folder(here, tmp_path_factory):
    from napari_vae.runs.run import load_run

    (here / "run.json").write_text("{}")
    (here / "weights.safetensors").write_bytes(pickle.dumps(Trap()))
    (here / "history.csv").write_bytes(pickle.dumps(Trap()))
    assert_refused(here, load_run)


def test_an_archive_writes_nothing_wherever_its_names_point(here):
    with zipfile.ZipFile(here / "a.ndata", "w") as archive:
        for name in ("../sprung", "/sprung", "..\\sprung", "data.npy/../../sprung"):
            archive.writestr(name, b"x")
    assert_refused(here / "a.ndata")


def test_hdf5_that_reaches_for_other_files(here):
    h5py = pytest.importorskip("h5py")
    with h5py.File(here / "secret.h5", "w") as file:
        file["image"] = np.ones((20, 20))
    (here / "secret.bin").write_bytes(bytes(400))
    for suffix in (".h5", ".emd", ".hspy"):
        with h5py.File(here / f"link{suffix}", "w") as file:
            file["data"] = h5py.ExternalLink("secret.h5", "image")
    with h5py.File(here / "raw.hdf5", "w") as file:
        file.create_dataset("data", (20, 20), "u1", external=[("secret.bin", 0, 400)])
    with h5py.File(here / "virtual.nhdf", "w") as file:
        layout = h5py.VirtualLayout((20, 20), "f8")
        layout[:] = h5py.VirtualSource("secret.h5", "image", (20, 20))
        file.create_virtual_dataset("data", layout)
    for name in ("link.h5", "link.emd", "link.hspy", "raw.hdf5", "virtual.nhdf"):
        with pytest.raises(ReadError, match="other files"):
            read(here / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
def test_pipes_and_devices_in_the_place_of_files_are_not_opened(here):
    rows = np.random.default_rng(0).normal(size=(12, 3))
    images = nv.samples.cards(10, size=16).images
    run = nv.fit(images, nv.ModelConfig.preset("vae"), nv.TrainConfig(epochs=1, device="cpu"))
    folders = {
        nv.load_run: run.save(here / "run"),
        nv.load_deep_kernel: nv.DeepKernelGP(steps=3, ensemble=1).fit(rows, rows[:, 0]).save(here / "model"),
    }
    for load, folder in folders.items():
        for path in sorted(folder.iterdir()):
            kept = path.rename(here / "kept")
            for place in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
                place(path)
                with pytest.raises(ReadError) as caught:
                    load(folder)
                assert "\n" not in str(caught.value)
                path.unlink()
            kept.rename(path)
        assert load(folder) is not None
    for suffix in ALL:
        os.mkfifo(here / f"a{suffix}")
        assert_refused(here / f"a{suffix}")
    for suffix in (".npy", ".parquet", ".zarr"):
        path = here / f"b{suffix}"
        (path / "c").mkdir(parents=True) if suffix == ".zarr" else None
        os.mkfifo(path / "c" / "0" if suffix == ".zarr" else path)
        assert_refused(path, nv.io.open_stack)


def test_readers_of_napari_never_fail_before_they_read(here):
    (here / "analysis.json").mkdir()
    assert get_reader(str(here)) is None and get_reader("a\0b.csv") is not None
