"""The active-learning loop on functions whose answer is known: what it finds, what it survives, what it keeps."""

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.learning.explore.acquisition import ACQUISITIONS, entropy
from napari_vae.learning.explore.loop import ExplorationStep
from napari_vae.learning.explore.record import Step
from napari_vae.learning.explore.suggestion import spread_order
from napari_vae.learning.explore.surrogate import Stopped
from plain_gp import QUICK, PlainGP, X, Y


def needed(curve, level):
    """Measurements until a level is reached; one more than all if it is not."""
    return int(np.argmax([*(curve <= level), True])) + 1


def test_improvement_finds_the_best_hundredth_with_half_the_measurements_of_chance():
    level = np.quantile(Y, 0.01)
    ours, chance = [], []
    for seed in range(6):
        ours.append(needed(nv.explore(X, Y, "ei", budget=45, seed=seed, **QUICK).curve, level))
        order = np.random.default_rng(seed).permutation(len(Y))
        chance.append(needed(np.minimum.accumulate(Y[order]), level))
    assert np.mean(ours) < np.mean(chance) / 2


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_every_acquisition_spends_its_budget_on_different_candidates(name):
    record = nv.explore(X, Y, name, budget=16, batch=3, **QUICK)
    assert len(set(record.measured.tolist())) == 16
    assert record.values.tolist() == Y[record.measured].tolist()
    assert record.reason == "The budget of 16 measurements is spent."
    assert record.best == record.measured[np.argmin(record.values)]


@pytest.mark.slow
def test_uncertainty_and_information_map_a_function_better_than_chance():
    gp = PlainGP(0.25)
    root = np.linalg.cholesky(gp.kernel(X, X) + 1e-8 * np.eye(len(X)))
    errors = {"variance": [], "information": [], "chance": []}
    for seed in range(4):
        random = np.random.default_rng(seed)
        y = root @ random.standard_normal(len(X))
        rows = {"chance": random.permutation(len(X))[:22]}
        for name in ("variance", "information"):
            rows[name] = nv.explore(X, y, name, model=gp, start=5, budget=22, seed=seed).measured
        for name, measured in rows.items():
            mean, _ = PlainGP(0.25).fit(X[measured], y[measured]).predict(X)
            errors[name].append(np.sqrt(np.mean((mean - y) ** 2)))
    means = {name: np.mean(values) for name, values in errors.items()}
    assert means["information"] < means["variance"] < 0.8 * means["chance"]


def test_a_number_is_approached_and_a_rule_ends_it():
    record = nv.explore(
        X, Y, "ei", model=PlainGP(0.3), goal=2.5, start=5, budget=60, until=nv.learning.Stopping(value=0.02), seed=2
    )
    assert record.reason == "The target is reached."
    assert abs(record.curve[-1] - 2.5) <= 0.02
    assert record.tried < 60


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (nv.learning.Stopping(value=-0.5), "The target is reached"),
        (nv.learning.Stopping(patience=4), "brought nothing better"),
        (nv.learning.Stopping(sd=0.3), "known to within 0.3"),
        (nv.learning.Stopping(gain=0.02), "expected to improve by 0.02"),
    ],
)
def test_rules_end_it_before_the_budget(rule, words):
    record = nv.explore(X, Y, until=rule, budget=300, seed=3, **QUICK)
    assert words in record.reason
    assert 5 < record.tried < 100


def test_patience_with_a_class_begins_anew_with_each_one_found():
    record = nv.learning.Exploration(X, model=PlainGP(target="class"), acquisition="pi", goal=1, start=2).record
    for i, kind in enumerate([0, 1, 0, 0, 1, 0, 1, 0, 0, 0]):
        record = record.followed_by(Step((i,), ((kind,),)))
        assert nv.learning.Stopping(patience=3).reached(record) == (
            "" if i < 9 else "3 measurements brought nothing better."
        )
        assert bool(nv.learning.Stopping(value=3).reached(record)) == (i >= 6)


def test_a_class_is_unmet_until_one_is_measured_whatever_its_number():
    model = nv.DeepKernelGP(target="class", steps=3, ensemble=1)
    exploration = nv.learning.Exploration(X[::9], model=model, acquisition="pi", goal=0, start=[0, 20, 40])
    exploration.tell([0, 20, 40], [1, 2, 1])
    doubt = exploration.suggest()
    np.testing.assert_allclose(doubt.score[1:20], entropy(doubt.mean[1:20]))
    exploration.tell(doubt.indices, [0])
    likely = exploration.suggest()
    np.testing.assert_allclose(np.exp(likely.score[1:10]), likely.mean[1:10, 0])


def test_stop_ends_it_and_keeps_what_was_measured():
    answers = iter([False] * 4 + [True] * 9)
    job = nv.learning.iter_explore(X, Y, stop=lambda: next(answers), budget=50, **QUICK)
    events = []
    with pytest.raises(StopIteration) as ended:
        while True:
            events.append(next(job))
    assert ended.value.value.reason == "It was stopped."
    assert len(events) == ended.value.value.tried == 4
    assert events[-1].fraction == pytest.approx(4 / 50)
    assert events[-1].suggestion.phase == "seeds"


