"""The latent table: what a model says of images, as named columns in the units of the user."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.components import components_of
from ..models.config import ModelConfig
from ..models.evidence import Explanation
from ..models.given import Scale


def latent_columns(told: Explanation, config: ModelConfig, scale: Scale) -> dict[str, Tensor]:
    """Columns of the latent table, each (B,); see `Run.encode`."""
    table = _latents(told)
    for component in components_of(config):
        table |= component.columns(told)
    return table | _observed(told, scale) | {"elbo": -told.evidence.free_energy()}


def _latents(told: Explanation) -> dict[str, Tensor]:
    sd = torch.exp(0.5 * told.log_var)
    table: dict[str, Tensor] = {}
    for i in range(sd.shape[1]):
        table |= {f"z{i + 1}": told.mean[:, i], f"z{i + 1}_sd": sd[:, i]}
    return table


def _observed(told: Explanation, scale: Scale) -> dict[str, Tensor]:
    if told.probabilities is not None:
        best = told.probabilities.max(1)
        entropy = -torch.xlogy(told.probabilities, told.probabilities).sum(1)
        return {"class": best.indices, "class_probability": best.values, "class_entropy": entropy}
    if told.quantity is None:
        return {}
    names = ["target"] if scale.n == 1 else [f"target{i + 1}" for i in range(scale.n)]
    table: dict[str, Tensor] = {}
    for i, name in enumerate(names):
        mean, sd = (values[:, i] for values in told.quantity)
        table |= {name: mean * scale.spread[i] + scale.centre[i], f"{name}_sd": sd * scale.spread[i]}
    return table
