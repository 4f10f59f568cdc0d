"""Weights of networks from files."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor


def load_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, copied: those of the library stay mapped to the file, which nothing could replace on Windows."""
    return {name: tensor.clone() for name, tensor in load_file(path).items()}
