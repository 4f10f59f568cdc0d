"""What an exploration asks for and when it has seen enough, on records written by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_vae import InputError
from napari_vae.analysis.circular import wrapped
from napari_vae.core.arrays import check_size
from napari_vae.learning import Stopping
from napari_vae.learning.config import FEWEST
from napari_vae.learning.explore.acquisition import Goal
from napari_vae.learning.explore.loop import _event
from napari_vae.learning.explore.record import Record, Step
from napari_vae.learning.explore.suggestion import Suggester, Suggestion, candidates
from napari_vae.learning.gp import targets as outcomes
from napari_vae.learning.gp.candidates import Prepared

SETTINGS = {"kind": "real", "goal": "max", "target": 0, "acquisition": "ucb", "kappa": 2.0, "batch": 2, "seed": 0}


def record(values, *, failed=(), start=(0, 1, 2), **settings):
    """Candidates 0, 1, 2 … measured one after the other; those that failed come last."""
    made = Record({**SETTINGS, "start": list(start), **settings}, {})
    for number, value in enumerate(values):
        made = made.followed_by(Step((number,), ((float(value),),)))
    for number in failed:
        made = made.followed_by(Step((number,), (None,), failures={number: "beam lost"}))
    return made


class Line:
    """A model that knows the target: its mean is the candidate's number, its sd what is given."""

    def __init__(self, sd):
        self.candidates, self.sd = np.arange(len(sd), dtype=float)[:, None], np.array(sd, float)

    def predict(self, measured, targets):
        return self.candidates[:, 0], self.sd

    def model(self, measured, targets):
        draws = np.random.default_rng(0)
        return SimpleNamespace(sample=lambda x, n, seed: x[:, 0] + draws.normal(size=(n, len(x))))


def suggested(made, sd=(1,) * 8, n_seeds=3, order=(4, 1, 6, 0, 2, 3, 5, 7)):
    return Suggester(Line(sd), np.array(order), n_seeds).after(made)


# ---- what to measure ------------------------------------------------------------------------------------------------


def test_seeds_come_first_in_their_order_and_the_rest_of_them_next():
    first = suggested(record([]))
    assert (first.phase, first.indices.tolist(), first.score) == ("seeds", [4, 1, 6], None)
    assert first.message == "3 candidates to begin with."
    assert suggested(record([1.0])).indices.tolist() == [4, 1]
    one = suggested(record([1.0, 2.0]))
    assert (one.indices.tolist(), one.message) == ([4], "1 candidate to begin with.")


def test_where_too_many_failed_more_seeds_are_asked_for():
    more = suggested(record([], failed=(4, 1, 6)))
    assert more.phase == "seeds" and more.indices.tolist() == [0, 2, 3, 5, 7][:FEWEST]


def test_equal_values_send_it_far_away_and_different_ones_to_the_model():
    even = suggested(record([2.0] * 3))
    assert even.phase == "even" and 7 in even.indices
    told = suggested(record([1.0, 2.0, 3.0], batch=1))
    assert (told.phase, told.indices.tolist()) == ("model", [7])
    assert np.isnan(told.score[:3]).all() and told.score[3:].tolist() == pytest.approx([5, 6, 7, 8, 9])
    assert told.message.startswith("1 candidate: prediction and uncertainty")


def test_when_all_were_tried_it_ends_and_says_how_many_failed():
    end = suggested(record(range(8)))
    assert (end.phase, len(end.indices), end.message) == ("end", 0, "All 8 candidates were measured.")
    failed = suggested(record(range(6), failed=(6, 7)))
    assert failed.message == "All 8 candidates were measured, 2 of them without success."
    assert record([5.0, 6.0], failed=(4,)).untried(8).tolist() == [2, 3, 5, 6, 7]
    assert (candidates(1), candidates(2)) == ("1 candidate", "2 candidates")


def test_the_message_of_a_step_is_what_failed_or_else_what_comes_next():
    for made, said in ((record([1, 2]), "next"), (record([1, 2], failed=(3,)), "candidate 3 failed: beam lost")):
        event = _event(SimpleNamespace(record=made), Suggestion(np.array([5]), "model", "next"), 9)
        assert event.message == said and event.budget == 9


