"""Exact Gaussian processes side by side: their kernels, priors and noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from botorch.models import SingleTaskGP
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import RBFKernel, ScaleKernel
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, GaussianLikelihood
from gpytorch.priors import LogNormalPrior
from torch import Tensor

from .matern import SmoothMatern

NOISE = (-4.0, 1.0)  # prior of the variance of the noise, of targets of unit variance, as logarithms
LEAST_NOISE = float(np.float32(1e-4))  # the same number whatever the default dtype of torch is
LENGTH, SCALE = (0.0, 1.0), (0.0, 1.0)  # those of length scales and variance


class Processes(SingleTaskGP):
    """A batch of M processes with T outputs each: (M, T, n, d) inside, or (M, n, d) for one output."""

    @property
    def noise(self) -> Tensor:
        """Variance of the noise that was learned, for each process and output, (…, 1)."""
        gaussian = isinstance(self.likelihood, GaussianLikelihood)
        learned: Tensor = self.likelihood.noise if gaussian else self.likelihood.second_noise
        return learned

    def placed(self, z: Tensor) -> Tensor:
        """Embeddings (M, N, d) for all outputs."""
        return z[:, None].expand(-1, self.num_outputs, -1, -1) if self.num_outputs > 1 else z

    def rows(self, values: Tensor) -> Tensor:
        """Values (…, M, T, N), or (…, M, N) for one output, as (…, M, N, T)."""
        return values.mT if self.num_outputs > 1 else values[..., None]

    def known(self) -> dict[str, Tensor]:
        """What `make_processes` made it of: z (M, n, d), y (M, n, T) and, where known, the variance of y."""
        several = self.num_outputs > 1
        parts = {
            "z": self.train_inputs[0][:, 0] if several else self.train_inputs[0],
            "y": self.rows(self.train_targets),
        }
        if not isinstance(self.likelihood, GaussianLikelihood):
            parts["variance"] = self.rows(self.likelihood.noise_covar.noise)
        return parts


def make_processes(kernel: str, z: Tensor, y: Tensor, variance: Tensor | None = None) -> Processes:
    """Processes that know targets y (M, n, T) at z (M, n, d), and the variance of each target where it is given."""
    with torch.device("cpu"):  # whatever the default device of torch is
        outputs = y.shape[-1]
        batch = torch.Size([len(z), outputs] if outputs > 1 else [len(z)])
        lengths = {"ard_num_dims": z.shape[-1], "batch_shape": batch, "lengthscale_prior": _prior(LENGTH)}
        shape = SmoothMatern(**lengths) if kernel == "matern" else RBFKernel(**lengths)
        scaled = ScaleKernel(shape, batch_shape=batch, outputscale_prior=_prior(SCALE))
        noise: dict[str, Any] = {
            "noise_prior": _prior(NOISE),
            "noise_constraint": GreaterThan(LEAST_NOISE),
            "batch_shape": batch,
        }
        if variance is None:
            likelihood = GaussianLikelihood(**noise).float()
            likelihood.noise = math.exp(NOISE[0])
        else:
            known = variance.mT if outputs > 1 else variance[..., 0]
            likelihood = FixedNoiseGaussianLikelihood(known, learn_additional_noise=True, **noise)
            likelihood.second_noise_covar.float()
            likelihood.second_noise = math.exp(NOISE[0])
        return Processes(z, y, likelihood=likelihood, covar_module=scaled, outcome_transform=None)


def _prior(of: tuple[float, float]) -> LogNormalPrior:
    return LogNormalPrior(*of, validate_args=False)
