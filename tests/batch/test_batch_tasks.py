"""What batches do with real images: atoms, latents and models, the same after a kill, and what is unlike."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from counting import contents, states
from napari_vae import batch


@pytest.fixture(scope="module")
def graphene(tmp_path_factory):
    """A folder with three images of graphene."""
    folder = tmp_path_factory.mktemp("graphene")
    for seed in range(3):
        image, _ = nv.samples.micrograph("graphene", size=128, seed=seed, dopants=0.0, vacancies=0.0)
        nv.write_image(image.data, folder / f"{seed}.tif", pixel_size=image.pixel_size, units="nm")
    return folder


def test_records_of_earlier_versions_are_of_the_same_settings():
    """A key that is new makes every finished batch one with other settings."""
    known = batch.Analyze(nv.ModelConfig(), nv.TrainConfig()).settings()
    assert known["given"] == {"labels": (), "condition": (), "targets": ()} and "grid" not in known


def test_settings_are_the_same_however_they_are_told_and_refused_before_the_work(graphene, tmp_path):
    told = {"polarity": "auto", "spacing": None, "threshold": None, "refine": "gaussian", "weak": False}
    assert batch.Detect(told).settings() == batch.Detect().settings() != batch.Detect({"refine": False}).settings()
    for task in (batch.Detect({"polarity": "grey"}), batch.Crystal({"colour": "blue"})):
        with pytest.raises(nv.InputError):
            batch.run(task, graphene, tmp_path / "new")
    assert not (tmp_path / "new").exists()


KILL_ME = """
import os, signal, sys
from napari_vae import batch

def die(event):
    if event.outcomes:
        os.kill(os.getpid(), signal.SIGKILL)

batch.run(batch.Detect(), sys.argv[1], sys.argv[2], progress=die)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_batch_that_is_killed_ends_with_the_same_tables(graphene, tmp_path):
    """Killed when one file is done; benchmarks/scale.py does it at random moments."""
    command = [sys.executable, "-c", KILL_ME, str(graphene), str(tmp_path / "killed")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "killed").glob("*-atoms.csv")] == ["0-atoms.csv"]
    batch.run(batch.Detect(), graphene, tmp_path / "killed")
    batch.run(batch.Detect(), graphene, tmp_path / "whole")
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert killed.keys() == whole.keys()
    assert all(killed[name] == whole[name] for name in whole if name.endswith("-atoms.csv"))


@pytest.fixture(scope="module")
def model(graphene, tmp_path_factory):
    """A model trained on the first image of graphene, in its folder."""
    image = nv.read(graphene / "0.tif")
    patches = nv.extract_patches(image, nv.detect_atoms(image))
    run = nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=10, device="cpu"))
    return run.save(tmp_path_factory.mktemp("model") / "run")


def test_a_run_on_an_image_says_whether_it_looks_like_the_training_data(model, graphene):
    run = nv.load_run(model)
    image = nv.read(graphene / "1.tif")
    like = nv.apply_run(run, image)
    assert len(like.latents) == len(like.patches) < len(like.atoms)
    pd.testing.assert_frame_equal(like.latents[["z1", "elbo"]], run.encode(like.patches)[["z1", "elbo"]])
    assert {"y", "x", "amplitude"} <= set(like.latents)
    assert like.likeness.sentence is None and like.likeness.pixel_size_ratio == pytest.approx(1)
    noise = image.data + 8 * np.std(image.data) * np.random.default_rng(0).standard_normal(image.shape)
    other = nv.apply_run(run, nv.Micrograph(noise, tuple(2 * p for p in image.pixel_size), "nm"), atoms=like.atoms)
    assert other.likeness.below_usual > max(0.5, like.likeness.below_usual)
    assert other.likeness.pixel_size_ratio == pytest.approx(2)
    assert "2 times as large" in other.likeness.sentence


