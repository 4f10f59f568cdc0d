"""What each likelihood makes of reconstructions, and that counts are fitted as counts."""

from typing import get_args

import numpy as np
import pytest
import torch

from napari_vae import ModelConfig, TrainConfig, fit
from napari_vae.models.config import Likelihood
from napari_vae.models.likelihood import make_likelihood


@pytest.mark.parametrize("name", [name for name in get_args(Likelihood) if name != "auto"])
def test_no_reconstruction_costs_less_than_the_floor_and_the_mean_costs_least(name):
    images = torch.tensor(np.random.default_rng(0).uniform(0.02, 0.98, (6, 1, 5, 5)), dtype=torch.float32)
    likelihood = make_likelihood(name, 1)
    getattr(likelihood, "reset", lambda: None)()
    logits = torch.linspace(-12, 12, 4001)[:, None, None, None].expand(-1, 1, 5, 5)
    cost = torch.stack([likelihood.nll(logits, image[None]) for image in images])
    assert (cost.amin(1) >= likelihood.floor(images) - 1e-3).all()
    flat = images.mean((2, 3), keepdim=True).expand_as(images)  # the best flat picture is the mean
    best = torch.stack([likelihood.mean(logits)[i, 0, 0, 0] for i in cost.argmin(1)])
    torch.testing.assert_close(best, flat[:, 0, 0, 0], atol=5e-3, rtol=0)


def test_counts_are_fitted_as_counts():
    rng = np.random.default_rng(0)
    rate = 3 + 20 * np.exp(-0.5 * (np.linspace(-2, 2, 16)[:, None] ** 2 + np.linspace(-2, 2, 16) ** 2))
    counts = rng.poisson(rate, (300, 16, 16))
    train = TrainConfig(epochs=20, learning_rate=4e-3)  # larger steps, which need half the epochs
    run = fit(counts, ModelConfig(likelihood="poisson", latent_dim=1, hidden=(64, 64)), train)
    np.testing.assert_allclose(run.reconstruct(counts).mean(0), rate, rtol=0.15)
