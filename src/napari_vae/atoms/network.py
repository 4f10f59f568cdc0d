"""The network of the learned detector: small, fully convolutional, and applied in tiles."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from torch import nn

Floats = npt.NDArray[np.float32]

_WIDTHS = (16, 32, 64, 80)
_STRIDE = 8  # px, of the coarsest level; tiles begin at multiples of it
_HALO = 64  # px around a tile that are looked at besides; the network sees no farther
_TILE = 1024  # px


def atom_net() -> nn.ModuleDict:
    """The layers of a U-shaped network on four scales, about 400 000 weights, with random ones.

    Convolutions only, so that it knows no place in the image.
    """
    from torch import nn

    def block(inside: int, outside: int, layers: int = 2, stride: int = 1) -> nn.Sequential:
        parts: list[nn.Module] = []
        for number in range(layers):
            conv = nn.Conv2d(outside if number else inside, outside, 3, stride=1 if number else stride, padding=1)
            parts += [conv, nn.ReLU()]
        return nn.Sequential(*parts)

    first, *deeper = _WIDTHS
    steps = list(zip(_WIDTHS, deeper, strict=False))
    return nn.ModuleDict(
        {
            "enter": block(3, first),
            "down": nn.ModuleList(block(a, b, layers=3, stride=2) for a, b in steps),
            "up": nn.ModuleList(block(a + b, a, layers=1) for a, b in steps),
            "leave": nn.Conv2d(first, 1, 1),
        }
    )


def logits_of(network: nn.ModuleDict, image: torch.Tensor) -> torch.Tensor:
    """Logits (N, 1, H, W) of images (N, 3, H, W), whose height and width are multiples of 8."""
    import torch

    down: Any = network["down"]
    up: Any = network["up"]
    levels = [network["enter"](image)]
    for step in down:
        levels.append(step(levels[-1]))
    value = levels.pop()
    for step in reversed(up):
        value = torch.nn.functional.interpolate(value, scale_factor=2.0, mode="nearest")
        value = step(torch.cat([levels.pop(), value], dim=1))
    result: torch.Tensor = network["leave"](value)
    return result


@cache
def load_network() -> nn.ModuleDict:
    """The network with the weights that come with the package; read once."""
    import torch
    from safetensors.torch import load

    weights = load(files("napari_vae").joinpath("atoms", "weights", "atomnet.safetensors").read_bytes())
    with torch.device("meta"):  # nothing is drawn from the global random numbers
        network = atom_net()
    network.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    network.eval().requires_grad_(False)
    return network


def apply(image: Floats, tile: int = _TILE) -> Floats:
    """Logits (rows, columns) of a normalised image (3, rows, columns), tile by tile, so that memory stays bounded.

    Every tile is seen with its surroundings, as far as the network can see: the result is that of one piece.
    """
    import torch

    network = load_network()
    rows, columns = image.shape[1:]
    logits = np.empty((rows, columns), dtype=np.float32)
    for top in range(0, rows, tile):
        for left in range(0, columns, tile):
            first, begin = max(0, top - _HALO), max(0, left - _HALO)
            seen = image[:, first : top + tile + _HALO, begin : left + tile + _HALO]
            padding = [(0, 0), *((0, -n % _STRIDE) for n in seen.shape[1:])]
            batch = torch.from_numpy(np.pad(seen, padding))[None].contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                said = logits_of(network, batch)[0, 0].numpy()
            part = logits[top : top + tile, left : left + tile]
            part[:] = said[top - first :, left - begin :][: part.shape[0], : part.shape[1]]
    return logits


def resampled(image: Floats, shape: tuple[int, ...]) -> Floats:
    """The image on another pixel grid; finer detail than that grid can hold is averaged away."""
    import torch

    batch = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    result = torch.nn.functional.interpolate(batch, size=shape, mode="bilinear", antialias=True, align_corners=False)
    return np.asarray(result[0, 0].numpy())
