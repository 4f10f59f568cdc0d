"""Which of several channels of an instrument comes first, and which of them show anything."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .dataset import Dataset

#: What an instrument records along with the image that people look at comes after it.
FIRST = re.compile(r"\b(z|topo\w*|height\w*|haadf)\b", re.IGNORECASE)
BACKWARD = re.compile(r"backward|bwd|retrace|\bback\b", re.IGNORECASE)


def in_order(datasets: list[Dataset]) -> list[Dataset]:
    """Topography and HAADF before other channels, forward scans before backward ones, else as in the file."""
    return sorted(datasets, key=lambda dataset: _rank(dataset.name.replace("_", " ")))


def _rank(name: str) -> tuple[bool, bool]:
    return BACKWARD.search(name) is not None, FIRST.search(name) is None


def varies(data: Any) -> bool:
    """Whether pixels differ; a stack that stays on disk is not read for that."""
    if hasattr(data, "dask"):
        return True
    measured = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    return bool(measured.size) and bool(measured.min() < measured.max())
