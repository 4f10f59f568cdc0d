"""Many files: that each is done once and whole, what is refused, and the table of all."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from counting import NAMES, Count, contents, states
from napari_vae import batch
from napari_vae.batch.summary import _page
from napari_vae.workflow.records import read_record


@pytest.fixture
def files(tmp_path):
    """Four files of different lengths."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(NAMES):
        np.save(tmp_path / "images" / name, np.zeros(number))
    return tmp_path / "images"


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such names")
def test_names_with_signs_of_html_and_csv_are_told_as_they_are(tmp_path):
    names = ["<b>&'.npy", 'say "a, b".npy', "100% #1.npy"]
    for name in names:
        (tmp_path / name).write_bytes(b"1234")
    batch.run(Count(bad=names[1]), tmp_path, tmp_path / "out")
    told = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("file")["state"]
    assert {Path(file).name: state == "failed" for file, state in told.items()} == {
        name: "say" in name for name in names
    }
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;&#x27;.npy" in page and "<b>" not in page and "100%25%20%231" in page


def test_what_is_finished_is_not_done_again(files, tmp_path):
    first, out = Count(), tmp_path / "out"
    assert states(batch.run(first, files, out)) == ["done"] * 4
    again = Count()
    outcomes = batch.run(again, files / "*.npy", out)
    assert states(outcomes) == ["finished before"] * 4 and again.seen == []
    assert str(outcomes[0]) == f"a.npy: finished before; {first_size(files)} bytes"
    (out / "b.txt").unlink()
    assert states(batch.run(again, files, out)) == ["finished before", "done", "finished before", "finished before"]
    assert again.seen == ["b.npy"]


def first_size(files):
    return (files / "a.npy").stat().st_size


def test_results_of_other_images_or_settings_are_replaced_only_when_asked(files, tmp_path):
    out = tmp_path / "out"
    batch.run(Count(), files, out)
    np.save(files / "a.npy", np.zeros(100))
    outcomes = batch.run(Count(), files, out)
    assert states(outcomes) == ["failed", *["finished before"] * 3] and outcomes[0].code == 2
    assert "exists already" in outcomes[0].message and (out / "a.txt").read_text().startswith(("128", "1 "))
    assert all(batch.run(Count(unit="B"), files, out)[n].failed for n in range(4))
    assert (out / "b.txt").read_text().endswith("bytes")
    assert states(batch.run(Count(unit="B"), files, out, overwrite=True)) == ["done"] * 4
    assert (out / "a.txt").read_text() == f"{first_size(files)} B"


def test_a_file_of_the_users_is_not_replaced(files, tmp_path):
    (tmp_path / "b.txt").write_text("mine")
    assert states(batch.run(Count(), files, tmp_path)) == ["done", "failed", "done", "done"]
    assert (tmp_path / "b.txt").read_text() == "mine"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "report.html").write_text("mine")
    task = Count()
    with pytest.raises(nv.InputError, match="no batch has written it"):
        batch.run(task, files, tmp_path / "other")
    (tmp_path / "summary.csv").unlink()
    (tmp_path / "summary.csv").mkdir()
    with pytest.raises(nv.InputError, match="no batch has written it"):
        batch.run(task, files, tmp_path)
    assert task.seen == []


def test_a_file_that_fails_is_noted_and_tried_again(files, tmp_path):
    out = tmp_path / "out"
    outcomes = batch.run(Count(bad="b.npy"), files, out)
    assert states(outcomes) == ["done", "failed", "done", "done"]
    table = pd.read_csv(out / "summary.csv")
    assert list(table["state"]) == states(outcomes) and "odd" in table["message"][1]
    page = (out / "report.html").read_text()
    assert "3 of 4 files are done; 1 failed" in page
    assert "It is &lt;too&gt; odd" in page and 'href="a.txt"' in page and 'href="b.txt"' not in page
    task = Count()
    assert states(batch.run(task, files, out))[1] == "done" and task.seen == ["b.npy"]
    assert "4 of 4 files are done" in (out / "report.html").read_text()


def test_a_failed_replacement_leaves_the_result_and_what_is_known_of_it(files, tmp_path):
    out = tmp_path / "out"
    batch.run(Count(), files, out)
    assert states(batch.run(Count(unit="B", bad="b.npy"), files, out, overwrite=True))[1] == "failed"
    assert (out / "b.txt").read_text().endswith("bytes")
    assert batch.run(Count(), files / "b.npy", out)[0].state == "finished before"


def test_stop_keeps_what_is_done_and_the_rest_is_done_later(files, tmp_path):
    seen, out = [], tmp_path / "out"
    assert batch.run(Count(), files, out, stop=lambda: True) == [] and not out.exists()

    def stop():
        return bool(seen) and seen[-1].path.name == "c.npy" and seen[-1].stage is not None

    outcomes = batch.run(Count(), files, out, progress=seen.append, stop=stop)
    assert [outcome.path.name for outcome in outcomes] == ["a.npy", "b.npy"]
    assert not (out / "c.txt").exists() and len(pd.read_csv(out / "summary.csv")) == 2
    fractions = [event.fraction for event in seen]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(0.5)
    assert seen[-1].total == 4 and seen[-1].seconds_left is not None and "File 3 of 4, c.npy: look" in seen[-1].message
    assert states(batch.run(Count(), files, out)) == ["finished before", "finished before", "done", "done"]
    whole = tmp_path / "whole"
    batch.run(Count(), files, whole)
    assert contents(out) == contents(whole)


def test_what_a_killed_program_left_is_done_again(files, tmp_path):
    """The result is there, but not the word that it is whole."""
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        batch.run(Killed(), files, out)
    assert (out / "a.txt").read_text() == "half" and read_record(out / "a.txt").state == "begun"
    assert states(batch.run(Count(), files, out)) == ["done"] * 4
    assert (out / "a.txt").read_text().endswith("bytes")