def test_a_step_keeps_what_was_known_of_its_candidates_before():
    suggestion = Suggestion(
        np.array([2, 0]), "model", "", np.array([np.nan, 1.0, 2.0]), np.arange(3.0), np.arange(6.0).reshape(3, 2)
    )
    kept = suggestion.noted(Step((2, 0), ((1.0,), (2.0,))))
    assert (kept.suggested, kept.phase, kept.score) == ((2, 0), "model", (2.0, None))
    assert (kept.mean, kept.sd) == (((2.0,), (0.0,)), ((4.0, 5.0), (0.0, 1.0)))
    assert Suggestion(np.array([1]), "seeds", "").noted(kept).mean is None


# ---- when it is enough ----------------------------------------------------------------------------------------------


def test_patience_is_counted_from_the_best_but_never_within_the_seeds():
    values = [9.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    reasons = [Stopping(patience=2).reached(record(values[:n])) for n in range(7)]
    assert reasons == [
        "",
        "",
        "",
        "",
        "",
        "2 measurements brought nothing better.",
        "3 measurements brought nothing better.",
    ]
    later = [Stopping(patience=2).reached(record([1, 2, 3, 8, 4, 5][:n])) for n in range(7)]
    assert [bool(reason) for reason in later] == [False] * 6 + [True]


@pytest.mark.parametrize(
    ("goal", "value", "values", "enough"),
    [
        ("max", 3.0, [1, 2, 3], True),
        ("max", 3.0, [1, 2, 2.9], False),
        ("min", 1.0, [3, 2, 1], True),
        ("min", 1.0, [3, 2, 1.1], False),
        (5.0, 0.5, [3, 5.5], True),
        (5.0, 0.5, [3, 4.4], False),
    ],
)
def test_a_value_is_reached(goal, value, values, enough):
    assert bool(Stopping(value=value).reached(record(values, goal=goal))) == enough


def foreseen(rule, mean, sd, phase="model", goal="max"):
    said = Suggestion(np.array([1]), phase, "", None, np.array(mean, float), np.array(sd, float))
    return rule.foreseen(record([1.0], goal=goal), said)


def test_what_the_model_foresees_of_open_candidates_ends_it():
    assert foreseen(Stopping(sd=0.3), [0, 1, 2], [9, 0.1, 0.2]) == "Every candidate is known to within 0.3."
    assert foreseen(Stopping(sd=0.3), [0, 1, 2], [0, 0.1, 0.3]) == ""
    assert "improve by 0.5" in foreseen(Stopping(gain=0.5), [9, 0.0, -1.0], [1, 0.1, 0.1])
    assert foreseen(Stopping(gain=0.5), [0, 1.6, 0], [1, 0.1, 0.1]) == ""
    assert foreseen(Stopping(), [0, 1], [1, 0]) == ""


def test_rules_that_need_a_goal_are_refused_without_one():
    angle = record([1.0], kind="angle", goal="max", acquisition="variance")
    for rule in (Stopping(value=1.0), Stopping(patience=2), Stopping(gain=1.0)):
        with pytest.raises(InputError, match="Without a goal"):
            rule.check(angle)
    Stopping(sd=1.0).check(angle)
    assert Stopping(value=1.0).reached(angle) == ""
    with pytest.raises(InputError, match="cannot be improved"):
        Stopping(gain=1.0).check(record([1.0], kind="class", goal=1, acquisition="pi"))
    for odd in ({"sd": 0}, {"gain": -1.0}, {"patience": 0}):
        with pytest.raises(InputError):
            Stopping(**odd)


# ---- goals and sizes -----------------------------------------------------------------------------------------------


def test_merit_and_draws_are_best_at_what_is_looked_for():
    values = np.array([[1.0], [4.0], [7.0]])
    assert Goal().merit(values).tolist() == [1, 4, 7] and Goal(wanted="min").merit(values).tolist() == [-1, -4, -7]
    near = Goal(wanted=5.0)
    assert near.merit(values).tolist() == [-4, -1, -2]
    assert near.drawn(values.T).tolist() == [[-4, -1, -2]] and Goal(wanted="min").drawn(values.T).tolist() == [
        [-1, -4, -7]
    ]
    assert Goal("class", 4.0).merit(values).tolist() == [0, 1, 0]
    assert Goal("angle", 350.0).merit(np.array([[10.0], [340.0]])).tolist() == [-20, -10]


def test_several_targets_are_weighed_and_their_variances_by_the_squares():
    goal = Goal(target=(2.0, -1.0))
    mean, sd = goal.expected(np.array([[1.0, 3.0]]), np.array([[0.5, 2.0]]))
    assert mean.tolist() == [-1] and sd == pytest.approx([np.hypot(2 * 0.5, 2.0)])
    one, its = Goal(target=1).expected(np.array([[1.0, 3.0]]), np.array([[0.5, 2.0]]))
    assert (one.tolist(), its.tolist()) == ([3], [2])
    for wrong in (Goal(target=2), Goal(target=(1.0, 1.0, 1.0))):
        with pytest.raises(InputError):
            wrong.check(2)
    Goal(target=1).check(2)


def test_a_class_is_met_when_one_of_it_was_measured():
    wanted = {"kind": "class", "goal": 1.0, "acquisition": "pi"}
    assert record([5.0]).goal.met and not record([0.0, 2.0], **wanted).goal.met
    assert record([0.0, 1.0], **wanted).goal.met


def test_deviations_are_from_the_mean_and_around_the_circle():
    draws = np.array([[1.0, 170.0], [3.0, -170.0]])
    assert Goal().deviations(draws).tolist() == [[-1, 170], [1, -170]]
    np.testing.assert_allclose(Goal("angle", 0.0).deviations(draws), [[-1, -10], [1, 10]], atol=1e-9)
    shares = np.array([[[0.2, 0.8]], [[0.6, 0.4]]])
    np.testing.assert_allclose(Goal("class", 1).deviations(shares), [[-0.2], [0.2], [0.2], [-0.2]])
    assert Goal("class", 1).drawn(shares).tolist() == [[0.8], [0.4]]
    np.testing.assert_allclose(Goal("class", 1, met=False).drawn(shares), [[0.2], [0.4]])


@pytest.mark.parametrize(
    ("values", "good"),
    [
        ([], True),
        ([1.0, 2.0], True),
        ([5.0, 5.0], True),
        ([1e149, -1e149], True),
        ([2e150, 0.0], False),
        ([0.0, -2e150], False),
        ([0.0, 3e-150], True),
        ([0.0, 1e-149], True),
        ([0.0, 1e-151], False),
    ],
)
def test_values_whose_squares_cannot_be_computed_with_are_refused(values, good):
    if good:
        check_size(np.array(values))
    else:
        with pytest.raises(InputError, match="another unit"):
            check_size(np.array(values))


def test_classes_are_whole_numbers_from_0():
    assert outcomes.check_targets([0, 2, 1], 3, "class").tolist() == [[0], [2], [1]]
    for values in ([0, 1.5, 1], [0, -1, 1], [0, 1000, 1]):  # a saved model has up to 1000
        with pytest.raises(InputError, match="whole numbers from 0"):
            outcomes.check_targets(values, 3, "class")


# ---- angles ---------------------------------------------------------------------------------------------------------


def wrap(angles):
    return wrapped(angles, outcomes.TURN)


@pytest.mark.parametrize("angle", [-3.0, -0.4, 0.0, 1.2, 3.1])
def test_the_likeliest_angle_is_the_one_whose_waves_were_predicted(angle):
    waves = [[np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)]]
    np.testing.assert_allclose(outcomes._waves(np.array([angle])), waves)
    flat = np.zeros((1, len(outcomes.GRID)))
    found, spread = outcomes._likeliest(np.array(waves), np.full((1, 4), 0.01), flat)
    assert wrap(found - angle) == pytest.approx([0], abs=1e-3)
    assert spread == pytest.approx([np.sqrt(0.01 / 5)], rel=0.1)  # the slopes of both waves add up to 1 + 4
    half = np.array([[0.0, 0.0, waves[0][2], waves[0][3]]])
    either, wide = outcomes._likeliest(half, np.array([[9.0, 9.0, 0.01, 0.01]]), flat)
    assert wrap(2 * (either - angle)) == pytest.approx([0], abs=1e-2)
    assert wide[0] > 1.5, "half a turn away is as likely"


