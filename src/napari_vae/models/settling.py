"""The end of a training: what the upright image leaves open is agreed with the images; see `gauge`."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from .evidence import Explanation
from .pose import Pose
from .symmetry import inversion_centres, symmetry_order
from .vae import InvariantVAE

MOTIFS = 200  # images that tell whether the motif is symmetric


def settle(model: InvariantVAE, told: list[Explanation]) -> list[list[float]]:
    """Set the zeros of shift, strain and scale, and the symmetry of the motif, from batches of explained images.

    They must have been explained after `Gauge.reset`, by poses of the upright image.

    Returns
    -------
    list of [float, float]
        1 and 99 percentiles of each latent.
    """
    z, y = torch.cat([t.mean for t in told]), torch.cat([t.y for t in told])
    if model.gauge.used.any():
        pose = Pose(*(torch.cat([getattr(t.pose, f.name) for t in told]) for f in fields(Pose)))
        group = model.gauge.fit(z, y, pose)
        if {"rotation", "translation"} <= set(model.config.invariances):
            _centre(model, z, y, pose, group)
    if "rotation" in model.config.invariances:
        model.gauge.fold.fill_(symmetry_order(model, z[:MOTIFS], y[:MOTIFS]))
    latent_range: list[list[float]] = np.percentile(z.cpu().numpy(), [1, 99], axis=0).T.tolist()
    return latent_range


def _centre(model: InvariantVAE, z: Tensor, y: Tensor, pose: Pose, group: Tensor) -> None:
    """Put the zero of the shift to the centre of motifs that have one."""
    groups = group.unique()
    means = torch.stack([z[group == g].mean(0) for g in groups])
    typical = torch.cdist(means, z).masked_fill(group != groups[:, None], torch.inf).argmin(1)
    reach = torch.stack([pose.shift[group == g].std() for g in groups])
    model.gauge.move(groups, inversion_centres(model, z[typical], y[typical], reach))
