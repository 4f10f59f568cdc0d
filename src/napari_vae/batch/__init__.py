"""The same work on many files: each whole or not at all; one that fails is noted; what is finished is not redone.

::

    from napari_vae import batch

    outcomes = batch.run(batch.Encode("results/run"), "today/*.dm4", "tables")

The tasks are `Detect`, `Crystal`, `Encode`, `Analyze` and `Train`; `train_on_all` makes one model of all files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
