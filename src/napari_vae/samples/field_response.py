"""What a ferroelectric did in a field: its polarisation and the figures that one looks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..core.arrays import as_numbers
from ..core.errors import InputError

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FieldResponse:
    """Lattices after they followed applied fields.

    Attributes
    ----------
    field : (B, T, 2) float32
        Applied fields along (y, x), in coercive fields.
    state : (B, n, n, 2) float32
        Polarisation along (y, x) of every site at the end.
    curl : (B,) float32
        Sum over the sites of the absolute curl at the end, see `polarization_curl`.
    polarization : (B,) float32
        Total polarisation at the end: length of the sum of P over the sites.
    energy : (B,) float
        Energy at the end, in the field at the end.
    mean : (B, T, 2) float32, or None
        Mean polarisation along (y, x) at every point of time.
    snapshots : (S, B, n, n, 2) float32, or None
        States at the points of time that were asked for.
    """

    field: Floats
    state: Floats
    curl: Floats
    polarization: Floats
    energy: npt.NDArray[np.float64]
    mean: Floats | None = None
    snapshots: Floats | None = None

    def __len__(self) -> int:
        return len(self.field)


def polarization_curl(state: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Curl ∂P_x/∂y − ∂P_y/∂x at every site of states (…, n, n, 2) with components (y, x): (…, n, n).

    Derivatives are half the difference of two neighbours, beyond an edge those of the opposite edge, as in FerroSim.

    Examples
    --------
    >>> turning = np.zeros((5, 5, 2))
    >>> turning[1, 2, 1], turning[3, 2, 1] = -1, 1  # to the left above the middle, to the right below it
    >>> float(polarization_curl(turning)[2, 2])
    1.0
    """
    p = as_numbers(state, "states")
    if p.ndim < 3 or p.shape[-1] != 2:
        raise InputError(f"States are (…, n, n, 2) with components (y, x), not of shape {p.shape}.")
    y, x = p[..., 0], p[..., 1]
    along_y = np.roll(x, -1, -2) - np.roll(x, 1, -2)
    along_x = np.roll(y, -1, -1) - np.roll(y, 1, -1)
    return (along_y - along_x) / 2


class Record:
    """What is kept of lattices while they follow their fields, some rows at a time."""

    def __init__(self, field: Floats, n: int, history: bool, snapshots: Sequence[int]) -> None:
        count, points, _ = field.shape
        if not all(-points <= point < points for point in snapshots):
            raise InputError(f"Snapshots are taken at points of time within 0 … {points - 1}, not {list(snapshots)}.")
        self.field = field
        self.state = np.empty((count, n, n, 2), np.float32)
        self.mean = np.empty((count, points, 2), np.float32) if history else None
        self.points = np.array([point % points for point in snapshots], int)
        self.snapshots = np.empty((len(self.points), count, n, n, 2), np.float32) if len(self.points) else None

    def write(self, point: int, rows: slice, state: torch.Tensor) -> None:
        """Keep of the states (2, n, n, B) at a point of time what was asked for, and the last."""
        if self.mean is not None:
            self.mean[rows, point] = state.mean((1, 2)).T.cpu()
        if self.snapshots is not None:
            for k in np.flatnonzero(self.points == point):
                self.snapshots[k, rows] = state.permute(3, 1, 2, 0).cpu()
        if point == self.field.shape[1] - 1:
            self.state[rows] = state.permute(3, 1, 2, 0).cpu()

    def response(
        self, count: int, energy_of: Callable[[Floats, Floats], npt.NDArray[np.float64]], chunk: int = 1024
    ) -> FieldResponse:
        """The figures of the first trajectories; the energy is that of states in their fields at the end."""
        curl, total, energy = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count)
        for first in range(0, count, chunk):
            rows = slice(first, min(first + chunk, count))
            state = self.state[rows]
            curl[rows] = np.abs(polarization_curl(state)).sum((1, 2))
            total[rows] = np.linalg.norm(state.sum((1, 2)), axis=-1)
            energy[rows] = energy_of(state, self.field[rows, -1])
        mean = None if self.mean is None else self.mean[:count]
        snapshots = None if self.snapshots is None else self.snapshots[:, :count]
        return FieldResponse(self.field[:count], self.state[:count], curl, total, energy, mean, snapshots)
