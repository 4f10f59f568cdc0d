"""Batch in a real window: files with what became of each, Stop, going on, and opening what was made."""

import threading

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.batch import tasks
from napari_vae.layers.open_runs import run_of
from napari_vae.widgets.batch.table import AMBER
from napari_vae.widgets.common.steps_row import StepsRow
from napari_vae.workflow import atoms
from training_widget import LONG


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with two images of graphene and a file that is none."""
    folder = tmp_path_factory.mktemp("images")
    for seed, name in enumerate(("a.tif", "c.tif")):
        image, _ = nv.samples.micrograph("graphene", size=128, seed=seed, dopants=0.0)
        nv.write_image(image.data, folder / name, pixel_size=image.pixel_size, units="nm")
    (folder / "b.tif").write_bytes(b"II*\x00 cut short")
    return folder


@pytest.fixture
def batch(open_widget, images, tmp_path):
    """The widget, set to detect the atoms of these images."""
    widget = open_widget("Batch")
    widget.form.files.setText(str(images))
    widget.form.out.setText(str(tmp_path / "results"))
    return widget


@pytest.fixture
def held(monkeypatch):
    """Large images at work: they have come to the detection, and wait in it until they may go on."""
    come, go_on, find_atoms = threading.Event(), threading.Event(), tasks.find_atoms

    def find(image, *rest):
        if max(image.shape) >= 200:
            come.set()
            assert go_on.wait(LONG / 1000)
        return find_atoms(image, *rest)

    for module in (tasks, atoms):
        monkeypatch.setattr(module, "find_atoms", find)
    yield come, go_on
    go_on.set()


def finish(qtbot, job):
    with qtbot.waitSignal(job.ended, timeout=LONG):
        pass


def states(widget):
    return [(name, state) for name, state, _ in widget.table.words()]


def test_a_folder_is_worked_through_and_a_file_opened(viewer, batch, qtbot, tmp_path):
    assert not batch.open_button.isEnabled() and not batch.report_button.isEnabled()
    batch.progress.button.click()
    assert batch.progress.button.text() == "Stop"
    finish(qtbot, batch.job)
    assert states(batch) == [("a.tif", "done"), ("b.tif", "failed"), ("c.tif", "done")]
    assert "cut short" in batch.table.words()[1][2]
    assert " atoms: bright columns" in batch.table.words()[0][2].partition("See")[0]
    assert "2 of 3 files are done, 1 failed" in batch.progress.words.text()
    assert batch.report_button.isEnabled() and (tmp_path / "results" / "summary.csv").exists()
    assert len(viewer.layers) == 0  # the viewer is the user's
    batch.table.selectRow(1)
    assert "cut short" in batch.remark.text()
    assert not batch.open_button.isEnabled()
    batch.table.selectRow(2)
    batch.open_button.click()
    finish(qtbot, batch.open_job)
    image, points = viewer.layers
    assert points.name == "atoms of c" and np.allclose(points.scale, image.scale)
    assert len(points.data) == len(nv.read_table(tmp_path / "results" / "c-atoms.csv"))
    batch.start()
    finish(qtbot, batch.job)
    assert [state for _, state in states(batch)] == ["finished before", "failed", "finished before"]


def test_the_files_are_listed_before_start_with_names_that_are_seen(batch, images, qtbot, tmp_path):
    qtbot.waitUntil(lambda: len(batch.table.words()) == 3, timeout=LONG)
    assert states(batch) == [("a.tif", "waiting"), ("b.tif", "waiting"), ("c.tif", "waiting")]
    assert batch.table.item(0, 0).toolTip() == batch.form.files.toolTip() + "/a.tif" == str(images / "a.tif")
    assert batch.progress.words.text() == "3 files."
    batch.form.files.setText(str(tmp_path / "nothing"))
    qtbot.waitUntil(lambda: not batch.table.words(), timeout=LONG)


def test_files_without_atoms_are_counted_and_stand_out(batch, qtbot, tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    for number in (1, 2):
        np.save(folder / f"{number}.npy", np.random.default_rng(number).normal(size=(96, 96)))
    batch.form.files.setText(str(folder))
    batch.start()
    finish(qtbot, batch.job)
    assert states(batch) == [("1.npy", "no atoms"), ("2.npy", "no atoms")]
    assert batch.table.item(0, 1).background().color().name() == AMBER
    assert "2 of 2 files are done, 2 without atoms;" in batch.progress.words.text()
    assert "2 without atoms" in (tmp_path / "results" / "report.html").read_text()


def test_one_model_of_all_and_the_windows_of_a_file(viewer, batch, qtbot, tmp_path):
    batch.form.choose("pool")
    batch.form.epochs.setValue(1)
    batch.start()
    finish(qtbot, batch.job)
    assert states(batch) == [("a.tif", "done"), ("b.tif", "failed"), ("c.tif", "done")]
    assert "One model of 2 of 3 files" in batch.progress.words.text() and not batch.report_button.isEnabled()
    batch.table.selectRow(2)
    batch.open_button.click()
    finish(qtbot, batch.open_job)
    windows = nv.read_table(tmp_path / "results" / "windows.csv")
    assert len(viewer.layers["atoms of c"].data) == windows["file"].str.endswith("c.tif").sum() > 0
    assert run_of(viewer, viewer.layers["atoms of c"]) is not None


@pytest.mark.slow
def test_a_model_for_each_and_one_of_them_for_others(viewer, batch, images, qtbot, tmp_path):
    batch.form.choose("analyze")
    batch.form.epochs.setValue(1)
    batch.form.files.setText(str(images / "a.tif"))
    batch.start()
    finish(qtbot, batch.job)
    batch.table.selectRow(0)
    batch.table.cellDoubleClicked.emit(0, 0)
    finish(qtbot, batch.open_job)
    assert batch.show_bar.layer == viewer.layers["atoms of a"] and batch.show_bar.key.name.text() == "z1"
    assert run_of(viewer, viewer.layers["atoms of a"]) is not None
    marks = batch.findChild(StepsRow).marks
    assert {"detection", "models", "batch"} <= {page for page, mark in marks.items() if mark.text() == "✓"}
    assert len(viewer.layers) == 2, "the image and its points"
    viewer.layers.clear()
    batch.form.choose("apply")
    batch.form.run.setText(str(tmp_path / "results" / "a"))  # an analysis holds a model
    batch.form.files.setText(str(images / "?.tif"))
    batch.start()
    finish(qtbot, batch.job)
    assert [state for _, state in states(batch)] == ["done", "failed", "done"]
    assert "5 % quantile of the training" in batch.table.words()[2][2]
    assert batch.table.item(2, 1).background().color().name() != AMBER
    batch.table.selectRow(2)
    batch.open_button.click()
    finish(qtbot, batch.open_job)
    points = viewer.layers["atoms of c"]
    assert "z1" in points.features and batch.show_bar.layer == points and batch.show_bar.key.name.text() == "z1"
    assert not any(layer.face_colorbar.visible for layer in viewer.layers if type(layer).__name__ == "Points")
    assert run_of(viewer, points).run.window == nv.load_run(tmp_path / "results" / "a" / "run").window


def test_stop_is_answered_at_once_and_start_goes_on(batch, images, held, qtbot, tmp_path):
    (come, go_on), folder = held, tmp_path / "large"
    folder.mkdir()
    (folder / "0.tif").write_bytes((images / "a.tif").read_bytes())
    image, _ = nv.samples.micrograph("graphene", size=200, seed=0)
    for number in (1, 2):
        np.save(folder / f"{number}.npy", image.data + number)
    batch.form.files.setText(str(folder))
    batch.start()
    qtbot.waitUntil(come.is_set, timeout=LONG)
    batch.progress.button.click()
    finish(qtbot, batch.job)
    assert states(batch) == [("0.tif", "done"), ("1.npy", "waiting"), ("2.npy", "waiting")]
    assert "Stopped: 1 of 3" in batch.progress.words.text()
    batch.start()
    qtbot.waitUntil(lambda: "comes to an end" in batch.progress.words.text(), timeout=LONG)
    go_on.set()
    finish(qtbot, batch.job)
    assert [state for _, state in states(batch)] == ["finished before", "done", "done"]


def test_a_training_on_all_that_is_stopped_is_kept_and_made_anew(viewer, batch, qtbot, tmp_path):
    batch.form.choose("pool")
    batch.form.epochs.setValue(10_000)
    batch.start()
    qtbot.waitUntil(lambda: "Training" in batch.progress.words.text(), timeout=LONG)
    batch.progress.button.click()
    assert not batch.progress.button.isEnabled()
    finish(qtbot, batch.job)
    stopped = nv.load_run(tmp_path / "results")
    assert stopped.stopped and stopped.history["epoch"].iloc[-1] < 9000
    assert "Stopped: the model of 2 of 3 files, as it was then" in batch.progress.words.text()
    assert batch.progress.button.text() == "Start" and batch.progress.button.isEnabled()
    assert states(batch) == [("a.tif", "done"), ("b.tif", "failed"), ("c.tif", "done")]
    batch.table.selectRow(0)
    batch.open_button.click()
    finish(qtbot, batch.open_job)
    assert len(viewer.layers["atoms of a"].data) > 0
    batch.form.epochs.setValue(1)
    batch.start()  # what was cut short may be replaced
    finish(qtbot, batch.job)
    assert "One model of 2 of 3 files" in batch.progress.words.text()
    assert not nv.load_run(tmp_path / "results").stopped
    batch.start()
    finish(qtbot, batch.job)
    assert [state for _, state in states(batch)] == ["finished before", "failed", "finished before"]


def test_one_model_of_all_that_is_stopped_before_its_training_leaves_nothing(batch, images, held, qtbot, tmp_path):
    (come, go_on), (image, _) = held, nv.samples.micrograph("graphene", size=200, seed=0)
    np.save(tmp_path / "large.npy", image.data)
    batch.form.files.setText(f"{tmp_path / 'large.npy'}; {images / 'a.tif'}")
    batch.form.choose("pool")
    batch.form.epochs.setValue(1)
    batch.start()
    qtbot.waitUntil(come.is_set, timeout=LONG)
    batch.progress.button.click()
    finish(qtbot, batch.job)
    assert "no model is written" in batch.progress.words.text()
    assert states(batch) == [("large.npy", "waiting"), ("a.tif", "waiting")]
    batch.form.files.setText(str(images / "a.tif"))
    batch.start()
    qtbot.waitUntil(lambda: "comes to an end" in batch.progress.words.text(), timeout=LONG)
    go_on.set()
    finish(qtbot, batch.job)
    assert states(batch) == [("a.tif", "done")] and len(nv.load_run(tmp_path / "results").history)


def test_files_that_were_about_to_be_listed_do_not_take_the_place_of_what_became_of_them(batch, images, qtbot):
    batch._timer.setInterval(LONG)
    batch.form.files.setText(str(images / "a.tif"))
    batch.start()
    finish(qtbot, batch.job)
    batch._timer.setInterval(0)  # what is put off still comes now
    qtbot.waitUntil(lambda: not batch._timer.isActive() and not batch.list_job.running, timeout=LONG)
    assert states(batch) == [("a.tif", "done")]


def test_a_table_that_another_program_has_open_is_one_sentence(batch, qtbot, notifications, monkeypatch):
    def refuse(folder, *_):
        raise PermissionError(13, "in use", str(folder / ".summary.csv.part"), None, str(folder / "summary.csv"))

    monkeypatch.setattr("napari_vae.batch.loop.write_summary", refuse)
    batch.start()
    finish(qtbot, batch.job)
    assert "summary.csv may not be read or written, or is open in another program" in notifications[-1]
    assert batch.progress.button.text() == "Start"


def test_what_is_missing_is_said(batch, qtbot, notifications, tmp_path):
    batch.form.choose("apply")
    batch.progress.button.click()
    assert "No trained model is named" in notifications[-1] and not batch.job.running
    batch.form.choose("detect")
    batch.form.files.setText(" ; ")
    batch.progress.button.click()
    assert "No images are named" in batch.progress.words.text()
    batch.form.files.setText(str(tmp_path / "*.dm4"))
    batch.progress.button.click()
    finish(qtbot, batch.job)
    assert "No image matches" in notifications[-1] and batch.progress.button.text() == "Start"


@pytest.mark.own_window
def test_closing_the_window_ends_the_batch(viewer, images, qtbot, tmp_path):
    widget = viewer.window.add_plugin_dock_widget("napari-vae", "Batch")[1].finish()
    widget.form.files.setText(str(images))
    widget.form.out.setText(str(tmp_path / "results"))
    widget.start()
    qtbot.waitUntil(lambda: widget.table.rowCount() == 3, timeout=LONG)
    viewer.close()


def test_a_model_that_fits_none_of_the_windows_is_not_just_done(batch, lattice, trained, qtbot, tmp_path):
    trained[0].save(tmp_path / "run")
    np.save(tmp_path / "large.npy", np.kron(lattice[0], np.ones((2, 2))))  # atoms twice as far apart
    batch.form.choose("apply")
    batch.form.run.setText(str(tmp_path / "run"))
    batch.form.files.setText(str(tmp_path / "large.npy"))
    batch.start()
    finish(qtbot, batch.job)
    assert states(batch) == [("large.npy", "does not fit")]
    assert batch.table.item(0, 1).background().color().name() == AMBER
    assert "1 that the model does not fit" in batch.progress.words.text()
    assert "train on this image" in batch.table.words()[0][2]
