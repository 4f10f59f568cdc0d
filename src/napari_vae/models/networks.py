"""Networks that every model is made of: layers, the encoder of turned copies, the head of the pose; their weights."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ..io.regular import regular_file

Model = TypeVar("Model", bound=nn.Module)
CONV_CHANNELS = (16, 32)
MOST_BYTES = 4 << 30


def mlp(widths: tuple[int, ...], *, end: int | None = None) -> nn.Sequential:
    """Fully connected layers with SiLU between; with `end`, a last linear layer of that width."""
    layers: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.SiLU()]
    if end is not None:
        layers.append(nn.Linear(widths[-1], end))
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    """Images (N, C, h, w) -> features (N, width): fully connected layers, after two convolutions if `kind` is "conv".

    Parameters
    ----------
    kind : "mlp" or "conv"
    channels : int
        Channels of the images.
    extent : (int, int)
        Rows and columns of the images.
    hidden : tuple of int
        Widths of the fully connected layers.
    """

    def __init__(self, kind: str, channels: int, extent: tuple[int, int], hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.convolutions = nn.Sequential()
        rows, columns = extent
        if kind == "conv":
            for wider in CONV_CHANNELS:
                self.convolutions.extend([nn.Conv2d(channels, wider, 3, stride=2, padding=1), nn.SiLU()])
                channels, rows, columns = wider, (rows + 1) // 2, (columns + 1) // 2
        self.layers = mlp((channels * rows * columns, *hidden))

    def forward(self, images: Tensor) -> Tensor:
        """Features of the images."""
        features: Tensor = self.layers(self.convolutions(images).flatten(1))
        return features

    def both_ways(self, images: Tensor) -> Tensor:
        """Features (2, N, width) of the images, and of the same after half a turn.

        A first layer that is linear takes even and odd parts of them apart, with half as many weights for each.
        """
        first = self.layers[0]
        if len(self.convolutions) or not isinstance(first, nn.Linear):
            return torch.stack([self(images), self(images.flip(-2, -1))])
        weight = first.weight.unflatten(1, images.shape[1:])
        (even, odd), (of_even, of_odd) = (_even_odd(values.flatten(2)) for values in (images, weight))
        even, odd = F.linear(even, of_even / 2, first.bias), F.linear(odd, of_odd / 2)
        features: Tensor = self.layers[1:](torch.stack([even + odd, even - odd]))
        return features


def _even_odd(values: Tensor) -> tuple[Tensor, Tensor]:
    """What stays of values (N, C, n) and what changes its sign when their order is reversed: (N, C·n/2), (N, C·n/2).

    The products of such parts of two add up to twice the product of the two.
    """
    half = values.shape[-1] // 2
    one, other = values[..., :half], values[..., -half:].flip(-1)
    even, odd, middle = one + other, one - other, values[..., half:-half]
    if middle.shape[-1]:
        even = torch.cat([even, middle * 2**0.5], -1)
    return even.flatten(1), odd.flatten(1)


def shrink(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample (N, C, H, W) to a smaller `size` without aliasing."""
    if images.shape[-2:] == size:
        return images
    height, width = images.shape[-2:]
    if height % size[0] == 0 and width % size[1] == 0:  # the mean over blocks, at a fraction of the cost
        return F.avg_pool2d(images, (height // size[0], width // size[1]))
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)


def pad_to_square(images: Tensor) -> Tensor:
    """Images (N, C, H, W) in the middle of black squares."""
    height, width = images.shape[-2:]
    if height == width:
        return images
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(images, (left, side - width - left, top, side - height - top))


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


def initialise(model: Model, generator: torch.Generator) -> Model:
    """Give every layer torch's default weights, drawn from `generator` alone; returns the model."""
    for module in model.modules():
        reset = getattr(module, "reset", None)
        if callable(reset):
            reset()
        elif isinstance(module, (nn.Linear, nn.Conv2d)):
            bound = module.weight[0].numel() ** -0.5
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return model


def load_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, copied: those of the library stay mapped to the file, which nothing could replace on Windows."""
    return {name: tensor.clone() for name, tensor in load_file(regular_file(path, MOST_BYTES)).items()}


def named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin so, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def are_finite(model: nn.Module) -> bool:
    """Whether all weights can be computed with, and buffers are numbers; these may be infinite, as limits are."""
    numbers = [computable(value) for value in model.parameters()]
    numbers += [~value.isnan().any() for value in model.buffers()]
    return bool(torch.stack(numbers).all())


def computable(value: Tensor) -> Tensor:
    """Whether the squares of all numbers of a tensor are finite, as then they are themselves."""
    return value.square().isfinite().all()
