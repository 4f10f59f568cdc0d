"""The command line: what it writes, and that bad input is one line and exit code 2, never a traceback."""

import json
import logging
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae import showing
from napari_vae.batch.naming import places
from napari_vae.io.reading import FORMATS
from napari_vae.pipeline import Stage
from napari_vae.terminal import progress_bars

COMMANDS = ("demo", "analyze", "advise", "detect", "crystal", "train", "encode", "open", "figures", "export", "explore")
FAST = ("--epochs", "2", "--device", "cpu")


def last_line(text):
    return text.strip().splitlines()[-1]


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
    assert (code, text.count("atoms in")) == (0, 2)
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


def test_crystal_writes_tables_and_the_lattice(command, images, tmp_path):
    code, text, _ = command("crystal", images / "one.tif", images / "broken.tif", images / "two.tif", "--out", tmp_path)
    assert (code, text.count("spacing = 0.14")) == (2, 2)
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
    assert "nothing stands out of noise" in text
    assert len(nv.read_table(tmp_path / "noise-atoms.csv")) == 0


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
    advice = nv.Advice(nv.ModelConfig.preset("strain-rvae", latent_dim=3), 24, table, "Strain explains more.")
    monkeypatch.setattr("napari_vae.adviser.advise", lambda *_, **__: advice)
    code, text, _ = command("advise", images / "one.tif", "--device", "cpu")
    assert code == 0
    assert "12.35" in text or "12.34" in text
    assert "Strain explains more." in text
    assert "--model strain-rvae --latents 3 --window 24" in last_line(text)


def bad_input(images, tmp_path):
    one = images / "one.tif"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("x")
    out = ("--out", tmp_path / "new")
    np.save(tmp_path / "flat.npy", np.zeros((64, 64)))
    np.save(tmp_path / "nan.npy", np.full((64, 64), np.nan))
    return [
        ("analyze", tmp_path / "missing.tif", *out),
        ("analyze", tmp_path / "full", *out),
        ("analyze", tmp_path / "*.dm3", *out),
        ("analyze", images / "broken.tif", *out),
        ("analyze", tmp_path / "flat.npy", *out),
        ("analyze", tmp_path / "nan.npy", *out),
        ("analyze", one, "--out", tmp_path / "full"),
        ("analyze", one, *out, "--model", "nonsense"),
        ("analyze", one, *out, "--window", "wide"),
        ("analyze", one, *out, "--window", "500"),
        ("analyze", one, *out, "--epochs", "-3"),
        ("analyze", one, *out, "--classes", "0"),
        ("analyze", one, *out, "--device", "abacus", "--epochs", "1"),
        ("analyze", one, *out, "--polarity", "grey"),
        ("analyze", one, *out, "--dataset", "7"),
        ("analyze", one, one, "--out", tmp_path / "flat.npy" / "x"),
        ("train", one, "--out", tmp_path / "full"),
        ("train", one, *out, "--atoms", images / "broken.tif"),
        ("train", one, *out, "--model", "ss-vae", "--labels", "species"),
        ("analyze", one, *out, "--model", "j-rvae"),
        ("analyze", one, *out, "--model", "crvae"),
        ("advise", tmp_path / "missing.tif"),
        ("advise", one, "--device", "abacus"),
        ("encode", tmp_path / "full", one),
        ("open", tmp_path / "full"),
        ("demo", "--kind", "diamond", *out),
        ("demo", "--out", tmp_path / "full"),
    ]


def test_bad_input_is_one_line_and_exit_code_two(command, images, tmp_path):
    for arguments in bad_input(images, tmp_path):
        code, _, errors = command(*arguments)
        assert code == 2, arguments
        assert last_line(errors).endswith((".", ']"', "hdf5.")), arguments
        assert "error in napari-vae itself" not in errors, arguments
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("arguments", [("analyze",), ("analyze", "a.tif"), ("fly",), ("demo", "--fast"), ("train",)])
def test_misuse_is_exit_code_two(command, arguments):
    assert command(*arguments)[0] == 2


