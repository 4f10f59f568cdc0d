"""What is guessed besides the image: a class (known for some images or for none), or real numbers (known for some)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .draws import Draws


class Category(nn.Module):
    """One of K classes, guessed by a classifier.

    Parameters
    ----------
    width : int
        Features that the classifier sees.
    classes : int

    References
    ----------
    Kingma et al. 2014, "Semi-supervised learning with deep generative models" (M2); Dupont 2018 (JointVAE).
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classifier = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, classes))

    def guess(self, features: Tensor) -> Tensor:
        """Log-probabilities (B, K) that the classifier gives to the classes."""
        return F.log_softmax(self.classifier(features), -1)

    def supervised_loss(self, features: Tensor, truth: Tensor) -> Tensor:
        """Cross-entropy (B,) between the guess and the truth (B, K)."""
        return -(truth * self.guess(features)).sum(-1)


class Quantity(nn.Module):
    """Real numbers, standardised: where they are not given they are guessed with a spread, N(0, 1) being the prior.

    Parameters
    ----------
    width : int
        Features that the guess is made from.
    n : int
        How many numbers.
    """

    def __init__(self, width: int, n: int) -> None:
        super().__init__()
        self.regressor = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * n))

    def fill(self, features: Tensor, given: Tensor | None, draws: Draws | None) -> Tensor:
        """The numbers given (B, n; NaN = unknown) or else one draw of the guess, its mean without draws."""
        mean, log_sd = self.guess(features)
        drawn = mean if draws is None else mean + torch.exp(log_sd) * draws.normal(mean)
        return drawn if given is None else torch.where(given.isnan(), drawn, given)

    def guess(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation (B, n)."""
        mean, log_sd = self.regressor(features).chunk(2, -1)
        return mean, log_sd.clamp(-6, 2)

    def costs(self, features: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """KL divergence from the prior (B,) of what is not given, negative log-likelihood (B,) of what is."""
        mean, log_sd = self.guess(features)
        kl = 0.5 * (mean**2 + torch.exp(2 * log_sd) - 1) - log_sd
        if given is None:
            return kl.sum(-1), torch.zeros_like(kl[:, 0])
        known = ~given.isnan()
        residual = torch.where(known, given, mean) - mean
        nll = 0.5 * (residual * torch.exp(-log_sd)) ** 2 + log_sd + 0.5 * math.log(2 * math.pi)
        return torch.where(known, 0, kl).sum(-1), torch.where(known, nll, 0).sum(-1)


def make_observed(config: ModelConfig, width: int, n_given: int) -> Category | Quantity | None:
    """What a `ModelConfig` guesses besides the latents; `width` features, `n_given` classes or numbers."""
    if config.kind in ("vae", "conditional"):
        return None
    if config.n_classes is not None:
        return Category(width, n_given)
    return Quantity(width, n_given)
