"""Domains through a transition: where it is, which variants there are, and where their walls lie, without any label.

    python benchmarks/fields.py [--seeds 20]

Simulated movies of domains of lamellae (`napari_vae.samples.domains`), each with a transition of its own. A trVAE
learns from the windows of a grid of step 20; the change of its latents along the temperature is compared with the
transition. Three frames below it are read on a grid of step 2; their angles are grouped, and the groups are compared
with the variants pixel by pixel, and the borders of groups with the walls, within 3 px.
"""

from __future__ import annotations

import argparse
import time
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt

import napari_vae as nv
from napari_vae.samples.domains import DomainMovie, walls_of

WINDOW, COARSE, DENSE, TOLERANCE = 16, 20, 2, 3
MODEL = nv.ModelConfig.preset("trvae", shift_prior=0.25)  # a shift by half a period is half a window
EPOCHS, VARIANTS = 36, 3
TRANSITIONS = (340.0, 450.0)


def movie_of(seed: int) -> DomainMovie:
    """A movie whose transition is drawn by the seed."""
    transition = float(np.random.default_rng(seed).uniform(*TRANSITIONS))
    return nv.samples.domains(seed=seed, variants=VARIANTS, transition=transition)


def dense_classes(run: nv.Run, image: np.ndarray) -> tuple[np.ndarray, int]:
    """Class of every pixel of a frame within half a window of no border, and how many there are."""
    latents = nv.apply_run(run, image, grid=DENSE).latents
    classes = nv.cluster(latents, columns=["angle"], symmetry=2)
    rows, columns = (latents[name].nunique() for name in ("y", "x"))
    return np.kron(classes.to_numpy().reshape(rows, columns), np.ones((DENSE, DENSE), int)), int(classes.nunique())


def compared(found: np.ndarray, variants: np.ndarray) -> tuple[float, float]:
    """Share of the pixels whose variant is right under the best naming of classes, and F1 of the walls."""
    start = (WINDOW - DENSE) // 2
    there = variants[start : start + found.shape[0], start : start + found.shape[1]]
    names = range(max(VARIANTS, found.max() + 1))
    right = max((np.array(order)[found] == there).mean() for order in permutations(names))
    ours, true = walls_of(found), walls_of(there)
    precision = (distance_transform_edt(~true)[ours] <= TOLERANCE).mean() if ours.any() else 0.0
    recall = (distance_transform_edt(~ours)[true] <= TOLERANCE).mean()
    return float(right), float(2 * precision * recall / max(precision + recall, 1e-9))


def examine(seed: int) -> dict[str, float]:
    """What is found in one movie."""
    begun = time.process_time()
    movie = movie_of(seed)
    heat = pd.Series(movie.temperature, name="temperature")
    train = nv.TrainConfig(epochs=EPOCHS, device="cpu", seed=seed)
    analysis = nv.analyze(
        movie.image, model=MODEL, train=train, grid=COARSE, window=WINDOW, covariate=heat, n_classes=1
    )
    change = nv.analysis.change_along(analysis.latents, "temperature", symmetry=2)
    first = int((movie.temperature < movie.transition).sum())
    told = int(np.flatnonzero(movie.temperature == change.after)[0])
    results = []
    for frame in (0, first // 2, first - 1):
        classes, number = dense_classes(analysis.run, movie.image.data[frame])
        results.append((*compared(classes, movie.variants[frame]), number == VARIANTS))
    right, walls, all_found = np.array(results).T
    held = change.low <= movie.temperature[first - 1] and movie.temperature[first] <= change.high
    return {
        "seed": seed,
        "off": told - first,
        "held": held,
        "right": right.mean(),
        "walls": walls.mean(),
        "all": bool(all_found.all()),
        "last": right[-1],
        "seconds": time.process_time() - begun,
    }


def met(value: float, bar: float) -> str:
    """In words."""
    return "met" if value >= bar else "missed"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="movies")
    chosen = parser.parse_args()
    print("| seed | frames off | in the interval | variants right (last frame) | F1 of walls | all found | s |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for seed in range(chosen.seeds):
        row = examine(seed)
        rows.append(row)
        words = "| {seed} | {off} | {held} | {right:.4f} ({last:.4f}) | {walls:.3f} | {all} | {seconds:.0f} |"
        print(words.format(**row), flush=True)
    table = pd.DataFrame(rows)
    near = int((table["off"].abs() <= 1).sum())
    bar = round(0.9 * len(table))
    print(f"\nTransition within a frame in {near} of {len(table)} (≥ {bar}): {met(near, bar)}")
    print(f"Within the 95 % interval in {int(table['held'].sum())} of {len(table)}")
    for name, bar, words in (("right", 0.98, "Variants right"), ("walls", 0.95, "F1 of walls")):
        print(f"{words}: mean {table[name].mean():.4f} (≥ {bar}), worst {table[name].min():.4f}: ", end="")
        print(met(table[name].mean(), bar))
    print(f"All variants found, and no more: {int(table['all'].sum())} of {len(table)}")
