"""The arithmetic of fitted Gaussians against the formula: what is drawn, its derivatives, fits, priors and bounds."""

import numpy as np
import pytest

from napari_vae.atoms import gaussians
from napari_vae.atoms.gaussians import FLATNESS, SLANT, WIDTH, Discs, Prior, X, Y, derivatives, fit_gaussians
from napari_vae.atoms.model_image import draw_spots

ROUND = np.array([[2.0, 0.5, 20.3, 21.8, 2.4], [0.7, 0.5, 41.6, 38.1, 3.1]])
OBLONG = np.column_stack([ROUND, [0.3, -0.2], [0.15, -0.4]])


def formula(shape, values):
    """Sum of Gaussians without backgrounds, as the comment in `gaussians` has it."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    total = np.zeros(shape)
    for amplitude, _, y, x, width, *ellipse in values:
        p, r = ellipse or (0.0, 0.0)
        down, across = rows - y, columns - x
        q = ((1 + p) * down**2 + 2 * r * down * across + (1 - p) * across**2) / width**2
        total += amplitude * np.exp(-q / 2)
    return total


def unknown(n):
    """A prior that says nothing."""
    return Prior(np.zeros(n), np.full(n, np.inf))


@pytest.mark.parametrize("values", [ROUND, OBLONG], ids=["round", "oblong"])
def test_what_is_drawn_is_the_formula(values):
    drawn = draw_spots((60, 58), values.copy())
    np.testing.assert_allclose(drawn, formula((60, 58), values), atol=0.02)  # it ends at 4.5 widths
    beyond = draw_spots((60, 58), np.array([[1.0, 0.0, -2.0, 30.0, 3.0], [1.0, 0.0, 30.0, 400.0, 3.0]]))
    np.testing.assert_allclose(beyond, formula((60, 58), [[1.0, 0.0, -2.0, 30.0, 3.0]]), atol=1e-3)


@pytest.mark.parametrize("values", [ROUND, OBLONG], ids=["round", "oblong"])
def test_derivatives_are_those_of_what_is_drawn(values):
    discs = Discs((80, 80), values, 9.0)
    near = discs.from_centre(values)
    polynomials = np.einsum("npm,km->npk", derivatives(near), discs.monomials)
    told = polynomials * discs.shapes(near)[:, None]

    def drawn(parameter, by):
        moved = near.copy()
        moved[:, parameter] += by
        return moved[:, :1] * discs.shapes(moved)

    for parameter in [0, *range(2, values.shape[1])]:
        slope = (drawn(parameter, 1e-2) - drawn(parameter, -1e-2)) / 2e-2
        np.testing.assert_allclose(told[:, parameter], slope, atol=2e-3)


@pytest.mark.parametrize("values", [ROUND, OBLONG], ids=["round", "oblong"])
def test_a_fit_finds_what_was_drawn_and_says_how_sure_it_is(values):
    noise = np.random.default_rng(0).normal(0, 0.01, (64, 64))
    image = (formula((64, 64), values) + 0.5 + noise).astype(np.float32)
    start = values + np.resize([0.1, -0.1, 0.4, -0.3, 0.3, 0.05, -0.05], values.shape)
    fit = fit_gaussians(image, np.ones_like(image), start, 9.0, unknown(values.shape[1]), steps=20)
    errors = np.sqrt(fit.variance[:, None] * np.diagonal(np.linalg.inv(fit.curvature), axis1=1, axis2=2))
    assert (np.abs(fit.values - values) < 4 * errors).all()
    assert fit.variance == pytest.approx(1e-4, rel=0.2)
    assert (errors[:, Y : X + 1] < 0.02).all()


def test_weights_and_the_prior_are_counted_in():
    image = (formula((64, 64), ROUND) + 0.5).astype(np.float32)
    weight = np.ones_like(image)
    free, heavy = (fit_gaussians(image, w * weight, ROUND, 9.0, unknown(5), steps=3) for w in (1, 4))
    np.testing.assert_allclose(heavy.curvature, 4 * free.curvature, rtol=1e-4)
    known = Prior(np.array([0.0, 0.0, 0.0, 0.0, 3.5]), np.array([np.inf, np.inf, np.inf, np.inf, 1e-4]))
    held = fit_gaussians(image, weight, ROUND, 9.0, known, steps=20)
    assert held.values[:, WIDTH] == pytest.approx(3.5, abs=0.01)
    assert known.precision.tolist() == [0, 0, 0, 0, pytest.approx(1e8)]
    np.testing.assert_allclose(held.curvature[:, WIDTH, WIDTH] - 1e8, 0, atol=1e4)


def test_one_step_and_an_atom_that_is_put_back():
    image = (formula((64, 64), ROUND) + 0.5).astype(np.float32)
    near = ROUND + np.array([0.02, 0.0, 0.05, -0.05, 0.05])
    once = fit_gaussians(image, np.ones_like(image), near, 9.0, unknown(5), steps=0)
    assert np.abs(once.values - ROUND).max() < 0.2 * np.abs(near - ROUND).max()
    rest = (image - formula((64, 64), ROUND)).astype(np.float32)
    back = fit_gaussians(rest, np.ones_like(image), ROUND, 9.0, unknown(5), steps=20, put_back=True)
    np.testing.assert_allclose(back.values, ROUND, atol=1e-3)


def test_widths_and_ellipses_stay_such_as_can_be_drawn():
    wild = np.array([[1.0, 0, 0, 0, -2.0, 3.0, 4.0], [1.0, 0, 0, 0, 2.0, 0.3, 0.4]])
    bounded = gaussians._bounded(wild.copy())
    assert bounded[0, WIDTH] == 0.3 and bounded[1].tolist() == wild[1].tolist()
    assert bounded[0, [FLATNESS, SLANT]] == pytest.approx([0.48, 0.64])


def test_equations_without_an_answer_move_nothing():
    curvature = np.stack([np.diag([2.0, 4.0]), np.diag([2.0, 0.0]), np.diag([np.nan, 1.0])])
    step = gaussians._solve(curvature, np.array([[2.0, 2.0]] * 3), np.array([0.0, 0.0, 0.0]))
    np.testing.assert_allclose(step, [[1.0, 0.5], [0, 0], [0, 0]], atol=1e-9)
    damped = gaussians._solve(curvature[:1], np.array([[2.0, 2.0]]), np.array([1.0]))
    np.testing.assert_allclose(damped, [[0.5, 0.25]])


@pytest.mark.parametrize("seen", [3, 5, 6, 40])
def test_the_variance_is_that_of_the_residuals_by_the_pixels_beyond_the_parameters_or_by_one(seen):
    image = np.random.default_rng(0).normal(0, 0.1, (64, 64)).astype(np.float32) + formula((64, 64), ROUND[:1])
    weight = np.zeros((64, 64), np.float32)
    rows, columns = np.mgrid[17:25, 18:26].reshape(2, -1)
    chosen = np.random.default_rng(1).permutation(64)[:seen]
    weight[rows[chosen], columns[chosen]] = 1
    middle = np.array([0.0, 0.0, 20.0, 22.0, 0.0])  # of the disc, from which places are told
    known = Prior(ROUND[0] - middle, np.array([0.1, 0.1, 0.2, 0.2, 0.1]))
    fit = fit_gaussians(image.astype(np.float32), weight, ROUND[:1].copy(), 6.0, known, 20)
    residual = image - formula((64, 64), fit.values) - fit.values[0, 1]
    off = (fit.values[0] - ROUND[0]) ** 2 @ known.precision
    assert fit.variance[0] == pytest.approx(((weight * residual**2).sum() + off) / max(seen - 5, 1), rel=1e-3)
