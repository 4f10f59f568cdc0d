"""Which files a batch works on, and what their results are called."""

import os
from pathlib import Path

import numpy as np
import pytest

import napari_vae as nv
from counting import NAMES, Count
from napari_vae import batch
from napari_vae.batch.inputs import MOST, find_files, places


@pytest.fixture
def files(tmp_path):
    """Four files of different lengths."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(NAMES):
        np.save(tmp_path / "images" / name, np.zeros(number))
    return tmp_path / "images"


def test_files_folders_and_patterns_name_each_image_once(files):
    for name in ("notes.txt", ".hidden.npy", "x_1.ser", "x.emi", "y_1.ser"):
        (files / name).write_bytes(b"?")
    for place in ("deep/deeper", "deep/results/pictures"):
        (files / place).mkdir(parents=True)
    (files / "deep" / "results" / "analysis.json").write_text("{}")
    for place in ("deep/deeper/e.tif", "deep/results/classes.tif", "deep/results/pictures/map.png"):
        (files / place).write_bytes(b"?")
    images = [*NAMES, "x.emi", "y_1.ser"]  # the first .ser comes with its .emi
    assert [path.name for path in find_files(files)] == images
    assert [path.name for path in find_files([files / "b.npy", files, files / "*.npy"])] == [
        "b.npy",
        *NAMES[:1],
        *images[2:],
    ]
    assert {path.name for path in find_files(files / "**" / "*")} == {*images, "e.tif"}
    assert find_files(files / "gone.tif") == [files / "gone.tif"]
    one = files.parent / "one"
    one.mkdir()
    (one / "a.npy").write_bytes(b"1")
    batch.run(Count(), [one / "a.npy", one], files.parent / "out")
    assert (files.parent / "out" / "summary.csv").exists(), "a folder is summed up, of however many images"
    batch.run(Count(), [one / "a.npy"], files.parent / "single")
    assert not (files.parent / "single" / "summary.csv").exists()
    odd = files / "dose[1].npy"
    odd.write_bytes(b"?")
    assert find_files(odd) == [odd]


def test_a_pattern_in_a_folder_with_brackets_in_its_name(tmp_path, monkeypatch):
    folder = tmp_path / "day [1] & more" / "a b"
    folder.mkdir(parents=True)
    (tmp_path / "day 1 & more").mkdir()
    for path in (folder / "x1.npy", folder / "y1.npy", tmp_path / "day 1 & more" / "x1.npy"):
        np.save(path, np.zeros((4, 4)))
    assert find_files(folder / "x[12].npy") == [folder / "x1.npy"]
    assert find_files(folder.parent / "**" / "*.npy") == [folder / "x1.npy", folder / "y1.npy"]
    assert len(find_files(tmp_path / "day [12] & more" / "*.npy")) == 1  # no folder of that name: a pattern
    monkeypatch.chdir(tmp_path)
    assert find_files("day [1] & more/*/*.npy") == [
        folder.relative_to(tmp_path) / name for name in ("x1.npy", "y1.npy")
    ]


def test_a_name_that_no_table_can_hold_is_refused_in_a_sentence():
    with pytest.raises(nv.InputError, match=r"b\\udce9\.tif is not in UTF-8") as refused:
        find_files(Path("day", "b\udce9.tif"))
    str(refused.value).encode()


@pytest.mark.parametrize(("pattern", "words"), [("*.tif", "No image matches"), ("empty", "holds no image")])
def test_patterns_and_folders_without_an_image_are_one_sentence(files, pattern, words):
    (files / "empty").mkdir()
    with pytest.raises(nv.InputError, match=words):
        find_files([files / "a.npy", files / pattern])
    with pytest.raises(nv.InputError, match="No file is named"):
        find_files([])


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/Survey.tif", "b/survey.tif"], ["Survey-tif", "survey-tif_2"]),
        (["a/aux.tif", "a/CON.x.dm4", "a/com10.tif"], ["aux_", "CON.x_", "com10"]),
        (["a/b. .tif", "a/c .tif"], ["b", "c"]),
        (["a/b.tif", "a/B .tif"], ["b-tif", "B -tif"]),
        (['a/at 12:30 <"x">?.tif', "a/at 12_30 __x___.tif"], ["at 12_30 __x___-tif", "at 12_30 __x___-tif_2"]),
        (["a/x.tif", "b/x.tif", "c/x.tif", "c/x-tif_2.tif"], ["x-tif", "x-tif_2", "x-tif_3", "x-tif_2_2"]),
    ],
)
def test_results_have_names_that_every_system_has_and_tells_apart(files, names):
    assert [place.name for place in places(list(map(Path, files)), Path())] == names


def test_long_names_leave_room_for_what_results_add_to_them(tmp_path):
    files = [Path("電子顕微鏡" * 17 + letter) for letter in "ab"]  # more bytes than letters
    named = places(files, tmp_path)
    assert named[0] != named[1] and all(len(place.name.encode()) < MOST + 10 for place in named)
    assert all(place.name.startswith("電子顕微鏡") for place in named)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_that_lead_in_circles_are_gone_once(files):
    (files / "deep").mkdir()
    for name, target in (("up", files), ("here", files / "deep"), ("l1.tif", files / "deep" / "l2.tif")):
        (files / "deep" / name).symlink_to(target)
    (files / "deep" / "l2.tif").symlink_to(files / "deep" / "l1.tif")
    (files / "linked").symlink_to(files / "deep")
    np.save(files / "deep" / "e.npy", np.zeros(1))
    assert [path.name for path in find_files(files / "**" / "*")] == [*NAMES, "e.npy"]
    assert [path.name for path in find_files(files / "linked" / "**" / "e.npy")] == ["e.npy"]
    assert find_files(files / "deep" / "l1.tif") == [files / "deep" / "l1.tif"]


def test_what_may_not_be_read_is_one_sentence(files, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(files))

    with monkeypatch.context() as closed:
        closed.setattr(Path, "iterdir", refuse)
        with pytest.raises(nv.InputError, match="may not be read; change its permissions"):
            find_files(files)
    monkeypatch.setattr(Path, "is_dir", refuse)
    assert find_files(files / "a.npy") == [files / "a.npy"]  # whoever reads it will say so
