"""Files and folders that take their place when they are complete: their names until then, and who may be in the way."""

import errno
import os
from pathlib import Path

import pytest

from napari_vae import folders, storage
from napari_vae.folders import replace_folder, replacing, sweep
from napari_vae.terminal import exit_code, sentence

LONGER = 14  # characters that a name may be longer until it is complete


@pytest.fixture
def names(monkeypatch):
    """Names of everything that is moved."""
    seen, move = [], folders.move

    def note(path, target):
        seen.append(path.name)
        move(path, target)

    monkeypatch.setattr(folders, "move", note)
    return seen


@pytest.mark.parametrize("name", ["a", "table.csv", "l" * 24, "l" * 25, "電" * 80])
def test_names_are_bounded_until_they_are_complete(tmp_path, names, name):
    for _ in range(2):
        with replacing(tmp_path / name) as temporary:
            temporary.write_text("x")
    with replace_folder(tmp_path / f"{name[:-1]}_", "mark") as new:
        (new / "mark").touch()
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name[:-1]}_"}
    assert all(len(moved) <= min(len(name), folders.LONGEST) + LONGER for moved in names)


def test_long_names_with_one_beginning_are_told_apart(tmp_path):
    with replacing(tmp_path / f"{'l' * 99}a") as one, replacing(tmp_path / f"{'l' * 99}b") as other:
        assert one != other
        one.write_text("a")
        other.write_text("b")
    assert (tmp_path / f"{'l' * 99}a").read_text() == "a"


def test_a_kill_between_two_moves_loses_nothing(tmp_path):
    (tmp_path / ".result-abcdefgh-old").mkdir()
    (tmp_path / ".result-abcdefgh-old" / "table.csv").write_text("x\n1\n")
    (tmp_path / ".result-abcdefgh").mkdir()
    sweep(tmp_path / "result")
    assert (tmp_path / "result" / "table.csv").read_text() == "x\n1\n"
    (tmp_path / ".result-ijklmnop-old").mkdir()
    sweep(tmp_path / "result")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
    sweep(tmp_path / "nowhere" / "result")


def test_what_somebody_put_into_a_result_outlives_the_result(tmp_path):
    target = tmp_path / "result"
    for names in (["mark", "table.csv", "only once"], ["mark", "table.csv"]):
        with replace_folder(target, "mark", ["only once"]) as new:
            for name in names:
                (new / name).write_text("ours")
        if "only once" in names:
            (target / "notes.txt").write_text("mine")
            (target / "figures").mkdir()
            (target / "figures" / "one.png").write_text("mine")
    assert {path.name for path in target.iterdir()} == {"mark", "table.csv", "notes.txt", "figures"}
    assert (target / "notes.txt").read_text() == (target / "figures" / "one.png").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_kill_before_it_is_brought_over_loses_nothing_of_it(tmp_path):
    for folder, name in ((".result-abcdefgh-old", "notes.txt"), ("result", "mark")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    sweep(tmp_path / "result")
    assert {path.name for path in (tmp_path / "result").iterdir()} == {"mark", "notes.txt"}
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize("attempts", [3, 99])
def test_a_file_that_another_program_looks_at_is_waited_for(tmp_path, monkeypatch, attempts):
    """As on Windows, where a virus scanner has a new file open for a moment, and a spreadsheet for long."""
    target, replace, refused = tmp_path / "table.csv", Path.replace, []
    target.write_text("old")

    def refuse(path, to):
        if len(refused) < attempts:
            refused.append(path)
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(path), None, str(to))
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(folders, "PAUSES", (0.0,) * 4)

    def write():
        with replacing(target) as temporary:
            temporary.write_text("new")

    if attempts == 3:
        write()
        assert target.read_text() == "new"
    else:
        with pytest.raises(PermissionError) as held:
            write()
        told = sentence(held.value)
        assert told.startswith(f"{target} may not be read or written, or is open in another program; change its")
        assert exit_code(held.value) == 2 and target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.skipif(os.name == "nt", reason="on Windows it is the whole path that is bounded")
def test_a_name_that_is_too_long_is_one_sentence(tmp_path):
    with pytest.raises(OSError, match="too long") as refused, replacing(tmp_path / ("l" * 300)) as temporary:
        temporary.write_text("x")
    assert sentence(refused.value).endswith("is too long; choose a folder for the results with a shorter one.")


def test_a_path_that_windows_calls_missing_is_told_as_too_long(monkeypatch):
    missing = FileNotFoundError(errno.ENOENT, "The system cannot find the path", "/results" * 40)
    assert storage.storage_problem(missing) is None
    monkeypatch.setattr(storage, "BOUNDED", True)
    assert "too long" in storage.storage_problem(missing)
    assert storage.storage_problem(FileNotFoundError(errno.ENOENT, "no such file", "a.tif")) is None
    assert storage.storage_problem(ValueError()) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "make room there"), (errno.EFBIG, "make room"), (errno.EROFS, "choose another")],
)
def test_a_disk_that_takes_nothing_is_one_sentence(number, words):
    told = sentence(OSError(number, "As the system says", "a.csv"))
    assert told.startswith("As the system says (a.csv); ") and words in told
