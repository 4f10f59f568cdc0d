"""The same work on many files: each whole or not at all; one that fails is noted; what is finished is not redone.

::

    from napari_vae import batch

    outcomes = batch.run(batch.Encode("results/run"), "today/*.dm4", "tables")

The tasks are `Detect`, `Crystal`, `Encode`, `Analyze` and `Train`; `train_on_all` makes one model of all files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .modelling import Analyze as Analyze
    from .modelling import Train as Train
    from .pooling import train_on_all as train_on_all
    from .running import BatchProgress as BatchProgress
    from .running import Outcome as Outcome
    from .running import run as run
    from .tabulating import Crystal as Crystal
    from .tabulating import Detect as Detect
    from .tabulating import Encode as Encode

_HOME = {
    "Analyze": "modelling",
    "BatchProgress": "running",
    "Crystal": "tabulating",
    "Detect": "tabulating",
    "Encode": "tabulating",
    "Outcome": "running",
    "Train": "modelling",
    "run": "running",
    "train_on_all": "pooling",
}

__all__ = ["Analyze", "BatchProgress", "Crystal", "Detect", "Encode", "Outcome", "Train", "run", "train_on_all"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
