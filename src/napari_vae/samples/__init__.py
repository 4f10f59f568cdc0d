"""Simulated data with ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ferroelectric import Ferroelectric
    from .field_response import FieldResponse, polarization_curl
    from .micrographs import micrograph
    from .movies import movie
    from .playing_cards import Cards, cards
    from .swinging_fields import FieldTrajectories, field_trajectories

_HOME = {
    "Cards": "playing_cards",
    "Ferroelectric": "ferroelectric",
    "FieldResponse": "field_response",
    "FieldTrajectories": "swinging_fields",
    "cards": "playing_cards",
    "field_trajectories": "swinging_fields",
    "micrograph": "micrographs",
    "movie": "movies",
    "polarization_curl": "field_response",
}

__all__ = [
    "Cards",
    "Ferroelectric",
    "FieldResponse",
    "FieldTrajectories",
    "cards",
    "field_trajectories",
    "micrograph",
    "movie",
    "polarization_curl",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
