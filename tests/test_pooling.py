"""One model of many files: the windows of all, each with its file and frame; bad files are left out."""

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae import batch
from napari_vae.processes import Group

JOB = batch.Train(nv.ModelConfig.preset("vae"), nv.TrainConfig(epochs=1, device="cpu"))


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


class Follower(Group):
    """A process that is not the first one, without the others."""

    first = False


def test_of_several_processes_only_the_first_one_writes(images, tmp_path):
    other = batch.train_on_all(JOB, images, tmp_path / "run", group=Follower())
    assert not any(tmp_path.iterdir())
    first = batch.train_on_all(JOB, images, tmp_path / "run", group=Group())
    assert [(told.state, told.facts) for told in other] == [(told.state, told.facts) for told in first]
    assert (tmp_path / "run" / "windows.csv").is_file()


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
