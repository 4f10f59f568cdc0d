"""What detection is asked for, and what it needs to know of an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import InputError

Frames = int | slice | Iterable[int] | None

METHODS = ("auto", "filter", "learned")
REFINEMENTS = ("none", "centre of mass", "gaussian", "elliptical")
SIGNS = {"bright": 1, "dark": -1}


@dataclass(frozen=True)
class Options:
    """What detection is asked for; see `detect_atoms`. ``None``: to be found."""

    method: str = "auto"
    polarity: str = "auto"
    spacing: float | None = None
    threshold: float | None = None
    refine: bool | str = True
    frames: Frames = None
    weak: bool = False
    region: Any = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f'There is no detection method "{self.method}"; choose "auto", "filter" or "learned".')
        if self.polarity not in ("auto", *SIGNS):
            raise InputError(f'The polarity is "auto", "bright" or "dark", not "{self.polarity}".')
        if self.placing not in REFINEMENTS:
            raise InputError(
                f'Positions are refined by "gaussian", "elliptical", "centre of mass" or "none", not "{self.refine}".'
            )
        if self.weak and self.placing not in ("gaussian", "elliptical"):
            raise InputError("Weak columns are looked for in what the fitted ones leave; leave refine on, or weak off.")
        spacing, threshold = self.spacing, self.threshold
        if spacing is not None and not (_is_number(spacing) and spacing >= 2):
            raise InputError(
                f"The spacing must be at least 2 pixels, not {spacing}; leave it out to have it estimated."
            )
        if threshold is not None and not _is_number(threshold):
            raise InputError(f"The threshold is a score, a finite number, not {threshold}.")
        if self.method == "learned" and threshold is not None and not threshold <= 1:
            raise InputError(
                f"The score of the learned method is a probability; give a threshold of at most 1, not {threshold}."
            )

    @property
    def placing(self) -> str:
        """How positions are refined: one of `REFINEMENTS`."""
        return {True: "gaussian", False: "none"}[self.refine] if isinstance(self.refine, bool) else self.refine


@dataclass(frozen=True)
class Recipe:
    """Everything detection needs to know, measured on one frame and used for all: widths in pixels, sign ±1."""

    method: str
    sigma: float
    spacing: float
    sign: int
    threshold: float
    periodic: bool

    @property
    def summary(self) -> dict[str, Any]:
        """What the atoms table carries along, in plain types."""
        polarity = "bright" if self.sign > 0 else "dark"
        return {
            "method": self.method,
            "spacing": float(self.spacing),
            "polarity": polarity,
            "threshold": float(self.threshold),
        }


def options_of(options: dict[str, Any]) -> Options:
    """The options by name; a name that is none is refused."""
    known = [field.name for field in fields(Options)]
    unknown = ", ".join(sorted(set(options) - set(known)))
    if unknown:
        raise InputError(f"There is no detection option {unknown}; there are {', '.join(known)}.")
    return Options(**options)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))
