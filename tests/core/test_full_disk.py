"""A disk that is full: what was there stays as it was, and nothing half written is left.

The disk is real: the system refuses every byte beyond a limit for one file, as it does on a full one.
"""

import contextlib
import shutil

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.core.errors import exit_code, sentence
from napari_vae.io.writing import TABLE_ENDINGS

resource = pytest.importorskip("resource", reason="the limit for a file is that of Linux and macOS")


@contextlib.contextmanager
def full_disk(room=4096):
    """No file can grow beyond `room` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def told_in_a_sentence():
    """Whichever library it is that finds the disk full."""
    with pytest.raises(OSError) as refused:
        yield
    assert "make room there" in sentence(refused.value) and exit_code(refused.value) == 2


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def analysis(lattice):
    atoms = pd.DataFrame({"frame": 0, "y": lattice[1][:, 0], "x": lattice[1][:, 1]})
    train = nv.TrainConfig(epochs=1, device="cpu")
    image = nv.Micrograph(lattice[0], 0.02, "nm", name="lattice")
    return nv.analyze(image, model="vae", train=train, atoms=atoms, window=12, n_classes=1)


def test_runs_and_analyses(analysis, tmp_path):
    run, whole = analysis.run.save(tmp_path / "run"), analysis.save(tmp_path / "whole")
    before = contents(tmp_path)
    with full_disk():
        with pytest.raises(OSError, match="File too large"):
            analysis.run.save(run)
        with pytest.raises(OSError, match="File too large"):
            analysis.save(whole, overwrite=True)
    assert contents(tmp_path) == before and {path.name for path in tmp_path.iterdir()} == {"run", "whole"}
    pd.testing.assert_frame_equal(nv.load_run(run).history, analysis.run.history, check_dtype=False)


@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_tables(tmp_path, ending):
    for package in ("pyarrow", "anndata"):
        pytest.importorskip(package, reason="needs the extra “tables”")
    rng = np.random.default_rng(0)
    small = pd.DataFrame({"y": [1.0], "x": [2.0]})
    large = pd.DataFrame(rng.normal(size=(5000, 3)), columns=["y", "x", "z1"])
    nv.write_table(small, tmp_path / f"t{ending}", pixel_size=(1, 1), units="nm")
    before = contents(tmp_path)
    with full_disk(), told_in_a_sentence():
        nv.write_table(large, tmp_path / f"t{ending}", pixel_size=(1, 1), units="nm")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("ending", ["zarr", "parquet"])
def test_stacks(tmp_path, ending):
    pytest.importorskip({"zarr": "zarr", "parquet": "pyarrow"}[ending])
    images = np.random.default_rng(0).normal(size=(200, 16, 16))
    with full_disk(), told_in_a_sentence():
        nv.io.write_stack([images], tmp_path / f"stack.{ending}", length=200)
    assert not any(tmp_path.iterdir())


def test_images_and_figures(analysis, tmp_path):
    nv.write_image(np.zeros((8, 8)), tmp_path / "a.tif")
    data = nv.analysis.FigureData.of(analysis)
    nv.save_figures(data, tmp_path, ["png"], ["scatter"])
    before = contents(tmp_path)
    with full_disk():
        with told_in_a_sentence():
            nv.write_image(np.random.default_rng(0).normal(size=(99, 99)), tmp_path / "a.tif")
        with told_in_a_sentence():
            nv.save_figures(data, tmp_path, ["png"], ["scatter"])
    assert contents(tmp_path) == before


def test_the_last_folder_comes_back_when_the_new_one_cannot_take_its_place(analysis, tmp_path, monkeypatch):
    from pathlib import Path

    run = analysis.run.save(tmp_path / "run")
    before, replace = contents(tmp_path), Path.replace

    def refuse_the_new(self, target):
        if self.name.startswith(".run-") and not self.name.endswith("-old"):
            raise OSError("a virus scanner holds it")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_the_new)
    with pytest.raises(OSError, match="scanner"):
        analysis.run.save(run)
    monkeypatch.undo()
    assert contents(tmp_path) == before
    shutil.rmtree(run)
