"""Acquisitions against closed forms and integrals; goals; batches without twins."""

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from scipy.integrate import quad
from scipy.stats import norm

from napari_vae import InputError
from napari_vae.learning.explore.acquisition import ACQUISITIONS, Goal, acquire, entropy, expected_gain, log_improvement
from napari_vae.learning.explore.batches import JOINT, NOISE, Joint, Rule, choose
from plain_gp import PlainGP

MEAN = np.array([-2.0, 0.0, 0.3, 0.9, 1.5, 40.0])
SD = np.array([0.5, 1.0, 0.1, 0.4, 1e-3, 3.0])


def test_improvement_is_the_textbook_formula_and_stays_a_number_far_below_the_best():
    best = 1.0
    u = (MEAN - best) / SD
    formula = (MEAN - best) * norm.cdf(u) + SD * norm.pdf(u)
    np.testing.assert_allclose(np.exp(acquire("ei", MEAN, SD, Goal(), best=best)), formula, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(expected_gain(MEAN, SD, Goal(), best), formula, rtol=1e-6, atol=1e-12)
    far = acquire("ei", np.array([0.0, 1.0]), np.array([1e-3, 1e-3]), Goal(), best=100.0)
    assert np.isfinite(far).all()
    assert far[1] > far[0]


def test_probability_bound_and_uncertainty_are_their_formulas():
    best = 0.5
    np.testing.assert_allclose(
        acquire("pi", MEAN, SD, Goal(), best=best), norm.logsf(best, MEAN, SD), rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(acquire("ucb", MEAN, SD, Goal(), kappa=1.7), MEAN + 1.7 * SD)
    np.testing.assert_allclose(acquire("variance", MEAN, SD, Goal()), SD)


@pytest.mark.parametrize("name", ["ei", "ucb", "pi", "variance"])
def test_small_values_are_sought_as_large_ones_of_the_negative_are(name):
    low = acquire(name, MEAN, SD, Goal(wanted="min"), best=Goal(wanted="min").merit(np.array([[0.2]]))[0])
    np.testing.assert_allclose(low, acquire(name, -MEAN, SD, Goal(), best=-0.2))


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (0.7, 0.2), (-0.7, 0.2), (3.0, 0.8), (0.1, 5.0)])
def test_closeness_to_a_number_is_the_integral(mean, sd):
    goal = Goal(wanted=0.2)
    distance = float(-goal.merit(np.array([[0.5]]))[0])
    assert distance == pytest.approx(0.3)
    density = norm(mean, sd).pdf
    gain = quad(lambda y: (distance - abs(y - 0.2)) * density(y), -0.1, 0.5, points=[0.2], epsabs=1e-14)[0]
    chance = quad(density, -0.1, 0.5, epsabs=1e-14)[0]
    one = np.array([mean]), np.array([sd])
    assert np.exp(acquire("ei", *one, goal, best=-distance)[0]) == pytest.approx(gain, rel=1e-6)
    assert np.exp(acquire("pi", *one, goal, best=-distance)[0]) == pytest.approx(chance, rel=1e-6)
    assert acquire("ucb", *one, goal, kappa=2.0)[0] == pytest.approx(2 * sd - abs(mean - 0.2))


def test_closeness_stays_a_number_once_the_goal_is_all_but_hit_and_far_from_it():
    for distance in (0.0, 1e-12, 1e-4, 0.1):
        for name in ("ei", "pi"):
            score = acquire(name, np.array([0.0, 1.0, 30.0, 500.0]), np.ones(4), Goal(wanted=0.0), best=-distance)
            assert np.isfinite(score).all()
            assert (np.diff(score) < 0).all()


