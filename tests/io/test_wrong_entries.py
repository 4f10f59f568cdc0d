"""JSON of ours with one wrong entry: what opens it says one sentence, or works."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.batch.parts import Parts
from napari_vae.core.errors import InputError
from napari_vae.layers.analysis import analysis_layers
from napari_vae.workflow.records import Record, read_record, write_record
from plain_gp import PlainGP

OLD = Path(__file__).parents[1] / "old_folders" / "analysis-1"


WRONG = [
    None,
    True,
    -1,
    0,
    2,
    3.5,
    10**30,
    1e300,
    float("nan"),
    float("inf"),
    "text",
    "\ud800",
    [],
    {},
    [1] * 999,
    [[None]],
]


def entries(value, path=()):
    """Where there is something in JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inside for found in entries(one, (*path, key)))]


def damage(value, rng):
    """Have one entry of JSON left out, doubled, or something else."""
    *above, last = rng.choice(entries(value)[1:])
    for key in above:
        value = value[key]
    if (choice := rng.random()) < 0.1:
        del value[last]
    elif choice < 0.2 and isinstance(value[last], list | str):
        value[last] *= 2
    else:
        value[last] = rng.choice(WRONG)


def saved_record(folder):
    x = np.random.default_rng(0).random((20, 2))
    settings = {"acquisition": "ucb", "model": PlainGP(0.3), "start": 3}
    nv.explore(x, x[:, 0], budget=5, record=folder, **settings)

    def load():
        record = nv.explore(x, x[:, 0], budget=7, record=nv.ExplorationRecord.load(folder), **settings)
        return record.table, record.curve

    return folder / "exploration.json", load


def saved_kernel(folder, kind="real"):
    x = np.random.default_rng(0).random((12, 3))
    y = {"real": x[:, 0], "angle": 90 * x[:, 0], "class": np.arange(12) % 2}[kind]
    nv.DeepKernelGP(target=kind, steps=1, ensemble=2, hidden=4, device="cpu").fit(x, y).save(folder)
    return folder / "deep_kernel.json", lambda: nv.load_deep_kernel(folder, device="cpu").predict(x)


def saved_checkpoint(folder):
    images = np.random.default_rng(0).random((30, 12, 12), np.float32)
    config = nv.ModelConfig(hidden=4)
    train = nv.TrainConfig(epochs=3, batch_size=10, device="cpu", checkpoint=folder)
    asked = iter([False] * 3)
    list(nv.iter_fit(images, config, train, stop=lambda: next(asked, True)))
    return folder / "checkpoint.json", lambda: next(nv.iter_fit(images, config, train))


def saved_batch(folder):
    write_record(
        folder / "a.csv", Record("a.tif", "detect", "done", "k", "m", {"n": 3, "w": "x", "s": None}, "c", [["a", 1]])
    )
    return folder / ".napari-vae" / "a.csv.json", lambda: read_record(folder / "a.csv")


def saved_job(folder):
    recipe = {"method": "filter", "sigma": 2.0, "width": 2.0, "spacing": 9.0, "sign": 1, "threshold": 4.5}
    recipe |= {"periodic": True, "sure": 1.0, "alternatives": [], "doubt": ""}
    Parts(folder, {"stamp": [1]}).begin({"recipe": recipe, "limits": {"low": [0.0], "high": [1.0]}})
    return folder / "job.json", lambda: Parts(folder, {"stamp": [1]})


def saved_run(folder):
    shutil.copytree(OLD / "run", folder)
    return folder / "run.json", lambda: nv.load_run(folder, device="cpu").decode([[0.0, 0.0]])


def saved_analysis(folder):
    shutil.copytree(OLD, folder)
    return folder / "analysis.json", lambda: analysis_layers(nv.load_analysis(folder))


@pytest.mark.parametrize(
    "save", [saved_run, saved_analysis, saved_record, saved_kernel, saved_checkpoint, saved_batch, saved_job]
)
def test_one_wrong_entry_in_json_of_ours_is_one_sentence_or_nothing(save, tmp_path):
    marker, load = save(tmp_path / "a")
    whole = marker.read_text(encoding="utf-8")
    load()
    rng, refused = random.Random(0), 0
    for _ in range(30):
        broken = json.loads(whole)
        damage(broken, rng)
        marker.write_text(json.dumps(broken), encoding="utf-8")
        try:
            load()
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 500
        if not marker.exists():  # what is none of this job is taken away
            marker.parent.mkdir(exist_ok=True)
    assert refused or save in (saved_batch, saved_job)