def test_failures_are_noted_and_not_asked_again():
    def instrument(i):
        if i % 3 == 0:
            raise RuntimeError("beam lost")
        return Y[i] if i % 3 == 1 else np.nan

    record = nv.explore(X, instrument, budget=30, batch=2, **QUICK)
    assert record.tried == 30
    assert (record.measured % 3 == 1).all()
    reasons = {i % 3: reason for i, reason in record.failed.items()}
    assert reasons == {0: "RuntimeError: beam lost", 2: "The value is not a number."}
    asked = [i for step in record.steps for i in step.indices]
    assert len(set(asked)) == 30
    assert record.table.failure.ne("").sum() == len(record.failed)


@pytest.mark.parametrize(("nothing", "reason"), [(np.nan, "The value is not a number."), ([], "There is no value.")])
def test_a_failure_at_the_beginning_does_not_tell_how_many_targets_there_are(nothing, reason):
    both, failing = np.stack([Y, X[:, 0]], 1), iter([True])
    oracle = {"oracle": lambda i: nothing if next(failing, False) else both[i], "target": 1, "goal": "max"}
    record = nv.explore(X, **oracle, model=PlainGP(), start=5, batch=5, budget=10)
    assert record.values.shape == (9, 2)
    assert list(record.failed.values()) == [reason]


def test_too_few_seeds_that_succeed_bring_more_seeds():
    good = np.flatnonzero(np.arange(len(Y)) % 5 == 0)
    record = nv.explore(X, np.where(np.arange(len(Y)) % 5, np.nan, Y), budget=60, **QUICK)
    phases = [step.phase for step in record.steps]
    assert np.isin(record.measured, good).all()
    assert [step.values[0] is None for step in record.steps if step.phase == "seeds"].count(False) == 3
    assert phases.count("seeds") > 5
    assert "model" in phases


def test_equal_values_so_far_lead_far_away_and_not_to_an_error():
    flat = np.where(np.hypot(*(X - [0.9, 0.9]).T) < 0.15, 1.0, 0.0)
    record = nv.explore(X, flat, budget=40, model=PlainGP(), start=np.flatnonzero(X.max(1) < 0.2)[:4].tolist())
    phases = [step.phase for step in record.steps]
    assert phases[:5] == ["seeds"] * 4 + ["even"]
    assert phases[-1] == "model"
    assert phases.count("even") < 15
    assert record.values.max() == 1


def test_when_all_are_measured_it_ends_with_a_sentence():
    record = nv.explore(X[:30], Y[:30], budget=100, **QUICK)
    assert sorted(record.measured) == list(range(30))
    assert record.reason == "All 30 candidates were measured."
    with pytest.raises(nv.InputError, match="nothing left to explore"):
        nv.explore(X[:30], Y[:30], budget=200, record=record, **QUICK)


def test_an_exploration_is_told_by_hand_and_undone():
    by_hand = nv.learning.Exploration(X, **QUICK)
    seeds = by_hand.suggest()
    assert seeds.phase == "seeds"
    assert len(seeds.indices) == 5
    assert by_hand.predict() is None
    by_hand.tell(seeds.indices[:4], Y[seeds.indices[:4]])
    by_hand.fail(seeds.indices[4], "drifted away")
    assert by_hand.failed == {int(seeds.indices[4]): "drifted away"}
    before = by_hand.suggest()
    assert before.phase == "model"
    assert before.mean.shape == before.score.shape == (len(X),)
    assert np.isnan(before.score[[*by_hand.measured, *by_hand.failed]]).all()
    assert before.indices[0] == np.nanargmax(before.score)
    by_hand.tell(before.indices, Y[before.indices])
    assert by_hand.suggest().indices[0] != before.indices[0]
    assert by_hand.undo().tolist() == before.indices.tolist()
    again = by_hand.suggest()
    assert again.indices.tolist() == before.indices.tolist()
    np.testing.assert_array_equal(again.score, before.score)
    assert by_hand.record.steps[0].suggested == tuple(seeds.indices.tolist())


def test_a_suggestion_that_is_stopped_changes_nothing():
    told, stopped = (nv.learning.Exploration(X, model=PlainGP(), start=[0, 100, 300], seed=0) for _ in range(2))
    for exploration in (told, stopped):
        exploration.tell([0, 100, 300], Y[[0, 100, 300]])
    with pytest.raises(Stopped):
        stopped.suggest(stop=lambda: True)
    assert stopped.suggest().indices.tolist() == told.suggest().indices.tolist()


