"""Spectra on the command line: models of them, their maps, and predictions from an image, from files to files."""

import numpy as np
import pandas as pd
import pytest

from command_line import FAST
from napari_vae import load_run, read, read_table, write_image
from napari_vae.cli.app import main
from napari_vae.core import SpectrumImage
from napari_vae.io import read_spectra, write_spectra
from napari_vae.samples import spectrum_image

pytest.importorskip("rsciio")
SIDE = 8


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A map of spectra and the image of the same structures; another image."""
    folder = tmp_path_factory.mktemp("spectra")
    for name, seed in (("a", 0), ("b", 1)):
        sample = spectrum_image(SIDE, seed=seed)
        write_spectra(sample.spectrum_image, folder / f"{name}.hspy")
        write_image(sample.image, folder / f"{name}.tif")
    return folder


@pytest.fixture(scope="module")
def of_pairs(files):
    """The folder of a model that predicts spectra from images."""
    with pytest.raises(SystemExit) as ended:
        main(["train", f"{files}/a.tif", "--outputs", f"{files}/a.hspy", "--out", f"{files}/pairs", *FAST])
    assert not ended.value.code
    return files / "pairs"


def test_spectra_are_written_as_they_are_read(files):
    spectra = spectrum_image(SIDE, seed=0).spectrum_image
    again = read_spectra(files / "a.hspy")
    np.testing.assert_array_equal(again.data, spectra.data)
    np.testing.assert_allclose(again.energy, spectra.energy, atol=1e-9)
    assert again.energy_label == "energy (V)" and again.pixel_size == pytest.approx((0.56, 0.56))
    uneven = SpectrumImage(spectra.data, np.geomspace(1, 9, 80), pixel_size=0.1, units="nm")
    np.testing.assert_allclose(read_spectra(write_spectra(uneven, files / "uneven.hspy")).energy, uneven.energy)


def test_a_model_of_spectra_writes_maps_of_its_latents(command, files, tmp_path):
    train = ("train", files / "a.hspy", "--spectra", "--band", "-0.8,0.8", "--model", "tvae", *FAST)
    code, said, _ = command(*train, "--out", tmp_path / "run")
    assert code == 0 and f"{SIDE * SIDE} windows" in said
    run = load_run(tmp_path / "run")
    inside = np.abs(spectrum_image(2).energy) <= 0.8
    assert run.window == (1, inside.sum()) and run.provenance["energy"]["units"] == "V"
    code, said, _ = command("encode", tmp_path / "run", files / "b.hspy", "--out", tmp_path)
    assert code == 0 and "maps of z1, z2" in said
    table, z1 = read_table(tmp_path / "b-latents.csv"), read(tmp_path / "b-z1.tif")
    assert z1.pixel_size == pytest.approx((0.56, 0.56), rel=1e-3)
    expected = np.empty((SIDE, SIDE))
    expected[table["y"].astype(int), table["x"].astype(int)] = table["z1"]
    np.testing.assert_allclose(z1.data, expected, rtol=1e-5)


def test_what_is_known_of_spectra_is_given_as_a_table(command, files, tmp_path):
    table = tmp_path / "known.csv"
    spectrum_image(SIDE, seed=0).structures.to_csv(table, index=False)
    train = ("train", files / "a.hspy", "--spectra", "--model", "cvae", "--atoms", table, "--condition", "species")
    assert command(*train, *FAST, "--out", tmp_path / "run")[0] == 0
    encode = ("encode", tmp_path / "run", files / "a.hspy", "--out", tmp_path, "--atoms", table)
    assert command(*encode, "--condition", "species")[0] == 0
    assert len(pd.read_csv(tmp_path / "a-latents.csv")) == SIDE * SIDE


def test_spectra_are_predicted_from_another_image(command, files, of_pairs, tmp_path):
    code, said, errors = command("predict", of_pairs, files / "b.tif", "--out", tmp_path)
    assert code == 0, errors
    mean, sd = (read_spectra(tmp_path / f"b-predicted{end}.hspy") for end in ("", "-sd"))
    assert mean.shape == sd.shape == (SIDE, SIDE, 80) and f"{SIDE} × {SIDE} places" in said
    assert mean.energy_label == "energy (V)" and mean.pixel_size == pytest.approx((0.56, 0.56), rel=1e-3)
    np.testing.assert_allclose(mean.energy, spectrum_image(2).energy, atol=1e-6)
    assert np.isfinite(mean.data).all() and (sd.data > 0).all()
    places = tmp_path / "places.csv"
    spectrum_image(SIDE, seed=1).structures.iloc[[9, 3, 12]].to_csv(places, index=False)
    assert command("predict", of_pairs, files / "b.tif", "--out", tmp_path / "line", "--atoms", places)[0] == 0
    line = read_spectra(tmp_path / "line" / "b-predicted.hspy")
    np.testing.assert_allclose(line.data[0], mean.data.reshape(-1, 80)[[9, 3, 12]], atol=0.05)


def test_what_does_not_fit_is_refused_before_any_work(command, files, of_pairs, tmp_path):
    spectra, image = files / "a.hspy", files / "a.tif"
    tall = tmp_path / "tall.tif"
    write_image(np.random.default_rng(0).random((100, 50)), tall)
    for arguments, words in (
        (("train", spectra, "--spectra", "--model", "rvae"), "Spectra can be shifted only"),
        (("train", spectra, "--spectra", "--model", "vae", "--band", "5,6"), "No energy lies from 5 to 6"),
        (("train", spectra, "--model", "vae", "--band", "0,1"), "Only spectra have a band"),
        (("train", spectra, "--spectra", "--together"), "leave out --together"),
        (("train", image, "--outputs", spectra, "--spectra"), "leave out --spectra or --outputs"),
        (("train", image, "--outputs", spectra, "--grid", "8"), "leave out --grid"),
        (("train", tall, "--outputs", spectra), "do not show the same area"),
        (("train", image, "--outputs", tmp_path / "missing.hspy"), "There is no file"),
        (("predict", files / "nothing", image), "nothing"),
    ):
        code, _, errors = command(*arguments, "--out", tmp_path / "out")
        assert code == 2 and words in errors, arguments
    assert "predict" in command("encode", of_pairs, image, "--out", tmp_path)[2]
