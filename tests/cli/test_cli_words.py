"""What the command line says: of bad input, of faults, of a stop, and of names that give orders to a terminal."""

import logging
import shutil
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from command_line import FAST, last_line
from napari_vae import batch
from napari_vae.atoms.recipe import Options
from napari_vae.cli.files import train_on_files
from napari_vae.cli.terminal import progress_bars
from napari_vae.core.fields import settings_of
from napari_vae.core.progress import Stage
from napari_vae.training import processes


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


@pytest.mark.parametrize("name", ["analyze", "train"])
def test_every_setting_is_an_option_with_its_help_and_limits(command, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "600")
    code, out, _ = command(name, "--help")
    assert code == 0
    settings = {**settings_of(nv.ModelConfig), **settings_of(nv.TrainConfig), **settings_of(Options)}
    for setting in settings.values():
        if setting.name in ("kind", "invariances", "frames", "region"):  # which a name says, or only the library takes
            continue
        (line,) = (line for line in out.splitlines() if line.startswith(f"│ {setting.option} "))
        assert setting.text in line and (setting.flag or setting.kind[1:] in line), setting.name


def test_settings_reach_the_training_and_their_limits_are_one_line(command, images, tmp_path):
    how = {"batch_size": 32, "beta": (0, 2, 3), "precision": "single", "learning_rate": 1e-3, "seed": 5}
    what = {"hidden": (32, 16), "rotations": 8, "angle_prior": 30, "latent_dim": 1, "likelihood": "gaussian"}
    options = ["--model", "strain-rvae"]
    for config, values in ((nv.TrainConfig, how), (nv.ModelConfig, what)):
        for name, value in values.items():
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            options += [settings_of(config)[name].option, text]
    code, _, errors = command("train", images / "one.tif", "--out", tmp_path / "run", *options, *FAST)
    assert code == 0, errors
    run = nv.load_run(tmp_path / "run")
    assert run.train_config == nv.TrainConfig(epochs=2, device="cpu", **how)
    assert run.model_config == nv.ModelConfig.preset("strain-rvae", **what)
    for option, text in (("--batch-size", "0"), ("--beta", "-1"), ("--precision", "half"), ("--seed", "4294967296")):
        code, _, errors = command("train", images / "one.tif", "--out", tmp_path / "new", option, text)
        assert code == 2 and f"{option} is " in last_line(errors) and f"not '{text}'" in last_line(errors)


@pytest.mark.parametrize("arguments", [("analyze",), ("analyze", "a.tif"), ("fly",), ("demo", "--fast"), ("train",)])
def test_misuse_is_exit_code_two(command, arguments):
    assert command(*arguments)[0] == 2


def test_an_error_of_our_own_is_one_line_too(command, monkeypatch, tmp_path):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr("napari_vae.cli.window.analyze_sample", fails)
    code, _, errors = command("demo", "--out", tmp_path / "out")
    assert code == 1
    assert "report" in last_line(errors)
    assert "one two" in errors


def test_a_fault_of_ours_in_one_of_several_files_is_exit_code_one(command, images, monkeypatch, tmp_path):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("one")

    monkeypatch.setattr("napari_vae.batch.tasks.find_atoms", fails)
    assert command("detect", images / "one.tif", "--out", tmp_path)[0] == 1
    assert command("detect", images / "broken.tif", images / "one.tif", "--out", tmp_path)[0] == 1
    assert command("detect", images / "broken.tif", "--out", tmp_path)[0] == 2


def test_the_name_of_a_file_is_said_once(command, images, tmp_path):
    for name in ("broken.tif", "missing.tif"):
        _, _, errors = command("detect", images / name, "--out", tmp_path)
        assert last_line(errors).count(name) == 1


def test_tables_that_could_not_be_written_are_not_computed(command, images, results, monkeypatch):
    monkeypatch.setattr("napari_vae.batch.tasks.find_atoms", lambda *a: pytest.fail("detected"))
    for start in (("detect",), ("encode", results / "run")):
        code, _, errors = command(*start, images / "one.tif", "--out", images / "two.tif" / "tables")
        assert code == 2
        assert "is a file" in errors


def test_stopping_is_no_error_message(command, monkeypatch, tmp_path):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_vae.cli.window.analyze_sample", stopped)
    code, _, errors = command("demo", "--out", tmp_path / "out")
    assert (code, last_line(errors)) == (130, "Stopped.")


def test_a_batch_that_is_interrupted_tells_what_is_done_and_that_it_goes_on(command, images, tmp_path, monkeypatch):
    from napari_vae.batch import tasks

    find_atoms = tasks.find_atoms

    def interrupt(image, *rest):
        if image.name == "two":
            raise KeyboardInterrupt
        return find_atoms(image, *rest)

    monkeypatch.setattr(tasks, "find_atoms", interrupt)
    code, _, errors = command("detect", images / "one.tif", images / "two.tif", "--out", tmp_path)
    assert code == 130 and errors.strip().endswith("the same command goes on with the rest.\nStopped.")
    assert pd.read_csv(tmp_path / "summary.csv")["file"].str.endswith("one.tif").tolist() == [True]


def test_a_model_that_could_not_be_saved_is_not_trained(command, images, monkeypatch):
    monkeypatch.setattr("napari_vae.batch.models.train_model", lambda *a: pytest.fail("trained"))
    code, _, errors = command("train", images / "one.tif", "--out", images / "two.tif" / "run")
    assert code == 2
    assert "is a file" in errors


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


@pytest.mark.parametrize("rank", [0, 1])
def test_of_several_processes_the_first_one_shows_how_far_it_is(capsys, monkeypatch, tmp_path, rank):
    def train_on_all(job, files, out, *, overwrite, progress, group):
        progress(Stage("Train", 0.5, "half way"))
        return []

    monkeypatch.setattr(batch, "train_on_all", train_on_all)
    monkeypatch.setattr(processes, "joined", lambda device, wait: nullcontext(processes.Group(rank, 2)))
    train_on_files(
        batch.Train(nv.ModelConfig(), nv.TrainConfig(device="cpu")), [], tmp_path / "run", False, together=True, wait=1
    )
    said = capsys.readouterr()
    assert ("half way" in said.err) is ("trained on 0 windows" in said.out) is (rank == 0)


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
