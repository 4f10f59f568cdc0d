"""Sr and Ti-O columns of a real SrTiO3 micrograph, told apart without labels.

    python benchmarks/sto.py [--seeds 3]

``lattices/16_STOimage_1.ser`` in the folder NAPARI_VAE_DATA (default ``../shared/data``), all settings left alone. A
found column takes the label of the nearest labelled one within 8 px, a quarter of the cell; the others do not count.
Two-class labels: of the plain rVAE a Gaussian mixture of its latents, of the joint rVAE its own classes. Prints a
markdown table of balanced accuracies, the better of the two ways to name the classes.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

import napari_vae as nv

DATA = Path(os.environ.get("NAPARI_VAE_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data")).resolve()
NEAR, BAR = 8.0, 0.98


def labelled_patches(folder: Path) -> tuple[nv.Patches, np.ndarray]:
    """Windows around the detected columns, and for each 1 for Sr, 0 for Ti-O, −1 where no label is near."""
    image = nv.read(folder / "16_STOimage_1.ser")
    patches = nv.extract_patches(image, nv.detect_atoms(image))
    with (folder / "NCEM_STO_ser_classes.csv").open() as file:
        rows = np.array(list(csv.reader(file))[1:], float)
    distance, nearest = cKDTree(rows[:, 1::-1]).query(patches.atoms[["y", "x"]])
    return patches, np.where(distance < NEAR, rows[nearest, 2], -1).astype(int)


def balanced_accuracy(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean share of right labels in the two classes, under the better of the two namings."""
    found, truth = found[truth >= 0], truth[truth >= 0]
    right = [np.mean([np.mean((found == (k ^ swap))[truth == k]) for k in (0, 1)]) for swap in (0, 1)]
    return float(max(right))


def measure(kind: str, patches: nv.Patches, truth: np.ndarray, seed: int) -> tuple[float, float]:
    """Balanced accuracy and seconds of training."""
    if kind == "rvae":
        model = nv.ModelConfig.preset("rvae")
    else:
        model = nv.ModelConfig(kind="joint", invariances=("rotation",), n_classes=2)
    start = time.perf_counter()
    run = nv.fit(patches, model, nv.TrainConfig(seed=seed))
    seconds = time.perf_counter() - start
    table = run.encode(patches)
    classes = nv.cluster(table, seed=seed) if kind == "rvae" else table["class"]  # their number is found, too
    return balanced_accuracy(classes.to_numpy(), truth), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each model")
    seeds = range(parser.parse_args().seeds)
    if not (DATA / "lattices").is_dir():
        print("The real micrographs are not here; name their folder in NAPARI_VAE_DATA.")
        return
    patches, truth = labelled_patches(DATA / "lattices")
    print(f"{len(patches)} windows of {patches.window[0]} px, {np.sum(truth >= 0)} labelled\n")
    print("| model | classes from | balanced accuracy, median | worst | bar | met | training, s |")
    print("|---|---|---|---|---|---|---|")
    for kind, source in (("rvae", "clouds of latents, as many as there are"), ("j-rvae", "its own")):
        try:
            figures, seconds = np.array([measure(kind, patches, truth, seed) for seed in seeds]).T
        except nv.InputError as error:
            print(f"| {kind} | {source} | {error} | | | | |")
            continue
        met = "yes" if figures.min() >= BAR else "**no**"
        told = f"{np.median(figures):.4f} | {figures.min():.4f} | ≥ {BAR} | {met} | {np.median(seconds):.0f}"
        print(f"| {kind} | {source} | {told} |", flush=True)


if __name__ == "__main__":
    main()
