"""Rates of change between classes through movies: from labels of which some are wrong or missing, and from pictures.

    python benchmarks/transitions.py [--pictures 20]

Chains of three classes, 400 tracks of 60 frames, 2 % of the labels wrong, five seeds; the same with a fifth of the rows
missing; movies in which nothing changes; and simulated movies whose atoms are found, followed and grouped by their
brightness first. Beside it: the labels counted as they are.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import pandas as pd

import napari_vae as nv
from napari_vae.analysis.rates import Transitions, shortest_interval

TRUE = np.array([[0.97, 0.03, 0.0], [0.01, 0.97, 0.02], [0.02, 0.01, 0.97]])
TRACKS, FRAMES, WRONG = 400, 60, 0.02
EXCHANGE = (0.02, 0.06)


def simulate(seed: int, change: np.ndarray = TRUE, missing: float = 0.0) -> tuple[pd.DataFrame, np.ndarray]:
    """A table of labelled tracks, and the true states (tracks, frames)."""
    rng, n = np.random.default_rng(seed), len(change)
    states = np.empty((TRACKS, FRAMES), int)
    states[:, 0] = rng.integers(n, size=TRACKS)
    for frame in range(1, FRAMES):
        bounds = change[states[:, frame - 1]].cumsum(1)[:, :-1]
        states[:, frame] = (rng.random((TRACKS, 1)) > bounds).sum(1)
    wrong = rng.random(states.shape) < WRONG
    labels = np.where(wrong, (states + rng.integers(1, n, states.shape)) % n, states)
    track, frame = (grid.ravel() for grid in np.indices(states.shape))
    table = pd.DataFrame({"track": track, "frame": frame, "y": 1.0 * track, "x": 1.0, "class": labels.ravel()})
    return table[rng.random(len(table)) >= missing], states


def found_changes(events: pd.DataFrame, states: np.ndarray) -> tuple[int, int, int]:
    """Changes that are found to a frame, that are reported, and that there are."""
    waiting = defaultdict(list)
    for track, step in zip(*np.nonzero(np.diff(states, axis=1)), strict=True):
        waiting[track, str(states[track, step]), str(states[track, step + 1])].append(step + 1)
    right = 0
    for event in events.to_dict("records"):
        there = waiting[event["track"], event["from"], event["to"]]
        near = [frame for frame in there if abs(frame - event["frame"]) <= 1]
        if near:
            right += 1
            there.remove(near[0])
    return right, len(events), int((np.diff(states, axis=1) != 0).sum())


def bounds(found: Transitions) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of all probabilities."""
    n = len(found.matrix)
    low, high = (found.table[name].to_numpy().reshape(n, n) for name in ("probability_low", "probability_high"))
    return low, high


def known_width(states: np.ndarray) -> np.ndarray:
    """Width of the intervals if the states were known."""
    n = len(TRUE)
    counts = np.bincount((states[:, :-1] * n + states[:, 1:]).ravel(), minlength=n * n).reshape(n, n)
    rng = np.random.default_rng(0)
    low, high = shortest_interval(np.stack([rng.dirichlet(row + 0.5, 400) for row in counts], 1))
    return high - low


def chains(missing: float) -> str:
    """A line on five seeds."""
    inside, widths, off, plain, counts = 0, [], 0.0, 0.0, np.zeros(3, int)
    for seed in range(5):
        table, states = simulate(seed, missing=missing)
        found = nv.analysis.transitions(table)
        low, high = bounds(found)
        inside += int(((low <= TRUE) & (high >= TRUE)).sum())
        widths.append(((high - low) / known_width(states)).mean())
        off = max(off, np.abs(found.matrix.to_numpy() - TRUE).max())
        after = table["class"].shift(-1)[table["track"] == table["track"].shift(-1)]
        as_they_are = pd.crosstab(table["class"][after.index], after, normalize="index")
        plain = max(plain, np.abs(as_they_are.to_numpy() - TRUE).max())
        counts += found_changes(found.events, states)
    right, reported, there = counts
    return (
        f"| {missing:.0%} missing | {inside} of 45 (≥ 38) | {np.max(widths):.2f} (≤ 1.5) | {off:.4f} (≤ 0.008) "
        f"| {plain:.3f} | {right / reported:.3f} (≥ 0.93) | {right / there:.3f} (≥ 0.90) |"
    )


def pictures(seeds: int) -> None:
    """From movies to rates."""
    inside = []
    for seed in range(seeds):
        movie, _ = nv.samples.movie(frames=20, size=160, seed=seed, dopants=0.0, drift=0.5, exchange=EXCHANGE)
        atoms = nv.link_atoms(nv.detect_atoms(movie), image=movie)
        atoms["class"] = nv.cluster(atoms, n=2, columns=["amplitude"])
        low, high = bounds(nv.analysis.transitions(atoms))
        inside.append([low[i, 1 - i] <= rate <= high[i, 1 - i] for i, rate in enumerate(EXCHANGE)])
    both, each = np.all(inside, axis=1).sum(), np.sum(inside, axis=0)
    print(f"\nMovies: both rates inside their intervals in {both} of {seeds} (≥ 18 of 20); each in {each.tolist()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20, help="movies")
    chosen = parser.parse_args()
    print("| labels | inside | width beside known states | largest error | as they are | precision | recall |")
    print("|---|---|---|---|---|---|---|")
    for missing in (0.0, 0.2):
        print(chains(missing))
    still = sum(len(nv.analysis.transitions(simulate(seed, np.eye(3))[0]).events) for seed in range(5))
    print(f"\nChanges in five movies in which nothing changes: {still} (≤ 5)")
    pictures(chosen.pictures)
