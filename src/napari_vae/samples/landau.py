"""Energy of a lattice of coupled polarisations, and its descent in place, on torch tensors.

A state is (2, n, n, B): the components along y and x of the polarisation of every site, for B lattices at once. The
batch is innermost, so that every operation runs along contiguous memory, also those with neighbours. Fields are in the
units of the energy, not in coercive fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

_FIRST, _LAST, _BEFORE, _AFTER = slice(None, 1), slice(-1, None), slice(None, -1), slice(1, None)
_INSIDE = ((_AFTER, _BEFORE), (_BEFORE, _AFTER))  # sites along an axis, and where their neighbours are
_AROUND = ((_FIRST, _LAST), (_LAST, _FIRST))  # the same for those on the edges of a periodic lattice


class _Lattice(Protocol):
    """What the energy of a lattice depends on; see `Ferroelectric`."""

    @property
    def n(self) -> int: ...
    @property
    def coefficients(self) -> tuple[float, float, float]: ...
    @property
    def coupling(self) -> float: ...
    @property
    def depolarization(self) -> float: ...
    @property
    def periodic(self) -> bool: ...


def energy(state: Tensor, field: Tensor, lattice: _Lattice) -> Tensor:
    """Energy (B,) of states in a field that broadcasts with them: what is applied and the defects together."""
    first, second, third = lattice.coefficients
    square = state.square()
    site = first * square.sum(0) + second * square.square().sum(0) + third * square[0] * square[1]
    neighbours = state.new_zeros(state.shape)
    _add_neighbours(neighbours, state, 1 / 4, lattice.periodic)
    pairs = lattice.coupling / 2 * (square - state * neighbours) - field * state
    mean = state.mean((1, 2)).square().sum(0)
    return site.sum((0, 1)) + pairs.sum((0, 1, 2)) + lattice.depolarization / 2 * lattice.n**2 * mean


class Descent:
    """States that go down the gradient of their energy by explicit steps, P ← P − step ∂F/∂P.

    Two states and two scratch arrays are all the memory it takes; a step allocates nothing of their size.
    """

    def __init__(self, state: Tensor, defects: Tensor, lattice: _Lattice, step: float) -> None:
        first, second, third = lattice.coefficients
        self.state = state.clone()
        self._next, self._square, self._factor = (self.state.new_empty(state.shape) for _ in range(3))
        self._defects = step * defects
        self._lattice, self._step = lattice, step
        # What a site's own energy makes of P along an axis is P · (1 − step · (2 a₁ + k + 4 a₂ P² + 2 a₃ Q²)), Q the
        # other component. Written as p + mix · q with p = rest + bend · P², and q the same of Q, it takes two passes.
        self._bend, self._mix = -4 * step * second, third / (2 * second)
        rest = (1 - step * (2 * first + lattice.coupling)) / (1 + self._mix)
        self._rest = state.new_tensor(rest)

    def go(self, field: Tensor) -> None:
        """Take one step in an applied field that broadcasts with (2, 1, 1, B)."""
        import torch

        lattice, state, following, square, factor = self._lattice, self.state, self._next, self._square, self._factor
        if lattice.depolarization:
            field = field - lattice.depolarization * state.mean((1, 2), keepdim=True)
        torch.add(self._defects, field, alpha=self._step, out=following)
        _add_neighbours(following, state, self._step * lattice.coupling / 4, lattice.periodic)
        torch.addcmul(self._rest, state, state, value=self._bend, out=square)
        torch.add(square[0], square[1], alpha=self._mix, out=factor[0])
        torch.add(square[1], square[0], alpha=self._mix, out=factor[1])
        following.addcmul_(state, factor)
        self.state, self._next = following, state


def _add_neighbours(total: Tensor, state: Tensor, weight: float, periodic: bool) -> None:
    """Add to every site its four neighbours, each times the weight; beyond an open edge there are none."""
    for sites, neighbours in _INSIDE + _AROUND if periodic else _INSIDE:
        total[:, sites].add_(state[:, neighbours], alpha=weight)
        total[:, :, sites].add_(state[:, :, neighbours], alpha=weight)
