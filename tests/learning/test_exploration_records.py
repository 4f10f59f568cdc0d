"""Records of explorations: they come back exactly, and are gone on with."""

import json

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.learning.explore.record import Step
from plain_gp import QUICK, PlainGP, X, Y


@pytest.fixture(scope="module")
def run():
    """An exploration of 14 measurements."""
    return nv.explore(X, Y, budget=14, **QUICK)


def told(record):
    """A record without what the clock says."""
    return [(s.indices, s.values, s.suggested, s.phase, dict(s.failures), s.score, s.mean, s.sd) for s in record.steps]


def test_a_record_comes_back_exactly(run, tmp_path):
    run.save(tmp_path / "run")
    back = nv.ExplorationRecord.load(tmp_path / "run")
    assert told(back) == told(run)
    assert back.reason == run.reason
    assert back.curve.tolist() == run.curve.tolist()
    table = nv.read_table(tmp_path / "run" / "measurements.csv")
    assert table.index.tolist() == run.measured.tolist()
    np.testing.assert_allclose(table["value"], run.values)
    assert {"score", "mean", "sd", "phase", "step"} <= set(table)


def test_a_step_is_whole_with_something_for_each_candidate_or_for_none():
    assert Step((1, 2), ((0.5,), None), failures={2: "lost"}).is_whole()
    assert Step((1, 2), ((0.5,), (1.0,)), mean=((0.5,), (1.0,)), score=(0.1, None)).is_whole()
    assert not Step((1, 2), ((0.5,),)).is_whole()
    assert not Step((1, 2), ((0.5,), (1.0,)), mean=((0.5,),)).is_whole()
    assert not Step((1, 2), ((0.5,), None)).is_whole()
    assert not Step((1, 2), ((0.5,), (1.0,)), failures={2: "lost"}).is_whole()


def test_the_same_seed_gives_the_same_exploration_and_a_replay_the_same_suggestions(run):
    assert told(nv.explore(X, Y, budget=14, **QUICK)) == told(run)
    assert nv.explore(X, Y, budget=14, seed=1, **QUICK).measured.tolist() != run.measured.tolist()
    assert told(run.replay(X, model=PlainGP(0.3))) == told(run)
    with pytest.raises(nv.InputError, match="other candidates"):
        run.replay(X + 1, model=PlainGP(0.3))
    with pytest.raises(nv.InputError, match="another model"):
        run.replay(X, model=PlainGP(0.1))


@pytest.mark.parametrize("name", ["ei", "thompson"])
def test_what_is_killed_goes_on_as_if_it_had_not_been(tmp_path, name):
    whole = nv.explore(X, Y, name, budget=20, batch=2, refit_every=3, **QUICK)
    for killed_at in (3, 9, 14):
        left = iter(range(killed_at))

        def instrument(i, left=left):
            next(left)
            return Y[i]

        folder = tmp_path / f"{name}-{killed_at}"
        with pytest.raises(KeyboardInterrupt):
            nv.explore(X, dying(instrument), name, budget=20, batch=2, refit_every=3, record=folder, **QUICK)
        assert 0 < nv.ExplorationRecord.load(folder).tried <= killed_at
        resumed = nv.explore(X, Y, name, budget=20, batch=2, refit_every=3, record=folder, **QUICK)
        assert told(resumed) == told(whole)
        assert told(nv.ExplorationRecord.load(folder)) == told(whole)


def dying(instrument):
    """An instrument that takes the whole program with it when it ends."""

    def measure(i):
        try:
            return instrument(i)
        except StopIteration:
            raise KeyboardInterrupt from None

    return measure


def test_a_larger_budget_continues_a_record(run):
    longer = nv.explore(X, Y, budget=18, record=run, **QUICK)
    assert longer.measured[:14].tolist() == run.measured.tolist()
    assert told(longer) == told(nv.explore(X, Y, budget=18, **QUICK))
    with pytest.raises(nv.InputError, match="another acquisition"):
        nv.explore(X, Y, "ucb", budget=18, record=run, **QUICK)


def test_damaged_records_and_other_folders_are_refused_in_a_sentence(run, tmp_path):
    run.save(tmp_path / "run")
    marker = tmp_path / "run" / "exploration.json"
    text = marker.read_text()
    known = json.loads(text)
    broken = [text[: len(text) // 2], "[]", "", json.dumps({**known, "steps": [{}]})]
    broken += [json.dumps({**known, "settings": {}}), json.dumps({**known, "steps": 3})]
    short = json.loads(text)
    short["steps"][-1]["values"] = []
    for damaged in [*broken, json.dumps(short)]:
        marker.write_text(damaged)
        with pytest.raises(nv.ReadError, match=r"damaged|another kind"):
            nv.ExplorationRecord.load(tmp_path / "run")
    marker.write_text(json.dumps({**known, "format": 99}))
    with pytest.raises(nv.ReadError, match="newer version"):
        nv.explore(X, Y, record=tmp_path / "run", **QUICK)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(nv.InputError, match="holds other files"):
        nv.explore(X, Y, record=tmp_path / "other", **QUICK)
    with pytest.raises(nv.ReadError, match="holds no exploration"):
        nv.ExplorationRecord.load(tmp_path / "other")


def test_a_failure_that_took_no_time_is_kept_as_such():
    exploration = nv.learning.Exploration(X, **QUICK)
    exploration.fail([3], "lost")
    exploration.fail([4], "lost", seconds=2.5)
    exploration.tell([5], [1.0])
    kept = [step.seconds["measure"] for step in exploration.record.steps]
    assert kept == [0.0, 2.5, 0.0] and exploration.record.steps[0].failures == {3: "lost"}
