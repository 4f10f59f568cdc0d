"""What a file says about the size of its pixels, in nanometres where it is a length."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Nanometres in one of each length unit, by the spellings that microscopes and ImageJ write.
NANOMETRES = {
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-3),
    **dict.fromkeys(("a", "å", "ang", "angstrom", "ångström"), 0.1),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1.0),
    **dict.fromkeys(("um", "micron", "micrometer", "micrometre"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e6),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e7),
    **dict.fromkeys(("m", "meter", "metre"), 1e9),
}


#: What the axis of a spectrum is called, and its units where they are none of length or time.
SPECTRAL_NAMES = re.compile(r"energ|loss|wave|freq|raman|bias|volt|channel|spectr|kinetic|binding", re.IGNORECASE)
SPECTRAL_UNITS = re.compile(r"[kmM]?eV|[mkµ]?V|volts?|[kMGT]?Hz|1\s*/\s*cm|cm\^?-1", re.IGNORECASE)
#: Nanometres below which no pixel is: a tenth of a picometre. Files that say so mean another unit.
SMALLEST = 1e-4


@dataclass(frozen=True)
class Calibration:
    """Pixel size along rows and columns, or ``None`` with the reason in `note`.

    Lengths are in nanometres whatever the file says, so that the two axes share one unit. Reciprocal
    units (diffraction patterns) stay as they are. A step without a unit says nothing about the
    sample and is not used, only noted.
    """

    pixel_size: tuple[float, float] | None = None
    units: str = "px"
    note: str = ""


def calibrate(steps: Sequence[Any], units: Sequence[Any]) -> Calibration:
    """Make a `Calibration` of the step and unit that a file gives for (rows, columns).

    Examples
    --------
    >>> calibrate((2.0, 1.0), ("A", "nm")).pixel_size
    (0.2, 1.0)
    >>> calibrate((1.0, 1.0), ("", "")).units
    'px'
    """
    size = tuple(_number(step) for step in steps)
    names = tuple(clean_unit(unit) for unit in units)
    given = " × ".join(f"{step} {unit}".strip() for step, unit in zip(size, names, strict=True))
    if not all(math.isfinite(step) and step > 0 for step in size):
        return Calibration(note="The file gives no usable pixel size.")
    factors = [_nanometres(name) for name in names]
    if factors[0] and factors[1]:
        steps_nm = size[0] * factors[0], size[1] * factors[1]
        if min(steps_nm) >= SMALLEST:
            return Calibration(steps_nm, "nm")
        return Calibration(note=f"The file gives a step of {given}, which is no pixel, so the scale is left in pixels.")
    if names[0] == names[1] and re.fullmatch(r"1\s*/\s*\w+", names[0]):
        return Calibration((size[0], size[1]), names[0].replace(" ", ""))
    if size == (1.0, 1.0):
        return Calibration()
    return Calibration(
        note=f"The file gives a step of {given} without a known unit of length, so the scale is left in pixels."
    )


def spectral_axis(axes: Sequence[tuple[Any, Any]]) -> int | None:
    """Which of some axes, given by name and unit, is that of spectra; ``None`` if it is none or not clear.

    Examples
    --------
    >>> spectral_axis([("y", "nm"), ("x", "nm"), ("Energy loss", "eV")])
    2
    """
    units = [n for n, (_, unit) in enumerate(axes) if SPECTRAL_UNITS.fullmatch(clean_unit(unit))]
    names = [n for n, (name, _) in enumerate(axes) if SPECTRAL_NAMES.search(clean_unit(name))]
    found = names if len(names) == 1 else units
    return found[0] if len(found) == 1 else None


def clean_unit(unit: Any) -> str:
    """Undo the ways in which files write units: bytes, escaped characters, brackets, two kinds of µ."""
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit or "")
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    text = text.strip().strip("[]").replace("\x00", "").replace("μ", "µ").replace("\u212b", "Å")
    return "" if text.lower() in {"px", "pixel", "pixels", "none", "_none_", "<undefined>"} else text


def _nanometres(unit: str) -> float | None:
    # "n_m" is how NCEM files separate the prefix; a plural s is dropped, but not that of the unit "s" itself.
    name = unit.replace("_", "").replace("µ", "u").lower()
    if unit in ("Mm", "M", "Pm", "PM"):  # only the case tells these from millimetre, metre and picometre
        return None
    return NANOMETRES.get(name) or NANOMETRES.get(name.removesuffix("s"))


def _number(value: Any) -> float:
    try:
        return abs(float(value))  # negative steps mean a flipped axis, not a negative size
    except (TypeError, ValueError):
        return math.nan
