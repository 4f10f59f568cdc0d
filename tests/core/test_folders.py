"""Files and folders that take their place when they are complete: their names until then, and who may be in the way."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from napari_vae.core import errors, folders
from napari_vae.core.errors import InputError, ReadError, exit_code, sentence
from napari_vae.core.folders import holds, open_folder, recover, replace_folder, replacing, user_path
from napari_vae.workflow.archive import list_runs

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


KILLED = """
import os, sys
from pathlib import Path
from napari_vae.core.folders import holds, open_folder, remove_folder, replace_folder

place, marker, left = Path(sys.argv[1]), "run.json", {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "open"}


def save(target, text):
    with replace_folder(target, marker) as new:
        (new / marker).write_text(text)
        (new / "table.csv").write_text(text)


def killed_at(point, job):
    \"\"\"Whether the job, in a process of its own, came to an end before this system call.\"\"\"
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    calls = []

    def count(event, arguments):
        if event in left:
            calls.append(event)
            if len(calls) == point:
                os._exit(9)

    sys.addaudithook(count)
    job()
    os._exit(0)


point, ended = 0, False
while not ended:
    point += 1
    target = place / f"result {point}"
    save(target, "old")
    (target / "notes.txt").write_text("mine")
    ended = killed_at(point, lambda: save(target, "new"))
    with open_folder(target, marker, "is lost") as path:
        texts = {(path / name).read_text() for name in (marker, "table.csv")}
    assert texts in ({"old"}, {"new"}) and (not ended or texts == {"new"}), (point, texts)
    assert (target / "notes.txt").read_text() == "mine", point
    killed_at(point, lambda: remove_folder(target))
    assert not target.exists() or (holds(target, marker) and len(list(target.iterdir())) == 3), point
    save(target, "last")
    assert (target / marker).read_text() == "last", point
print(point)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs to copy a process")
def test_a_kill_before_any_system_call_loses_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8


def test_what_a_kill_left_is_taken_away_after_a_day(tmp_path):
    left = [tmp_path / name for name in (".result-0123abcd", ".table.csv-0123ab.part")]
    left[0].mkdir()
    left[1].touch()
    recover(tmp_path / "result")
    write_both(tmp_path)
    assert all(path.exists() for path in left), "another program may be writing these"
    folders._tidy.cache_clear()
    for path in left:
        os.utime(path, (0, 0))
    write_both(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"result", "table.csv"}
    recover(tmp_path / "nowhere" / "result")


def write_both(folder):
    with replace_folder(folder / "result", "run.json") as new:
        (new / "run.json").touch()
    with replacing(folder / "table.csv") as temporary:
        temporary.touch()


@pytest.mark.parametrize("left", ["new and old", "old"])
def test_what_older_versions_left_is_found(tmp_path, left):
    for name, text in {".result-abcdefgh": "new", ".result-abcdefgh-old": "old"}.items():
        if text in left:
            (tmp_path / name).mkdir()
            (tmp_path / name / "run.json").write_text(text)
    assert holds(tmp_path / "result", "run.json")
    assert (tmp_path / "result" / "run.json").read_text() == left.split()[0]
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_hidden_folders_are_not_listed(tmp_path):
    run = next((Path(__file__).parents[1] / "old_folders").rglob("run.json")).parent
    for folder in (".run-abcdefgh", "run"):
        shutil.copytree(run, tmp_path / folder)
    assert list(list_runs(tmp_path)["path"]) == [tmp_path / "run"]


