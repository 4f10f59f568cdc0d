"""BoTorch's analytic acquisition functions on predictions that are there already."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from botorch.acquisition.analytic import (
    AnalyticAcquisitionFunction,
    LogExpectedImprovement,
    LogProbabilityOfImprovement,
    UpperConfidenceBound,
)
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from torch import Tensor

Floats = npt.NDArray[np.float64]


class Predicted(Model):
    """A model of BoTorch that knows candidates by their number and says what was predicted of each.

    So its functions work for any model that predicts, a mixture or an ensemble too, and memory is bounded by the chunks
    in which that predicted.
    """

    def __init__(self, mean: Floats, sd: Floats) -> None:
        super().__init__()
        self._mean, self._variance = torch.from_numpy(mean), torch.from_numpy(sd**2)

    @property
    def num_outputs(self) -> int:
        """One."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """One model."""
        return torch.Size()

    def posterior(self, X: Tensor, *_: Any, **__: Any) -> GPyTorchPosterior:
        """Independent normal distributions of the candidates whose numbers (…, 1, 1) are given."""
        rows = X[..., 0].long()
        return GPyTorchPosterior(MultivariateNormal(self._mean[rows], self._variance[rows].unsqueeze(-1)))


def upper_bound(mean: Floats, sd: Floats, kappa: float) -> Floats:
    """μ + κ σ."""
    return _evaluated(UpperConfidenceBound, mean, sd, beta=kappa**2)


def log_improvement(mean: Floats, sd: Floats, best: float) -> Floats:
    """Logarithm of E[max(0, f − best)], stable far below the best."""
    return _evaluated(LogExpectedImprovement, mean, sd, best_f=best)


def log_probability(mean: Floats, sd: Floats, best: float) -> Floats:
    """Logarithm of P(f ≥ best)."""
    return _evaluated(LogProbabilityOfImprovement, mean, sd, best_f=best)


@torch.no_grad()
def _evaluated(kind: type[AnalyticAcquisitionFunction], mean: Floats, sd: Floats, **settings: float) -> Floats:
    """An acquisition function of every candidate (N,), in double precision on the CPU."""
    with torch.device("cpu"):  # whatever the default device of torch is
        exact = {name: torch.tensor(value, dtype=torch.float64) for name, value in settings.items()}
        numbers = torch.arange(len(mean), dtype=torch.float64)[:, None, None]
        return np.asarray(kind(Predicted(mean, sd), **exact)(numbers).numpy())