@pytest.mark.parametrize("distance", [1e-12, 1e-9, 1e-7, 1e-5, 1e-3])
def test_a_goal_that_is_all_but_hit_is_a_band_and_a_triangle_on_the_density_there(distance):
    mean, density = np.array([0.2, 0.9, -1.8]), norm(0.2, 0.5).pdf(np.array([0.2, 0.9, -1.8]))
    spread, goal = np.full(3, 0.5), Goal(wanted=0.2)
    band = np.exp(acquire("pi", mean, spread, goal, best=-distance))
    np.testing.assert_allclose(band, 2 * distance * density, rtol=1e-4)
    triangle = np.exp(acquire("ei", mean, spread, goal, best=-distance))
    np.testing.assert_allclose(triangle, distance**2 * density, rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_units_of_the_target_do_not_matter(unit):
    for name in ("ei", "pi"):
        for goal, scaled in ((Goal(), Goal()), (Goal(wanted=0.4), Goal(wanted=0.4 * unit))):
            here = acquire(name, MEAN, SD, goal, best=-0.3)
            there = acquire(name, MEAN * unit, SD * unit, scaled, best=-0.3 * unit)
            np.testing.assert_allclose(there - here, np.log(unit) * (name == "ei"), atol=1e-5)


def test_angles_are_near_across_the_cut():
    goal = Goal("angle", 175.0)
    np.testing.assert_allclose(goal.merit(np.array([[-175.0], [170.0], [0.0]])), [-10, -5, -175])
    score = acquire("pi", np.array([-170.0, 100.0]), np.array([5.0, 5.0]), goal, best=-20.0)
    assert np.exp(score[0]) == pytest.approx(norm.cdf(5 / 5) - norm.cdf(-35 / 5), rel=1e-6)
    assert score[0] > score[1]
    draws = np.array([[179.0, 10.0], [-179.0, 12.0], [177.0, 8.0], [-177.0, 10.0]])
    deviations = goal.deviations(draws)
    assert np.abs(deviations).max() < 4
    np.testing.assert_allclose(deviations[:, 0], [-1, 1, -3, 3], atol=1e-9)


def test_classes_are_asked_where_they_are_least_sure_or_most_probable():
    probabilities = np.array([[0.5, 0.5, 0.0], [0.9, 0.05, 0.05], [1 / 3, 1 / 3, 1 / 3]])
    sd = np.full((3, 3), 0.1)
    np.testing.assert_allclose(entropy(probabilities), [np.log(2), 0.3944, np.log(3)], atol=1e-4)
    goal = Goal("class", 1.0)
    np.testing.assert_allclose(acquire("variance", probabilities, sd, Goal("class")), entropy(probabilities))
    np.testing.assert_allclose(np.exp(acquire("pi", probabilities, sd, goal)), probabilities[:, 1])
    np.testing.assert_allclose(acquire("ucb", probabilities, sd, goal, kappa=1), probabilities[:, 1] + 0.1)
    assert goal.merit(np.array([[1.0], [2.0]])).tolist() == [1, 0]
    unseen = Goal("class", 3.0)  # until one of it is measured, doubt leads
    np.testing.assert_allclose(acquire("pi", probabilities, sd, unseen), entropy(probabilities))
    np.testing.assert_allclose(unseen.drawn(probabilities[None]), [[0.5, 0.1, 2 / 3]])


def test_of_several_targets_one_or_a_weighted_sum_is_looked_at():
    mean, sd = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[0.3, 0.4], [0.0, 0.5]])
    np.testing.assert_allclose(Goal(target=1).expected(mean, sd), [[2, -1], [0.4, 0.5]])
    aim, spread = Goal(target=(1.0, -2.0)).expected(mean, sd)
    np.testing.assert_allclose(aim, [-3, 5])
    np.testing.assert_allclose(spread, [np.hypot(0.3, 0.8), 1.0])
    with pytest.raises(InputError, match="3 targets, but 2 weights"):
        Goal(target=(1.0, -2.0)).check(3)
    with pytest.raises(InputError, match="no target 2"):
        Goal(target=2).check(2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("real", "max", (0.0, 0.0), "ei"), "not all 0"),
        (("angle", "max", 0, "ei"), "wanted angle in degrees"),
        (("class", "max", 0, "ei"), "cannot be improved on"),
        (("class", "max", 0, "pi"), "wanted class by its number"),
        (("class", -1, 0, "pi"), "whole number from 0, not -1"),
    ],
)
def test_goals_that_make_no_sense_are_refused_in_a_sentence(settings, words):
    with pytest.raises(InputError, match=words):
        Goal.of(*settings)


@pytest.fixture(scope="module")
def fitted():
    """A model of a bump on a grid of 400, and everything of the grid predicted."""
    a, b = np.meshgrid(np.linspace(0, 1, 20), np.linspace(0, 1, 20), indexing="ij")
    x = np.stack([a.ravel(), b.ravel()], 1)
    y = np.exp(-8 * ((x - [0.7, 0.3]) ** 2).sum(1))
    seen = np.random.default_rng(0).choice(400, 12, replace=False)
    model = PlainGP().fit(x[seen], y[seen])
    return model, x, np.setdiff1d(np.arange(400), seen), float(y[seen].max())


def chosen(fitted, name, **options):
    model, x, open_, best = fitted
    rule = Rule(name, Goal(), 2.0, best)
    return choose(model, x, open_, model.predict(x[open_], noise=False), rule, **options)


