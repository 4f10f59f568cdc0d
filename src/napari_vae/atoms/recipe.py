"""What detection is asked for, and what it needs to know of an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ..core.errors import InputError
from ..core.settings import Flag, Number, Positive, about, settings

Frames = int | slice | Iterable[int] | None

SIGNS = {"bright": 1, "dark": -1}
REFINED = '"gaussian", "elliptical", "centre of mass" or "none"'


@settings
class Options:
    """What detection is asked for; see `detect_atoms`. ``None``: to be found."""

    method: Literal["auto", "filter", "learned"] = "auto"
    polarity: Literal["auto", "bright", "dark"] = "auto"
    spacing: Annotated[
        Annotated[Number, Positive, about(ge=2)] | None,
        about("Spacing", words="at least 2 pixels, or left out to be estimated", unit="px"),
    ] = None
    threshold: Annotated[Number | None, about("Threshold", words="a score, a finite number, or left out")] = None
    refine: Annotated[
        Flag | Literal["none", "centre of mass", "gaussian", "elliptical"], about("Positions", words=REFINED)
    ] = True
    frames: Any = None
    weak: Flag = False
    region: Any = None

    def __post_init__(self) -> None:
        if self.weak and self.placing not in ("gaussian", "elliptical"):
            raise InputError("Weak columns are looked for in what the fitted ones leave; leave refine on, or weak off.")
        if self.method == "learned" and self.threshold is not None and self.threshold > 1:
            raise InputError(
                "The score of the learned method is a probability; give a threshold of at most 1, not "
                f"{self.threshold}."
            )

    @property
    def placing(self) -> str:
        """How positions are refined: "none", "centre of mass", "gaussian" or "elliptical"."""
        return {True: "gaussian", False: "none"}[self.refine] if isinstance(self.refine, bool) else self.refine


@dataclass(frozen=True)
class Recipe:
    """Everything detection needs to know, measured on one frame and used for all: widths in pixels, sign ±1."""

    method: str
    sigma: Positive
    spacing: Positive
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
