"""A ferroelectric with defects that follows an electric field: a lattice of coupled Landau polarisations.

The model is that of FerroSim, after Ricinschi et al., with its coefficients. Positions and components are (y, x), as
everywhere in this package; applied fields and those of defects are in units of the coercive field of a lone site.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.arrays import as_numbers
from ..core.device import choose_device
from ..core.errors import InputError
from ..core.progress import never
from ..core.settings import NotNegative, Seed, Share, about
from .field_response import FieldResponse, Record
from .landau import Descent, energy

Floats = npt.NDArray[np.float32]

#: a₁, a₂, a₃ of FerroSim, whose square material has α₁/2 and α₂/4 in these terms.
MATERIALS = {
    "tetragonal": (-1.6, 12.2, 40.0),
    "rhombohedral": (-10.6, 10.2, -10.0),
    "square": (-1.85 / 2, 1.25 / 4, 0.0),
}
_CPU_CHUNK, _GPU_CHUNK = 512, 8192  # lattices of 20 × 20 at once; benchmarks/dkl/ferroelectric_speed.py tries others
_MOST_STEPS = 100  # from one point of the field to the next
_ASK = 50  # points of time from one look at the Stop button to the next


Sites = Annotated[int, about(ge=3, le=10**4)]


@checks_arguments
@dataclass(frozen=True)
class Ferroelectric:
    r"""A square lattice of polarisations P = (P_y, P_x), some of whose sites are defects with a field of their own.

    The energy is that of every site in its field, of neighbours that differ, and of the mean polarisation ⟨P⟩,

    .. math::
        F = \sum_i \Big[ a_1 |P_i|^2 + a_2 (P_{y,i}^4 + P_{x,i}^4) + a_3 P_{y,i}^2 P_{x,i}^2
            + \tfrac k2 P_i \cdot \Big( P_i - \tfrac14 \sum_{j \sim i} P_j \Big) - (E + e_i) \cdot P_i \Big]
            + \tfrac d2 n^2 |\langle P \rangle|^2,

    and the lattice goes down its gradient (Landau–Khalatnikov), dP/dt = −∂F/∂P.

    Parameters
    ----------
    n : int
        Sites along each side.
    landau : str or (float, float, float)
        ``"tetragonal"`` (polarised along the axes), ``"rhombohedral"`` (along the diagonals) or ``"square"`` (the
        components do not see each other), or the coefficients a₁ < 0, a₂ > 0 and a₃ > −2 a₂.
    coupling : float
        k, how strongly a site follows its neighbours. Outside an open lattice there are sites of no polarisation.
    depolarization : float
        d, how strongly the mean polarisation acts against itself.
    defects : float
        Share of the sites that are defects.
    defect_field : float
        Strength of their field e, in coercive fields; its direction is random.
    periodic : bool
        Whether opposite edges are neighbours.
    seed : int
        Seed of where the defects are and which way they point.

    Raises
    ------
    InputError
        If a parameter is out of range.

    References
    ----------
    .. [1] Ricinschi et al., J. Phys.: Condens. Matter 10 (1998) 477.
    .. [2] R. Vasudevan, FerroSim, https://github.com/ramav87/FerroSim.

    Examples
    --------
    >>> trajectories = field_trajectories(4, seed=0)
    >>> response = Ferroelectric(n=20, seed=0).drive(trajectories.field)
    >>> response.state.shape, response.curl.shape
    ((4, 20, 20, 2), (4,))
    """

    n: Sites = 20
    landau: str | tuple[float, float, float] = "tetragonal"
    coupling: NotNegative = 1.0
    depolarization: NotNegative = 0.0
    defects: Share = 0.15
    defect_field: NotNegative = 2.0
    periodic: bool = False
    seed: Seed = 0

    def __post_init__(self) -> None:
        if isinstance(self.landau, str) and self.landau not in MATERIALS:
            raise InputError(f"There is no material {self.landau!r}; choose one of {', '.join(MATERIALS)}.")
        first, second, third = self.coefficients
        if not (first < 0 < second and third > -2 * second):
            raise InputError(f"Landau's coefficients need a₁ < 0, a₂ > 0 and a₃ > −2 a₂, not {self.coefficients}.")

    @property
    def coefficients(self) -> tuple[float, float, float]:
        """a₁, a₂ and a₃ of the energy."""
        return MATERIALS[self.landau] if isinstance(self.landau, str) else self.landau

    @property
    def remnant(self) -> float:
        """Polarisation of a lone site along an axis, without a field."""
        first, second, _ = self.coefficients
        return float(np.sqrt(-first / (2 * second)))

    @property
    def coercive_field(self) -> float:
        """Field along an axis that turns a lone site round, in the units of the energy: the unit of all fields here."""
        first, second, _ = self.coefficients
        return float(-4 / 3 * first * np.sqrt(-first / (6 * second)))

    def defect_fields(self) -> Floats:
        """Fields (n, n, 2) of the defects; zero where there is none."""
        rng = np.random.default_rng(self.seed)
        sites = rng.choice(self.n**2, round(self.defects * self.n**2), replace=False)
        angle = rng.uniform(0, 2 * np.pi, len(sites))
        fields = np.zeros((self.n**2, 2), np.float32)
        fields[sites] = self.defect_field * np.column_stack([np.sin(angle), np.cos(angle)])
        return fields.reshape(self.n, self.n, 2)

    def energy(self, state: npt.ArrayLike, field: npt.ArrayLike = 0.0) -> npt.NDArray[np.float64]:
        """Energy F (B,) of states (B, n, n, 2) in applied fields: one for all or (B,) along y, or (B, 2)."""
        import torch

        p = torch.from_numpy(_batch_last(np.asarray(state, np.float64)))
        local = _components(np.atleast_1d(np.asarray(field, np.float64)), 1)[:, None, None] + self.defect_fields()
        return energy(p, torch.from_numpy(self.coercive_field * _batch_last(local)), self).numpy()

    def drive(
        self,
        field: npt.ArrayLike,
        *,
        duration: float = 1.0,
        start: str | npt.ArrayLike = "remnant",
        history: bool = False,
        snapshots: Sequence[int] = (),
        chunk: int | None = None,
        device: str = "auto",
        stop: Callable[[], bool] = never,
        on_progress: Callable[[float], object] | None = None,
    ) -> FieldResponse:
        """Let the lattice follow applied fields, each from the same start.

        Parameters
        ----------
        field : (B, T) or (B, T, 2) array
            Applied fields at T points of time, along y or as (y, x), in coercive fields.
        duration : float
            Time from the first point to the last. A tetragonal site settles in about 0.16.
        start : str or array
            ``"remnant"`` (along −y everywhere), ``"random"`` (by the seed), or states that broadcast with (B, n, n, 2).
        history : bool
            Whether to keep the mean polarisation at every point of time.
        snapshots : sequence of int
            Points of time whose states are kept.
        chunk : int, optional
            Lattices simulated at once, by default what suits the device: scratch memory grows with this, not with B.
        device : str
            ``"auto"``, ``"cpu"``, ``"cuda"`` …
        stop : callable
            Asked now and then; when it says True, the trajectories that are finished are returned.
        on_progress : callable, optional
            Told the share of the work that is done.

        Raises
        ------
        InputError
            If the fields are not finite or of another shape, or too strong for the points of time to follow.

        Notes
        -----
        Euler's method takes one step from each point of time to the next, in the field of the latter; or several equal
        ones where a single one could be unstable, which the strongest field decides for all.
        """
        import torch

        applied = _checked_field(field)
        begin = self._start(start, len(applied))
        step, repeats = self._steps(applied, begin, duration)
        if chunk is not None and chunk < 1:
            raise InputError(f"A chunk holds one lattice or more, not {chunk}.")
        where = choose_device(device)
        size = chunk or max(1, (_CPU_CHUNK if where.type == "cpu" else _GPU_CHUNK) * 400 // self.n**2)
        defects = torch.from_numpy(self.coercive_field * _batch_last(self.defect_fields()[None])).to(where)
        record = Record(applied, self.n, history, snapshots)

        def stopped(done: float) -> bool:
            if on_progress is not None:
                on_progress(done / len(applied))
            return stop()

        for first in range(0, len(applied), size):
            rows = slice(first, first + size)
            local = self.coercive_field * np.ascontiguousarray(np.moveaxis(applied[rows], 0, -1))
            drive = torch.from_numpy(local).to(where)[:, :, None, None]
            descent = Descent(torch.from_numpy(_batch_last(begin[rows])).to(where), defects, self, step)
            for point, now in enumerate(drive):
                if point % _ASK == 0 and stopped(first + len(applied[rows]) * point / len(drive)):
                    return record.response(first, self.energy)
                for _ in range(repeats if point else 0):
                    descent.go(now)
                record.write(point, rows, descent.state)
        stopped(len(applied))
        return record.response(len(applied), self.energy)

    def _start(self, start: str | npt.ArrayLike, count: int) -> Floats:
        """The states (B, n, n, 2) at the beginning."""
        if isinstance(start, str):
            if start not in ("remnant", "random"):
                raise InputError(f'A lattice starts "remnant", "random" or from an array of states, not {start!r}.')
            scatter = np.random.default_rng((self.seed, 1)).normal(0, self.remnant, (self.n, self.n, 2))
            start = scatter if start == "random" else np.array([-self.remnant, 0])
        try:
            states = np.broadcast_to(np.asarray(start, np.float32), (count, self.n, self.n, 2))
        except ValueError:
            raise InputError(f"States to start from must broadcast with ({count}, {self.n}, {self.n}, 2).") from None
        if not np.isfinite(states).all():
            raise InputError("States to start from contain numbers that are not finite; leave those out.")
        return states

    def _steps(self, applied: Floats, begin: Floats, duration: float) -> tuple[float, int]:
        """Length of a step in time, and how many from one point to the next keep Euler's method stable.

        A step h is stable where h · (largest curvature of F) ≤ 1. No polarisation outgrows r, where Landau's fourth
        order balances all that may push outwards.
        """
        first, second, third = self.coefficients
        quartic = 4 * min(second, second / 2 + third / 4)
        strongest = [np.linalg.norm(fields, axis=-1).max() for fields in (applied, self.defect_fields())]
        force = self.coercive_field * sum(strongest)
        r = np.sqrt((2 * -first + self.depolarization) / quartic) + np.cbrt(force / quartic)
        r = max(r, np.linalg.norm(begin, axis=-1).max())
        curvature = (max(12 * second, 2 * abs(third)) + 2 * abs(third)) * r**2 + 2 * self.coupling + self.depolarization
        interval = duration / (applied.shape[1] - 1)
        if not interval > 0:
            raise InputError(f"Fields need a positive duration, not {duration}.")
        if not interval * curvature <= _MOST_STEPS:
            least = int(np.ceil(duration * curvature / _MOST_STEPS)) + 1
            raise InputError(
                f"Fields this strong over a duration of {duration:g} need {least} points of time or more; interpolate "
                "them, or give a shorter duration."
            )
        repeats = int(np.ceil(interval * curvature))
        return interval / repeats, repeats


def _checked_field(field: npt.ArrayLike) -> Floats:
    """Applied fields as (B, T, 2) float32."""
    array = as_numbers(field, "fields").astype(np.float32)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 2) or min(array.shape[:2]) < 1:
        raise InputError(f"Fields are (B, T), or (B, T, 2) with components (y, x), not of shape {array.shape}.")
    if array.shape[1] < 2 or not np.isfinite(array).all():
        raise InputError("Fields need two points of time or more, and finite numbers at all of them.")
    return _components(array, 2)


def _components(field: npt.NDArray[Any], ndim: int) -> npt.NDArray[Any]:
    """Fields along y, of this many dimensions, as (y, x)."""
    return np.stack([field, np.zeros_like(field)], -1) if field.ndim == ndim else field


def _batch_last(states: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(B, n, n, 2) as the (2, n, n, B) that the arithmetic works on."""
    return np.ascontiguousarray(states.transpose(3, 1, 2, 0))
