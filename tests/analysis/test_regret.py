import numpy as np
import pytest

from napari_vae import InputError
from napari_vae.analysis import mean_regret, measurements_to_reach, simple_regret


def test_regret_falls_by_the_best_so_far():
    values = [1.0, 3.0, 2.0, 4.0, 0.0]
    assert simple_regret(values, 5.0).tolist() == [4, 2, 2, 1, 1]
    assert simple_regret(-np.array(values), -5.0, maximize=False).tolist() == [4, 2, 2, 1, 1]
    assert simple_regret([values, values[::-1]], 4.0).tolist() == [[3, 1, 1, 0, 0], [4, 0, 0, 0, 0]]


def test_failed_measurements_do_not_count_but_take_their_step():
    regret = simple_regret([np.nan, 1.0, np.nan, 3.0], 3.0)
    assert np.isnan(regret[0])
    assert regret[1:].tolist() == [2, 2, 0]
    assert np.isnan(simple_regret([np.nan, np.nan], 1.0)).all()
    assert measurements_to_reach([np.nan, 1.0, np.nan, 3.0], 3.0) == 4


def test_regret_of_random_search_has_its_closed_form():
    uniform = np.random.default_rng(0).uniform(size=(4000, 30))
    mean = mean_regret(simple_regret(uniform, 1.0))
    n = mean["measurements"].to_numpy()
    assert n.tolist() == list(range(1, 31))
    np.testing.assert_allclose(mean["mean"], 1 / (n + 1), atol=0.02)  # of the largest of n uniform numbers


def test_the_interval_holds_the_mean_as_often_as_it_says():
    regrets = np.random.default_rng(1).normal(20, 3, (10, 3000))  # ten seeds, 3000 independent steps
    for level in (0.8, 0.95):
        table = mean_regret(regrets, level)
        assert table["low"].le(20).mul(table["high"].ge(20)).mean() == pytest.approx(level, abs=0.02)


def test_the_interval_stays_above_zero_and_counts_the_runs():
    table = mean_regret([[np.nan, 0.0, 0.0], [1.0, 0.1, 0.0]])
    assert table["runs"].tolist() == [1, 2, 2]
    assert table["mean"].tolist() == [1.0, 0.05, 0.0]
    assert np.isnan(table["high"][0])
    assert table["low"][1] == 0
    assert table.loc[2, ["low", "high"]].tolist() == [0, 0]


def test_measurements_until_a_value_is_good_enough():
    runs = [[1.0, 3.0, 2.0], [0.0, 1.0, 1.0], [3.0, 0.0, 0.0]]
    assert measurements_to_reach(runs, 3.0).tolist() == [2, np.inf, 1]
    assert measurements_to_reach(runs[0], 1.5) == 2
    assert measurements_to_reach([5.0, 2.0], 2.0, maximize=False) == 2


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: simple_regret([], 1.0), r"\(steps,\)"),
        (lambda: simple_regret([1.0, 2.0], 1.5), "better than 1.5"),
        (lambda: simple_regret([1.0, 2.0], 2.5, maximize=False), "better than 2.5"),
        (lambda: simple_regret([1.0], np.nan), "best is a number, not nan"),
        (lambda: mean_regret([1.0, 2.0]), "two or more runs"),
        (lambda: mean_regret([[1.0, 2.0]]), "two or more runs"),
        (lambda: mean_regret([[1.0], [2.0]], level=95), "between 0 and 1"),
        (lambda: measurements_to_reach([1.0], np.nan), "threshold is a number, not nan"),
    ],
)
def test_bad_input_names_the_remedy(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
