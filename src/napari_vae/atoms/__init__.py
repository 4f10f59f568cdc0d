"""Atoms: where they are, how far apart, which sublattice they belong to, and which is which in a movie."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
