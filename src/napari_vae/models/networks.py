"""Encoder and decoder networks."""

from __future__ import annotations

import itertools
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def mlp(widths: tuple[int, ...], *, end: int | None = None) -> nn.Sequential:
    """Fully connected layers with SiLU between; with `end`, a last linear layer of that width."""
    layers: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.SiLU()]
    if end is not None:
        layers.append(nn.Linear(widths[-1], end))
    return nn.Sequential(*layers)


def shrink(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample (N, C, H, W) to a smaller `size` without aliasing."""
    if images.shape[-2:] == size:
        return images
    height, width = images.shape[-2:]
    if height % size[0] == 0 and width % size[1] == 0:  # the mean over blocks, at a fraction of the cost
        return F.avg_pool2d(images, (height // size[0], width // size[1]))
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)


class PoseHead(nn.Linear):
    """Features -> pose, starting from no residual pose at all.

    Canonical image and pose can trade a constant strain, shift or scale. Starting at none, the canonical image forms as
    the average of the images and the poses stay centred; a random start would leave a random offset in all of them.
    """

    def reset(self) -> None:
        """Zero weights: every image in the mean pose."""
        with torch.no_grad():
            self.weight.zero_()
            self.bias.zero_()


class CanonicalDecoder(nn.Module):
    """Latents (B, k) -> logits (B, C, S, S) of one upright image each."""

    def __init__(self, latent_dim: int, hidden: tuple[int, ...], channels: int, side: int) -> None:
        super().__init__()
        self.shape = (channels, side, side)
        self.layers = mlp((latent_dim, *hidden), end=channels * side * side)

    def forward(self, z: Tensor) -> Tensor:
        """Draw the upright images."""
        images: Tensor = self.layers(z).unflatten(-1, self.shape)
        return images


def initialise(model: Model, generator: torch.Generator) -> Model:
    """Give every linear layer torch's default weights, drawn from `generator` alone; returns the model."""
    for module in model.modules():
        reset = getattr(module, "reset", None)
        if callable(reset):
            reset()
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            for parameter in (module.weight, module.bias):
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return model
