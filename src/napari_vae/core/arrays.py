"""What callers hand over as arrays, brought to numpy; and numbers that can be computed with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError

LARGEST = 1e150  # values whose squares, and those of 1 / value, can still be computed with


def as_array(values: Any, name: str) -> npt.NDArray[Any]:
    """A numpy array of an array, a nested list, a table, or a tensor of torch, which may have gradients.

    Raises
    ------
    InputError
        If rows differ in length, some values are masked, or there is no such array.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]], "labels").shape
    (2, 2)
    """
    if np.ma.is_masked(values):
        raise InputError(f"Some of the {name} are masked; fill them with values, or leave them out.")
    try:
        return np.asarray(_detached(values))
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(f"The {name} are no array of numbers; give each row or image in the same size.") from error


def as_numbers(values: Any, name: str) -> npt.NDArray[np.float64]:
    """An array of real numbers in double precision.

    Raises
    ------
    InputError
        As `as_array`, or if they are no real numbers.
    """
    array = as_array(values, name)
    try:
        if array.dtype.kind in "iufbOUT":
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"The {name} hold values that are no numbers; give real numbers.")


def check_size(values: npt.NDArray[Any]) -> None:
    """Refuse values (n,) or (n, T) whose squares, or those of their spread, floating point cannot hold.

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


def _detached(values: Any) -> Any:
    """Tensors of torch, also in lists, as arrays of numpy; everything else as it is."""
    if isinstance(values, list | tuple):
        return [_detached(one) for one in values] if len(values) and hasattr(values[0], "detach") else values
    if not hasattr(values, "detach"):
        return values
    if str(values.layout) != "torch.strided":
        values = values.to_dense()
    values = values.detach().cpu()
    return (values.float() if values.is_floating_point() and values.element_size() < 4 else values).numpy(force=True)
