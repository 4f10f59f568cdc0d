"""What a model knows of an image besides its pixels: nothing, a condition, a class, or numbers.

Each is an object with the same methods: the hypotheses that are drawn, the KL divergence and the supervised loss, what
is inferred, and the columns of tables that it makes. `kinds` says what each kind of model is given.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .draws import Draws
from .given import Scale


class Known(nn.Module):
    """What is given with every image, or nothing: it is never inferred.

    Parameters
    ----------
    n : int
        Classes, or how many numbers; 0 for nothing.
    """

    kl_name: ClassVar[str] = ""  # its KL divergence in the history; empty where there is none

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def hypotheses(
        self, features: Tensor, given: Tensor | None, keep: int, draws: Draws | None
    ) -> tuple[Tensor, Tensor]:
        """What images may be drawn with (B, H, n), at most the `keep` likeliest, and the probabilities (B, H) of each.

        From means where there are no draws.
        """
        return _certain(features[:, :0] if given is None else given)

    def costs(self, features: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """KL divergence (B,) of what is not given from its prior, and the supervised loss (B,) of what is."""
        zero = torch.zeros(len(features), device=features.device, dtype=torch.float32)
        return zero, zero

    def infer(self, features: Tensor, given: Tensor | None = None) -> tuple[Tensor, ...]:
        """What the model says of it, each (B, n): the best account of it first."""
        return ()

    def columns(self, inferred: tuple[Tensor, ...], scale: Scale) -> dict[str, Tensor]:
        """Columns (B,) of the latent table, from what `infer` returns."""
        return {}


class Category(Known):
    """One of K classes, where not given inferred by a classifier, 1/K being the prior.

    Parameters
    ----------
    n : int
        Classes.
    width : int
        Features that the classifier sees.

    References
    ----------
    Kingma et al. 2014, "Semi-supervised learning with deep generative models" (M2); Dupont 2018 (JointVAE).
    """

    kl_name = "kl_class"

    def __init__(self, n: int, width: int) -> None:
        super().__init__(n)
        self.classifier = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, n))

    def log_probabilities(self, features: Tensor) -> Tensor:
        """Logarithm of the probabilities (B, K) that the classifier gives to the classes."""
        return F.log_softmax(self.classifier(features), -1)

    def hypotheses(
        self, features: Tensor, given: Tensor | None, keep: int, draws: Draws | None
    ) -> tuple[Tensor, Tensor]:
        """The likeliest classes as one-hot vectors; the given one where it is given."""
        weights, classes = torch.exp(self.log_probabilities(features)).topk(min(keep, self.n), 1)
        y = torch.eye(self.n, device=classes.device, dtype=torch.float32)[classes]
        if given is not None:
            return _certain(torch.where(given.isnan(), y[:, 0], given))
        return y, weights / weights.sum(1, keepdim=True)

    def costs(self, features: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """KL divergence where the class is not given, cross-entropy where it is."""
        guess = self.log_probabilities(features)
        kl = (torch.exp(guess) * guess).sum(-1) + math.log(self.n)
        if given is None:
            return kl, torch.zeros_like(kl)
        known = ~given.isnan().any(-1)
        return torch.where(known, 0, kl), -(given.nan_to_num() * guess).sum(-1)

    def infer(self, features: Tensor, given: Tensor | None = None) -> tuple[Tensor, ...]:
        """Probabilities of the classes."""
        probabilities = torch.exp(self.log_probabilities(features))
        return (probabilities if given is None else torch.where(given.isnan(), probabilities, given),)

    def columns(self, inferred: tuple[Tensor, ...], scale: Scale) -> dict[str, Tensor]:
        """Class, its probability, and the entropy of all of them."""
        (probabilities,) = inferred
        best = probabilities.max(1)
        entropy = -torch.xlogy(probabilities, probabilities).sum(1)
        return {"class": best.indices, "class_probability": best.values, "class_entropy": entropy}


class Quantity(Known):
    """Real numbers, standardised: where not given inferred with a standard deviation, N(0, 1) being the prior.

    Parameters
    ----------
    n : int
        How many numbers.
    width : int
        Features that they are inferred from.
    """

    kl_name = "kl_target"

    def __init__(self, n: int, width: int) -> None:
        super().__init__(n)
        self.regressor = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * n))

    def distribution(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation (B, n)."""
        mean, log_sd = self.regressor(features).chunk(2, -1)
        return mean, log_sd.clamp(-6, 2)

    def hypotheses(
        self, features: Tensor, given: Tensor | None, keep: int, draws: Draws | None
    ) -> tuple[Tensor, Tensor]:
        """The numbers where they are given, else one draw, or the mean without draws."""
        mean, log_sd = self.distribution(features)
        drawn = mean if draws is None else mean + torch.exp(log_sd) * draws.normal(mean)
        return _certain(drawn if given is None else torch.where(given.isnan(), drawn, given))

    def costs(self, features: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """KL divergence of the numbers that are not given, negative log-likelihood of those that are."""
        mean, log_sd = self.distribution(features)
        kl = 0.5 * (mean**2 + torch.exp(2 * log_sd) - 1) - log_sd
        if given is None:
            return kl.sum(-1), torch.zeros_like(kl[:, 0])
        known = ~given.isnan()
        residual = torch.where(known, given, mean) - mean
        nll = 0.5 * (residual * torch.exp(-log_sd)) ** 2 + log_sd + 0.5 * math.log(2 * math.pi)
        return torch.where(known, 0, kl).sum(-1), torch.where(known, nll, 0).sum(-1)

    def infer(self, features: Tensor, given: Tensor | None = None) -> tuple[Tensor, ...]:
        """Mean and standard deviation of the numbers."""
        mean, log_sd = self.distribution(features)
        return mean, torch.exp(log_sd)

    def columns(self, inferred: tuple[Tensor, ...], scale: Scale) -> dict[str, Tensor]:
        """Each number and its standard deviation, in their own units."""
        table: dict[str, Tensor] = {}
        for i in range(self.n):
            name = "target" if self.n == 1 else f"target{i + 1}"
            mean, sd = (values[:, i] for values in inferred)
            table |= {name: mean * scale.spread[i] + scale.centre[i], f"{name}_sd": sd * scale.spread[i]}
        return table


def make_known(config: ModelConfig, n: int, width: int) -> Known:
    """What a model knows of every image: `n` classes or numbers, inferred from `width` features."""
    if not config.knows.inferred:
        return Known(n)
    return Quantity(n, width) if config.n_classes is None else Category(n, width)


def _certain(y: Tensor) -> tuple[Tensor, Tensor]:
    """One hypothesis (B, 1, n) with probability 1."""
    return y[:, None], torch.ones(len(y), 1, device=y.device, dtype=torch.float32)
