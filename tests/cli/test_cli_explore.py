"""The command ``explore``: what a search would have needed, and bad input in one line."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.cli import explore as exploring


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Small models: what they choose is not looked at."""
    monkeypatch.setattr(exploring, "DeepKernelGP", partial(nv.DeepKernelGP, steps=20, ensemble=1))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A table of latents with a number and a word that follow from them."""
    z = np.random.default_rng(0).uniform(-2, 2, (60, 2))
    table = pd.DataFrame(
        {"z1": z[:, 0], "z2": z[:, 1], "dose": z.sum(1), "kind": np.where(z[:, 0] > 0, "edge", "bulk")}
    )
    return nv.write_table(table, tmp_path_factory.mktemp("measured") / "latents.csv")


def test_explore_says_how_many_measurements_were_enough_and_goes_on(command, measured, tmp_path):
    options = ("--target", "dose", "--out", tmp_path / "found", "--start", 6, "--device", "cpu")
    code, out, _ = command("explore", measured, *options, "--budget", 6)
    assert code == 0
    assert "The budget of 6 measurements is spent." in out
    first = nv.ExplorationRecord.load(tmp_path / "found")
    code, out, _ = command("explore", measured, *options, "--budget", 7)
    assert code == 0
    record = nv.ExplorationRecord.load(tmp_path / "found")
    assert record.measured[:6].tolist() == first.measured.tolist()
    assert record.tried == len(nv.read_table(tmp_path / "found" / "measurements.csv")) == 7
    assert f"of atom {record.best}." in out


@pytest.mark.slow
def test_explore_looks_for_a_class_by_its_name_and_at_the_windows_of_an_analysis(command, measured, results, tmp_path):
    options = ("--target", "kind", "--acquisition", "pi", "--goal", "edge", "--start", 6, "--budget", 7)
    code, out, _ = command("explore", measured, *options, "--out", tmp_path / "edge", "--device", "cpu")
    assert code == 0
    assert "Best: kind edge of atom" in out
    code, out, _ = command(
        *("explore", results, "--target", "amplitude", "--start", 5, "--budget", 6),
        *("--out", tmp_path / "bright", "--device", "cpu"),
    )
    assert code == 0
    known = nv.load_analysis(results).latents.amplitude
    record = nv.ExplorationRecord.load(tmp_path / "bright")
    np.testing.assert_allclose(record.values, known.to_numpy()[record.measured])
    assert f"of atom {known.index[record.best]}." in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", "strain"), "no column strain; it has z1, z2, dose, kind"),
        (("--target", "dose", "--columns", "z1,dose"), "leave dose out of --columns"),
        (("--target", "dose", "--columns", "z9"), "no column z9"),
        (("--target", "dose", "--columns", "kind"), "must hold numbers"),
        (("--target", "dose", "--goal", "large"), "max, min or a number, not 'large'"),
        (("--target", "kind", "--goal", "corner"), "one of bulk, edge, not 'corner'"),
        (("--target", "kind", "--acquisition", "pi", "--goal", "7"), "one of bulk, edge, not '7'"),
        (("--target", "dose", "--goal", "nan"), "a number, not nan"),
        (("--target", "kind", "--angle"), "words, which are no angles"),
        (("--target", "kind"), "cannot be improved on"),
        (("--target", "dose", "--acquisition", "eu"), "acquisition is one of ei"),
        (("--target", "dose", "--budget", "5"), "less than the 10 to start with"),
        (("--target", "dose", "--model-run", "run"), "a table has none"),
    ],
)
def test_explorations_that_make_no_sense_are_one_line(command, measured, tmp_path, options, words):
    code, _, errors = command("explore", measured, "--out", tmp_path / "new", *options)
    assert code == 2
    assert words in errors
    assert not (tmp_path / "new").exists()


def test_columns_are_numbers_or_classes():
    table = pd.DataFrame({"z1": [0.5, np.nan], "kind": ["b", "a"], "some": ["b", None], "z2": [1, 2], "zz": [1, 2]})
    values, classes = exploring.values_of(table, "z1")
    np.testing.assert_array_equal(values, [0.5, np.nan])
    assert classes == ()
    assert [part if isinstance(part, tuple) else part.tolist() for part in exploring.values_of(table, "kind")] == [
        [1, 0],
        ("a", "b"),
    ]
    codes, classes = exploring.values_of(table, "some")
    np.testing.assert_array_equal(codes, [0, np.nan])
    assert classes == ("b",)
    with pytest.raises(nv.InputError, match="no column no; it has z1, kind"):
        exploring.values_of(table, "no")
    assert exploring._features(table, "kind", "").tolist()[1][1] == 2
    assert exploring._features(table, "kind", "").shape == (2, 2), "z1 and z2, not zz"
    assert exploring._features(table, "z1", " zz , z2 ").tolist() == [[1, 1], [2, 2]]