def test_labels_of_classes_are_learnt_as_logarithms_of_gamma_variables_of_their_mean():
    mean, variance = outcomes.Class(3).encode(np.array([[0.0], [2.0]]), Prepared(np.zeros((2, 1))))
    counts = np.array([[1, 0, 0], [0, 0, 1]]) + outcomes.CLASS_NOISE
    np.testing.assert_allclose(np.exp(mean + variance / 2), counts)  # mean and variance of a lognormal are those of
    np.testing.assert_allclose(np.expm1(variance) * counts**2, counts)  # the Gamma variable with that count


def test_draws_of_classes_are_probabilities():
    joint = outcomes.Class(3).draws(np.random.default_rng(0).normal(size=(5, 4, 3)), Prepared(np.zeros((4, 1))))
    assert joint.sum(axis=-1) == pytest.approx(np.ones((5, 4))) and (joint > 0).all()


def test_draws_of_angles_are_those_of_their_waves():
    angles = np.random.default_rng(0).uniform(-180, 180, (5, 7))
    for radius in (1.0, 0.2):
        draws = radius * outcomes._waves(np.deg2rad(angles))
        draws[..., :2] += [[0.01, -0.01]]  # the double of the angle is surer, the angle says which half turn
        joint = outcomes.Angle.of(np.zeros((1, 1))).draws(draws, Prepared(np.zeros((7, 1)), np.deg2rad(np.full(7, 25))))
        assert joint.shape == (5, 7, 1)
        assert np.abs(outcomes.wrapped(joint[..., 0] - angles - 25, 360.0)).max() < 1e-9


