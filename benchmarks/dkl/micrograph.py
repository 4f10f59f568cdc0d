"""A micrograph with several kinds of defects: how many atoms must be looked at to find the rarest kind?

    python benchmarks/dkl/micrograph.py [--micrographs 3] [--seeds 4] [--rarest N] [--processes 3]

Simulated graphene of 512², about 1200 atoms with a whole window, all else as `samples.micrograph` has it: C, C beside a
vacancy, Si on 3 % of the sites and N, hardly brighter than C, on 1 % (or the other way round, ``--rarest Si``). Atoms
are detected and windows cut with all settings left alone. The oracle names the kind of the true atom nearest to a
detected one. From 10 atoms at random, then ten at a time, up to 100:

encoder
    `DeepKernelGP` on the latents of an rVAE that was trained on all windows of the micrograph without a label.
pixels
    The same on the windows alone.
pi
    Looks for the rarest kind; until one of it was met, where the model is least sure.
variance
    Does not know what is looked for: always where the model is least sure.
random
    No choice. Its measurements until the first and the fifth are expectations, (N + 1) / (K + 1) for each atom.

For the sake of time the rVAE is trained for 14 epochs, and a deep kernel is one network for 100 steps, not an ensemble
of four for 300. Every search begins with other atoms. Prints a markdown table of means over all searches with their
95 % intervals (Student's); ``≥`` where some ended before. ``found`` is the share of the rarest kind that was measured.
Precision and recall are of the predicted kinds of all atoms after 100 measurements, those measured with the kind that
they got; both are 0 where no atom is called of that kind.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.stats import t as student

import napari_vae as nv
from napari_vae.learning.gp.deep_kernel import DeepKernelGP

KINDS = ("C", "C beside a vacancy")
COMMON, RARE = 0.03, 0.01
SOUGHT = len(KINDS) + 1  # the class of the rarest kind, which is named last
NEAR = 4.0  # px, within which a detected atom is a true one
SIZE, START, BATCH, BUDGET = 512, 10, 10, 100
EPOCHS, STEPS = 14, 100  # epochs as the demonstration, which tells dopants and neighbours of vacancies apart with them
WAYS = [(view, way) for view in ("encoder", "pixels") for way in ("pi", "variance", "random")]
FIGURES = ("first", "fifth", "found", "precision", "recall")


@dataclass(frozen=True)
class Scene:
    """Windows around the detected atoms, and the class of each."""

    patches: nv.Patches
    kind: np.ndarray

    @classmethod
    def simulated(cls, rarest: str, seed: int) -> Scene:
        """A micrograph, its detected atoms, and the truth about them; detections that are no atom are left out."""
        common = "Si" if rarest == "N" else "N"
        image, truth = nv.samples.micrograph("graphene", size=SIZE, seed=seed, dopants={common: COMMON, rarest: RARE})
        atoms = nv.detect_atoms(image)
        distance, row = cKDTree(truth[["y", "x"]]).query(atoms[["y", "x"]])
        true = truth.iloc[row].reset_index(drop=True)
        kind = np.where(true["vacant_neighbours"] > 0, 1, 0)
        kind = np.where(true["species"] == common, SOUGHT - 1, np.where(true["species"] == rarest, SOUGHT, kind))
        there = distance < NEAR
        patches = nv.extract_patches(image, atoms[there].assign(kind=kind[there]))
        return cls(patches, patches.atoms["kind"].to_numpy())


def search(model: DeepKernelGP, candidates: object, kind: np.ndarray, way: str, seed: int) -> dict[str, float]:
    """Measure up to the budget, and name the kind of all atoms."""
    order = np.random.default_rng(seed).permutation(len(kind))
    exploration = nv.learning.Exploration(
        candidates,
        model=model,
        acquisition="pi" if way == "pi" else "variance",
        goal=float(SOUGHT),
        start=order[: BUDGET if way == "random" else START].tolist(),
        batch=BATCH,
        seed=seed,
    )
    began = time.perf_counter()
    while len(exploration.measured) < BUDGET:
        rows = exploration.suggest().indices
        exploration.tell(rows, kind[rows])
    seconds = time.perf_counter() - began
    predicted = exploration.predict()  # None where only one kind was met
    named = np.full(len(kind), exploration.values[0]) if predicted is None else predicted[0].argmax(1)
    named[exploration.measured] = exploration.values
    return judged(kind, exploration.measured, named) | {"s": seconds}


def judged(kind: np.ndarray, measured: np.ndarray, named: np.ndarray) -> dict[str, float]:
    """When atoms of the rarest kind were met, and how well they are known in the end."""
    rare = kind == SOUGHT
    met = np.append(np.flatnonzero(rare[measured]) + 1.0, [np.inf] * 5)
    hit = np.sum(rare & (named == SOUGHT))
    return {
        "first": met[0],
        "fifth": met[4],
        "found": rare[measured].sum() / rare.sum(),
        "precision": hit / max(1, np.sum(named == SOUGHT)),
        "recall": hit / rare.sum(),
    }


def micrograph(rarest: str, seeds: int, number: int) -> list[dict[str, dict[str, float]]]:
    """All searches in one micrograph, by seed."""
    torch.set_num_threads(1)
    scene = Scene.simulated(rarest, number)
    atoms, rare = len(scene.kind), int(np.sum(scene.kind == SOUGHT))
    began = time.perf_counter()
    run = nv.fit(scene.patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(seed=number, epochs=EPOCHS))
    about = {"atoms": float(atoms), "rarest": float(rare), "s": time.perf_counter() - began}
    searches = []
    for seed in range(1000 * number, 1000 * number + seeds):
        told = {"scene": about}
        for view, way in WAYS:
            features = run if view == "encoder" else None
            model = DeepKernelGP(features, target="class", ensemble=1, steps=STEPS, seed=seed)
            figures = search(model, model.prepare(scene.patches), scene.kind, way, seed)
            if way == "random":
                figures |= {"first": (atoms + 1) / (rare + 1), "fifth": 5 * (atoms + 1) / (rare + 1)}
            told[f"{view}, {way}"] = {name: float(value) for name, value in figures.items()}
            print(seed, view, way, told[f"{view}, {way}"], file=sys.stderr, flush=True)
        searches.append(told)
    return searches


def interval(values: list[float]) -> str:
    """Mean with its 95 % interval; a search that ended before counts as if it had been the next measurement."""
    known = np.minimum(values, BUDGET + 1) if np.isinf(values).any() else np.array(values)
    half = student.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    return f"{'≥ ' * bool(np.isinf(values).any())}{known.mean():.3g} ± {half:.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micrographs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4, help="searches in each of them")
    parser.add_argument("--rarest", choices=("N", "Si"), default="N")
    parser.add_argument("--processes", type=int, default=3, help="micrographs at a time, each on one thread")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.processes) as pool:
        found = pool.map(partial(micrograph, chosen.rarest, chosen.seeds), range(chosen.micrographs))
        told = [search for searches in found for search in searches]
    scenes = {name: [one["scene"][name] for one in told] for name in ("atoms", "rarest", "s")}
    print(", ".join(f"{name} {min(v):.0f} to {max(v):.0f}" for name, v in scenes.items()))
    print(f"\n| {chosen.rarest} sought by | {' | '.join(FIGURES)} |\n{'|---' * (len(FIGURES) + 1)}|")
    for view, way in WAYS:
        cells = [interval([one[f"{view}, {way}"][name] for one in told]) for name in FIGURES]
        print(f"| {view}, {way} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
