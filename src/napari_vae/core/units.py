"""Units of length and others, as pint knows them, which napari reads units with."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, shown

_LENGTH = re.compile(r"\s*(\d*\.?\d+|\d+\.)(e[-+]?\d+)?\s*([^\d\s]*)\s*", re.IGNORECASE)


def short_unit(name: str) -> str:
    """How a unit is written: ``"nm"`` for ``"nanometer"``; that of bare pixels ``"px"``."""
    return "px" if name == "pixel" else f"{_registry().Unit(name):~}"


def size_ratio(size: Any, unit: str, other: Any, other_unit: str) -> float | None:
    """Shorter side of pixels in that of others; ``None`` if a size is missing, or the units are of two kinds."""
    factors = unit_factors((known_unit(other_unit),), (known_unit(unit),))
    if not size or not other or factors is None:
        return None
    return float(min(size) / min(other) * factors[0])


def read_length(text: str) -> tuple[float, str]:
    """A length that is written as a number and its unit, or as a number of pixels.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> read_length("24"), read_length("24px"), read_length("2 nm")
    ((24.0, 'pixel'), (24.0, 'pixel'), (2.0, 'nanometer'))
    """
    found = _LENGTH.fullmatch(text)
    unit = "" if found is None else known_unit(found[3])
    if found is None or (unit == "pixel" and found[3] not in ("", "px", "pixel")):
        raise InputError(f"“{shown(text)}” is no length; give a number of pixels, or one with its unit: 24px, 2nm.")
    return float(found[1] + (found[2] or "")), unit


def in_pixels(length: float | str, size: Any, units: str) -> float:
    """A length in pixels, or in the shorter side of oblong ones, which have this size in these units.

    Raises
    ------
    InputError
        If it is none, or has a unit that the pixels are not measured in.
    """
    number, unit = read_length(length) if isinstance(length, str) else (float(length), "pixel")
    if unit == "pixel":
        return number
    pixels = size_ratio((number,), unit, size, units)
    if pixels is None:
        known = "no size" if size is None else f"a size in {units}"
        raise InputError(f"The pixels of the image have {known}, so {length} cannot be counted in them; give px.")
    return pixels


def unit_factors(wanted: tuple[str, ...], given: tuple[str, ...]) -> npt.NDArray[np.float64] | None:
    """What numbers in the given units are multiplied by, of every axis; ``None`` if one is of another kind."""
    registry = _registry()
    pairs = [(registry.Unit(a), registry.Unit(b)) for a, b in zip(wanted, given, strict=True)]
    if any(a.dimensionality != b.dimensionality for a, b in pairs):
        return None
    base = registry.get_base_units  # as napari converts; a factor alone, of temperatures too
    return np.array([1.0 if a == b else float(base(b)[0] / base(a)[0]) for a, b in pairs])


def known_unit(name: str) -> str:
    """The unit if pint, which napari reads units with, knows it; else ``"pixel"``."""
    if name in ("", "px"):
        return "pixel"
    try:
        return str(_registry().Unit(name))
    except Exception:  # pint raises many kinds for text that is not a unit, such as "<unspecified>"
        return "pixel"


def _registry() -> Any:
    """The units of pint that napari uses."""
    import pint

    return pint.get_application_registry()