class Killed(Count):
    def work(self, path, target, say):
        target.write_text("half")
        raise KeyboardInterrupt


def test_a_full_disk_is_one_sentence(files, tmp_path):
    outcome = batch.run(Full(), files / "a.npy", tmp_path)[0]
    assert (outcome.state, outcome.code) == ("failed", 2) and outcome.message.startswith("No space left (a.txt); make")


class Full(Count):
    def work(self, path, target, say):
        raise OSError(errno.ENOSPC, "No space left", target.name)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"file": 3}', '{"file": "a", "task": "", "state": "done", "key": 1}'])
def test_a_damaged_record_is_none(files, tmp_path, text):
    out = tmp_path / "out"
    batch.run(Count(), files, out)
    (out / ".napari-vae" / "a.txt.json").write_text(text)
    assert states(batch.run(Count(), files, out)) == ["failed", *["finished before"] * 3]


def test_the_summary_tells_of_everything_in_the_folder(files, tmp_path):
    batch.run(Count(), [files / "a.npy", files / "b.npy"], tmp_path)
    batch.run(Count(), [files / "c.npy", files / "d.npy"], tmp_path)
    table = pd.read_csv(tmp_path / "summary.csv")
    assert list(table["result"]) == ["a.txt", "b.txt", "c.txt", "d.txt"] and table["size"].dtype.kind == "i"
    pytest.importorskip("pyarrow")
    typed = pd.read_parquet(tmp_path / "summary.parquet")
    assert list(typed) == list(table) and (typed["size"] == table["size"]).all()


def test_links_survive_odd_names(files, tmp_path):
    odd = files / "50% dose #1.npy"
    np.save(odd, np.zeros(1))
    batch.run(Count(), [odd, files / "a.npy"], tmp_path)
    assert 'href="50%25%20dose%20%231.txt"' in (tmp_path / "report.html").read_text()


def test_a_pixel_size_told_beside_an_array_is_part_of_its_content(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 9)))
    out = tmp_path / "out"
    batch.run(Count(), tmp_path / "a.npy", out)
    view = {"field_of_view_y": 9, "field_of_view_x": 9, "field_of_view_units": "nm"}
    (tmp_path / "a.json").write_text(json.dumps({"spatial_info": view}))
    assert nv.read(tmp_path / "a.npy").pixel_size == (1, 1)
    assert states(batch.run(Count(), tmp_path / "a.npy", out, overwrite=True)) == ["done"]
    assert states(batch.run(Count(), tmp_path / "a.npy", out)) == ["finished before"]


def test_a_file_that_changes_while_it_is_worked_on_has_failed_and_is_done_again(files, tmp_path):
    out = tmp_path / "out"
    outcome = batch.run(Growing(), files / "a.npy", out)[0]
    assert (outcome.state, outcome.code) == ("failed", 2) and "has changed while it was worked on" in outcome.message
    assert batch.run(Count(), files / "a.npy", out)[0].state == "done"
    assert (out / "a.txt").read_text() == f"{first_size(files)} bytes"
    gone = batch.run(Taken(), files / "b.npy", out)[0]
    assert gone.state == "done"  # it was read to its end before


class Growing(Count):
    def work(self, path, target, say):
        found = super().work(path, target, say)
        with path.open("ab") as file:
            file.write(b"more")
        return found


class Taken(Count):
    def work(self, path, target, say):
        found = super().work(path, target, say)
        path.unlink()
        return found


@pytest.mark.skipif(os.name == "nt", reason="paths of Windows end sooner")
def test_names_too_long_for_a_result_leave_the_others_alone(files, tmp_path):
    longest = files / f"{'l' * 250}.npy"
    np.save(longest, np.zeros(1))
    assert states(batch.run(Count(), files, tmp_path / "out")) == ["done"] * 5
    assert len(pd.read_csv(tmp_path / "out" / "summary.csv")) == 5


def test_one_file_of_a_pattern_is_named_as_one_of_many(files, tmp_path):
    np.save(files / "aux .npy", np.zeros(1))
    outcome = batch.run(Placed(), files / "au*.npy", tmp_path / "out")[0]
    assert outcome.target == tmp_path / "out" / "aux_"


class Placed(Count):
    def targets(self, places, out):
        return list(places) if len(places) > 1 else [out]


def test_a_folder_that_closes_meanwhile_fails_file_by_file(files, tmp_path, monkeypatch):
    """As root may write anywhere, the system is asked to refuse in its name."""

    def refuse(path, record):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("napari_vae.batch.loop.write_record", refuse)
    outcomes = batch.run(Count(), files, tmp_path / "out")
    assert states(outcomes) == ["failed"] * 4
    assert all("may not be read or written, or is open in another program" in outcome.message for outcome in outcomes)


def test_the_page_counts_what_is_done_what_failed_and_what_is_empty(tmp_path):
    row = {"task": "detect", "message": "", "warning": ""}
    rows = [row | {"file": "a", "state": "done", "result": "a.csv", "atoms": 0}]
    rows += [row | {"file": "b", "state": "done", "result": "b.csv", "atoms": 5, "warning": "Few."}]
    rows += [row | {"file": "c", "state": "failed", "result": "", "message": "No image."}]
    page = _page(tmp_path, rows)
    assert "<h1>2 of 3 files are done; 1 failed; 1 with a warning; 1 without atoms</h1>" in page
    assert "<th>atoms</th>" in page and "<th>message</th>" not in page and "No image." in page
    assert "<h1>1 of 1 files are done; 1 with a warning</h1>" in _page(tmp_path, rows[1:2])