def test_information_is_the_variance_removed_from_all_others_in_closed_form(fitted):
    model, x, open_, _ = fitted
    common = model.covariance(x[open_]) * model.unit**2
    exact = (common**2).mean(1) / (common.diagonal() + NOISE * common.diagonal().mean())
    (first, *_), score = chosen(fitted, "information", seed=3)
    assert np.corrcoef(score, exact)[0, 1] > 0.98
    assert exact[open_ == first] > 0.9 * exact.max()
    inside = np.abs(x[first] - 0.5).max() < 0.45
    widest = open_[np.argmax(model.predict(x[open_], noise=False)[1])]
    assert inside  # the largest sd is on the border, of little use to the others
    assert np.abs(x[widest] - 0.5).max() > 0.45


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_a_batch_holds_no_twins_though_every_candidate_has_one(fitted, name):
    model, x, open_, best = fitted
    twice = np.concatenate([x, x + 1e-6])
    open_ = np.concatenate([open_, open_ + 400])
    predicted = model.predict(twice[open_], noise=False)
    batch, score = choose(model, twice, open_, predicted, Rule(name, Goal(), 2.0, best), batch=6, seed=1)
    assert len(set(batch.tolist())) == 6
    assert len(score) == len(open_)
    apart = np.linalg.norm(twice[batch][:, None] - twice[batch][None], axis=-1)[~np.eye(6, dtype=bool)]
    assert apart.min() > 0.04
    assert np.isin(batch, open_).all()


class Twins:
    """Forty candidates: eight of one rare kind, whose probabilities rise and fall together, and 32 by themselves."""

    rare = np.arange(40) >= 32

    def sample(self, x, n=1, *, seed=0):
        noise = np.random.default_rng(seed).standard_normal((n, 40))
        noise[:, self.rare] = noise[:, 32:33] + 0.01 * noise[:, self.rare]
        likely = np.clip(np.where(self.rare, 0.8, 0.1) + 0.03 * noise, 0, 1)[:, x]
        return np.stack([1 - likely, likely], 2)


@pytest.mark.parametrize("name", ["pi", "ucb", "thompson"])
def test_of_a_class_that_was_met_a_batch_holds_all_that_are_likely(name):
    draws = Twins().sample(np.arange(40), 500)
    predicted = draws.mean(0), draws.std(0)

    def batch(goal, best):
        rule = Rule(name, Goal("class", goal), 2.0, best)
        return choose(Twins(), np.arange(40), np.arange(40), predicted, rule, batch=8, seed=1)[0]

    assert sorted(batch(1.0, 1.0)) == list(range(32, 40))
    assert Twins.rare[batch(2.0, 0.0)].sum() <= 1  # not met yet: one of them tells of all


def test_what_remains_uncertain_is_that_of_the_conditioned_process(fitted):
    model, x, open_, best = fitted
    joint = Joint(model.sample(x[open_], 2000), Rule("variance", Goal(), 2.0, best))
    joint.measure(40)
    common = model.covariance(x[open_])
    left = 1 - common[40] ** 2 / (common[40, 40] * common.diagonal())
    np.testing.assert_allclose(joint.remaining**2, left, atol=0.05)
    assert joint.remaining[40] < 1e-6


def test_thompson_follows_its_seed_and_the_posterior(fitted):
    assert chosen(fitted, "thompson", seed=5)[0] == chosen(fitted, "thompson", seed=5)[0]
    picks = [int(chosen(fitted, "thompson", seed=seed)[0][0]) for seed in range(200)]
    model, x, open_, _ = fitted
    draws = model.sample(x[open_], 4000, seed=99)
    often = np.bincount(open_[draws.argmax(1)], minlength=400) / 4000
    assert len(set(picks)) > 5
    top = np.argsort(-often)[:10]
    assert np.isin(picks, top).mean() == pytest.approx(often[top].sum(), abs=0.12)


def test_of_many_candidates_the_best_and_some_at_random_are_drawn_together():
    x = np.random.default_rng(1).random((JOINT + 3000, 2))
    model = PlainGP().fit(x[:10], x[:10, 0])
    open_ = np.arange(10, len(x))
    batch, score = choose(
        model, x, open_, model.predict(x[open_], noise=False), Rule("information", Goal(), 2.0, 1.0), batch=2
    )
    assert np.isfinite(score).sum() == JOINT
    assert len(batch) == 2


class Spread(Model):
    """A model of BoTorch whose mean is where it is asked, with a standard deviation of 2."""

    num_outputs = 1

    def posterior(self, X, *_, **__):
        return GPyTorchPosterior(MultivariateNormal(X[..., 0], torch.full((len(X), 1, 1), 4.0, dtype=torch.float64)))


def test_the_logarithm_of_the_improvement_is_that_of_botorch():
    mean = np.concatenate([-np.logspace(5, 0, 200), np.linspace(-3, 60, 100)])
    theirs = LogExpectedImprovement(Spread(), torch.tensor(0.5, dtype=torch.float64))
    expected = theirs(torch.from_numpy(mean)[:, None, None]).detach().numpy()
    np.testing.assert_allclose(log_improvement(mean, np.full(300, 2.0), 0.5), expected, rtol=1e-9, atol=1e-9)
