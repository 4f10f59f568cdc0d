"""Many files: which are meant, that each is done once and whole, what is refused, and the table of all."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae import batch
from napari_vae.batch.inputs import find_files, places
from napari_vae.batch.records import read_record
from napari_vae.batch.running import Found
from napari_vae.pipeline import Stage

NAMES = [f"{letter}.npy" for letter in "abcd"]


@dataclass
class Count:
    """A task that writes how large the file is, and remembers what it was asked to do."""

    unit: str = "bytes"
    bad: str = ""
    seen: list = field(default_factory=list)

    name = "count"
    stages = ("look", "write")

    def prepare(self, n_files):
        assert n_files

    def settings(self):
        return {"unit": self.unit}

    def targets(self, places, out):
        return [place.with_suffix(".txt") for place in places]

    def check(self, target):
        assert not target.is_dir()

    def work(self, path, target, say):
        self.seen.append(path.name)
        say(Stage("look"))
        if path.name == self.bad:
            raise nv.InputError("It is <too> odd; count another one.")
        size = path.stat().st_size
        say(Stage("write"))
        target.write_text(f"{size} {self.unit}")
        return Found(f"{size} {self.unit}", {"size": size, "share": size / 7, "remark": None})


@pytest.fixture
def files(tmp_path):
    """Four files of different lengths."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(NAMES):
        np.save(tmp_path / "images" / name, np.zeros(number))
    return tmp_path / "images"


def states(outcomes):
    return [outcome.state for outcome in outcomes]


