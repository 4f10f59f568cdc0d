"""What a crystal is: its lattice, sublattices, vacancies, displacements, strain, and how bright its columns are."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
