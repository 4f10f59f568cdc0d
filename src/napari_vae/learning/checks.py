"""Values that can be computed with, refused in a sentence where they cannot."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError

LARGEST = 1e150  # values whose squares, and those of 1 / value, can still be computed with


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
