"""The command line: its help, and what every command writes."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from command_line import FAST, last_line
from napari_vae.batch.inputs import places
from napari_vae.io.reading import FORMATS

COMMANDS = ("demo", "analyze", "advise", "detect", "crystal", "train", "encode", "predict", "open", "figures", "export")
COMMANDS += ("transitions", "change", "baselines", "explore")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(command, name):
    code, out, _ = command(name, "--help")
    assert code == 0
    assert "Example: napari-vae" in out


def test_help_names_every_command(command):
    _, out, _ = command("--help")
    assert all(f" {name} " in out for name in COMMANDS)


def test_analyze_one_file(command, images, tmp_path):
    out = tmp_path / "results"
    code, text, _ = command("analyze", images / "one.tif", "--out", out, "--model", "rvae", "--classes", 2, *FAST)
    assert code == 0
    assert "in 2 classes" in text
    assert {"report.html", "latents.csv", "classes.tif", "run", "analysis.json"} <= {p.name for p in out.iterdir()}
    assert nv.load_analysis(out).micrograph.units == "nm"


def test_analyze_goes_on_after_a_broken_file(command, images, tmp_path):
    out = tmp_path / "results"
    code, text, errors = command("analyze", images / "broken.tif", images / "two.tif", "--out", out, *FAST)
    assert code == 2
    assert "broken.tif" in errors
    assert "two.tif" in text
    assert (out / "two" / "report.html").exists()
    assert not (out / "broken").exists()
    page = (out / "report.html").read_text()
    assert 'href="two/report.html"' in page
    assert "cut short" in page


def test_a_file_that_may_not_be_read_is_left_to_its_reader(command, images, tmp_path, monkeypatch):
    """The parser of the command line would refuse all for its sake."""
    monkeypatch.setattr("os.access", lambda path, mode, **_: mode != os.R_OK or not str(path).endswith("one.tif"))
    assert command("detect", images / "one.tif", "--out", tmp_path)[0] == 0


def test_detect_follows_the_atoms_of_a_movie(command, tmp_path):
    movie, truth = nv.samples.movie("graphene", frames=4, size=96, drift=4)
    nv.write_image(movie.data, tmp_path / "movie.tif", pixel_size=movie.pixel_size, units="nm")
    assert command("detect", tmp_path / "movie.tif", "--follow", "--out", tmp_path)[0] == 0
    table = nv.read_table(tmp_path / "movie-atoms.csv")
    assert set(table["frame"]) == {0, 1, 2, 3}
    assert 0.8 < table["track"].nunique() / truth["track"].nunique() < 1.3


def test_detect_train_encode(command, images, tmp_path):
    code, text, _ = command("detect", images / "one.tif", images / "two.tif", "--out", tmp_path)
    assert (code, text.count(" atoms: bright columns")) == (0, 2)
    atoms = tmp_path / "one-atoms.csv"
    table = nv.read_table(atoms)
    assert {"y", "x", "score"} <= set(table) and table["fitted"].dtype == bool
    assert command("detect", images / "one.tif", "--refine", "elliptical", "--out", tmp_path / "ellipses")[0] == 0
    assert "orientation" in nv.read_table(tmp_path / "ellipses" / "one-atoms.csv")
    assert command("detect", images / "one.tif", "--refine", "magic", "--out", tmp_path / "magic")[0] == 2

    code, _, _ = command(
        "train", images / "one.tif", "--atoms", atoms, "--out", tmp_path / "run", "--model", "vae", *FAST
    )
    assert code == 0
    assert nv.load_run(tmp_path / "run").model_config.invariances == ()

    code, _, _ = command("encode", tmp_path / "run", images / "one.tif", images / "two.tif", "--out", tmp_path)
    assert code == 0
    assert {"z1", "z2", "y", "x"} <= set(nv.read_table(tmp_path / "two-latents.csv"))


def test_a_field_without_atoms_is_learnt_on_a_grid(command, tmp_path):
    field = np.random.default_rng(0).random((80, 90)).astype(np.float32)
    nv.write_image(field, tmp_path / "field.tif", pixel_size=(0.1, 0.1), units="nm")
    options = (tmp_path / "field.tif", "--out", tmp_path / "run", "--window", 16, "--model", "vae")
    code, text, _ = command("train", *options, "--grid", "0.8nm", *FAST)
    assert (code, "90 windows" in text) == (0, True)
    run = tmp_path / "run"
    code, text, _ = command("encode", run, tmp_path / "field.tif", "--grid", "12", "--out", tmp_path)
    assert (code, "42 windows" in text) == (0, True)
    assert np.unique(nv.read_table(tmp_path / "field-latents.csv")["x"]) == pytest.approx(np.arange(7.5, 80, 12))

    for wrong, words in ((("--grid", "8 foo"), "no length"), (("--grid", 8, "--atoms", "a.csv"), "leave out one")):
        for command_line in (("train", *options), ("encode", run, tmp_path / "field.tif"), ("advise", options[0])):
            code, _, errors = command(*command_line, *wrong)
            assert (code, words in errors) == (2, True)
    code, _, errors = command("train", *options, "--grid", 8, "--labels", "kind", "--overwrite")
    assert (code, "labels" in errors) == (2, True)


def test_crystal_writes_tables_and_the_lattice(command, images, tmp_path):
    code, text, _ = command("crystal", images / "one.tif", images / "broken.tif", images / "two.tif", "--out", tmp_path)
    assert (code, text.count("mean distance of neighbours = 0.14")) == (2, 2)
    assert {"strain_xx", "intensity", "sublattice"} <= set(nv.read_table(tmp_path / "one-crystal.csv"))
    assert {"y", "x", "neighbours"} <= set(nv.read_table(tmp_path / "one-vacancies.csv"))
    lattice = json.loads((tmp_path / "two-lattice.json").read_text(encoding="utf-8"))
    assert lattice["unit"] == "nm"
    assert lattice["spacing"] == pytest.approx(0.142, rel=0.005)
    assert lattice["in_pixels"]["spacing"] == pytest.approx(12.35, rel=0.005)

    options = ("--atoms", tmp_path / "one-crystal.csv", "--sublattices", 1, "--out", tmp_path / "again")
    assert command("crystal", images / "one.tif", *options)[0] == 0
    code, _, errors = command("crystal", images / "one.tif", images / "two.tif", *options)
    assert (code, "belongs to one image" in last_line(errors)) == (2, True)


def test_where_there_are_no_atoms_a_sentence_says_so(command, tmp_path):
    noise = np.random.default_rng(0).normal(size=(128, 128))
    np.save(tmp_path / "noise.npy", noise)
    code, text, _ = command("detect", tmp_path / "noise.npy", "--weak", "--out", tmp_path)
    assert code == 0
    assert "noise.npy: no atoms" in text and text.count("set Spacing") == 1
    assert "--threshold" not in text  # one advice, not two
    assert len(nv.read_table(tmp_path / "noise-atoms.csv")) == 0
    for work in ("analyze", "crystal"):
        code, _, errors = command(work, tmp_path / "noise.npy", "--out", tmp_path / work)
        assert code == 2 and "There are no atoms. Nothing here looks" in last_line(errors)


def test_weak_columns_that_show_are_named(command, tmp_path):
    rows, columns = np.mgrid[:200, :200]
    waves = np.cos(2 * np.pi * rows / 25) + np.cos(2 * np.pi * columns / 25)
    image = np.exp(1.5 * (waves - 2)) + 0.1 * np.exp(1.5 * (-waves - 2)) + 0.1
    np.save(tmp_path / "lattice.npy", np.random.default_rng(0).poisson(300 * image))
    assert "--weak finds them" in command("detect", tmp_path / "lattice.npy", "--out", tmp_path)[1]
    code, text, _ = command("detect", tmp_path / "lattice.npy", "--weak", "--overwrite", "--out", tmp_path)
    assert code == 0 and "--weak" not in text
    assert set(nv.read_table(tmp_path / "lattice-atoms.csv")["found_in"]) == {1, 2}


@pytest.fixture(scope="module")
def atoms(images, tmp_path_factory):
    """A table of the atoms of the first image, with a species for some and a dose for all."""
    table = nv.detect_atoms(nv.read(images / "one.tif"))
    draw = np.random.default_rng(0).random(len(table))
    table["species"] = np.where(draw < 0.2, "N", np.where(draw < 0.6, "C", ""))
    table["dose"] = draw
    return nv.write_table(table, tmp_path_factory.mktemp("atoms") / "atoms.csv")


def test_classes_from_the_labels_of_a_table(command, images, atoms, tmp_path):
    options = ("--atoms", atoms, "--model", "ss-vae", "--labels", "species", *FAST)
    code, text, _ = command("analyze", images / "one.tif", "--out", tmp_path / "results", *options)
    assert (code, "classes" in text) == (0, True)
    latents = nv.load_analysis(tmp_path / "results").latents
    assert set(latents["class_name"]) <= {"C", "N"}

    options = ("--model", "j-vae", "--n-classes", 3, *FAST)
    assert command("train", images / "one.tif", "--out", tmp_path / "run", *options)[0] == 0
    assert nv.load_run(tmp_path / "run").model_config.n_classes == 3


def test_a_condition_is_told_again_to_encode(command, images, atoms, tmp_path):
    given = ("--atoms", atoms, "--condition", "dose,x")
    code, _, _ = command("train", images / "one.tif", "--out", tmp_path / "run", "--model", "cvae", *given, *FAST)
    assert code == 0
    code, _, _ = command("encode", tmp_path / "run", images / "one.tif", "--out", tmp_path, *given)
    assert (code, "z1" in nv.read_table(tmp_path / "one-latents.csv")) == (0, True)
    code, _, errors = command("encode", tmp_path / "run", images / "one.tif", "--out", tmp_path / "new")
    assert (code, "condition" in last_line(errors)) == (2, True)
    assert not (tmp_path / "new").exists()


def test_advise_shows_its_table_and_a_command(command, images, monkeypatch):

    table = pd.DataFrame({"window": [24], "invariances": ["none"], "held_out": [12.345], "spread": [np.nan]})
    advice = nv.workflow.Advice(nv.ModelConfig.preset("strain-rvae", latent_dim=3), 24, table, "Strain explains more.")
    monkeypatch.setattr("napari_vae.advise", lambda *_, **__: advice)
    code, text, _ = command("advise", images / "one.tif", "--device", "cpu")
    assert code == 0
    assert "12.35" in text or "12.34" in text
    assert "Strain explains more." in text
    assert "--model strain-rvae --latents 3 --window 24" in last_line(text)


def test_help_names_every_kind_of_file_that_is_read(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = command("detect", "--help")
    synonyms = {".tiff", ".jpeg"}
    assert all(suffix[1:] in out for suffix in set(FORMATS) - synonyms)


def test_every_file_gets_a_folder_of_its_own(tmp_path):
    from pathlib import Path

    files = [Path("a/x.tif"), Path("b/x.tif"), Path("x.dm3"), Path("y.png")]
    assert [folder.name for folder in places(files, tmp_path)] == ["x-tif", "x-tif_2", "x-dm3", "y"]


def test_images_of_one_name_get_tables_of_their_own(command, images, tmp_path):
    (tmp_path / "other").mkdir()
    twin = shutil.copy(images / "two.tif", tmp_path / "other" / "one.tif")
    assert command("detect", images / "one.tif", twin, "--out", tmp_path / "tables")[0] == 0
    assert len(list((tmp_path / "tables").glob("*-atoms.csv"))) == 2


def test_latents_of_one_model_are_a_table_of_atoms_for_another(command, images, results, tmp_path):
    atoms = nv.read_table(results / "latents.csv")
    atoms.index = [0] * len(atoms)  # as in two tables written one below the other
    table = nv.write_table(atoms, tmp_path / "atoms.csv")
    code, _, errors = command("encode", results / "run", images / "one.tif", "--atoms", table, "--out", tmp_path)
    assert code == 0, errors
    assert len(nv.read_table(tmp_path / "one-latents.csv")) == len(atoms)


def test_figures_of_an_analysis_are_written(command, results, tmp_path):
    only = ("--only", "overlay,angles,loss", "--format", "svg", "--color", "angle")
    code, text, errors = command("figures", results, "--out", tmp_path / "new", *only)
    assert code == 0, errors
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"overlay-angle.svg", "angles-angle.svg", "loss.svg"}
    assert all(name in text for name in names)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--color", "hue"), "no column hue"),
        (("--only", "map"), "choose of overlay"),
        (("--format", "bmp"), "png or svg, not bmp"),
        (("--axes", "z1"), "two columns"),
    ],
)
def test_figures_that_cannot_be_drawn_are_one_line(command, results, tmp_path, options, words):
    code, _, errors = command("figures", results, "--out", tmp_path / "new", *options)
    assert code == 2
    assert words in errors
    assert not (tmp_path / "new").exists()


def test_transitions_writes_rates_dwell_times_and_changes(command, tmp_path):
    rows = {"track": np.repeat(range(20), 10), "frame": np.tile(range(10), 20), "y": 1.0, "x": np.repeat(range(20), 10)}
    kind = np.where((rows["track"] < 8) & (rows["frame"] > 4), "moved", "still")
    nv.write_table(pd.DataFrame(rows | {"class": kind}), tmp_path / "latents.csv")
    out = tmp_path / "rates"
    code, said, _ = command("transitions", tmp_path / "latents.csv", "--out", out, "--frame-time", 2, "--unit", "s")
    assert code == 0 and "8 changes of class, per atom and s: still → moved 0.0" in said
    tables = {name: nv.read_table(out / f"{name}.csv") for name in ("rates", "dwell", "changes")}
    assert (tables["changes"]["frame"] == 5).all() and set(tables["changes"]["track"]) == set(range(8))
    rates = tables["rates"].set_index(["from", "to"])["rate"]
    assert rates["still", "moved"] == pytest.approx(8 / 148 / 2, rel=0.2) and rates["moved", "still"] < 0.02
    assert list(tables["dwell"]["class"]) == ["moved", "still"]
    code, _, said = command("transitions", tmp_path / "latents.csv", "--out", out, "--column", "kind")
    assert code == 2 and "no column kind" in said


def test_export_writes_the_latents_or_all_atoms(command, results, tmp_path):
    analysis = nv.load_analysis(results)
    for options, n in (((), len(analysis.latents)), (("--atoms",), len(analysis.atoms))):
        assert command("export", results, "--to", tmp_path / "table.csv", *options)[0] == 0
        assert len(nv.read_table(tmp_path / "table.csv")) == n
    code, _, errors = command("export", results, "--to", tmp_path / "table.xls")
    assert code == 2
    assert ".csv, .parquet, .h5ad" in errors


def test_pixels_may_be_higher_than_wide(command, images, tmp_path):
    code, _, _ = command("crystal", images / "one.tif", "--pixel-size", "0.04,0.02", "--out", tmp_path)
    assert code == 0
    lattice = json.loads((tmp_path / "one-lattice.json").read_text())
    assert lattice["unit"] == "nm" and lattice["in_pixels"]["sides"] == [2, 1]
    assert command("detect", images / "one.tif", "--pixel-size", "0.02", "--out", tmp_path)[0] == 0
    assert nv.read(images / "one.tif", pixel_size=0.02).pixel_size == (0.02, 0.02)
    code, _, errors = command("detect", images / "one.tif", "--pixel-size", "wide", "--out", tmp_path)
    assert code == 2 and "pixel size" in errors


def test_change_says_where_latents_change_along_a_covariate(command, tmp_path):
    frame = np.repeat(np.arange(12), 30)
    z1 = np.random.default_rng(0).normal(3.0 * (frame >= 7), 1)
    nv.write_table(pd.DataFrame({"frame": frame, "y": 1.0, "x": 1.0, "z1": z1}), tmp_path / "latents.csv")
    pd.DataFrame({"kelvin": np.arange(300, 420, 10)}).to_csv(tmp_path / "heat.csv", index=False)
    out, heat = tmp_path / "change", f"{tmp_path / 'heat.csv'}:kelvin"
    code, said, _ = command("change", tmp_path / "latents.csv", "--covariate", heat, "--out", out)
    assert code == 0 and "change most between kelvin 360 and 370" in said
    table = nv.read_table(out / "change.csv")
    assert table["kelvin"].tolist() == list(range(300, 420, 10)) and table["probability"].idxmax() == 7
    assert (out / "density-z1-kelvin.png").stat().st_size > 1000
    assert "between frame 6 and 7" in command("change", tmp_path / "latents.csv", "--out", out)[1]
    code, _, said = command("change", tmp_path / "latents.csv", "--covariate", "bias=1,2", "--out", out)
    assert code == 2 and "2 values of bias" in said


def test_baselines_go_from_a_movie_to_densities_in_one_command(command, tmp_path):
    movie = nv.samples.domains(12, 48, width=40, variants=2, seed=1, transition=395.0, jump=0.9)
    nv.write_image(movie.image.data, tmp_path / "movie.tif", axes="TYX")
    options = ("--grid", 8, "--window", 16, "--transform", "fourier", "--method", "gmm", "-n", 3)
    heat = ("--covariate", "temperature=300:410")
    code, said, errors = command("baselines", tmp_path / "movie.tif", *options, *heat, "--out", tmp_path / "b")
    assert code == 0, errors
    assert "fourier-gmm: The latents change most between temperature 350 and 360" in said
    table = nv.read_table(tmp_path / "b" / "fourier-gmm.csv")
    assert len(table) == 12 * 25 and set(table["class"]) == {0, 1, 2}
    assert (tmp_path / "b" / "fourier-gmm" / "density-class-temperature.png").exists()
    code, _, errors = command("baselines", tmp_path / "movie.tif", *options, "--method", "ica", "--out", tmp_path / "b")
    assert code == 2 and "ica" in errors


def test_advise_compares_windows_and_draws_them(command, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vae.workflow.window_scan.STEPS", 2)
    nv.write_image(np.random.default_rng(0).random((96, 96)).astype(np.float32), tmp_path / "noise.tif")
    options = ("--windows", "8,12", "--figure", tmp_path / "windows.svg", "--device", "cpu")
    code, said, errors = command("advise", tmp_path / "noise.tif", *options)
    assert code == 0, errors
    assert "explained" in said and "No window shows anything that repeats; 12 px" in said
    assert (tmp_path / "windows.svg").stat().st_size > 1000
    code, _, errors = command("advise", tmp_path / "noise.tif", "--windows", "8,x")
    assert code == 2 and "--windows" in errors
