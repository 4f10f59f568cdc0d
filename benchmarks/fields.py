"""Domains through a transition: where it is, which variants there are, and where their walls lie, without any label.

    python benchmarks/fields.py [--seeds 20] [--first 0] [--baselines]

Simulated movies of domains of lamellae (`napari_vae.samples.domains`), each with a transition of its own. A trVAE
learns from the windows of a grid of step 20; the change of its latents along the temperature is compared with the
transition. Three frames below it are read on a grid of step 2; their angles are grouped, and the groups are compared
with the variants pixel by pixel, and the borders of groups with the walls, within 3 px. ``--baselines`` does the same
with PCA, NMF and Gaussian mixtures of the windows, their Fourier and Radon transforms, which are told how many variants
there are.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment

import napari_vae as nv
from napari_vae.samples.domains import DomainMovie, walls_of

WINDOW, COARSE, DENSE, TOLERANCE = 16, 20, 2, 3
MODEL = nv.ModelConfig.preset("trvae", latent_dim=1, shift_prior=0.25)  # a shift by half a period is half a window
EPOCHS, VARIANTS = 40, 3
TRANSITIONS = (340.0, 450.0)


def movie_of(seed: int) -> DomainMovie:
    """A movie whose transition is drawn by the seed."""
    transition = float(np.random.default_rng(seed).uniform(*TRANSITIONS))
    return nv.samples.domains(seed=seed, variants=VARIANTS, transition=transition)


def dense_classes(run: nv.Run, image: np.ndarray) -> np.ndarray:
    """Class of every pixel of a frame but for half a window along the border; how many there are is found."""
    return as_pixels(nv.cluster(nv.apply_run(run, image, grid=DENSE).latents, columns=["angle"], symmetry=2))


def as_pixels(classes: pd.Series) -> np.ndarray:
    """Classes of the places of a square grid, as a picture."""
    side = round(len(classes) ** 0.5)
    return np.kron(classes.to_numpy().reshape(side, side), np.ones((DENSE, DENSE), int))


def compared(found: np.ndarray, variants: np.ndarray) -> tuple[float, float, bool]:
    """Share of the pixels whose variant is right by the best names of classes, F1 of the walls, all variants found.

    A class more than there are variants counts as wrong; a variant is found where a class has most of its pixels.
    """
    start = (WINDOW - DENSE) // 2
    there = variants[start : start + found.shape[0], start : start + found.shape[1]]
    count = np.zeros((max(VARIANTS, found.max() + 1), VARIANTS))
    np.add.at(count, (found.ravel(), there.ravel()), 1)
    pairs = linear_sum_assignment(-count)
    right = count[pairs].sum() / count.sum()
    all_found = bool((count[pairs] > count.sum(0)[pairs[1]] / 2).all())
    ours, true = walls_of(found), walls_of(there)
    precision = (distance_transform_edt(~true)[ours] <= TOLERANCE).mean() if ours.any() else 0.0
    recall = (distance_transform_edt(~ours)[true] <= TOLERANCE).mean()
    return float(right), float(2 * precision * recall / max(precision + recall, 1e-9)), all_found


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
        results.append(compared(dense_classes(analysis.run, movie.image.data[frame]), movie.variants[frame]))
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


def examine_baselines(seed: int) -> pd.DataFrame:
    """The same of linear methods and mixtures: a row each."""
    movie = movie_of(seed)
    places = nv.patches.grid_positions(movie.image, COARSE, window=WINDOW)
    patches = nv.extract_patches(movie.image, places, window=WINDOW)
    first = int((movie.temperature < movie.transition).sum())
    rows = []
    for name, described in nv.analysis.baselines(patches, n=VARIANTS, seed=seed).items():
        columns = ["class"] if "class" in described else None
        change = nv.analysis.change_along(patches.atoms.join(described), "frame", columns=columns)
        rows.append({"name": name, "off": int(change.after) - first})
    for frame in (0, first - 1):
        image = movie.image.data[frame]
        dense = nv.extract_patches(image, nv.patches.grid_positions(image, DENSE, window=WINDOW), window=WINDOW)
        for row, described in zip(rows, nv.analysis.baselines(dense, n=VARIANTS, seed=seed).values(), strict=True):
            classes = described["class"] if "class" in described else nv.cluster(described, n=VARIANTS)
            right, walls, _ = compared(as_pixels(classes), movie.variants[frame])
            row |= {f"right {frame > 0}": right, f"walls {frame > 0}": walls}
    return pd.DataFrame(rows)


def met(value: float, bar: float) -> str:
    """In words."""
    return "met" if value >= bar else "missed"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="movies")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--baselines", action="store_true", help="linear methods and mixtures instead")
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    if chosen.baselines:
        found = pd.concat([examine_baselines(seed) for seed in seeds])
        found["near"] = found["off"].abs() <= 1
        means = found.groupby("name", sort=False).mean()
        print(
            f"{len(seeds)} movies\n\n| method | transition within a frame | variants right: cold, last | F1 of walls |"
        )
        print("|---|---|---|---|")
        for name, row in means.iterrows():
            right, walls = ([f"{row[f'{what} {last}']:.3f}" for last in (False, True)] for what in ("right", "walls"))
            print(f"| {name} | {row['near']:.0%} | {', '.join(right)} | {', '.join(walls)} |")
        raise SystemExit
    print("| seed | frames off | in the interval | variants right (last frame) | F1 of walls | all found | s |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for seed in seeds:
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
    print(f"All variants found: {int(table['all'].sum())} of {len(table)}")
