"""Found positions against true ones: who is paired with whom, precision and recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from truth.labels import NEAR, Labelled


@dataclass(frozen=True)
class Agreement:
    """Precision and recall of found positions."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)


def spacing_of(points: np.ndarray) -> float:
    return float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))


def pair(found: np.ndarray, truth: np.ndarray, radius: float) -> np.ndarray:
    """The true position (index) that each found one is paired with, −1 for none; as many pairs as possible."""
    if not len(found) or not len(truth):
        return np.full(len(found), -1)
    near = cKDTree(found).query_ball_tree(cKDTree(truth), radius)
    edges = np.array([(i, j) for i, others in enumerate(near) for j in others], dtype=int).reshape(-1, 2)
    graph = csr_matrix((np.ones(len(edges)), edges.T), shape=(len(found), len(truth)))
    return maximum_bipartite_matching(graph, perm_type="column")


def compare(sample: Labelled, found: np.ndarray, radius: float, border: float) -> Agreement:
    """Precision and recall inside the border and outside the ignored discs."""
    shape = np.array(np.shape(getattr(sample.image, "data", sample.image)))

    def counts(points: np.ndarray) -> np.ndarray:
        inside = ((points >= border) & (points <= shape - 1 - border)).all(axis=1)
        for row, column, reach in sample.ignored:
            inside &= np.hypot(points[:, 0] - row, points[:, 1] - column) > reach
        return inside

    return agreed(found, sample.truth, radius, counts)


def agreed(
    found: np.ndarray, truth: np.ndarray, radius: float, counts: Callable[[np.ndarray], np.ndarray]
) -> Agreement:
    """Precision and recall within a radius, of the positions that count; NaN where none does."""
    partner = pair(found, truth, radius)
    hit = np.zeros(len(truth), dtype=bool)
    hit[partner[partner >= 0]] = True
    right, seen = (partner >= 0)[counts(found)], hit[counts(truth)]
    return Agreement(float(right.mean()) if len(right) else 0.0, float(seen.mean()) if len(seen) else 0.0)


@dataclass(frozen=True)
class Judged:
    """Found positions of a simulated image: agreement, and who was right by how much away from the border."""

    agreement: Agreement
    right: np.ndarray  # (N,) which of the found positions have a true one near
    errors: np.ndarray  # (number of right ones, 2), in pixels

    @property
    def rms(self) -> float:
        """2-D RMS error in pixels; NaN where none is right."""
        return float(np.sqrt((self.errors**2).sum(axis=1).mean())) if len(self.errors) else np.nan


def judge(found: np.ndarray, truth: np.ndarray, shape: tuple[int, ...]) -> Judged:
    """Compare within a quarter of the spacing of the truth, one spacing away from the border."""
    spacing = spacing_of(truth)
    partner = pair(found, truth, NEAR * spacing)
    inside = ((found > spacing) & (found < np.array(shape) - 1 - spacing)).all(axis=1)
    right = inside & (partner >= 0)
    agreed = compare(Labelled("", np.broadcast_to(0, shape), truth), found, NEAR * spacing, spacing)
    return Judged(agreed, right, found[right] - truth[partner[right]])
