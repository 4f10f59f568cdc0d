"""The same work on many files: each whole or not at all; one that fails is noted; what is finished is not redone.

::

    from napari_vae import batch

    outcomes = batch.run(batch.Encode("results/run"), "today/*.dm4", "tables")

The tasks are `Detect`, `Crystal`, `Encode`, `Analyze` and `Train`; `train_on_all` makes one model of all files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import BatchProgress as BatchProgress
    from .loop import Outcome as Outcome
    from .loop import run as run
    from .models import Analyze as Analyze
    from .models import Train as Train
    from .pool import train_on_all as train_on_all
    from .tables import Crystal as Crystal
    from .tables import Detect as Detect
    from .tables import Encode as Encode

_HOME = {
    "Analyze": "models",
    "BatchProgress": "loop",
    "Crystal": "tables",
    "Detect": "tables",
    "Encode": "tables",
    "Outcome": "loop",
    "Train": "models",
    "run": "loop",
    "train_on_all": "pool",
}

__all__ = ["Analyze", "BatchProgress", "Crystal", "Detect", "Encode", "Outcome", "Train", "run", "train_on_all"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
