"""The examples of docs/extending.md run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
MOST_FILES = 3


def blocks(section, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


def run(section):
    exec(compile("\n".join(blocks(section)), str(PAGE), "exec"), {"__name__": "example"})


@pytest.fixture
def kept():
    """Lists that examples add to, as they were before."""
    saved = []
    yield lambda *lists: saved.extend((entries, dict(entries)) for entries in lists)
    for entries, before in saved:
        entries.clear()
        entries.update(before)


def test_a_file_format(kept, tmp_path, monkeypatch):
    from napari_vae.io.reading import FORMATS

    kept(FORMATS)
    monkeypatch.chdir(tmp_path)
    run("A file format")


def test_a_figure(kept, tmp_path, monkeypatch):
    from napari_vae.analysis.figures import CATALOGUE

    kept(CATALOGUE)
    monkeypatch.chdir(tmp_path)
    run("A figure")


def test_an_acquisition(kept):
    from napari_vae.learning.explore.acquisition import ACQUISITIONS, SCORES

    kept(ACQUISITIONS, SCORES)
    run("An acquisition")


def test_a_dock(qtbot):
    run("A dock")
    (entry,) = map(yaml.safe_load, blocks("A dock", "yaml"))
    (command,), (widget,) = entry["contributions"]["commands"], entry["contributions"]["widgets"]
    assert command["id"] == widget["command"]


def test_a_model_kind():
    """In a process of its own, for settings are declared when their module is imported."""
    subprocess.run([sys.executable, "-c", "\n".join(blocks("A model kind"))], check=True)


def test_an_invariance():
    run("An invariance")


@pytest.mark.parametrize("section", SECTIONS)
def test_each_takes_three_files_at_most_which_exist(section):
    named = re.search(r"^Files?: (.*?)\n\n", SECTIONS[section], re.MULTILINE | re.DOTALL)[1]
    package = PAGE.parent.parent / "src" / "napari_vae"
    found = [name for name in re.findall(r"`([\w/]+\.(?:py|yaml))`", named) if name != "dock.py"]
    assert 1 <= len(found) <= MOST_FILES
    assert all((package / name).exists() or list(package.rglob(name)) for name in found)
