"""Simulated data with ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .micrographs import micrograph
    from .playing_cards import Cards, cards

__all__ = ["Cards", "cards", "micrograph"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    module = {"Cards": "playing_cards", "cards": "playing_cards", "micrograph": "micrographs"}.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{module}", __name__), name)
