"""Fits while measurements grow: when networks are trained, when only conditioned, and gradients in closed form."""

import numpy as np
import pytest
import torch

import napari_vae as nv
from napari_vae.learning.explore.surrogate import Surrogate
from napari_vae.learning.gp.ensemble import mixed
from napari_vae.learning.gp.processes import ExactNormal, SmoothMatern
from plain_gp import PlainGP

X = np.random.default_rng(0).uniform(size=(200, 2))
Y = np.sin(4 * X[:, :1]) + X[:, 1:]


def test_on_one_more_of_many_measurements_the_process_is_conditioned_and_not_fitted():
    surrogate = Surrogate(PlainGP(0.03), X, 100, 1)
    rows = np.arange(103)
    assert surrogate.model(rows[:100], Y[:100]).fits == 1
    surprise = Y.copy()
    surprise[100] += 1.0
    assert surrogate.model(rows[:101], surprise[:101]).fits == 1
    assert surrogate.predict(rows[:101], surprise[:101])[0][100] == pytest.approx(surprise[100, 0], abs=0.05)
    assert surrogate.model(rows, Y[:103]).fits == 2  # two in a hundred more
    undone = surrogate.predict(rows[:100], Y[:100])[0][100]
    assert abs(undone - surprise[100, 0]) > 0.5


@pytest.mark.parametrize("n", [60, 61])
def test_few_measurements_are_fitted_each_time(n):
    assert Surrogate(PlainGP(0.3), X, 10, 1).model(np.arange(n), Y[:n]).fits == 2  # from scratch, and warm


def test_a_class_that_was_not_met_before_is_fitted_once():
    classes = np.where(np.arange(200) < 100, np.arange(200) % 2, 2)[:, None].astype(float)
    surrogate = Surrogate(PlainGP(0.3, target="class"), X, 100, 50)
    surrogate.model(np.arange(100), classes[:100])
    for n in (101, 102, 103):
        assert surrogate.model(np.arange(n), classes[:n]).fits == 1
    for n, last in ((100, 100), (103, 101), (160, 150)):
        assert surrogate._last_fit(classes[:n], lambda count: count + 50) == last


def test_a_deep_kernel_conditioned_on_a_label_knows_it_with_the_same_embedding():
    model = nv.DeepKernelGP(steps=5, ensemble=2).fit(X[:40], Y[:40, 0])
    before, sd = model.embed(X), model.predict(X[40:41], noise=False)[1][0]
    model.condition(X[:41], np.append(Y[:40, 0], Y[40] + 0.1))
    np.testing.assert_array_equal(model.embed(X), before)
    assert model.predict(X[40:41], noise=False)[1][0] < sd
    with pytest.raises(nv.InputError, match="not fitted"):
        nv.DeepKernelGP().condition(X[:41], Y[:41, 0])


def test_a_class_that_the_fit_did_not_meet_is_refused():
    model = nv.DeepKernelGP(target="class", steps=2, ensemble=1).fit(X[:20], np.arange(20) % 2)
    with pytest.raises(nv.InputError, match="2 classes"):
        model.condition(X[:20], np.arange(20) % 3)


def test_the_kernel_is_that_of_gpytorch_and_its_gradient_right():
    from gpytorch.kernels import MaternKernel

    a, b = (torch.from_numpy(X[k : k + 6]).requires_grad_() for k in (0, 4))
    ours, theirs = SmoothMatern(ard_num_dims=2).double(), MaternKernel(2.5, ard_num_dims=2).double()
    for kernel in (ours, theirs):
        kernel.lengthscale = torch.tensor([0.4, 0.7])
    torch.testing.assert_close(ours(a, b).to_dense(), theirs(a, b).to_dense())
    torch.testing.assert_close(ours(a, a, diag=True), theirs(a, a, diag=True))
    far = a + torch.tensor([3.0, 0.0])  # not at 0, where the numerical derivative fails
    assert torch.autograd.gradcheck(lambda x, y: ours.forward(x, y), (far, b))


def test_the_density_of_labels_and_its_gradient_are_right():
    root = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 5, 5))).requires_grad_()
    values = torch.from_numpy(X[:10].T.reshape(2, -1)[:, :5].copy()).requires_grad_()

    def density(root, values):
        return ExactNormal(torch.zeros_like(values), root @ root.mT + torch.eye(5)).log_prob(values)

    plain = torch.distributions.MultivariateNormal(torch.zeros_like(values), root @ root.mT + torch.eye(5))
    torch.testing.assert_close(density(root, values), plain.log_prob(values))
    assert torch.autograd.gradcheck(density, (root, values))


def test_a_mixture_has_the_mean_and_variance_of_its_draws():
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(0, 2, (3, 4, 1)), rng.uniform(0.5, 2, (3, 4, 1))
    draws = mean[..., None] + np.sqrt(variance)[..., None] * rng.normal(size=(3, 4, 1, 40_000))
    middle, spread = mixed(mean, variance)
    draws = draws.transpose(1, 2, 0, 3).reshape(4, 1, -1)
    assert middle == pytest.approx(draws.mean(-1), abs=0.05) and spread == pytest.approx(draws.var(-1), rel=0.03)
