"""Atoms: where they are, how far apart, which sublattice they belong to, and which is which in a movie."""

from .detect import detect_atoms, iter_detect_atoms
from .linking import iter_link_atoms, link_atoms
from .scale import estimate_spacing

__all__ = [
    "detect_atoms",
    "estimate_spacing",
    "iter_detect_atoms",
    "iter_link_atoms",
    "link_atoms",
]