def contents(folder):
    """Bytes of everything in a folder but hidden files."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


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


@pytest.mark.parametrize(("pattern", "words"), [("*.tif", "No image matches"), ("empty", "holds no image")])
def test_patterns_and_folders_without_an_image_are_one_sentence(files, pattern, words):
    (files / "empty").mkdir()
    with pytest.raises(nv.InputError, match=words):
        find_files([files / "a.npy", files / pattern])
    with pytest.raises(nv.InputError, match="No file is named"):
        find_files([])


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
    assert seen[-1].total == 4 and seen[-1].seconds_left > 0 and "File 3 of 4, c.npy: look" in seen[-1].message
    assert states(batch.run(Count(), files, out)) == ["finished before", "finished before", "done", "done"]
    whole = tmp_path / "whole"
    batch.run(Count(), files, whole)
    assert contents(out) == contents(whole)


def test_what_a_killed_program_left_is_done_again(files, tmp_path):
    """The result is there, but not the word that it is whole."""
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        batch.run(Killed(), files, out)
    for name in (".a.txt-k3y_9abc", ".a.txt-k3y_9abc-old", ".a.txt-mine"):
        (out / name).mkdir()
    assert (out / "a.txt").read_text() == "half" and read_record(out / "a.txt").state == "begun"
    assert states(batch.run(Count(), files, out)) == ["done"] * 4
    assert (out / "a.txt").read_text().endswith("bytes")
    assert [path.name for path in out.glob(".a.txt-*")] == [".a.txt-mine"]


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


@pytest.fixture(scope="module")
def graphene(tmp_path_factory):
    """A folder with three images of graphene."""
    folder = tmp_path_factory.mktemp("graphene")
    for seed in range(3):
        image, _ = nv.samples.micrograph("graphene", size=128, seed=seed, dopants=0.0, vacancies=0.0)
        nv.write_image(image.data, folder / f"{seed}.tif", pixel_size=image.pixel_size, units="nm")
    return folder


def test_settings_are_the_same_however_they_are_told_and_refused_before_the_work(graphene, tmp_path):
    told = {"polarity": "auto", "spacing": None, "threshold": None, "refine": "gaussian", "weak": False}
    assert batch.Detect(told).settings() == batch.Detect().settings() != batch.Detect({"refine": False}).settings()
    for task in (batch.Detect({"polarity": "grey"}), batch.Crystal({"colour": "blue"})):
        with pytest.raises(nv.InputError):
            batch.run(task, graphene, tmp_path / "new")
    assert not (tmp_path / "new").exists()


KILL_ME = "import sys; from napari_vae import batch; batch.run(batch.Detect(), sys.argv[1], sys.argv[2])"


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_batch_that_is_killed_ends_with_the_same_tables(graphene, tmp_path):
    """Killed when one file is done; benchmarks/scale.py does it at random moments."""
    command = [sys.executable, "-c", KILL_ME, str(graphene), str(tmp_path / "killed")]
    process = subprocess.Popen(command)
    while process.poll() is None and not (tmp_path / "killed" / "0-atoms.csv").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "2-atoms.csv").exists()
    batch.run(batch.Detect(), graphene, tmp_path / "killed")
    batch.run(batch.Detect(), graphene, tmp_path / "whole")
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert killed.keys() == whole.keys()
    assert all(killed[name] == whole[name] for name in whole if name.endswith("-atoms.csv"))


@pytest.fixture(scope="module")
def model(graphene, tmp_path_factory):
    """A model trained on the first image of graphene, in its folder."""
    image = nv.read(graphene / "0.tif")
    patches = nv.extract_patches(image, nv.detect_atoms(image))
    run = nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=10, device="cpu"))
    return run.save(tmp_path_factory.mktemp("model") / "run")


def test_a_run_on_an_image_says_whether_it_looks_like_the_training_data(model, graphene):
    run = nv.load_run(model)
    image = nv.read(graphene / "1.tif")
    like = nv.apply_run(run, image)
    assert len(like.latents) == len(like.patches) < len(like.atoms)
    pd.testing.assert_frame_equal(like.latents[["z1", "elbo"]], run.encode(like.patches)[["z1", "elbo"]])
    assert {"y", "x", "amplitude"} <= set(like.latents)
    assert like.likeness.sentence is None and like.likeness.pixel_size_ratio == pytest.approx(1)
    noise = image.data + 8 * np.std(image.data) * np.random.default_rng(0).standard_normal(image.shape)
    other = nv.apply_run(run, nv.Micrograph(noise, tuple(2 * p for p in image.pixel_size), "nm"), atoms=like.atoms)
    assert other.likeness.below_usual > max(0.5, like.likeness.below_usual)
    assert other.likeness.pixel_size_ratio == pytest.approx(2)
    assert "2 times as large" in other.likeness.sentence


def test_a_run_on_a_folder_is_tables_and_a_summary_with_what_is_unlike(model, graphene, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("1.tif", "2.tif"):
        (folder / name).write_bytes((graphene / name).read_bytes())
    image = nv.read(graphene / "1.tif")
    nv.write_image(image.data, folder / "3.tif", pixel_size=tuple(2 * p for p in image.pixel_size), units="nm")
    outcomes = batch.run(batch.Encode(run=model), folder, tmp_path / "tables")
    assert states(outcomes) == ["done"] * 3
    table = pd.read_csv(tmp_path / "tables" / "summary.csv")
    assert table["pixel_size_ratio"].to_numpy() == pytest.approx([1, 1, 2], rel=1e-3)
    assert table["warning"].notna().tolist()[2] and "2 times as large" in outcomes[2].message
    assert table["windows"].tolist() == [
        len(nv.read_table(tmp_path / "tables" / f"{n}-latents.csv")) for n in (1, 2, 3)
    ]
    assert "1 with a warning" in (tmp_path / "tables" / "report.html").read_text()
    again = nv.load_run(model)
    again.save(tmp_path / "copy")
    copied = batch.run(batch.Encode(run=tmp_path / "copy"), folder, tmp_path / "tables")
    assert states(copied) == ["finished before"] * 3  # the model is known by its weights, not by its folder


def test_a_pixel_size_told_beside_an_array_is_part_of_its_content(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 9)))
    out = tmp_path / "out"
    batch.run(Count(), tmp_path / "a.npy", out)
    view = {"field_of_view_y": 9, "field_of_view_x": 9, "field_of_view_units": "nm"}
    (tmp_path / "a.json").write_text(json.dumps({"spatial_info": view}))
    assert nv.read(tmp_path / "a.npy").pixel_size == (1, 1)
    assert states(batch.run(Count(), tmp_path / "a.npy", out, overwrite=True)) == ["done"]
    assert states(batch.run(Count(), tmp_path / "a.npy", out)) == ["finished before"]


def test_a_model_for_every_file(graphene, tmp_path):
    train = nv.TrainConfig(epochs=1, device="cpu")
    task = batch.Train(nv.ModelConfig.preset("vae"), train)
    assert states(batch.run(task, [graphene / "0.tif", graphene / "1.tif"], tmp_path)) == ["done"] * 2
    assert nv.load_run(tmp_path / "1").model_config.name == "vae"
    assert states(batch.run(task, graphene, tmp_path)) == ["finished before", "finished before", "done"]
    with pytest.raises(nv.InputError, match="one image"):
        batch.run(batch.Train(task.model, train, atoms=Path("atoms.csv")), graphene, tmp_path)


def test_a_kill_between_two_renames_loses_nothing(tmp_path):
    from napari_vae.folders import sweep

    (tmp_path / ".result-abcdefgh-old").mkdir()
    (tmp_path / ".result-abcdefgh-old" / "table.csv").write_text("x\n1\n")
    (tmp_path / ".result-abcdefgh").mkdir()
    sweep(tmp_path / "result")
    assert (tmp_path / "result" / "table.csv").read_text() == "x\n1\n"
    (tmp_path / ".result-ijklmnop-old").mkdir()
    sweep(tmp_path / "result")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/Survey.tif", "b/survey.tif"], ["Survey-tif", "survey-tif_2"]),
        (["a/aux.tif", "a/CON.x.dm4", "a/com10.tif"], ["aux_", "CON.x_", "com10"]),
        (["a/b. .tif", "a/c .tif"], ["b", "c"]),
        (["a/b.tif", "a/B .tif"], ["b-tif", "B -tif"]),
    ],
)
def test_results_have_names_that_every_system_has_and_tells_apart(files, names):
    assert [place.name for place in places(list(map(Path, files)), Path())] == names
