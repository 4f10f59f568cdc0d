"""The logarithm of a normal density with its gradient in closed form."""

from __future__ import annotations

import math
from typing import Any

import torch
from gpytorch.distributions import MultivariateNormal
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor
from torch.autograd.function import once_differentiable


class ExactNormal(MultivariateNormal):
    """A normal distribution of labels, whose density is differentiated by the inverse of the covariance.

    That takes a fraction of the time of going back through the Cholesky factor, and is as exact.

    References
    ----------
    C. E. Rasmussen, C. K. I. Williams, "Gaussian processes for machine learning" (2006), equation 5.9.
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm (…) of the density of values (…, n)."""
        density: Tensor = _LogDensity.apply(self.covariance_matrix, value - self.mean)
        return density


class _LogDensity(torch.autograd.Function):
    """log N(deviation; 0, covariance)."""

    @staticmethod
    def forward(context: Any, covariance: Tensor, deviation: Tensor) -> Tensor:
        factor = psd_safe_cholesky(covariance)
        weights = torch.cholesky_solve(deviation[..., None], factor)[..., 0]
        context.save_for_backward(factor, weights)
        halved = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)  # of the logarithm of the determinant
        return -(deviation * weights).sum(-1) / 2 - halved - deviation.shape[-1] * math.log(2 * math.pi) / 2

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        factor, weights = context.saved_tensors
        slope = (weights[..., :, None] * weights[..., None, :]).sub_(torch.cholesky_inverse(factor))
        return slope.mul_(gradient[..., None, None] / 2), -gradient[..., None] * weights