def test_an_error_of_our_own_is_one_line_too(command, monkeypatch, tmp_path):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr("napari_vae.demonstration.analyze_sample", fails)
    code, _, errors = command("demo", "--out", tmp_path / "out")
    assert code == 1
    assert "report" in last_line(errors)
    assert "one two" in errors


def test_a_fault_of_ours_in_one_of_several_files_is_exit_code_one(command, images, monkeypatch, tmp_path):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("one")

    monkeypatch.setattr("napari_vae.pipeline.find_atoms", fails)
    assert command("detect", images / "one.tif", "--out", tmp_path)[0] == 1
    assert command("detect", images / "broken.tif", images / "one.tif", "--out", tmp_path)[0] == 1
    assert command("detect", images / "broken.tif", "--out", tmp_path)[0] == 2


def test_the_name_of_a_file_is_said_once(command, images, tmp_path):
    for name in ("broken.tif", "missing.tif"):
        _, _, errors = command("detect", images / name, "--out", tmp_path)
        assert last_line(errors).count(name) == 1


def test_tables_that_could_not_be_written_are_not_computed(command, images, results, monkeypatch):
    monkeypatch.setattr("napari_vae.pipeline.find_atoms", lambda *a: pytest.fail("detected"))
    for start in (("detect",), ("encode", results / "run")):
        code, _, errors = command(*start, images / "one.tif", "--out", images / "two.tif" / "tables")
        assert code == 2
        assert "is a file" in errors


