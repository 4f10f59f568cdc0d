"""Directions: their mean and spread, modulo what looks the same."""

import numpy as np
import pytest

from napari_vae.analysis.circular import direction_of, folded_period, wrapped


@pytest.mark.parametrize("period", [360.0, 120.0, 60.0])
def test_mean_and_spread_of_angles_across_the_seam(period):
    rng = np.random.default_rng(1)
    truth = 0.49 * period
    angles = wrapped(truth + rng.normal(0, 0.03 * period, 4000), period)
    found = direction_of(angles, period)
    assert abs(wrapped(found.mean - truth, period)) < 0.003 * period
    assert found.spread == pytest.approx(0.03 * period, rel=0.05)
    assert found.preferred and found.n == 4000
    assert not direction_of(rng.uniform(0, period, 300), period).preferred


@pytest.mark.parametrize(("n", "period"), [(1, 360), (2, 360), (3, 360), (4, 360), (6, 360), (2, 180), (1, 90)])
def test_angles_that_agree_modulo_a_part_of_a_turn(n, period):
    rng = np.random.default_rng(n)
    angles = 35 + period / n * rng.integers(0, n, 300) + rng.normal(0, 1.2, 300)
    assert folded_period(angles, period) == period / n
    assert direction_of(angles, folded_period(angles, period)).spread == pytest.approx(1.2, abs=0.2)
    assert folded_period(rng.uniform(0, 360, 300)) == 360


def test_equal_angles_have_no_spread():
    spreads = [direction_of([angle] * n).spread for angle in np.linspace(-180, 180, 50) for n in (1, 2, 3, 7, 11)]
    assert np.max(spreads) < 1e-4  # nor one that is no number, where rounding makes their mean longer than 1


def test_angles_of_nothing_have_no_direction():
    found = direction_of([np.nan, np.inf])
    assert found.n == 0 and not found.preferred
