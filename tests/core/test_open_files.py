"""Nothing that was read or written stays open where it lies, for Windows replaces no file that is open or mapped."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.batch import frames
from napari_vae.core import folders
from napari_vae.io.reading import FORMATS, read_all
from napari_vae.io.writing import TABLE_ENDINGS
from napari_vae.learning.gp.deep_kernel import DeepKernelGP, load_deep_kernel
from napari_vae.training.fit import iter_fit

PROCESS = Path("/proc/self")
TRAIN = nv.TrainConfig(epochs=1, device="cpu")

pytestmark = pytest.mark.skipif(not PROCESS.exists(), reason="Linux tells what a process has open")


def held(folder):
    """What this process has open, or mapped into memory, in a folder."""
    opened = [str(link.readlink()) for link in (PROCESS / "fd").iterdir() if link.is_symlink()]
    mapped = [line.split(maxsplit=5)[-1] for line in (PROCESS / "maps").read_text().splitlines()]
    return {path for path in (*opened, *mapped) if path.startswith(str(folder))}


@pytest.fixture
def moves(monkeypatch):
    """What takes its place, with a look at what is held there: all must be free."""
    seen, move = [], folders.move

    def look(path, target):
        assert not held(target.parent)
        seen.append(target)
        move(path, target)

    monkeypatch.setattr(folders, "move", look)
    return seen


@pytest.fixture(scope="module")
def analysis(lattice):
    atoms = pd.DataFrame({"frame": 0, "y": lattice[1][:, 0], "x": lattice[1][:, 1]})
    image = nv.Micrograph(lattice[0], 0.02, "nm", name="lattice")
    return nv.analyze(image, model="vae", train=TRAIN, atoms=atoms, window=12, n_classes=1)


def test_what_is_held_is_found(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(9999))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert held(tmp_path) == {str(tmp_path / "a.npy")}
    del mapped
    with (tmp_path / "a.npy").open():
        assert held(tmp_path) == {str(tmp_path / "a.npy")}
    assert not held(tmp_path)


def test_a_run_and_an_analysis_over_the_opened_one(analysis, tmp_path, moves):
    run = nv.load_run(analysis.run.save(tmp_path / "run"))
    run.save(tmp_path / "run")
    opened = nv.load_analysis(analysis.save(tmp_path / "whole"))
    opened.save(tmp_path / "whole", overwrite=True)
    assert moves.count(tmp_path / "run") == moves.count(tmp_path / "whole") == 2


def test_a_checkpoint_over_the_one_that_was_gone_on_from(tmp_path, moves, monkeypatch):
    monkeypatch.setattr("napari_vae.training.checkpoint.EVERY", 0.0)
    images = nv.samples.cards(10, size=16).images
    train = nv.TrainConfig(epochs=500, batch_size=10, device="cpu", checkpoint=tmp_path / "state")
    for written in (2, 4):
        job = iter_fit(images, nv.ModelConfig.preset("rvae", hidden=(16, 16)), train)
        while moves.count(tmp_path / "state") < written:
            next(job)
        job.close()


def test_a_deep_kernel_over_the_opened_one(tmp_path, moves):
    rows = np.random.default_rng(0).normal(size=(12, 3))
    model = load_deep_kernel(DeepKernelGP(steps=3, ensemble=1).fit(rows, rows[:, 0]).save(tmp_path / "model"))
    model.save(tmp_path / "model")
    assert len(moves) == 3


def test_every_load_finds_what_a_kill_has_hidden(analysis, tmp_path):
    """Killed between the two moves that replace a folder."""
    rows = np.random.default_rng(0).normal(size=(12, 3))
    settings = {"budget": 4, "start": 3, "model": DeepKernelGP(steps=3, ensemble=1)}
    saved = {
        nv.load_run: analysis.run.save(tmp_path / "run"),
        nv.load_analysis: analysis.save(tmp_path / "whole"),
        load_deep_kernel: DeepKernelGP(steps=3, ensemble=1).fit(rows, rows[:, 0]).save(tmp_path / "model"),
        nv.ExplorationRecord.load: tmp_path / "record",
    }
    record = nv.explore(rows, rows[:, 0], record=tmp_path / "record", **settings)
    for load, folder in saved.items():
        (folder / "notes.txt").write_text("mine")
        folder.rename(folder.with_name(f".{folder.name}-01234567-old"))
        assert load(folder) is not None and (folder / "notes.txt").is_file()
        folder.rename(folder.with_name(f".{folder.name}-01234567-old"))
    more = nv.explore(rows, rows[:, 0], record=tmp_path / "record", **settings | {"budget": 5})
    assert list(more.measured[:4]) == list(record.measured), "it goes on, and measures nothing again"
    assert (tmp_path / "record" / "notes.txt").is_file()
    assert {path.name for path in tmp_path.iterdir() if path.name[0] != "."} == {"record"}


@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_a_table_over_the_one_that_was_read(tmp_path, moves, ending):
    for package in ("pyarrow", "anndata"):
        pytest.importorskip(package, reason="needs the extra “tables”")
    table = pd.DataFrame({"y": np.arange(5000.0), "x": 2.0, "z1": 3.0})
    path = tmp_path / f"t{ending}"
    for _ in range(2):
        nv.write_table(table, path, pixel_size=(1, 1), units="nm")
        table = nv.read_table(path)
    assert len(moves) == 2


def test_an_image_over_the_one_that_was_read(tmp_path, moves):
    image = nv.read(nv.write_image(np.zeros((4, 64, 64)), tmp_path / "a.tif"))
    nv.write_image(image.data, tmp_path / "a.tif")
    assert len(moves) == 2


@pytest.mark.parametrize("ending", ["zarr", "parquet"])
def test_a_stack_over_the_opened_one(tmp_path, moves, ending):
    pytest.importorskip({"zarr": "zarr", "parquet": "pyarrow"}[ending])
    path = nv.io.write_stack([np.zeros((99, 8, 8))], tmp_path / f"stack.{ending}", length=99)
    stack = nv.io.open_stack(path)
    assert stack[3:5].shape == (2, 8, 8)
    nv.io.write_stack([np.ones((200, 8, 8))], path, length=200)
    assert len(moves) == {"zarr": 3, "parquet": 2}[ending]
    if ending == "parquet":
        with pytest.raises(nv.InputError, match="written anew while it was read"):
            stack[70:80]


def test_images_of_every_format(real_data):
    pytest.importorskip("rsciio", reason="needs the extra “formats”")
    kept, files = [], [path for path in real_data.glob("*/**/*") if path.suffix.lower() in FORMATS]
    for path in files:
        try:
            kept += read_all(path)
        except nv.ReadError:  # spectra, and files that are broken on purpose
            continue
    assert len(kept) > 20 and not held(real_data)


def test_a_movie_that_was_worked_on_frame_by_frame(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra “tables”")
    movie, _ = nv.samples.movie("graphene", frames=2, size=96)
    np.save(tmp_path / "movie.npy", movie.data)
    assert not nv.batch.detect_files([tmp_path / "movie.npy"], tmp_path)[0].failed
    assert not held(tmp_path) and not frames.kept.cache_info().currsize
