"""Decoders: from latents to an image in a pose. Both have the same two steps, `forward` and `draw`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError
from .component import WIDEST
from .components import COMPONENTS, components_of
from .config import ModelConfig
from .networks import mlp
from .pose import Pose, object_points, sample_canonical


class CanonicalDecoder(nn.Module):
    """Draws one upright image of the latents and resamples it into each pose: the expensive part is done once.

    Parameters
    ----------
    inputs : int
        Numbers that say what to draw: latents, and class or condition.
    hidden : tuple of int
        Widths of the hidden layers.
    channels : int
    canvas : (int, int)
        Rows and columns of the upright image.
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], channels: int, canvas: tuple[int, int]) -> None:
        super().__init__()
        self.shape = (channels, *canvas)
        self.layers = mlp((inputs, *hidden), end=channels * canvas[0] * canvas[1])

    @property
    def first(self) -> nn.Linear:
        """The layer that the latents enter."""
        layer = self.layers[0]
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, z: Tensor) -> Tensor:
        """Upright images (B, C, S, S) of latents (B, k)."""
        images: Tensor = self.layers(z).unflatten(-1, self.shape)
        return images

    def draw(self, upright: Tensor, pose: Pose, size: tuple[int, int], extent: tuple[int, int]) -> Tensor:
        """Logits (B, K, C, *extent) of upright images in poses (B, K); see `sample_canonical`."""
        return sample_canonical(upright, pose, size, extent)


class CoordinateDecoder(nn.Module):
    """The papers' spatial decoder: one network gives the value at any point of the object from the latents.

    It has no pixels of its own, so that it can be drawn at any resolution; but it runs for every pixel of every pose.

    References
    ----------
    Bepler et al., arXiv 1909.11663.
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], channels: int, side: int) -> None:
        super().__init__()
        self.side = side  # pixels along the longer side of the window: coordinates are in units of half of it
        self.first = nn.Linear(inputs, hidden[0])
        self.points = nn.Linear(2, hidden[0])
        self.layers = mlp(hidden, end=channels)

    def forward(self, z: Tensor) -> Tensor:
        """What the latents (B, k) add to the first layer: (B, width)."""
        features: Tensor = self.first(z)
        return features

    def draw(self, features: Tensor, pose: Pose, size: tuple[int, int], extent: tuple[int, int]) -> Tensor:
        """Logits (B, K, C, *extent) in poses (B, K)."""
        points = object_points(pose, size, extent, unit=self.side / 2).movedim(2, -1)  # (B, K, rows, columns, 2)
        values: Tensor = self.layers(F.silu(self.points(points) + features[:, None, None, None]))
        return values.movedim(-1, 2)


def make_decoder(
    config: ModelConfig, inputs: int, channels: int, side: int, canvas: tuple[int, int]
) -> CanonicalDecoder | CoordinateDecoder:
    """The decoder of a `ModelConfig`."""
    hidden = config.hidden[::-1]
    if config.decoder == "coordinate":
        return CoordinateDecoder(inputs, hidden, channels, side)
    return CanonicalDecoder(inputs, hidden, channels, canvas)


def canvas_side(config: ModelConfig, side: int) -> int:
    """Side of the canonical image in pixels: large enough that common poses find something to show in every corner.

    Raises
    ------
    InputError
        If the priors are so wide that the image would be many times as large as the window.
    """
    factor = 1.0
    for component in components_of(config):
        factor = component.widened(factor, config)
    if factor > WIDEST:
        raise InputError(
            f"The priors allow an object {factor:.0f} times as wide as the window; choose narrower ones of shift, "
            "scale and strain."
        )
    return math.ceil(factor * side)


def pose_of(n: int, given: dict[str, npt.ArrayLike]) -> Pose:
    """Pose (n, 1) from arguments of `Run.decode`, one value or n of each.

    Raises
    ------
    InputError
        If there are neither one nor n of them, one is not finite or not possible, or there is no such argument.
    """
    pose, parts = Pose.identity((n, 1), torch.device("cpu")), {part.argument: part for part in COMPONENTS.values()}
    for name, value in given.items():
        if name not in parts:
            raise InputError(f"A pose has no {name!r}; it is given by {', '.join(parts)}.")
        part = parts[name]
        try:
            values = np.broadcast_to(np.asarray(value, dtype=np.float32), (n, *part.shape))
        except (TypeError, ValueError):
            raise InputError(f"{name} must be one for all or one for each of the {n} latents.") from None
        values = part.part_of(values)
        if not np.isfinite(values).all():
            raise InputError(f"{name} must be finite numbers.")
        if (values != part.part_of(np.full_like(values, part.neutral))).any():
            pose = replace(pose, **{part.part: torch.from_numpy(values.astype(np.float32))[:, None]})
    return pose
