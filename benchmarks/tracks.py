"""Atoms followed through simulated movies: links right and wrong, drift, seconds of processor, beside trackpy.

    python benchmarks/tracks.py [--seeds 2] [--frames 20] [--size 384]

For trackpy, whose dependencies are its own, make an environment with napari-vae and `pip install trackpy==0.7`, and
run the script there; without it those lines are left out. The atoms are those of the truth, with all that happens to
them: they jump about their sites (σ 0.003 nm), hop, vanish, appear and flicker. trackpy links positions as they are
(without one of its predictors); it is given the same reach and memory, and its lines are only for movies with a drift
below that reach. The last table is the time of 200 frames of 5000 atoms each.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

import napari_vae as nv

BOND = {"graphene": 0.142 / 0.0115, "perovskite": 0.39 / 0.024 / np.sqrt(2)}  # px
PIXEL = {"graphene": None, "perovskite": 0.024}
DRIFTS = (0.0, 0.1, 0.4, 0.7, 1.3)  # spacings per frame
REACH, MEMORY = 0.45, 1

Link = tuple[int, int]


def right_and_false_links(truth: pd.DataFrame, found: pd.DataFrame) -> tuple[float, float]:
    """Share of the true links from one sight of an atom to its next that are found, and of the found that are false.

    Both tables have the same rows in the same order, with the columns frame and track.
    """
    real, made = _links(truth), _links(found)
    return len(real & made) / len(real), len(made - real) / max(1, len(made))


def _links(table: pd.DataFrame) -> set[Link]:
    order = np.lexsort([table["frame"], table["track"]])
    track = table["track"].to_numpy()[order]
    same = track[1:] == track[:-1]
    return set(zip(order[:-1][same].tolist(), order[1:][same].tolist(), strict=True))


def by_trackpy(atoms: pd.DataFrame, reach: float) -> pd.DataFrame:
    """The same table with the column ``track`` from trackpy."""
    import trackpy

    trackpy.quiet()
    linked = trackpy.link(atoms.drop(columns="track"), reach, memory=MEMORY, pos_columns=["y", "x"], t_column="frame")
    return atoms.assign(track=linked["particle"].reindex(atoms.index))


def measure(kind: str, drift: float, chosen: argparse.Namespace, trackpy: bool) -> None:
    """Print the lines of one kind of movie."""
    spacing = BOND[kind]
    ways: dict[str, list[tuple[float, float, float, float]]] = {}
    for seed in range(chosen.seeds):
        images, truth = nv.samples.movie(
            kind, chosen.frames, chosen.size, seed=seed, drift=drift * spacing, pixel_size=PIXEL[kind]
        )
        tries: dict[str, Callable[[], pd.DataFrame]] = {
            "positions": lambda truth=truth: nv.link_atoms(truth, memory=MEMORY),
            "positions and images": lambda truth=truth, images=images: nv.link_atoms(
                truth, image=images, memory=MEMORY
            ),
        }
        if trackpy and drift < REACH:
            tries["trackpy"] = lambda truth=truth: by_trackpy(truth, REACH * spacing)
        for way, run in tries.items():
            start = time.process_time()
            found = run()
            seconds = time.process_time() - start
            off = np.nan
            if way != "trackpy":
                off = np.abs(np.array(found.attrs["napari_vae"]["drift"]) - truth.attrs["drift"]).max()
            ways.setdefault(way, []).append((*right_and_false_links(truth, found), float(off), seconds))
    for way, rows in ways.items():
        right, false, off, seconds = np.array(rows).T
        error = "–" if np.isnan(off).all() else f"{off.max():.2f}"
        print(
            f"| {kind} | {drift:g} | {way} | {right.min():.4f} | {false.max():.4f} | {error} | {seconds.mean():.1f} |",
            flush=True,
        )


def large_movie(frames: int = 200, side: int = 71, spacing: float = 12.0) -> pd.DataFrame:
    """A square lattice of about 5000 atoms that drifts, with 1 % missing in each frame."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2) * spacing
    parts = []
    for frame in range(frames):
        points = grid + frame * np.array([1.0, -0.7]) + rng.normal(0, 0.5, grid.shape)
        seen = np.flatnonzero(rng.random(len(grid)) > 0.01)
        parts.append(pd.DataFrame({"frame": frame, "y": points[seen, 0], "x": points[seen, 1], "track": seen}))
    return pd.concat(parts, ignore_index=True)


def measure_speed(trackpy: bool) -> None:
    """Print how long 200 × 5000 atoms take."""
    print("\n| 200 × 5000 atoms | links found | false | processor, s |\n|---|---|---|---|")
    truth, spacing = large_movie(), 12.0
    tries: dict[str, Callable[[], pd.DataFrame]] = {
        "napari-vae": lambda: nv.link_atoms(truth, memory=MEMORY),
        "napari-vae, reach 1.25 spacings": lambda: nv.link_atoms(truth, reach=1.25 * spacing, memory=MEMORY),
    }
    if trackpy:
        tries["trackpy"] = lambda: by_trackpy(truth, REACH * spacing)
    for way, run in tries.items():
        start = time.process_time()
        found = run()
        seconds = time.process_time() - start
        right, false = right_and_false_links(truth, found)
        print(f"| {way} | {right:.4f} | {false:.4f} | {seconds:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="movies of each kind")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--size", type=int, default=384, help="rows and columns")
    chosen = parser.parse_args()
    trackpy = importlib.util.find_spec("trackpy") is not None
    if not trackpy:
        print("trackpy is not installed here; its lines are left out.\n")
    print("| sample | drift, spacings a frame | from | links found, worst | false, worst", end=" | ")
    print("drift off by, px | processor, s |")
    print("|---|---|---|---|---|---|---|")
    for kind in BOND:
        for drift in DRIFTS:
            measure(kind, drift, chosen, trackpy)
    measure_speed(trackpy)


if __name__ == "__main__":
    main()
