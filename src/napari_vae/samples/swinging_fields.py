"""Electric fields that swing, grow or fade about an offset: what a ferroelectric is driven with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.fields import about
from ..core.settings import Count, Seed

Array = npt.NDArray[np.float64]

#: Limits of A, α, ω and B.
LEAST, MOST = (0, -2.75, 2 * np.pi, -0.5), (0.75, 2.75, 8 * np.pi / 3, 0.5)


@dataclass(frozen=True)
class FieldTrajectories:
    """Fields E(t) = A exp(αt) cos(ωt) + B and the numbers behind each.

    Attributes
    ----------
    field : (N, T) float32
        E at every point of time.
    time : (T,) float
        t from 0 to 1.
    amplitude, growth, frequency, offset : (N,) float
        A, α, ω and B.
    """

    field: npt.NDArray[np.float32]
    time: Array
    amplitude: Array
    growth: Array
    frequency: Array
    offset: Array

    def __len__(self) -> int:
        return len(self.field)


@checks_arguments
def field_trajectories(
    n: Count = 7500, points: Annotated[int, about(ge=2, le=10**6)] = 900, seed: Seed = 0
) -> FieldTrajectories:
    """Draw fields from the family of Valleti et al.: A exp(αt) cos(ωt) + B.

    A is uniform within 0 … 0.75, α within ±2.75, ω within 2π … 8π/3 and B within ±0.5, for t from 0 to 1.

    Parameters
    ----------
    n : int
        Number of trajectories.
    points : int
        Points of time, at least 2.
    seed : int
        Seed of the random numbers; more trajectories of the same seed begin with the same ones.

    Raises
    ------
    InputError
        If `n` or `points` is too small.

    References
    ----------
    .. [1] Valleti et al., arXiv 2303.14554.

    Examples
    --------
    >>> trajectories = field_trajectories(3, points=100)
    >>> trajectories.field.shape, trajectories.offset.shape
    ((3, 100), (3,))
    """
    rng = np.random.default_rng(seed)
    a, alpha, omega, b = rng.uniform(LEAST, MOST, (n, 4)).T
    time = np.linspace(0, 1, points)
    field = np.empty((n, points), np.float32)
    for row in range(n):  # one at a time: no temporaries of N × T in double precision
        field[row] = a[row] * np.exp(alpha[row] * time) * np.cos(omega[row] * time) + b[row]
    return FieldTrajectories(field, time, a, alpha, omega, b)