def test_values_that_do_not_fit_are_refused_in_a_sentence():
    exploration = nv.learning.Exploration(X, **QUICK)
    exploration.tell(3, 0.5)
    for indices, values, words in [
        (3, 0.1, "measured already"),
        (len(X), 0.1, "from 0 to 624"),
        ([5, 5], [1, 2], "each once"),
        ([5, 6], [1.0], "2 candidates, but 1 values"),
        (5, "much", "Values are numbers"),
    ]:
        with pytest.raises(nv.InputError, match=words):
            exploration.tell(indices, values)
    exploration.undo()
    with pytest.raises(nv.InputError, match="nothing to undo"):
        exploration.undo()


def test_several_targets_are_learned_together_and_one_is_sought():
    both = np.stack([Y, X[:, 0]], 1)
    record = nv.explore(X, both, goal="max", target=1, model=PlainGP(), start=5, budget=12)
    assert record.values.shape == (12, 2)
    assert record.curve[-1] == pytest.approx(1.0)
    weighted = nv.explore(X, lambda i: both[i], goal="min", target=(1.0, 0.0), model=PlainGP(0.3), start=5, budget=12)
    single = nv.explore(X, Y, budget=12, **QUICK)
    assert weighted.measured.tolist() == single.measured.tolist()


def test_seeds_can_be_far_apart_or_a_region():
    spread = nv.learning.Exploration(X, spread=True, start=4, model=PlainGP()).suggest().indices
    gaps = np.linalg.norm(X[spread][:, None] - X[spread][None], axis=-1)[~np.eye(4, dtype=bool)]
    assert gaps.min() > 0.5
    assert len(spread_order(X, 10, 0)) == 10
    region = [7, 8, 9]
    assert nv.learning.Exploration(X, start=region, model=PlainGP()).suggest().indices.tolist() == region


def test_refits_now_and_then_still_choose_apart():
    model = PlainGP(0.3)
    record = nv.explore(X, Y, "variance", budget=17, refit_every=4, model=model, start=5)
    fitted = {step.mean for step in record.steps if step.mean}
    assert len(record.measured) == 17
    assert len(fitted) == 12  # other candidates, each with its own prediction
    apart = np.linalg.norm(X[record.measured[5:9]][:, None] - X[record.measured[5:9]], axis=-1)
    assert apart[~np.eye(4, dtype=bool)].min() > 0.15
    assert model.fits == 0  # the model that was given is not changed


@pytest.mark.parametrize(
    ("oracle", "settings", "words"),
    [
        (Y[:-1], {}, "625 candidates, but values of shape"),
        (np.full(625, np.nan), {}, "Only 0 candidates have a value"),
        (np.where(np.arange(625) < 2, Y, np.nan), {}, "Only 2 candidates have a value"),
        (np.ones(625), {}, "All values are the same"),
        (["dark"] * 625, {}, "column of numbers"),
        (Y, {"acquisition": "eu"}, "acquisition is one of ei, ucb, .*, not 'eu'"),
        (Y, {"budget": 4}, "less than the 5 to start with"),
        (Y, {"start": 626, "budget": 700}, "start with 1 to 625"),
        (Y, {"start": [1, 1]}, "each once"),
        (Y, {"batch": 0}, "batch is a whole number of 1"),
        (Y, {"kappa": -1}, "kappa"),
        (Y, {"seed": -1}, "seed is a whole number of 0"),
        (Y, {"target": 1}, "no target 1"),
        (Y, {"until": None, "goal": "large"}, '"max", "min" or a number'),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(oracle, settings, words):
    asked = []

    def never_asked(*_):
        asked.append(1)

    model = PlainGP()
    model.fit = never_asked
    with pytest.raises(nv.InputError, match=words):
        nv.explore(X, oracle, **{"model": model, "start": 5, **settings})
    assert not asked


def test_a_column_of_a_table_is_an_oracle():
    column = pd.Series(Y, index=np.arange(len(Y)) + 1000)
    assert (
        nv.explore(X, column, budget=6, **QUICK).values.tolist() == nv.explore(X, Y, budget=6, **QUICK).values.tolist()
    )


def test_a_hundred_thousand_candidates_are_predicted_in_parts():
    x = np.random.default_rng(0).random((100_000, 2))
    exploration = nv.learning.Exploration(x, model=PlainGP(0.3), start=[*range(20)], batch=4)
    exploration.tell(np.arange(20), np.sin(6 * x[:20, 0]))
    fitted, parts = exploration.model, []
    fitted.predict = lambda part, noise=True: parts.append(len(part)) or PlainGP.predict(fitted, part, noise=noise)
    suggestion = exploration.suggest()
    assert len(suggestion.indices) == 4
    assert max(parts) <= 16_384
    assert sum(parts[:7]) == 100_000  # then those that are drawn together


@pytest.mark.parametrize(("measured", "budget", "share"), [(0, 8, 0), (2, 8, 0.25), (8, 8, 1), (13, 8, 1), (0, 0, 0)])
def test_no_more_than_the_whole_budget_is_spent(measured, budget, share):
    step = ExplorationStep(None, None, 1, measured, budget, None, "")
    assert step.fraction == share
