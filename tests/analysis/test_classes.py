"""Classes by name: every change makes a new value, and nothing is lost on the way to a column and back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_vae import ModelConfig, TrainConfig, fit, samples
from napari_vae.analysis.classes import Classes
from napari_vae.analysis.coloring import color_by
from napari_vae.analysis.labelling import labels_of
from napari_vae.batch.inputs import places
from napari_vae.core.class_colors import CLASS_COLORS
from napari_vae.core.clusters import cluster
from napari_vae.core.errors import InputError


@pytest.fixture
def classes():
    return Classes.of(pd.Series(["bulk", "edge", "", "bulk", "defect", None], name="kind"))


def words(classes):
    return classes.column("kind").tolist()


def test_a_column_and_back(classes):
    assert classes.names == ("bulk", "defect", "edge") and classes.counts == (2, 1, 1)
    assert words(classes) == ["bulk", "edge", "", "bulk", "defect", ""]
    again = Classes.of(classes.recolour("edge", "#123456").column("kind"), {"edge": "#123456"})
    assert words(again) == words(classes) and again.palette["edge"] == "#123456"


def test_numbers_below_zero_and_missing_ones_are_none():
    assert words(Classes.of(pd.Series([0, 2, -1, 2], name="c"))) == ["0", "2", "", "2"]
    assert words(Classes.of(pd.Series([0.0, np.nan, 1.0], name="c"))) == ["0", "", "1"]
    for numbers, words_ in (([1j, 0], "complex"), ([[1], [2]], "neither words nor whole numbers")):
        with pytest.raises(InputError, match=words_):
            Classes.of(pd.Series(numbers, name="c"))
    for numbers in ([0.5, 1.0], [1.0, 1e300]):
        with pytest.raises(InputError, match="holds numbers, not classes"):
            Classes.of(pd.Series(numbers, name="c"))


def test_assign_makes_classes_and_takes_them_away(classes):
    changed = classes.assign([2, 5], "new").assign([0], "")
    assert words(changed) == ["", "edge", "new", "bulk", "defect", "new"]
    assert changed.palette["new"] not in classes.palette.values()
    assert words(classes) == ["bulk", "edge", "", "bulk", "defect", ""], "the former ones are as they were"


def test_rename_and_merge(classes):
    assert words(classes.rename("edge", "rim"))[1] == "rim"
    assert classes.rename("edge", "rim").palette["rim"] == classes.palette["edge"]
    merged = classes.rename("edge", "bulk")
    assert merged.names == ("bulk", "defect") and merged.counts == (3, 1)
    both = classes.merge(["edge", "bulk"])
    assert both.counts == (1, 3) and both.names == ("defect", "edge")
    assert both.palette["defect"] == classes.palette["defect"]
    for wrong in (lambda: classes.rename("edge", " "), lambda: classes.merge(["edge"])):
        with pytest.raises(InputError):
            wrong()


def test_a_million_classes_are_one_sentence():
    with pytest.raises(InputError, match="has 1000000 classes, and at most 255"):
        Classes.of(pd.Series(np.arange(1_000_000), name="id"))


def test_plots_take_the_palette():
    coloring = color_by(pd.Series(["a", "b"], name="kind"), palette={"b": "#010203"})
    assert [color for _, color, _ in coloring.classes] == [CLASS_COLORS[0], "#010203"]
    assert coloring.rgba[1, :3].tolist() == [1, 2, 3]


def test_angles_are_grouped_on_their_circle():
    rng = np.random.default_rng(0)
    around = np.r_[rng.normal(180, 4, 60), rng.normal(0, 4, 60)]
    table = pd.DataFrame({"angle": (around + 180) % 360 - 180})
    found = cluster(table, "gmm", 2, columns=["angle"])
    assert found[:60].nunique() == 1 and found[60:].nunique() == 1 and found[0] != found[60]
    alike = cluster(table, "gmm", 2, columns=["angle"], symmetry=2)
    assert abs(alike[:60].mean() - alike[60:].mean()) < 0.3, "180° apart is the same"


def test_rows_without_values_are_in_no_group_and_the_bic_is_told():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"z1": np.r_[rng.normal(0, 0.1, 50), rng.normal(5, 0.1, 50)], "score": 1.0})
    table.loc[3, "z1"] = np.nan
    found = cluster(table, columns=["z1"])
    assert found[3] == -1 and found.nunique() == 3
    bic = found.attrs["bic"]
    assert min(bic, key=bic.get) == 2 and set(bic) >= {1, 2, 3}
    with pytest.raises(InputError, match="no column z7"):
        cluster(table, columns=["z7"])


def test_a_name_is_one_class_in_whichever_form_of_unicode(tmp_path):
    composed, combined = "caf\u00e9", "cafe\u0301"
    classes = Classes.of(pd.Series([composed, combined, "", "b"]))
    assert classes.names == ("b", composed) and classes.counts == (1, 2)
    assert classes.assign([3], combined).counts == (0, 3) and "caf\u00e8" in classes.rename("b", "cafe\u0300").names
    labels = labels_of(pd.Series([composed, combined, "b"]))
    assert labels.tolist() == [composed, composed, "b"]
    images, train = samples.cards(5, size=8).images[:20], TrainConfig(epochs=1, device="cpu")
    run = fit(images, ModelConfig.preset("ss-rvae"), train, labels=[composed, combined, "b", *[""] * 17])
    assert run.model_config.n_classes == 2
    assert [path.name for path in places([Path(composed), Path(combined)], tmp_path)] == [composed, f"{composed}_2"]


def test_a_part_of_a_class_becomes_one_of_its_own():
    classes = Classes.of(pd.Series(["a", "a", "b", "a", "a.2", ""]))
    split = classes.split("a", [0, 2, 5])
    assert split.names == ("a", "a.2", "b", "a.3") and split.counts == (2, 1, 1, 1)
    assert split.codes[0] == 3 and len(set(split.colors)) == 4
    for rows in ([], [2], [0, 1, 3]):
        with pytest.raises(InputError, match="some of the atoms of “a”"):
            classes.split("a", rows)
