"""How pixels scatter about the reconstruction. One class per likelihood, all with the same three methods."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_SMALLEST_SD = math.log(3e-3)  # below the steps of 8-bit images; noiseless data would drive it to 0


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
        return (F.softplus(logits) - logits * images).sum((-3, -2, -1))

    def floor(self, images: Tensor) -> Tensor:
        """Entropy of the grey values."""
        return -(torch.xlogy(images, images) + torch.xlogy(1 - images, 1 - images)).sum((-3, -2, -1))


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

    def reset(self) -> None:
        """Start from a scatter of a tenth of the range."""
        nn.init.constant_(self.raw, math.log(0.1) / self.QUICK)

    @property
    def log_sd(self) -> Tensor:
        """Logarithm of the standard deviation of each channel (C, 1, 1)."""
        return (self.QUICK * self.raw).clamp(min=LOG_SMALLEST_SD)

    def nll(self, logits: Tensor, images: Tensor) -> Tensor:
        """Normal density of the residual."""
        residual = (self.mean(logits) - images) * torch.exp(-self.log_sd)
        return (0.5 * residual**2 + self.log_sd + 0.5 * math.log(2 * math.pi)).sum((-3, -2, -1))

    def floor(self, images: Tensor) -> Tensor:
        """No residual at all, at the smallest deviation."""
        floor = images[0].numel() * (LOG_SMALLEST_SD + 0.5 * math.log(2 * math.pi))
        return torch.full((len(images),), floor, device=images.device)


def make_likelihood(name: str, channels: int) -> Likelihood:
    """The likelihood of a `ModelConfig`."""
    return Gaussian(channels) if name == "gaussian" else Bernoulli()
