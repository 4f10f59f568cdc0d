"""What detection is asked for, and what it needs to know of an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ..core.errors import InputError
from ..core.fields import AUTOMATIC, about
from ..core.settings import Flag, Level, Number, Positive, settings

Frames = int | slice | Iterable[int] | None

SIGNS = {"bright": 1, "dark": -1}
REFINED = '"gaussian", "elliptical", "centre of mass" or "none"'


@settings
class Options:
    """What `detect_atoms` is asked for. ``None``: to be found."""

    method: Annotated[
        Literal["auto", "filter", "learned"],
        about(
            "Method",
            "How atoms are found. Automatic takes the matched filter, which looks for round peaks of one size. Try the "
            "learned detector, a network trained on simulated images, when atoms are missed at low dose; on the real "
            "images tried so far it found less.",
            choices={"auto": AUTOMATIC, "filter": "matched filter", "learned": "learned"},
        ),
    ] = "auto"
    polarity: Annotated[
        Literal["auto", "bright", "dark"],
        about(
            "Contrast",
            "Whether atoms are brighter than what lies between them, as in HAADF, or darker, as in many bright-field "
            "images. Automatic decides from the image; choose yourself when the marks sit between the atoms.",
            choices={"auto": AUTOMATIC, "bright": "bright on dark", "dark": "dark on bright"},
        ),
    ] = "auto"
    spacing: Annotated[
        Annotated[Number, Positive, about(ge=2)] | None,
        about(
            "Spacing",
            "Distance between neighbouring atoms. It is estimated from the image; give it when every second atom is "
            "missed, or atoms are found between the atoms.",
            words="at least 2 pixels, or left out to be estimated",
            unit="px",
        ),
    ] = None
    threshold: Annotated[
        Number | None,
        about(
            "Threshold",
            "How clearly an atom must stand out: a score in standard errors of the noise, or a probability with the "
            "learned method. A higher one finds fewer atoms. Lower it when atoms are missed, raise it when noise is "
            "taken for atoms.",
            words="a score, a finite number, or left out",
        ),
    ] = None
    refine: Annotated[
        Flag | Literal["none", "centre of mass", "gaussian", "elliptical"],
        about(
            "Refine",
            "Fit a peak (a two-dimensional Gaussian) to every atom, for positions to a fraction of a pixel and their "
            "errors. Leave it out for a quick look.",
            words=REFINED,
            choices={
                "gaussian": "round peaks",
                "elliptical": "elliptical peaks",
                "centre of mass": "quick, without errors",
                "none": "no fit",
            },
        ),
    ] = "gaussian"
    frames: Any = None
    weak: Annotated[
        Flag,
        about("Weak atoms", "Look a second time, at what the fitted atoms leave, for weak ones between heavy ones."),
    ] = False
    region: Any = None
    level: Annotated[
        Level,
        about(
            "Background",
            "What is subtracted from the image before windows are cut out: a plane, that and an offset of every row, "
            "or all that varies slowly. Automatic takes the simplest after which windows follow no background; choose "
            "yourself when a latent still does, or when slow changes are what you look for.",
            choices={
                "auto": AUTOMATIC,
                "none": "nothing",
                "plane": "a plane",
                "rows": "plane and rows",
                "smooth": "all that varies slowly",
            },
        ),
    ] = "auto"

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
class Crowd:
    """How spots of another kind are found among atoms (see `crowd.py`).

    Width `sigma` of their filter in pixels, and their `least` score; least score of the atoms (`threshold`), and the
    typical `distance` of these in pixels.
    """

    sigma: Positive
    least: float
    threshold: float
    distance: Positive


@dataclass(frozen=True)
class Recipe:
    """Everything detection needs to know, measured on a few frames and used for all: widths in pixels, sign ±1.

    The filter that finds the columns best, `sigma`, is narrower than their `width` where they overlap. Spots of another
    kind may show among them (`crowd`).

    How `sure` the choice is, 0 to 1; `alternatives`, what else it might have been, the likeliest first; and one
    sentence of `doubt` where it is not sure.
    """

    method: str
    sigma: Positive
    width: Positive
    spacing: Positive
    sign: int
    threshold: float
    periodic: bool
    crowd: Crowd | None = None
    sure: float = 1.0
    alternatives: tuple[str, ...] = ()
    doubt: str = ""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Recipe:
        """One that was written down field by field."""
        crowd = values.get("crowd")
        return cls(**values | {"crowd": None if crowd is None else Crowd(**crowd)})

    @property
    def summary(self) -> dict[str, Any]:
        """What the atoms table carries along, in plain types."""
        polarity = "bright" if self.sign > 0 else "dark"
        return {
            "method": self.method,
            "spacing": float(self.spacing),
            "polarity": polarity,
            "threshold": float(self.threshold),
            "sure": float(self.sure),
            "alternatives": list(self.alternatives),
            "doubt": self.doubt,
        }
