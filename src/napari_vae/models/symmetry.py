"""Whether a motif looks the same when it is turned: then its angle is known modulo a part of the circle only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .pose import Pose

if TYPE_CHECKING:
    from .vae import InvariantVAE

FOLDS = (6, 4, 3, 2)
ALIKE = 0.02  # half the mean squared difference to the turned image, relative to the variance of the image
MOST = 0.75  # share of the images that must look the same


@torch.no_grad()
def symmetry_order(model: InvariantVAE, z: Tensor, y: Tensor) -> int:
    """The largest n of 6, 4, 3, 2 for which the motifs look the same after a turn by 360°/n; else 1.

    Most of them must; what lies beside a defect may look otherwise.

    Parameters
    ----------
    model : InvariantVAE
    z, y : Tensor (B, k), (B, n)
        Latents, and class or condition, of some images.
    """
    upright = _turned(model, z, y, 0.0)
    rows, columns = upright.shape[-2:]
    y_axis = torch.arange(rows, device=z.device)[:, None] - (rows - 1) / 2
    x_axis = torch.arange(columns, device=z.device) - (columns - 1) / 2
    disc = y_axis**2 + x_axis**2 <= (min(rows, columns) / 2) ** 2
    variance = upright[..., disc].var((1, 2))
    for n in FOLDS:
        difference = (upright - _turned(model, z, y, 2 * math.pi / n))[..., disc]
        if (0.5 * difference.square().mean((1, 2)) <= ALIKE * variance).float().mean() >= MOST:
            return n
    return 1


def _turned(model: InvariantVAE, z: Tensor, y: Tensor, angle: float) -> Tensor:
    """Images (B, C, H, W) turned by an angle in radians."""
    pose = Pose.identity((len(z), 1), z.device)
    pose.angle = pose.angle + angle
    return model.likelihood.mean(model.draw(z, y, pose))[:, 0]
