"""Fitted positions against the Cramér–Rao limit, and errors that mean what they say."""

import numpy as np
import pandas as pd
import pytest

from measuring import detection
from napari_vae import detect_atoms
from napari_vae.atoms.drawn import draw_spots
from napari_vae.atoms.refine import refine_spots
from napari_vae.samples import micrograph


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
@pytest.mark.parametrize("dose", [100, 10])
def test_positions_reach_the_limit_and_errors_are_calibrated(kind, dose):
    """Columns of graphene overlap: the limit is that of columns among neighbours that are unknown, too."""
    result = detection.precision(kind, dose, size=512)
    assert result.error < 1.1 * result.among
    assert 0.9 < result.spread < 1.1
    assert min(result.agreement.precision, result.agreement.recall) >= 0.999


def test_few_electrons():
    result = detection.precision("graphene", 100 / (2 * np.pi * 3.04**2), size=512)
    assert min(result.agreement.precision, result.agreement.recall) >= 0.97


def test_amplitude_width_and_background_are_those_of_the_columns():
    image, truth = micrograph("perovskite", size=300, dose=2000, jitter=0, dopants=0, background=0.3)
    atoms = detect_atoms(image)
    inner = atoms[(atoms.y > 30) & (atoms.y < 270) & (atoms.x > 30) & (atoms.x < 270)]
    assert inner.sigma.median() == pytest.approx(truth.sigma[0], rel=0.02)
    assert inner.background.median() == pytest.approx(600, rel=0.05)
    bright = inner[inner.amplitude > 1500]
    assert bright.amplitude.median() == pytest.approx(2000, rel=0.02)


def test_neighbours_do_not_pull():
    """A weak column beside a bright one: noise-free, so what is left is the pull."""
    truth = np.array([[4.0, 0.0, 30.3, 30.0, 2.5], [1.0, 0.0, 30.0, 40.2, 2.5]])
    image = draw_spots((60, 70), truth).astype(float) + np.random.default_rng(0).normal(0, 0.002, (60, 70))
    start = pd.DataFrame({"amplitude": truth[:, 0], "background": 0.0, "y": [30.0, 30.0], "x": [30.0, 40.0]})
    fit = refine_spots(image, start, 2.3, 10.2)
    np.testing.assert_allclose(fit[["y", "x"]], truth[:, 2:4], atol=0.01)


def test_a_fit_that_fails_stays_at_its_maximum_without_errors():
    image = draw_spots((64, 64), np.array([[1.0, 0.0, 20.4, 20.2, 2.0]])).astype(float)
    image += np.random.default_rng(0).normal(0, 0.01, image.shape)
    start = pd.DataFrame({"amplitude": [1.0, 0.05], "background": 0.0, "y": [20.0, 50.0], "x": [20.0, 50.0]})
    image[45:56, 45:56] -= draw_spots((64, 64), np.array([[0.5, 0.0, 50, 50, 3.0]]))[45:56, 45:56]  # a hole
    fit = refine_spots(image, start, 2.0, 10.0)
    assert fit.y[0] == pytest.approx(20.4, abs=0.02)
    assert np.isfinite(fit.y_err[0])
    assert (fit.y[1], fit.x[1]) == (50.0, 50.0)
    assert fit.loc[1, ["sigma", "y_err", "x_err"]].isna().all()


def test_columns_cut_by_the_border_stay_inside_the_image():
    y, x = np.mgrid[:200, :200]
    image = np.zeros((200, 200))
    for cy in np.arange(-1.5, 202, 20):
        for cx in np.arange(-1.5, 202, 20):
            image += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 32)
    image += 0.01 * np.random.default_rng(0).normal(size=image.shape)
    atoms = detect_atoms(image)
    assert len(atoms) >= 81
    assert atoms[["y", "x"]].min().min() > -0.5 and atoms[["y", "x"]].max().max() < 199.5
