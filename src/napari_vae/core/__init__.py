"""What everything else stands on: errors, settings, micrographs, positions, progress, files on disk, units."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
