"""The network of the learned detector: small, fully convolutional, and applied in tiles."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Floats = npt.NDArray[np.float32]

_WIDTHS = (16, 32, 64, 80)
_STRIDE = 8  # px, of the coarsest level; tiles begin at multiples of it
_HALO = 64  # px around a tile that are looked at besides; the network sees no farther
_TILE = 1024  # px


class AtomNet(nn.Module):
    """U-shaped network on four scales, about 400 000 weights: logits (N, 1, H, W) of images (N, 3, H, W).

    Height and width are multiples of 8. Convolutions only, so that it knows no place in the image.
    """

    def __init__(self) -> None:
        super().__init__()
        first, *deeper = _WIDTHS
        self.enter = _block(3, first)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU(), *_block(b, b))
            for a, b in zip(_WIDTHS, deeper, strict=False)
        )
        self.up = nn.ModuleList(_block(a + b, a, layers=1) for a, b in zip(_WIDTHS, deeper, strict=False))
        self.leave = nn.Conv2d(first, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of the images."""
        levels = [self.enter(image)]
        for step in self.down:
            levels.append(step(levels[-1]))
        value = levels.pop()
        for step in reversed(self.up):
            value = nn.functional.interpolate(value, scale_factor=2.0, mode="nearest")
            value = step(torch.cat([levels.pop(), value], dim=1))
        result: torch.Tensor = self.leave(value)
        return result


def _block(inside: int, outside: int, layers: int = 2) -> nn.Sequential:
    parts: list[nn.Module] = []
    for number in range(layers):
        parts += [nn.Conv2d(outside if number else inside, outside, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*parts)


@cache
def load_network() -> AtomNet:
    """The network with the weights that come with the package; read once."""
    from safetensors.torch import load

    weights = load(files("napari_vae").joinpath("atoms", "weights", "atomnet.safetensors").read_bytes())
    with torch.device("meta"):  # nothing is drawn from the global random numbers
        network = AtomNet()
    network.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    network.eval().requires_grad_(False)
    return network


def apply(image: Floats, tile: int = _TILE) -> Floats:
    """Logits (rows, columns) of a normalised image (3, rows, columns), tile by tile, so that memory stays bounded.

    Every tile is seen with its surroundings, as far as the network can see: the result is that of one piece.
    """
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
                said = network(batch)[0, 0].numpy()
            part = logits[top : top + tile, left : left + tile]
            part[:] = said[top - first :, left - begin :][: part.shape[0], : part.shape[1]]
    return logits


def resampled(image: Floats, shape: tuple[int, ...]) -> Floats:
    """The image on another pixel grid; finer detail than that grid can hold is averaged away."""
    batch = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    result = nn.functional.interpolate(batch, size=shape, mode="bilinear", antialias=True, align_corners=False)
    return np.asarray(result[0, 0].numpy())
