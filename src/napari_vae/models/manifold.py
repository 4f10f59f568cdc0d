"""The plane of two latents, as images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .pose import Pose

if TYPE_CHECKING:
    from .model import Model


@torch.no_grad()
def decode_manifold(
    model: Model, limits: list[list[float]], n: int, axes: tuple[int, int], y: Tensor | None = None
) -> npt.NDArray[np.float32]:
    """Upright images (n, n, C, H, W) over two latents between their `limits`, the others at the middle of theirs.

    Rows follow the second of the `axes` from large to small and columns the first from small to large, as in a plot.
    `y` (n_given,) is the class or condition.
    """
    like = next(model.parameters()).detach()
    z = like.new_tensor(limits).mean(1).repeat(n, n, 1)
    across, up = (torch.linspace(limits[axis][0], limits[axis][1], n, device=z.device, dtype=z.dtype) for axis in axes)
    z[..., axes[1]] = up.flip(0)[:, None]
    z[..., axes[0]] = across
    y = z.new_zeros(model.n_given) if y is None else y.to(z)
    pose = Pose.identity((n * n, 1), z.device)
    images = model.likelihood.mean(model.draw(z.flatten(0, 1), y.expand(n * n, -1), pose))
    return images.view(n, n, *images.shape[2:]).cpu().numpy()
