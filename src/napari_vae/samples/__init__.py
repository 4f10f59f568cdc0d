"""Simulated data with ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .micrographs import micrograph
    from .movies import movie
    from .playing_cards import Cards, cards

_HOME = {"Cards": "playing_cards", "cards": "playing_cards", "micrograph": "micrographs", "movie": "movies"}

__all__ = ["Cards", "cards", "micrograph", "movie"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
