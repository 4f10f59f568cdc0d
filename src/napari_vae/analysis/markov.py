"""Hidden Markov chains over many short series of labels, some of which are wrong or missing.

hmmlearn has no missing labels and no draws from the posterior, which the intervals of `transitions` come from.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..core.progress import Stage

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MISSING = -1  # label of a step that nothing is known of
STAYS, RIGHT = 0.9, 0.9  # share of steps without a change, and of right labels, that learning begins with
MOST_ROUNDS = 200
RESTS = 1e-6  # relative gain in likelihood of a round that is the last
PRIOR = 0.5  # counts before any was seen: Jeffreys' prior of a Dirichlet distribution
SMALLEST = 1e-12  # probability that is drawn, whose logarithm is finite


class Chain(NamedTuple):
    """Probabilities of a chain of K states.

    Parameters
    ----------
    start : array (K,)
        Of the first state.
    change : array (K, K)
        Of the state at the next step (column), by that at this step (row).
    label : array (K, K)
        Of the label (column), by the state (row).
    """

    start: Array
    change: Array
    label: Array


class Series(NamedTuple):
    """Series of labels.

    Parameters
    ----------
    labels : array (T, n) of int
        From 0; `MISSING` where there is none, and beyond the end.
    lengths : array (n,) of int
        Steps of each series.
    """

    labels: Ints
    lengths: Ints


def fit_chain(blocks: list[Series], n_states: int) -> Generator[Stage, None, Chain]:
    """Yield each round, and return the likeliest chain by expectation and maximisation (Baum et al. 1970, https://doi.org/10.1214/aoms/1177697196).

    States are those that labels are mostly right about. Nothing keeps the probability of a change from 0.
    """
    chain = Chain(np.full(n_states, 1 / n_states), _mostly(STAYS, n_states), _mostly(RIGHT, n_states))
    before = -np.inf
    for number in range(1, MOST_ROUNDS + 1):
        yield Stage("count changes", message=f"fit, round {number}")
        changes, labels = np.zeros((2, n_states, n_states))
        start, likelihood = np.full(n_states, PRIOR), 0.0
        for block in blocks:
            *counts, gained = _expected_counts(block, chain)
            for total, seen in zip((start, changes, labels), counts, strict=True):
                total += seen
            likelihood += gained
        chain = Chain(start / start.sum(), _shares(changes), _shares(labels))
        if likelihood - before < RESTS * abs(likelihood):
            break
        before = likelihood
    return chain


def draw_chains(blocks: list[Series], chain: Chain, n: int, warm_up: int, rng: np.random.Generator) -> Iterator[Chain]:
    """Chains from their posterior, by drawing states and probabilities in turn (Scott 2002,
    https://doi.org/10.1198/016214502753479464).
    """
    for draw in range(n + warm_up):
        start, (changes, labels) = np.full(len(chain.start), PRIOR), np.full((2, *chain.change.shape), PRIOR)
        for block in blocks:
            states = _draw_states(block, chain, rng)
            start += np.bincount(states[0], minlength=len(start))
            changes += count_changes(states, block, len(start))
            labels += _pairs(states, block.labels - MISSING, len(start) + 1)[:-1, 1:]
        change, label = (np.array([rng.dirichlet(row) for row in counts]) for counts in (changes, labels))
        chain = Chain(rng.dirichlet(start), np.maximum(change, SMALLEST), np.maximum(label, SMALLEST))
        if draw >= warm_up:
            yield chain


def count_changes(states: Ints, block: Series, n_states: int) -> Ints:
    """How often each state (row) is followed by each (column), by the states (T, n) of all series."""
    beyond = np.arange(1, len(states))[:, None] >= block.lengths
    return _pairs(states[:-1], np.where(beyond, n_states, states[1:]), n_states + 1)[:-1, :-1]


def likeliest_states(block: Series, chain: Chain) -> Ints:
    """The likeliest states (T, n) of all series, each as a whole (Viterbi 1967, https://doi.org/10.1109/TIT.1967.1054010)."""
    with np.errstate(divide="ignore"):
        change, start, seen = np.log(chain.change), np.log(chain.start), np.log(_evidence(block, chain))
    steps, _, n = seen.shape
    best, came_from = start[:, None] + seen[0], np.zeros(seen.shape, np.int64)
    for step in range(1, steps):
        ways = best[:, None] + change[..., None]
        came_from[step] = ways.argmax(0)
        best = ways.max(0) + seen[step]
    states = np.empty((steps, n), np.int64)
    states[-1] = best.argmax(0)
    for step in range(steps - 1, 0, -1):
        states[step - 1] = came_from[step, states[step], np.arange(n)]
    return states


def _pairs(rows: Ints, columns: Ints, n: int) -> Ints:
    return np.bincount((rows * n + columns).ravel(), minlength=n * n).reshape(n, n)


def _mostly(share: float, n: int) -> Array:
    """A matrix of shares, most of them on its diagonal."""
    return np.full((n, n), (1 - share) / max(n - 1, 1)) * (1 - np.eye(n)) + np.eye(n) * (share if n > 1 else 1)


def _shares(counts: Array) -> Array:
    """Counts by row as shares; a state that is never taken stays as it is."""
    total = counts.sum(1, keepdims=True)
    return np.where(total > 0, counts / np.where(total > 0, total, 1), np.eye(len(counts)))


def _evidence(block: Series, chain: Chain) -> Array:
    """Probability of each label (T, K, n), by state; of one that is missing, 1."""
    missing_last = np.column_stack([chain.label, np.ones(len(chain.start))])  # MISSING is the last index
    return np.stack([state[block.labels] for state in missing_last], axis=1)


def _forward(block: Series, chain: Chain) -> tuple[Array, Array, float]:
    """Evidence, probability of each state by the labels up to a step (both T, K, n), and log-likelihood of all."""
    seen = _evidence(block, chain)
    known, totals = np.empty_like(seen), np.empty((len(seen), seen.shape[2]))
    for step in range(len(seen)):
        joint = (chain.change.T @ known[step - 1] if step else chain.start[:, None]) * seen[step]
        totals[step] = joint.sum(0)
        np.divide(joint, totals[step], out=known[step])
    return seen, known, float(np.log(totals).sum())


def _expected_counts(block: Series, chain: Chain) -> tuple[Array, Array, Array, float]:
    """How often a state is the first, a state follows another, a label is given to a state; and the log-likelihood."""
    seen, known, likelihood = _forward(block, chain)
    changes, labels = np.zeros_like(chain.change), np.zeros_like(chain.label)
    ahead = np.ones_like(known[0])
    for step in range(len(seen) - 1, -1, -1):
        states = known[step] * ahead
        states /= states.sum(0)
        labels += states @ (block.labels[step][:, None] == np.arange(len(labels)))
        if step:
            on = seen[step] * ahead
            before = known[step - 1]
            joint = before / ((chain.change.T @ before) * on).sum(0) * (block.lengths > step) @ on.T
            changes += chain.change * joint
            ahead = chain.change @ on
            ahead /= ahead.sum(0)
    return states.sum(1), changes, labels, likelihood


def _draw_states(block: Series, chain: Chain, rng: np.random.Generator) -> Ints:
    """States (T, n) from their posterior, the last one first."""
    _, known, _ = _forward(block, chain)
    states, odds = np.empty(block.labels.shape, np.int64), known[-1]
    for step in range(len(known) - 1, -1, -1):
        if step < len(known) - 1:
            odds = known[step] * chain.change[:, states[step + 1]]
        bounds = odds.cumsum(0)
        states[step] = (rng.random(odds.shape[1]) * bounds[-1] > bounds[:-1]).sum(0)
    return states
