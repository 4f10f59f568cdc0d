"""One model of many files: the windows of all, each with its file and frame; bad files are left out."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
import pooling_process
from napari_vae import batch
from napari_vae.batch.sources import Source, share_out
from napari_vae.batch.together import _check_pixel_sizes
from napari_vae.io.covariates import read_covariate
from napari_vae.training.processes import Group
from pooling_process import JOB
from two_processes import together


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """An image, a movie of two frames of ten times the intensity, and a file that is none."""
    folder = tmp_path_factory.mktemp("images")
    frames = [nv.samples.micrograph("graphene", size=128, seed=seed, dopants=0.0)[0] for seed in range(3)]
    calibration = {"pixel_size": frames[0].pixel_size, "units": "nm"}
    nv.write_image(frames[0].data, folder / "a.tif", **calibration)
    nv.write_image(10 * np.stack([frame.data for frame in frames[1:]]), folder / "b.tif", **calibration)
    (folder / "c.tif").write_bytes(b"none")
    return folder


def test_all_files_make_one_model_and_each_window_is_known(images, tmp_path):
    stages = []
    outcomes = batch.train_on_all(JOB, images, tmp_path / "run", progress=lambda stage: stages.append(stage.name))
    assert [outcome.failed for outcome in outcomes] == [False, False, True] and outcomes[2].code == 2
    assert list(dict.fromkeys(stages)) == ["detect atoms", "train", "write"]
    run, windows = nv.load_run(tmp_path / "run"), nv.read_table(tmp_path / "run" / "windows.csv")
    assert run.provenance["n_images"] == len(windows) == sum(outcome.facts["windows"] for outcome in outcomes)
    counts = windows.groupby(["file", "frame"]).size()
    assert list(counts.index) == [(str(images / "a.tif"), 0), (str(images / "b.tif"), 0), (str(images / "b.tif"), 1)]
    image = nv.read(images / "b.tif")
    mine = windows[windows["file"] == str(images / "b.tif")]
    again = run.encode(nv.extract_patches(image, mine, window=run.window, levels=run.levels))
    np.testing.assert_allclose(again["elbo"], mine["elbo"], atol=0.02 * mine["elbo"].std())  # in the same limits
    files = pd.read_csv(tmp_path / "run" / "files.csv")
    assert list(files["state"]) == ["done", "done", "failed"] and "cut short" in files["message"][2]


def test_a_finished_model_is_known_again_and_another_is_not_replaced(images, tmp_path):
    first = batch.train_on_all(JOB, images, tmp_path / "run")
    written = (tmp_path / "run" / "run.json").stat().st_mtime_ns
    again = batch.train_on_all(JOB, images, tmp_path / "run")
    assert [outcome.state for outcome in again] == ["finished before", "finished before", "failed"]
    assert [outcome.message for outcome in again] == [outcome.message for outcome in first]
    with pytest.raises(nv.InputError, match="--overwrite"):
        batch.train_on_all(JOB, images / "a.tif", tmp_path / "run")
    assert (tmp_path / "run" / "run.json").stat().st_mtime_ns == written
    batch.train_on_all(JOB, images / "a.tif", tmp_path / "run", overwrite=True)
    assert set(nv.read_table(tmp_path / "run" / "windows.csv")["file"]) == {str(images / "a.tif")}


def test_a_covariate_of_files_or_of_the_frames_of_a_movie_is_a_column(images, tmp_path):
    job = replace(JOB, covariate=read_covariate("bias=-1,2,5"))
    batch.train_on_all(job, images, tmp_path / "run")
    windows = nv.read_table(tmp_path / "run" / "windows.csv")
    assert windows.groupby("file")["bias"].unique().map(list).tolist() == [[-1], [2]]
    assert nv.analysis.FigureData(windows).covariate == "bias"
    job = replace(JOB, covariate=read_covariate("bias=300:310"))
    batch.train_on_all(job, images / "b.tif", tmp_path / "movie")
    windows = nv.read_table(tmp_path / "movie" / "windows.csv")
    assert (windows["bias"] == 300 + 10 * windows["frame"]).all()
    (outcome,) = batch.run(job, images / "b.tif", tmp_path / "alone")
    assert outcome.failed and "--together" in outcome.message


class Follower(Group):
    """A process that is not the first one, without the others."""

    first = False


def test_of_several_processes_only_the_first_one_writes(images, tmp_path):
    other = batch.train_on_all(JOB, images, tmp_path / "run", group=Follower())
    assert not any(tmp_path.iterdir())
    first = batch.train_on_all(JOB, images, tmp_path / "run", group=Group())
    assert [(told.state, told.facts) for told in other] == [(told.state, told.facts) for told in first]
    assert (tmp_path / "run" / "windows.csv").is_file()


@pytest.mark.slow
def test_two_processes_detect_each_file_once_and_make_the_model_of_one(images, tmp_path):
    alone = batch.train_on_all(JOB, images, tmp_path / "alone")
    together(pooling_process.__file__, images, tmp_path / "run")
    told = [(tmp_path / f"run-{rank}.txt").read_text().splitlines() for rank in range(2)]
    assert [lines[:-3] for lines in told] == [["a"], ["b"]]  # the third file cannot be read by the first
    assert told[0][-3:] == told[1][-3:] == [f"{one.state} {one.message} {one.code}" for one in alone]
    one, two = (nv.read_table(tmp_path / name / "windows.csv") for name in ("alone", "run"))
    places = ["file", "frame", "y", "x", "amplitude", "fitted"]
    pd.testing.assert_frame_equal(two[places], one[places], check_exact=True)
    np.testing.assert_allclose(two["elbo"], one["elbo"], rtol=1e-3)
    facts = [pd.read_csv(tmp_path / name / "files.csv") for name in ("alone", "run")]
    pd.testing.assert_frame_equal(*facts)


def test_what_a_process_tells_of_a_file_is_taken_as_it_is(images):
    here, there, bad, none = (Source(images / "a.tif") for _ in range(4))
    here.atoms = nv.detect_atoms(nv.read(images / "a.tif")).iloc[3:]
    there.take_atoms(here.atoms_as_bytes())
    pd.testing.assert_frame_equal(there.atoms, here.atoms, check_exact=True)
    assert there.atoms.attrs == here.atoms.attrs
    bad.problem = ("It is odd.", 2)
    none.take_atoms(bad.atoms_as_bytes())
    assert none.problem == ("It is odd.", 2) and none.atoms is None


class Sent(Exception):
    """What a process has to say to the others."""


@pytest.mark.parametrize("size", [2, 3])
def test_each_process_tells_of_its_own_files_what_the_others_do_not_know(size):
    def detect(source):
        source.atoms = pd.DataFrame({"y": [1.0], "x": [float(source.path.stem)]})

    def tell(parts):
        raise Sent(parts)

    told = []
    for rank in range(size):
        with pytest.raises(Sent) as sent:
            share_out(
                [Source(Path(f"{n}.tif")) for n in range(5)],
                detect,
                SimpleNamespace(rank=rank, size=size, collect=tell),
            )
        told.append(sent.value.args[0])
        assert [bool(part) for part in told[-1]] == [n % size == rank for n in range(5)]
    whole = [b"".join(parts) for parts in zip(*told, strict=True)]
    for rank in range(size):
        sources = [Source(Path(f"{n}.tif")) for n in range(5)]
        share_out(sources, detect, SimpleNamespace(rank=rank, size=size, collect=lambda parts: whole))
        assert [source.atoms["x"].tolist() for source in sources] == [[n] for n in range(5)]


def test_other_pixels_and_files_without_atoms_are_refused_before_the_training(images, tmp_path):
    image = nv.read(images / "a.tif")
    nv.write_image(image.data, tmp_path / "d.tif", pixel_size=tuple(2 * size for size in image.pixel_size), units="nm")
    with pytest.raises(nv.InputError, match=r"d\.tif are 2 times as large as those of a\.tif"):
        batch.train_on_all(JOB, [images / "a.tif", tmp_path / "d.tif"], tmp_path / "run")
    with pytest.raises(nv.InputError, match=r"None of the files can be used; c\.tif"):
        batch.train_on_all(JOB, images / "c.tif", tmp_path / "run")
    with pytest.raises(nv.InputError, match=r"can be used; \S*none\.tif cannot be opened"):
        batch.train_on_all(JOB, tmp_path / "none.tif", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("other", "fits"), [((0.02, 0.02), True), ((0.03, 0.03), False), ((0.013, 0.013), False)])
def test_pixels_of_another_size_are_refused_be_they_larger_or_smaller(other, fits):
    sources = [
        SimpleNamespace(path=Path(f"{n}.tif"), pixel_size=size, units="nm", problem="")
        for n, size in enumerate(((0.02, 0.02), None, other))
    ]
    with (
        nullcontext()
        if fits
        else pytest.raises(nv.InputError, match=r"2\.tif are .* times as large as those of 0\.tif")
    ):
        _check_pixel_sizes(sources)
