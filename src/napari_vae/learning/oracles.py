"""What measures: a function, a column, or the values of another layer under each candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Oracle = Callable[[int], npt.NDArray[np.float64]]  # the number of a candidate -> its targets (T,)


def as_oracle(oracle: Any, n: int) -> Oracle:
    """A function from the number of a candidate to its targets.

    Parameters
    ----------
    oracle : callable, or array or Series (N,) or (N, T)
    n : int
        Number of candidates.

    Raises
    ------
    InputError
        If it is neither, has another length, or knows no value.
    """
    raise NotImplementedError


def values_under(image: npt.NDArray[Any], positions: npt.ArrayLike, name: str = "image") -> npt.NDArray[np.float64]:
    """Value of an image under every atom, linear between pixels, NaN where the image does not reach.

    Parameters
    ----------
    image : array (Y, X) or (T, Y, X)
    positions : array (N, 2) or (N, 3)
        In pixels of `image`.
    name : str
        Of the image, for the message.

    Raises
    ------
    InputError
        If the image has axes that the positions lack.
    """
    raise NotImplementedError
