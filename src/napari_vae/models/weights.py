"""Weights of networks: read from files, and whether they are numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..io.regular import regular_file

MOST_BYTES = 4 << 30


def load_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, copied: those of the library stay mapped to the file, which nothing could replace on Windows."""
    return {name: tensor.clone() for name, tensor in load_file(regular_file(path, MOST_BYTES)).items()}


def are_finite(model: nn.Module) -> bool:
    """Whether all weights can be computed with, and buffers are numbers; these may be infinite, as limits are."""
    numbers = [computable(value) for value in model.parameters()]
    numbers += [~value.isnan().any() for value in model.buffers()]
    return bool(torch.stack(numbers).all())


def computable(value: Tensor) -> Tensor:
    """Whether the squares of all numbers of a tensor are finite, as then they are themselves."""
    return value.square().isfinite().all()