def test_help_names_every_kind_of_file_that_is_read(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = command("detect", "--help")
    synonyms = {".tiff", ".jpeg"}
    assert all(suffix[1:] in out for suffix in set(FORMATS) - synonyms)


def test_stopping_is_no_error_message(command, monkeypatch, tmp_path):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_vae.demonstration.analyze_sample", stopped)
    code, _, errors = command("demo", "--out", tmp_path / "out")
    assert (code, last_line(errors)) == (130, "Stopped.")


def test_a_batch_that_is_interrupted_tells_what_is_done_and_that_it_goes_on(command, images, tmp_path, monkeypatch):
    from napari_vae import pipeline

    find_atoms = pipeline.find_atoms

    def interrupt(image, *rest):
        if image.name == "two":
            raise KeyboardInterrupt
        return find_atoms(image, *rest)

    monkeypatch.setattr(pipeline, "find_atoms", interrupt)
    code, _, errors = command("detect", images / "one.tif", images / "two.tif", "--out", tmp_path)
    assert code == 130 and errors.strip().endswith("the same command goes on with the rest.\nStopped.")
    assert pd.read_csv(tmp_path / "summary.csv")["file"].str.endswith("one.tif").tolist() == [True]


def test_demo_without_a_display_writes_results_and_a_picture(command, monkeypatch, results, tmp_path):
    monkeypatch.setattr("napari_vae.demonstration.analyze_sample", lambda *a, **k: nv.load_analysis(results))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    asked = []
    monkeypatch.setattr(showing, "save_screenshot", lambda *paths: asked.append(paths) or "")
    out = tmp_path / "demo-output"
    for _ in range(2):  # again, over the first
        assert command("demo", "--out", out)[0] == 0
    assert asked == [(out, out / "napari-window.png")] * 2
    assert (out / "report.html").exists()


def test_demo_with_a_display_opens_the_window(command, monkeypatch, results, tmp_path):
    monkeypatch.setattr("napari_vae.demonstration.analyze_sample", lambda *a, **k: nv.load_analysis(results))
    monkeypatch.setenv("DISPLAY", ":0")
    opened = []
    monkeypatch.setattr(showing, "show", opened.append)
    assert command("demo", "--out", tmp_path / "out")[0] == 0
    assert len(opened) == 1


def test_what_to_install_is_said_where_there_is_no_virtual_screen(monkeypatch, results, tmp_path):
    monkeypatch.setattr(showing, "has_display", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "apt install xvfb" in showing.save_screenshot(results, tmp_path / "window.png")


def test_without_a_display_open_says_so(command, monkeypatch, results):
    monkeypatch.setattr(showing, "has_display", lambda: False)
    code, _, errors = command("open", results)
    assert code == 2
    assert "no display" in errors


@pytest.mark.skipif(not (showing.has_display() or shutil.which("xvfb-run")), reason="needs a display or xvfb-run")
def test_the_window_of_an_analysis_has_a_picture(results, tmp_path):
    import imageio.v3 as imageio

    picture = tmp_path / "window.png"
    assert showing.save_screenshot(results, picture) == ""
    pixels = imageio.imread(picture)
    assert min(pixels.shape[:2]) > 500
    assert len(np.unique(pixels[..., :3].reshape(-1, 3), axis=0)) > 200  # coloured atoms, not an empty canvas


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


def test_a_model_that_could_not_be_saved_is_not_trained(command, images, monkeypatch):
    monkeypatch.setattr("napari_vae.pipeline.train_model", lambda *a: pytest.fail("trained"))
    code, _, errors = command("train", images / "one.tif", "--out", images / "two.tif" / "run")
    assert code == 2
    assert "is a file" in errors


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


def test_export_writes_the_latents_or_all_atoms(command, results, tmp_path):
    analysis = nv.load_analysis(results)
    for options, n in (((), len(analysis.latents)), (("--atoms",), len(analysis.atoms))):
        assert command("export", results, "--to", tmp_path / "table.csv", *options)[0] == 0
        assert len(nv.read_table(tmp_path / "table.csv")) == n
    code, _, errors = command("export", results, "--to", tmp_path / "table.xls")
    assert code == 2
    assert ".csv, .parquet, .h5ad" in errors


def test_open_takes_its_picture_on_a_virtual_screen_where_there_is_no_display(command, monkeypatch, results, tmp_path):
    monkeypatch.setattr(showing, "has_display", lambda: False)
    monkeypatch.setattr(showing, "save_screenshot", lambda *paths: "No virtual screen.")
    code, _, errors = command("open", results, "--screenshot", tmp_path / "window.png")
    assert code == 2
    assert "No virtual screen." in errors


ORDERS = ["a\x1b]0;owned\x07.npy", "b\x9b31m.npy", "c\u202efig.npy", "[bold]d[red].npy", "-\x1b[2J"]


@pytest.mark.parametrize("name", ORDERS)
def test_no_name_gives_orders_to_the_terminal(command, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((9, 9)))
    (tmp_path / "x.npy").rename(tmp_path / name)
    _, *told = command("detect", name, "--out", tmp_path / "out")
    assert name.encode("unicode_escape").decode() in "".join(told)
    assert not set("".join(told)) & set("\x1b\x07\x9b\u202e")


def test_bars_are_shown_unless_asked_to_be_quiet(capsys):
    for settings, shown in (({}, True), ({"quiet": True}, False)):
        with progress_bars(**settings) as bars:
            bars(Stage("Train", 0.5, "half way"))
        assert ("half way" in capsys.readouterr().err) is shown


def test_what_readers_log_is_not_shown(command, real_data, tmp_path):
    pytest.importorskip("rsciio")
    name, heard = "16x16_STEM_BF_DF_acquire", []
    for ending, copied in ((".emi", ".emi"), ("_1.ser", "_1.ser"), ("_1.ser", "_3.ser")):  # a third, not described
        shutil.copyfile(real_data / "formats" / "rsciio_GPL3" / f"{name}{ending}", tmp_path / f"{name}{copied}")
    handler = logging.Handler()
    handler.emit = heard.append
    logging.getLogger("rsciio").addHandler(handler)  # which has one of its own, that prints
    try:
        command("detect", tmp_path / f"{name}.emi", "--out", tmp_path)
        assert not heard
        nv.read(tmp_path / f"{name}.emi")
        assert heard
    finally:
        logging.getLogger("rsciio").removeHandler(handler)