@pytest.mark.parametrize(("share", "sure"), [(0.5, 10.0), (0.8, 10.0)])
def test_the_spread_of_an_angle_is_that_of_its_density(share, sure):
    """Of two directions half a turn apart, one is as likely as `share`."""
    grid, at = outcomes.GRID, 0.3
    usual = np.where(np.cos(grid - at) > 0, share, 1 - share)
    angle, spread = outcomes._likeliest(
        outcomes._waves(np.array([at])) * [0, 0, 1, 1], np.array([[1e6, 1e6, 4 / sure, 4 / sure]]), np.log(usual)[None]
    )
    density = usual * np.exp(sure / 4 * np.cos(2 * (grid - at)))
    away = outcomes.wrapped(grid - at, outcomes.TURN)
    assert angle[0] == pytest.approx(at, abs=1e-6)
    assert spread[0] == pytest.approx(np.sqrt((density * away**2).sum() / density.sum()), rel=0.004)


def test_angles_that_compete_in_the_trained_model_make_a_prediction_wide():
    angle, variance = outcomes.Angle.of(np.array([[-90.0], [0.0], [40.0], [150.0]])), np.full((1, 4), 0.01)
    waves, spreads = outcomes._waves(np.deg2rad([30.0])), []
    for circular in (None, 0.8 * waves):
        found, spread = angle.decode(waves, variance, Prepared(np.zeros((1, 1)), np.deg2rad([10.0]), circular))
        assert found.item() == pytest.approx(40, abs=3)
        spreads.append(spread.item())
    assert spreads[1] > 2 * spreads[0]
    joint = angle.draws(np.repeat(waves[None], 2, 0), Prepared(np.zeros((1, 1)), np.deg2rad([10.0])))
    assert joint[..., 0] == pytest.approx(40), "draws of the waves of an angle are that angle"


def test_a_sure_angle_is_as_sure_as_its_waves_say():
    rng = np.random.default_rng(0)
    at, variance = rng.uniform(-np.pi, np.pi, 50), rng.uniform(0.5e-4, 4e-4, (50, 4))
    angle, spread = outcomes._likeliest(outcomes._waves(at), variance, np.zeros((1, len(outcomes.GRID))))
    slopes = np.stack([-np.sin(at), np.cos(at), -2 * np.sin(2 * at), 2 * np.cos(2 * at)], -1)
    assert np.abs(outcomes.wrapped(angle - at, outcomes.TURN)).max() < 1e-6
    assert spread == pytest.approx(1 / np.sqrt((slopes**2 / variance).sum(1)), rel=1e-3)
