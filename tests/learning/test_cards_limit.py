"""How the cards of the deep kernel benchmarks are judged, and what can be known of their rotation."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "dkl"))
import cards_data
import limit


@pytest.fixture(scope="module")
def data():
    return cards_data.load(n_per_suit=300)


def test_the_best_answer_to_two_is_their_mean_and_the_worst_of_one_is_counted_once(data):
    two = data.has_two_answers
    assert two.mean() == pytest.approx(1 / 8, abs=0.02)
    side = np.sign(data.rotation)
    mean_of_two = np.where(two, data.rotation - 90 * side, data.rotation)
    judged = cards_data.judge(data, "rotation", mean_of_two)
    assert judged["RMSE"] == judged["RMSE, ♦ mod 180°"] == pytest.approx(90 * np.sqrt(two.mean()))
    assert judged["RMSE, one answer"] == 0
    other = cards_data.judge(data, "rotation", np.where(two, data.rotation - 180 * side, data.rotation))
    assert other["RMSE"] == pytest.approx(180 * np.sqrt(two.mean()))
    assert other["RMSE, ♦ mod 180°"] == pytest.approx(0, abs=1e-9)


def test_coverage_is_that_of_a_normal_interval(data):
    sd = np.linspace(0.01, 0.1, len(data))
    found = data.shear + sd * np.random.default_rng(0).normal(size=len(data))
    judged = cards_data.judge(data, "shear", found, sd)
    assert judged["coverage"] == pytest.approx(0.9, abs=0.03)
    assert judged["RMSE"] == pytest.approx(np.sqrt((sd**2).mean()), rel=0.1)


def test_labelled_rows_are_different_ones_and_repeat_with_their_seed(data):
    rows = cards_data.labelled(data, 1)
    assert len(np.unique(rows)) == 100
    assert rows.tolist() == cards_data.labelled(data, 1).tolist() != cards_data.labelled(data, 2).tolist()


def test_the_half_turn_of_a_diamond_leaves_little_and_the_truth_nothing():
    truth = np.array([[70.0, 15.0, 0.05, -0.08], [110.0, -3.0, 0.0, 0.02], [90.0, -18.0, -0.09, 0.0]])
    images = limit.diamonds(truth, 30)
    assert limit.left_over(images, truth - np.array([1, -1, 0.02, 0.02]), 30) == pytest.approx(0, abs=1e-6)
    rest = limit.left_over(images, truth - [180, 0, 0, 0], 30) / 30
    assert ((rest > 0.001) & (rest < 0.01)).all()


def test_the_smallest_error_goes_from_none_to_that_of_the_mean_of_two():
    rest = np.full(3, 0.1)
    assert limit.best_possible(rest, 0) == (1, 0)
    share, error = limit.best_possible(rest, np.inf)
    assert (share, error) == (pytest.approx(0.5), pytest.approx(90 / np.sqrt(8)))
    shares, errors = zip(*(limit.best_possible(rest, noise) for noise in (0.01, 0.03, 0.1)), strict=True)
    assert 1 > shares[0] > shares[1] > shares[2] > 0.5
    assert 0 < errors[0] < errors[1] < errors[2] < error