@pytest.mark.parametrize("marker", [None, "run.json"])
def test_many_writers_and_readers_at_once(tmp_path, marker):
    """Every reader sees what one writer wrote, and no writer fails."""
    target, texts = tmp_path / "it", [str(number) * 4000 for number in range(8)]

    def write(text):
        for _ in range(20):
            if marker is None:
                with replacing(target) as temporary:
                    temporary.write_text(text)
            else:
                with replace_folder(target, marker) as new:
                    (new / marker).write_text(text)
                    (new / "table").write_text(text)

    def read(_):
        seen = set()
        while target.exists() and len(seen) < 30:
            if marker is None:
                seen.add((target.read_text(), len(seen)))
                continue
            with contextlib.suppress(ReadError), open_folder(target, marker, "is missing") as path:
                text = (path / marker).read_text()
                assert (path / "table").read_text() == text
                seen.add((text, len(seen)))
        return {text for text, _ in seen}

    write(texts[0])
    with ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(write, text) for text in texts]
        seen = set().union(*(job.result() for job in [pool.submit(read, number) for number in range(4)]))
        for job in jobs:
            job.result()
    assert seen <= set(texts)
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda n: "0" * 2 * n)
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".table.csv-000000.part").symlink_to(tmp_path / "mine")
    with pytest.raises(FileExistsError), replacing(tmp_path / "table.csv") as temporary:
        temporary.write_text("other")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_folder_behind_a_link_is_replaced_where_it_lies(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "it").symlink_to(tmp_path / "disk" / "there")
    for text in ("old", "new"):
        with replace_folder(tmp_path / "it", "run.json") as new:
            (new / "run.json").write_text(text)
    assert (tmp_path / "disk" / "there" / "run.json").read_text() == "new" and (tmp_path / "it").is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["there"]


@pytest.mark.parametrize("links", [True, False])
def test_what_somebody_put_into_a_result_outlives_the_result(tmp_path, monkeypatch, links):
    """On a disk without links too."""
    if not links:

        def refuse(path, target):
            raise OSError(errno.EPERM, "Operation not permitted", str(path), None, str(target))

        monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "result"
    for names in (["run.json", "table.csv", "windows.csv"], ["run.json", "table.csv"]):
        with replace_folder(target, "run.json") as new:
            for name in names:
                (new / name).write_text("ours")
        if "windows.csv" in names:
            (target / "notes.txt").write_text("mine")
            (target / "figures").mkdir()
            (target / "figures" / "one.png").write_text("mine")
    assert {path.name for path in target.iterdir()} == {"run.json", "table.csv", "notes.txt", "figures"}
    assert (target / "notes.txt").read_text() == (target / "figures" / "one.png").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_what_comes_over_from_an_old_result_replaces_nothing(tmp_path, monkeypatch):
    """Another program may put a file there, or take the place of the folder, between looking and moving."""
    target, old, link = tmp_path / "result", tmp_path / ".result-00000000-old", os.link
    for folder, text in ((target, "new"), (old, "old")):
        folder.mkdir()
        (folder / "run.json").write_text(text)
    (old / "notes.txt").write_text("old")

    def link_later(path, to):
        (target / "notes.txt").write_text("new")
        link(path, to)

    monkeypatch.setattr(os, "link", link_later)
    recover(target)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"run.json": "new", "notes.txt": "new"}

    def move_away(path, to):
        target.rename(tmp_path / "away")
        link(path, to)

    (target / "notes.txt").unlink()
    old.mkdir()
    (old / "notes.txt").write_text("old")
    monkeypatch.setattr(os, "link", move_away)
    recover(target)
    (tmp_path / "away").rename(target)
    monkeypatch.undo()
    recover(target)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"run.json": "new", "notes.txt": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_user_that_is_not_there_is_one_sentence():
    with pytest.raises(InputError, match="~nosuchuser/a names a user that this machine does not know; write"):
        user_path("~nosuchuser/a")


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
    assert errors.storage_problem(missing) is None
    monkeypatch.setattr(errors, "BOUNDED", True)
    assert "too long" in errors.storage_problem(missing)
    assert errors.storage_problem(FileNotFoundError(errno.ENOENT, "no such file", "a.tif")) is None
    assert errors.storage_problem(ValueError()) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "make room there"), (errno.EFBIG, "make room"), (errno.EROFS, "choose another")],
)
def test_a_disk_that_takes_nothing_is_one_sentence(number, words):
    told = sentence(OSError(number, "As the system says", "a.csv"))
    assert told.startswith("As the system says (a.csv); ") and words in told
