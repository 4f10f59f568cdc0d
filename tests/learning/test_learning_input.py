"""What active learning is given: numbers at the edge of floating point, and settings that make no sense."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

import napari_vae as nv
from napari_vae.learning.explore.suggestion import spread_order
from plain_gp import PlainGP

X = np.random.default_rng(0).uniform(size=(40, 2))
Y = X.sum(1)
CLASSES = (X[:, 0] > 0.5).astype(float)
PLAIN = {"model": PlainGP(0.3), "start": 5, "budget": 7}


@pytest.mark.parametrize(("offset", "unit"), [(1e9, 1.0), (-1e12, 10.0), (0.0, 1e200), (1e-200, 1e-200)])
def test_columns_far_from_zero_or_of_any_size_are_seen(offset, unit):
    model = nv.DeepKernelGP(steps=5, ensemble=1)
    told = model.fit(X[:20], Y[:20]).predict(X)[0]
    x = offset + unit * X
    np.testing.assert_allclose(model.fit(x[:20], Y[:20]).predict(x)[0], told, atol=0.02)


def test_the_scaling_of_columns_is_saved_with_the_model(tmp_path):
    x = 1e9 + X
    model = nv.DeepKernelGP(steps=5, ensemble=1).fit(x[:20], Y[:20])
    loaded = nv.load_deep_kernel(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(x)[0], model.predict(x)[0])


def test_starts_far_apart_do_not_depend_on_the_units_of_the_columns():
    assert spread_order(X * [1, 1e-6] + [1e9, 0], 8, 0).tolist() == spread_order(X, 8, 0).tolist()


@pytest.mark.parametrize("unit", [1e-140, 1e140])
def test_targets_of_any_unit_that_can_be_computed_with_are_learned(unit):
    record = nv.explore(X, Y * unit, **PLAIN)
    assert record.measured.tolist() == nv.explore(X, Y, **PLAIN).measured.tolist()


@pytest.mark.parametrize("unit", [1e-170, 1e170, 5e307])
def test_targets_that_cannot_be_computed_with_are_one_sentence(unit):
    with pytest.raises(nv.InputError, match="another unit"):
        nv.explore(X, Y * unit, **PLAIN)
    with pytest.raises(nv.InputError, match="another unit"):
        nv.DeepKernelGP().fit(X, (Y - 1) * unit)


def test_a_measurement_that_cannot_be_computed_with_has_failed():
    exploration = nv.learning.Exploration(X, model=PlainGP(0.3))
    exploration.tell([3, 4], [1e170, 1.0])
    assert "another unit" in exploration.failed[3]
    assert exploration.measured.tolist() == [4]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start": 5.5}, "start with 1 to 40 of them, not 5.5"),
        ({"start": None}, "start with 1 to 40 of them, not None"),
        ({"start": [0.5, 2]}, "numbers of candidates"),
        ({"batch": 1.5}, "batch is a whole number of 1 … 2000, not 1.5"),
        ({"batch": 2001}, "batch is a whole number of 1 … 2000, not 2001"),
        ({"refit_every": 2.5}, "refit_every is a whole number"),
        ({"budget": 7.5}, "budget is a whole number"),
        ({"budget": float("nan")}, "budget is a whole number"),
        ({"kappa": "much"}, "kappa is a number"),
        ({"kappa": float("inf")}, "kappa is a number"),
        ({"goal": float("nan")}, "or a number, not nan"),
        ({"goal": None}, "or a number, not None"),
        ({"target": 0.5}, "the number of one target, from 0, or a weight for each, not 0.5"),
        ({"target": -1}, "not -1"),
        ({"target": "strain"}, "not 'strain'"),
        ({"target": None}, "not None"),
        ({"target": ["a", "b"]}, "or a weight for each"),
        ({"target": [1.0, float("nan")]}, "or a weight for each"),
        ({"seed": 1.5}, "seed is a whole number"),
        ({"acquisition": {}}, "acquisition is one of ei, ucb, pi, thompson, variance, information, not {}"),
        ({"goal": "big"}, '"max", "min" or a number'),
    ],
)
def test_settings_of_explorations_that_make_no_sense_are_one_sentence(settings, words):
    with pytest.raises(nv.InputError, match=words):
        nv.explore(X, Y, **(PLAIN | settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 2.5},
        {"warm_steps": float("nan")},
        {"embedding_dim": 1.5},
        {"embedding_dim": "two"},
        {"ensemble": 1.5},
        {"hidden": (8, 2.5)},
        {"hidden": "wide"},
        {"weight_decay": float("inf")},
        {"ensemble": 10**30},
        {"hidden": [1] * 100_000},
        {"fine_tune": 1},
    ],
)
def test_settings_of_deep_kernels_that_make_no_sense_are_one_sentence(settings):
    (name,) = settings
    with pytest.raises(nv.InputError, match=f"{name} |embedding has 1 to 3"):
        nv.DeepKernelGP(**settings)


def test_another_number_of_targets_than_before_is_one_sentence():
    model = nv.DeepKernelGP(steps=2, warm_steps=1, ensemble=1)
    for known, other in ((Y, np.c_[Y, Y**2]), (np.c_[Y, Y**2], Y)):
        model.fit(X, known)
        with pytest.raises(nv.InputError, match=r"was fitted to [12] targets, not [12]"):
            model.fit(X, other, warm=True)
        with pytest.raises(nv.InputError, match=r"was fitted to [12] targets, not [12]"):
            model.condition(X, other)
        model.fit(X, other)


def test_targets_and_candidates_may_be_tensors():
    model = nv.DeepKernelGP(steps=2, ensemble=1).fit(X, Y)
    x, y = (torch.from_numpy(values).requires_grad_() for values in (X, Y))
    told = nv.DeepKernelGP(steps=2, ensemble=1).fit(x, y).predict(x)
    np.testing.assert_array_equal(told, model.predict(X))
    record = nv.explore(x.detach(), y, **PLAIN)
    assert record.measured.tolist() == nv.explore(X, Y, **PLAIN).measured.tolist()
    for bad in ([[1.0], [1.0, 2.0]] * 20, ["a"] * 40, Y + 1j, np.ma.masked_greater(Y, 1)):
        with pytest.raises(nv.InputError, match="targets"):
            nv.DeepKernelGP().fit(X, bad)
    with pytest.raises(nv.InputError, match="too large"):
        nv.DeepKernelGP().fit(np.where(X > 0.5, 1.7e308, X), Y)


def test_part_of_a_draw_is_one_sentence():
    with pytest.raises(nv.InputError, match="n is a whole number"):
        nv.DeepKernelGP().sample(X, 2.5)


@pytest.mark.parametrize("name", ["value", "sd", "gain", "patience"])
@pytest.mark.parametrize("limit", [float("nan"), float("inf"), "all"])
def test_rules_that_can_never_be_asked_are_one_sentence(name, limit):
    with pytest.raises(nv.InputError, match=f"{name} is a"):
        nv.learning.Stopping(**{name: limit})


@pytest.mark.parametrize("wrong", [0.5, -1.0])
def test_a_column_of_classes_with_fractions_is_one_sentence(wrong):
    column = np.where(np.arange(40) == 30, wrong, CLASSES)
    with pytest.raises(nv.InputError, match=f"whole numbers from 0, and the column holds {wrong:g}"):
        nv.explore(X, column, "pi", goal=1, model=PlainGP(0.3, target="class"), start=5, budget=7)


def test_a_record_with_an_error_in_no_encoding_is_saved(tmp_path):
    def broken(i):
        if i % 2:
            raise OSError("port \udcff is shut")
        return Y[i]

    record = nv.explore(X, broken, record=tmp_path / "record", **PLAIN)
    assert record.failed
    assert nv.ExplorationRecord.load(tmp_path / "record").failed == record.failed
    assert "port \\udcff is shut" in next(iter(record.failed.values()))


@pytest.fixture(scope="module")
def runs():
    """Two models of the same images, with other seeds."""
    images = np.random.default_rng(0).random((24, 8, 8)).astype(np.float32)
    config = nv.ModelConfig(invariances=(), latent_dim=2)
    return images, *(nv.fit(images, config, nv.TrainConfig(epochs=1, seed=seed, device="cpu")) for seed in (0, 1))


def test_a_run_that_tells_no_numbers_is_one_sentence(runs):
    images, run, _ = runs
    broken = copy.deepcopy(run)
    for weight in broken._model.parameters():
        weight.fill_(np.nan)
    with pytest.raises(nv.TrainingError, match="The embedding is no longer a number"):
        nv.DeepKernelGP(broken, steps=2, ensemble=1).fit(images, images.mean((1, 2)))


def test_a_record_goes_on_with_the_run_it_was_made_with_and_no_other_of_the_same_data(runs, tmp_path):
    images, one, other = runs
    assert one.provenance["data_sha256"] == other.provenance["data_sha256"]

    def begin(run, record=None):
        model = nv.DeepKernelGP(run, steps=2, ensemble=1)
        return nv.learning.Exploration(images, model=model, start=[1, 2, 3], record=record)

    record = begin(one).record
    one.save(tmp_path / "run")
    begin(nv.load_run(tmp_path / "run"), record)
    with pytest.raises(nv.InputError, match="another run"):
        begin(other, record)
    older = {name: value for name, value in record.provenance.items() if name != "encoder_sha256"}
    begin(one, dataclasses.replace(record, provenance=older))


def test_latents_of_a_run_keep_their_sizes_for_a_start_far_apart(runs):
    images, run, _ = runs
    prepared = nv.DeepKernelGP(run).prepare(images)
    assert spread_order(prepared, 5, 0).tolist() == spread_order(prepared.values[..., None], 5, 0).tolist()
