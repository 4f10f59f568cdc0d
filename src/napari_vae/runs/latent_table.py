"""The latent table: what a model says of images, as named columns in the units of the user."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.components import components_of
from ..models.evidence import Explanation
from ..models.given import Scale
from ..models.vae import InvariantVAE


def latent_columns(explanation: Explanation, model: InvariantVAE, scale: Scale) -> dict[str, Tensor]:
    """Columns of the latent table, each (B,); see `Run.encode`."""
    table = normal_columns(explanation.mean, torch.exp(0.5 * explanation.log_var))
    for component in components_of(model.config):
        table |= component.columns(explanation)
    return table | model.observed.columns(explanation.inferred, scale) | {"elbo": -explanation.evidence.free_energy()}


def of_what_was_seen(columns: dict[str, Tensor], shown: Tensor) -> dict[str, Tensor]:
    """Columns (B,) of windows that were seen (B, H, W) in part: the share of it, and no ELBO, which is of whole ones.

    The error is of the pixels that were seen; in the others the reconstruction is compared with itself.
    """
    share = shown.float().mean((1, 2))
    elbo = torch.where(share < 1, torch.nan, columns["elbo"])
    return columns | {"elbo": elbo, "reconstruction_error": columns["reconstruction_error"] / share, "seen": share}


def normal_columns(mean: Tensor, sd: Tensor) -> dict[str, Tensor]:
    """Columns (B,) of latents (B, k) and their standard deviations: ``z1``, ``z1_sd``, ``z2`` and so on."""
    table: dict[str, Tensor] = {}
    for i in range(sd.shape[1]):
        table |= {f"z{i + 1}": mean[:, i], f"z{i + 1}_sd": sd[:, i]}
    return table
