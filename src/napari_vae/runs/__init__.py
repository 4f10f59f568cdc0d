"""A trained model with everything needed to apply it again, and what it says of images."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
