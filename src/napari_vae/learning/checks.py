"""Settings that must be numbers of some kind, refused in a sentence where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError

LARGEST = 1e150  # values whose squares, and those of 1 / value, can still be computed with


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of Python or of numpy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number within limits.

    Raises
    ------
    InputError
    """
    if not is_whole(value) or value < least or (most is not None and value > most):
        limits = f"from {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} is a whole number {limits}, not {value!r}.")


def check_seed(seed: Any) -> None:
    """Refuse what random numbers cannot start from.

    Raises
    ------
    InputError
        If it is no whole number from 0 to 2³¹ − 1.
    """
    check_whole("seed", seed, 0, 2**31 - 1)


def check_size(values: np.ndarray[Any, Any]) -> None:
    """Refuse finite values (n,) or (n, T) whose squares, or those of their spread, floating point cannot hold.

    Raises
    ------
    InputError
    """
    if not len(values):
        return
    spread = np.ptp(values / 2, axis=0)  # half of it, which does not overflow
    tiny = (spread > 0) & (spread < 1 / LARGEST)
    if (np.abs(values) > LARGEST).any() or tiny.any():
        raise InputError("The values are too large or too alike to compute with (10^±150); give them in another unit.")
