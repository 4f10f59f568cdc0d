"""Random numbers of a batch of images, of which each process may hold a part."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """Draws for images that stand among others of their batch: the same as if all were drawn for.

    So a training that is shared by several processes goes as that of one.

    Parameters
    ----------
    generator : torch.Generator
    before, after : int
        Images of the batch before and after those at hand.
    """

    generator: torch.Generator
    before: int = 0
    after: int = 0

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal values of the shape (B, …), device and dtype of a tensor."""
        shape = (self._all(len(like)), *like.shape[1:])
        values = torch.randn(shape, generator=self.generator, device=like.device, dtype=like.dtype)
        return self._part(values)

    def whole(self, below: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Whole numbers from 0 to `below`, excluded, of a shape (B, …)."""
        shape = (self._all(shape[0]), *shape[1:])
        return self._part(torch.randint(below, shape, generator=self.generator, device=device))

    def _all(self, n: int) -> int:
        return self.before + n + self.after

    def _part(self, values: Tensor) -> Tensor:
        return values[self.before : len(values) - self.after]