def test_a_run_on_a_folder_is_tables_and_a_summary_with_what_is_unlike(model, graphene, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("1.tif", "2.tif"):
        (folder / name).write_bytes((graphene / name).read_bytes())
    image = nv.read(graphene / "1.tif")
    nv.write_image(image.data, folder / "3.tif", pixel_size=tuple(2 * p for p in image.pixel_size), units="nm")
    finer, _ = nv.samples.micrograph("graphene", size=160, seed=1, pixel_size=image.pixel_size[0] / 1.4)
    nv.write_image(finer.data, folder / "4.tif")  # it does not know its calibration
    outcomes = batch.run(batch.Encode(run=model), folder, tmp_path / "tables")
    assert states(outcomes) == ["done"] * 4
    table = pd.read_csv(tmp_path / "tables" / "summary.csv")
    assert table["pixel_size_ratio"].to_numpy() == pytest.approx([1, 1, 2, np.nan], rel=1e-3, nan_ok=True)
    assert table["spacing_ratio"].to_numpy() == pytest.approx([np.nan] * 3 + [1.4], rel=0.05, nan_ok=True)
    assert table["warning"].notna().tolist()[2:] == [True, True] and "2 times as large" in outcomes[2].message
    assert "times as far apart in pixels. " in outcomes[3].message
    assert table["windows"].tolist() == [
        len(nv.read_table(tmp_path / "tables" / f"{n}-latents.csv")) for n in (1, 2, 3, 4)
    ]
    page = (tmp_path / "tables" / "report.html").read_text()
    assert "2 with a warning" in page and "<th>spacing_ratio</th>" in page
    again = nv.load_run(model)
    again.save(tmp_path / "copy")
    copied = batch.run(batch.Encode(run=tmp_path / "copy"), folder, tmp_path / "tables")
    assert states(copied) == ["finished before"] * 4  # the model is known by its weights, not by its folder


def test_a_model_for_every_file(graphene, tmp_path):
    train = nv.TrainConfig(epochs=1, device="cpu")
    task = batch.Train(nv.ModelConfig.preset("vae"), train)
    assert states(batch.run(task, [graphene / "0.tif", graphene / "1.tif"], tmp_path)) == ["done"] * 2
    assert nv.load_run(tmp_path / "1").model_config.name == "vae"
    assert states(batch.run(task, graphene, tmp_path)) == ["finished before", "finished before", "done"]
    with pytest.raises(nv.InputError, match="one image"):
        batch.run(batch.Train(task.model, train, atoms=Path("atoms.csv")), graphene, tmp_path)


def test_what_is_read_of_a_file_with_a_constant_channel_is_told(tmp_path, lattice):
    np.savez(tmp_path / "a.npz", z=np.zeros((160, 160)), current=lattice[0])
    (outcome,) = batch.run(batch.Detect(), tmp_path / "a.npz", tmp_path / "out")
    assert "“z” has one value everywhere, so “current” was read; another is chosen with --dataset." in str(outcome)


def test_an_image_that_is_a_folder_is_one_file_of_a_batch(tmp_path, lattice):
    zarr = pytest.importorskip("zarr")
    (tmp_path / "images").mkdir()
    zarr.create_array(tmp_path / "images" / "a.zarr", data=lattice[0])
    for place in (tmp_path / "images", tmp_path / "images" / "a.zarr"):
        (outcome,) = batch.run(batch.Detect(), place, tmp_path / f"out {place.name}")
        assert (outcome.state, outcome.facts["atoms"]) == ("done", len(lattice[1]))
    (again,) = batch.run(batch.Detect(), tmp_path / "images", tmp_path / "out images")
    assert again.state == "finished before"
    zarr.create_array(tmp_path / "images" / "a.zarr", data=lattice[0][:80], overwrite=True)
    (changed,) = batch.run(batch.Detect(), tmp_path / "images", tmp_path / "out images", overwrite=True)
    assert changed.facts["atoms"] < len(lattice[1])
