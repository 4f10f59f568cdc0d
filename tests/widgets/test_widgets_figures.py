"""Figures and tables saved from the window: what is possible is offered, what is missing is said."""

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

import napari_vae as nv
from napari_vae.widgets.explore.figure_section import FigureSection
from training_widget import LONG


@pytest.fixture
def section(viewer, show_widget, lattice, _widgets):
    """The section by itself, on a lattice of two kinds of atoms without a model."""
    image, positions, bright = lattice
    table = pd.DataFrame(positions, columns=["y", "x"]).assign(size=np.arange(len(positions)), kind=bright)
    data = nv.analysis.FigureData(table, nv.Micrograph(image, 0.02, "nm"), color="kind")
    widget = show_widget(lambda viewer: FigureSection(lambda: data))
    _widgets.append(widget.progress)  # a dock has a place for it
    widget.refresh()
    return widget


def offered(section):
    return {name for name, box in section.boxes.items() if box.isEnabled()}


def finish(qtbot, section, start):
    with qtbot.waitSignal(section.job.ended, timeout=LONG):
        start()


def test_only_what_is_possible_is_offered(section):
    assert offered(section) == {"overlay", "classes"}
    assert "trained model" in section.boxes["loss"].toolTip()

    def broken():
        raise nv.InputError("The layer was deleted.")

    section.source = broken
    section.refresh()
    assert not offered(section) and not section.progress.button.isEnabled() and not section.table_button.isEnabled()
    assert "The layer was deleted." in section.boxes["overlay"].toolTip()


def test_figures_are_saved_by_the_button(section, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a: str(tmp_path))
    section.formats["svg"].setChecked(False)
    finish(qtbot, section, lambda: qtbot.mouseClick(section.progress.button, Qt.MouseButton.LeftButton))
    assert {path.name for path in tmp_path.iterdir()} == {"overlay-kind.png", "classes.png"}
    assert section.progress.words.text() == f"2 files saved in {tmp_path}."
    assert section.progress.button.text() == "Save figures …" and section.table_button.isEnabled()


def test_the_table_is_saved_in_the_chosen_format(section, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "atoms"), "CSV table (*.csv)"))
    finish(qtbot, section, lambda: qtbot.mouseClick(section.table_button, Qt.MouseButton.LeftButton))
    assert len(nv.read_table(tmp_path / "atoms.csv")) == 13**2
    assert "169 rows saved in" in section.progress.words.text()


def test_a_saved_table_begins_with_positions_and_says_units_and_is_read_again(section, qtbot, tmp_path):
    table = section.source().table.assign(angle=10.0, angle_sd=1.0)
    data = nv.analysis.FigureData(table, nv.Micrograph(np.zeros((160, 160)), (0.04, 0.02), "nm"))
    section.source = lambda: data
    finish(qtbot, section, lambda: section.save_table(tmp_path / "atoms.csv"))
    header = (tmp_path / "atoms.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header[:5] == ["atom", "y (px)", "x (px)", "y (nm)", "x (nm)"]
    assert {"angle (°)", "angle_sd (°)"} <= set(header)
    read = nv.read_table(tmp_path / "atoms.csv")
    assert {*table} | {"y (nm)", "x (nm)"} == {*read}
    assert np.allclose(read["y (nm)"], 0.04 * table["y"]) and np.allclose(read[["y", "x"]], table[["y", "x"]])


def test_dialogs_begin_beside_the_image_with_its_name_and_then_where_the_last_one_ended(
    viewer, lattice, tmp_path, monkeypatch, _widgets
):
    from napari_vae.widgets.common.dialogs import choose_folder
    from napari_vae.widgets.explore.figure_section import FigureSection

    (tmp_path / "images").mkdir()
    nv.write_image(lattice[0], tmp_path / "images" / "scan.tif")
    (image,) = viewer.open(tmp_path / "images" / "scan.tif", plugin="napari-vae")
    asked = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: asked.append(a[2]) or ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a: asked.append(a[2]) or str(tmp_path / "runs"))
    widget = FigureSection(lambda: None, lambda: image)
    _widgets += [widget, widget.progress]
    widget._on_table_clicked()
    assert asked == [str(tmp_path / "images" / "scan-latents.csv")]
    (tmp_path / "runs").mkdir()
    choose_folder(widget, "Load a model")
    choose_folder(widget, "Load a model")
    assert asked[-1] == str(tmp_path)  # beside the folder that was chosen before


def test_what_cannot_be_saved_is_said(section, qtbot, tmp_path, monkeypatch, notifications):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a: str(tmp_path))
    for box in section.formats.values():
        box.setChecked(False)
    qtbot.mouseClick(section.progress.button, Qt.MouseButton.LeftButton)
    assert "Tick at least one" in section.progress.words.text() and "Tick at least one" in notifications[-1]
    with pytest.raises(nv.InputError, match="let the name end"):
        section.save_table(tmp_path / "atoms.xls")
    (tmp_path / "file").write_text("")
    finish(qtbot, section, lambda: section.save_table(tmp_path / "file" / "atoms.csv"))
    assert "could not be written" in section.progress.words.text()
