"""The first candidates to measure, before there is a model: at random, or far from each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ...core.settings import Whole, about, allowed
from ..gp.candidates import limits

Rows = npt.NDArray[np.int64]
Features = npt.NDArray[np.float32]

LOOKED_AT = 10_000  # candidates among which the farthest is sought
CHUNK = 4096


def number_of(x: Any) -> int:
    """How many candidates there are.

    Raises
    ------
    InputError
        If they are no array with one row or image per candidate.
    """
    try:
        return len(x.atoms) if hasattr(x, "atoms") else len(x)
    except TypeError as error:
        raise InputError("The candidates are patches, images (N, H, W), or rows of numbers (N, F).") from error


def check_start(start: Any, n: int) -> int:
    """How many of n candidates are measured first.

    Raises
    ------
    InputError
        If the first are no candidates, or more than there are.
    """
    if isinstance(start, str) or not hasattr(start, "__iter__"):
        if not allowed(start, Annotated[Whole, about(ge=1, le=n)]):
            raise InputError(f"There are {n} candidates; start with 1 to {n} of them, not {start!r}.")
        return int(start)
    chosen = list(start)
    known = chosen and allowed(chosen, tuple[Annotated[Whole, about(ge=0, lt=n)], ...])
    if not known or len({*chosen}) < len(chosen):
        raise InputError(f"The first to measure are numbers of candidates, each once, from 0 to {n - 1}.")
    return len(chosen)


def seed_order(features: Any, start: int | Sequence[int], spread: bool, seed: int) -> Rows:
    """All candidates in the order in which they are measured before there is a model; those to start with first."""
    everyone = np.random.default_rng([seed, 0]).permutation(len(features))
    if not isinstance(start, int | np.integer):
        chosen = np.asarray(list(start), np.int64)
    else:
        chosen = spread_order(features, int(start), seed) if spread else everyone[:start]
    return np.concatenate([chosen, everyone[~np.isin(everyone, chosen)]])


def spread_order(features: Any, n: int, seed: int) -> Rows:
    """The first `n` of an order in which each is as far as can be from all before it, all columns counting alike.

    Of more than 10 000 candidates, among as many at random. The first is drawn at random.

    Parameters
    ----------
    features : Prepared, or array (N, …)
        Columns are taken in units of their standard deviation; images, and what a trained model tells, as they are.
    n : int
    seed : int

    References
    ----------
    T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985).

    Examples
    --------
    >>> sorted(spread_order(np.array([[0.0], [0.1], [5.0], [9.0], [9.1]]), 3, seed=0).tolist())[1]
    2
    """
    random = np.random.default_rng([seed, 2])
    some = np.sort(random.choice(len(features), min(LOOKED_AT, len(features)), replace=False))
    rows = _as_rows(features, some, some)
    order = [int(random.integers(len(some)))]
    nearest = np.full(len(some), np.inf)
    while len(order) < min(n, len(some)):
        nearest = np.minimum(nearest, _squares(rows, rows[order[-1]]))
        nearest[order] = -1.0
        order.append(int(np.argmax(nearest)))
    return some[order]


def farthest(features: Any, measured: Rows, open_: Rows, n: int, seed: int) -> Rows:
    """The `n` open candidates that are farthest from those measured, and from each other."""
    random = np.random.default_rng([seed, 3])
    some = np.sort(random.choice(open_, min(LOOKED_AT, len(open_)), replace=False))
    rows, nearest = _as_rows(features, some, some), np.full(len(some), np.inf)
    for known in _as_rows(features, measured[-CHUNK:], some):
        nearest = np.minimum(nearest, _squares(rows, known))
    order: list[int] = []
    while len(order) < min(n, len(some)):
        order.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _squares(rows, rows[order[-1]]))
        nearest[order] = -1.0
    return some[order]


def _as_rows(features: Any, chosen: Rows, some: Rows) -> Features:
    """Chosen candidates, prepared for a model or not, as rows of numbers (n, F), centred and scaled as some of them."""
    values = getattr(features, "values", features)
    rows = values[chosen]
    if values.ndim == 2 and not getattr(features, "of_run", False):
        centre, spread = limits(values[some])
        rows = (rows - centre) / spread
    return np.asarray(rows, np.float32).reshape(len(chosen), -1)


def _squares(rows: Features, one: Features) -> npt.NDArray[np.float64]:
    """Squared distances (N,) of rows from one of them."""
    return np.concatenate(
        [((rows[k : k + CHUNK] - one) ** 2).sum(1, dtype=np.float64) for k in range(0, len(rows), CHUNK)]
    )
