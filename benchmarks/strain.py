"""The strain of simulated crystals, read from the pose of a model without labels, against the truth.

    python benchmarks/strain.py [--seeds 3] [--model strain-rvae]

Graphene and a perovskite under a smooth random strain of at most 3 %, at the default dose (100 electrons per pixel at
the peak), scan jitter (0.2 px) and drift, 1024² pixels. Only the strain field moves the atoms: the static displacements
and polar shifts that the samples have by default are strain of a single window too. Atoms are detected, and the model
is the strain-rvae as it is, on windows of four spacings: three neighbours alone do not tell 1 % of strain at this dose.
R² is that of the linear relation between ``screen_strain_xx``, ``screen_strain_xy`` of `Run.encode` and the truth of
the nearest atom; its slope is 1 for strains of the right size.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

import napari_vae as nv

BAR, STRAIN, SPACINGS = 0.95, 0.03, 4
ORDERED = {"displacement": 0.0, "polar": 0.0}
PRISTINE = ORDERED | {"vacancies": 0.0, "dopants": 0.0}


@dataclass(frozen=True)
class Case:
    """A sample and the options of its simulation; the perovskite's pixels are such that a spacing is 12 px, too."""

    name: str
    kind: str
    options: dict[str, float]


CASES = (
    Case("graphene", "graphene", PRISTINE),
    Case("graphene, 1 % vacancies, 2 % dopants", "graphene", ORDERED),
    Case("perovskite", "perovskite", PRISTINE | {"pixel_size": 0.024}),
    Case("perovskite, 1 % vacancies, 2 % dopants", "perovskite", ORDERED | {"pixel_size": 0.024}),
)


def measure(case: Case, preset: str, seed: int, size: int) -> dict[str, float]:
    """R² and slope of either component, number of windows, seconds of training."""
    image, truth = nv.samples.micrograph(case.kind, size, seed=seed, strain_field=STRAIN, **case.options)
    atoms = nv.detect_atoms(image)
    patches = nv.extract_patches(image, atoms, window=2 * round(SPACINGS / 2 * nv.estimate_spacing(image)))
    distance, nearest = cKDTree(truth[["y", "x"]]).query(patches.atoms[["y", "x"]])
    start = time.perf_counter()
    run = nv.fit(patches, nv.ModelConfig.preset(preset), nv.TrainConfig(seed=seed))
    figures = {"seconds": time.perf_counter() - start, "windows": len(patches)}
    table, near = run.encode(patches), distance < 3
    for component in ("xx", "xy"):
        found = table[f"screen_strain_{component}"].to_numpy()[near]
        true = truth[f"strain_{component}"].to_numpy()[nearest[near]]
        figures[f"R² {component}"] = float(np.corrcoef(found, true)[0, 1] ** 2)
        figures[f"slope {component}"] = float(np.polyfit(true, found, 1)[0])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="micrographs, each with a training of its own")
    parser.add_argument("--size", type=int, default=1024, help="rows and columns of the micrographs")
    parser.add_argument("--model", default="strain-rvae", help="preset; strain-rsvae infers the dilation as well")
    chosen = parser.parse_args()
    print("| sample | strain | R², median | worst | bar | met | slope, median | windows | training, s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        runs = [measure(case, chosen.model, seed, chosen.size) for seed in range(chosen.seeds)]
        windows, seconds = (np.median([run[name] for run in runs]) for name in ("windows", "seconds"))
        for component in ("xx", "xy"):
            values = [run[f"R² {component}"] for run in runs]
            slope = np.median([run[f"slope {component}"] for run in runs])
            met = "yes" if min(values) >= BAR else "**no**"
            told = f"{np.median(values):.3f} | {min(values):.3f} | ≥ {BAR} | {met} | {slope:.2f}"
            print(f"| {case.name} | {component} | {told} | {windows:.0f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
