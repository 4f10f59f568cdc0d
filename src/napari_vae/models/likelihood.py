"""How pixels scatter about the reconstruction. One class per likelihood, all with the same three methods."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_2PI = math.log(2 * math.pi)
LOG_SMALLEST_SD = math.log(3e-3)  # below the steps of 8-bit images; noiseless data would drive it to 0
SMALL_LOGIT = 0.05  # below it the continuous Bernoulli needs its Taylor series
STEEPEST = 1e4  # logits of a pixel that is 0 or 1
SMALLEST_RATE = 1e-6


class Likelihood(nn.Module, ABC):
    """Turns decoder output into images and compares them with data; pixels are in [0, 1]."""

    def mean(self, logits: Tensor) -> Tensor:
        """Expected image of the same shape, in [0, 1]."""
        return torch.sigmoid(logits)

    @abstractmethod
    def nll(self, logits: Tensor, images: Tensor) -> Tensor:
        """Negative log-likelihood in nats, summed over the last three axes: (…, C, H, W) -> (…)."""

    @abstractmethod
    def floor(self, images: Tensor) -> Tensor:
        """The smallest `nll` that any reconstruction could have: (N, C, H, W) -> (N,)."""


class Bernoulli(Likelihood):
    """Cross-entropy ``−Σ x log p + (1 − x) log(1 − p)``; of grey values it never gets below their entropy."""

    def nll(self, logits: Tensor, images: Tensor) -> Tensor:
        """Cross-entropy, from logits."""
        return F.softplus(logits).sum((-3, -2, -1)) - (logits * images).sum((-3, -2, -1))

    def floor(self, images: Tensor) -> Tensor:
        """Entropy of the grey values."""
        return -(torch.xlogy(images, images) + torch.xlogy(1 - images, 1 - images)).sum((-3, -2, -1))


class ContinuousBernoulli(Likelihood):
    """Bernoulli with the constant that makes it a density of grey values.

    References
    ----------
    Loaiza-Ganem & Cunningham, "The continuous Bernoulli", arXiv 1907.06845.
    """

    def mean(self, logits: Tensor) -> Tensor:
        """``λ / (2λ − 1) + 1 / (2 artanh(1 − 2λ))``, as ``1/(1 − e^{−l}) − 1/l`` of the logits."""
        near = logits.abs() < SMALL_LOGIT
        safe = torch.where(near, torch.ones_like(logits), logits)
        return torch.where(near, 0.5 + logits / 12, -1 / torch.expm1(-safe) - 1 / safe)

    def nll(self, logits: Tensor, images: Tensor) -> Tensor:
        """``log((e^l − 1)/l) − l x``, the density of ``x`` being proportional to ``e^{l x}`` on [0, 1]."""
        return (_log_normaliser(logits) - logits * images).sum((-3, -2, -1))

    def floor(self, images: Tensor) -> Tensor:
        """The density at the logits whose mean is the image, found by bisection."""
        low, high = torch.full_like(images, -STEEPEST), torch.full_like(images, STEEPEST)
        for _ in range(30):
            middle = (low + high) / 2
            below = self.mean(middle) < images
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return self.nll(low, images)


class Poisson(Likelihood):
    """Counts: the expected number of electrons is ``softplus`` of the decoder's output times the range of the data.

    Parameters
    ----------
    low, high : sequence of float
        Counts that 0 and 1 stand for, per channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("limits", torch.empty(2, channels, 1, 1))
        self.limits: Tensor
        self.reset()

    def reset(self) -> None:
        """Counts of 0 … 1, until `set_limits` says better."""
        self.limits[0], self.limits[1] = 0.0, 1.0

    def set_limits(self, low: Sequence[float], high: Sequence[float]) -> None:
        """Counts that 0 and 1 stand for in each channel."""
        self.limits.copy_(self.limits.new_tensor([low, high])[:, :, None, None])

    def mean(self, logits: Tensor) -> Tensor:
        """Expected count, in the units of the images."""
        low, high = self.limits
        return (self._rate(logits) - low) / (high - low)

    def nll(self, logits: Tensor, images: Tensor) -> Tensor:
        """``λ − n log λ + log n!``."""
        rate, counts = self._rate(logits), self._counts(images)
        return (rate - torch.xlogy(counts, rate) + torch.lgamma(counts + 1)).sum((-3, -2, -1))

    def floor(self, images: Tensor) -> Tensor:
        """Every expected count is the count itself."""
        counts = self._counts(images)
        return (counts - torch.xlogy(counts, counts) + torch.lgamma(counts + 1)).sum((-3, -2, -1))

    def _rate(self, logits: Tensor) -> Tensor:
        low, high = self.limits
        return F.softplus(logits) * (high - low) + SMALLEST_RATE

    def _counts(self, images: Tensor) -> Tensor:
        low, high = self.limits
        return (images * (high - low) + low).clamp(min=0)


class Gaussian(Likelihood):
    """Normal scatter with one learnt standard deviation per channel.

    What a difference between two images is worth depends on the noise: learning it weighs reconstruction against KL
    divergence by itself (Rybkin et al., "Simple and effective VAE training with calibrated decoders",
    arXiv 2006.13202).
    """

    QUICK = 20.0  # the deviation follows the residuals this much faster than the weights change

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.empty(channels, 1, 1))
        self.reset()

    def reset(self) -> None:
        """Start from a scatter of a tenth of the range."""
        nn.init.constant_(self.raw, math.log(0.1) / self.QUICK)

    @property
    def log_sd(self) -> Tensor:
        """Logarithm of the standard deviation of each channel (C, 1, 1)."""
        return (self.QUICK * self.raw).clamp(min=LOG_SMALLEST_SD)

    def nll(self, logits: Tensor, images: Tensor) -> Tensor:
        """Normal density of the residual."""
        squares = (self.mean(logits) - images).square().sum((-2, -1))  # first, for these are the many operations
        pixels, log_sd = images.shape[-2] * images.shape[-1], self.log_sd[:, 0, 0]
        return (0.5 * squares * torch.exp(-2 * log_sd) + pixels * (log_sd + 0.5 * LOG_2PI)).sum(-1)

    def floor(self, images: Tensor) -> Tensor:
        """No residual at all, at the smallest deviation."""
        floor = images[0].numel() * (LOG_SMALLEST_SD + 0.5 * LOG_2PI)
        return images.new_full((len(images),), floor)


def make_likelihood(name: str, channels: int) -> Likelihood:
    """The likelihood of a `ModelConfig`."""
    if name in ("gaussian", "poisson"):
        return Gaussian(channels) if name == "gaussian" else Poisson(channels)
    return ContinuousBernoulli() if name == "continuous-bernoulli" else Bernoulli()


def _log_normaliser(logits: Tensor) -> Tensor:
    """``log((e^l − 1)/l)``, even in ``l`` but for the term ``l/2``: computed from |l|."""
    size = logits.abs()
    near = size < SMALL_LOGIT
    safe = torch.where(near, torch.ones_like(size), size)
    # log((e^s − 1)/s) = s + log(1 − e^{−s}) − log s
    far = safe + torch.log(-torch.expm1(-safe)) - torch.log(safe)
    return torch.where(near, size / 2 + size**2 / 24, far) - (size - logits) / 2
