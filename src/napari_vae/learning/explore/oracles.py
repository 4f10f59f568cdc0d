"""What measures: a function, or the values of a column or of another layer under each candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.arrays import as_numbers, check_size
from ...core.errors import InputError

#: From the number of a candidate to its targets (T,), or to why there are none.
Oracle = Callable[[int], npt.NDArray[np.float64] | str]
FEWEST = 3


def as_oracle(oracle: Any, n: int, kind: str = "real") -> Oracle:
    """A function from the number of a candidate to its targets, which never raises.

    Parameters
    ----------
    oracle : callable, or array or Series (N,) or (N, T)
        A function that is given a number and returns a value, or T values; or the values themselves, NaN where a
        measurement will fail.
    n : int
        Number of candidates.
    kind : "real", "angle" or "class"
        Of the target.

    Raises
    ------
    InputError
        If it is neither, has another length, or nothing can be learned from it.

    Examples
    --------
    >>> as_oracle([1.0, 2.0, float("nan"), 4.0], 4)(1).tolist()
    [2.0]
    """
    return _asked(oracle) if callable(oracle) else _looked_up(oracle, n, kind)


def _asked(function: Callable[[int], Any]) -> Oracle:
    def measure(i: int) -> npt.NDArray[np.float64] | str:
        try:
            value = np.asarray(function(i), np.float64)
        except Exception as error:  # an instrument may raise anything; the exploration goes on
            return f"{type(error).__name__}: {error}"
        return np.atleast_1d(value) if value.ndim < 2 else f"The oracle returned an array of shape {value.shape}."

    return measure


def _looked_up(column: Any, n: int, kind: str) -> Oracle:
    try:
        values = as_numbers(column, "values of the oracle")
    except InputError as error:
        raise InputError(
            "The oracle is a function of a candidate's number, or a column of numbers; give classes as numbers from 0."
        ) from error
    if values.ndim not in (1, 2) or len(values) != n:
        raise InputError(f"There are {n} candidates, but values of shape {values.shape}; give one row for each.")
    table = values.reshape(n, -1)
    known = table[np.isfinite(table).all(axis=1)]
    if len(known) < FEWEST:
        raise InputError(f"Only {len(known)} candidates have a value; at least {FEWEST} are needed.")
    if (np.ptp(known, axis=0) == 0).any():
        raise InputError("All values are the same, so there is nothing to learn; choose another column.")
    check_size(known)
    if kind == "class" and (wrong := known[(known < 0) | (known % 1 != 0)]).size:
        raise InputError(f"Classes are whole numbers from 0, and the column holds {wrong[0]:g}; number them, or round.")
    return lambda i: table[i]
