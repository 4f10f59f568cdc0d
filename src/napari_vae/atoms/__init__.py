"""Atoms: where they are, how far apart, and which sublattice they belong to."""

from .detect import detect_atoms, iter_detect_atoms
from .lattice import estimate_spacing
from .sublattices import assign_sublattices

__all__ = ["assign_sublattices", "detect_atoms", "estimate_spacing", "iter_detect_atoms"]
