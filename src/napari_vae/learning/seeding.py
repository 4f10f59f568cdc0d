"""The first candidates to measure, before there is a model: at random, or far from each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError

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


def check_start(start: int | Sequence[int], n: int) -> int:
    """How many of n candidates are measured first.

    Raises
    ------
    InputError
        If the first are no candidates, or more than there are.
    """
    if isinstance(start, int | np.integer):
        if not 1 <= start <= n:
            raise InputError(f"There are {n} candidates; start with 1 to {n} of them, not {start}.")
        return int(start)
    chosen = np.asarray(list(start))
    known = len(chosen) and chosen.dtype.kind in "iu" and chosen.min() >= 0 and chosen.max() < n
    if not known or len(np.unique(chosen)) < len(chosen):
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
    """The first `n` of an order in which each is as far as can be from all before it.

    Of more than 10 000 candidates, among as many at random. The first is drawn at random.

    Parameters
    ----------
    features : array (N, …)
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
    rows = as_features(features, some)
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
    rows, nearest = as_features(features, some), np.full(len(some), np.inf)
    for known in as_features(features, measured[-CHUNK:]):
        nearest = np.minimum(nearest, _squares(rows, known))
    order: list[int] = []
    while len(order) < min(n, len(some)):
        order.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _squares(rows, rows[order[-1]]))
        nearest[order] = -1.0
    return some[order]


def as_features(features: Any, rows: Rows) -> Features:
    """Some candidates, prepared for a model or not, as rows of numbers (n, F)."""
    values = getattr(features, "values", features)
    return np.asarray(values[rows], np.float32).reshape(len(rows), -1)


def _squares(rows: Features, one: Features) -> npt.NDArray[np.float64]:
    """Squared distances (N,) of rows from one of them."""
    return np.concatenate(
        [((rows[k : k + CHUNK] - one) ** 2).sum(1, dtype=np.float64) for k in range(0, len(rows), CHUNK)]
    )
