"""Detection measured: real lattices and single atoms with labels, simulated micrographs, other programs, time.

    python benchmarks/peers/setup.py --only detection && python benchmarks/detection.py [--big]

Real images are looked for in the folder NAPARI_VAE_DATA, by default ``../shared/data``. Every image is detected with
the same defaults. Without the environment of the first command the other programs are left out. ``--big`` adds an image
of 4096². Other work on the machine lengthens the seconds, but hardly the CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

import napari_vae as nv
from peers.detected import Detected, detect_with_others, within
from peers.setup import DETECTION
from truth.labels import AUTHORS, CLICKED, DATA, NEAR, Labelled, gold_particle, lattices, single_atoms
from truth.limit import cramer_rao
from truth.matching import Agreement, compare, judge, pair, spacing_of

__all__ = ["AUTHORS", "CLICKED", "Labelled", "agreement", "compare", "gold_particle", "lattices", "pair", "precision"]
__all__ += ["single_atoms", "spacing_of"]

KINDS, DOSES, BACKGROUND = ("graphene", "perovskite"), (200.0, 10.0, 1.6), 0.1
F1_BARS = {"re_bpy": 0.92, "acstem": 0.72, "Au particle": 0.92}
FASTER = 100  # times Atomap's, of the fit alone


def agreement(
    sample: Labelled, radius: float | None = None, border: float | None = None, method: str = "auto"
) -> tuple[Agreement, float]:
    """Agreement of the default detection, or of another method, with the labels, and the spacing it found.

    `radius` is within which a position counts as found, by default a quarter of the spacing; `border` does not count,
    by default one spacing. Both in pixels.
    """
    atoms = nv.detect_atoms(sample.image, method=method)
    spacing = spacing_of(sample.truth)
    radius, border = NEAR * spacing if radius is None else radius, spacing if border is None else border
    return compare(sample, atoms[["y", "x"]].to_numpy(), radius, border), atoms.attrs["napari_vae"]["spacing"]


@dataclass(frozen=True)
class Precision:
    """Simulated micrograph: agreement, 2-D RMS error, its limits (px), spread of the standardised errors."""

    agreement: Agreement
    error: float
    limit: float
    among: float
    spread: float


def simulated(kind: str, dose: float, size: int = 1024, seed: int = 0) -> tuple[nv.Micrograph, pd.DataFrame]:
    """A micrograph without scan noise, and its truth."""
    return nv.samples.micrograph(kind, size=size, dose=dose, seed=seed, jitter=0, drift=0, background=BACKGROUND)


def precision(kind: str, dose: float, size: int = 1024, seed: int = 0) -> Precision:
    """Detect a simulated micrograph without scan noise and compare with its truth."""
    image, truth = simulated(kind, dose, size, seed)
    atoms = nv.detect_atoms(image)
    judged = judge(atoms[["y", "x"]].to_numpy(), truth[["y", "x"]].to_numpy(), image.shape)
    standardised = judged.errors / atoms[["y_err", "x_err"]].to_numpy()[judged.right]
    return Precision(
        judged.agreement,
        judged.rms,
        cramer_rao(truth, BACKGROUND * dose, among=False),
        cramer_rao(truth, BACKGROUND * dose, among=True),
        float(np.nanstd(standardised)),
    )


def seconds(call: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """Shortest wall and CPU time of a few calls."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def print_table(*rows: tuple[object, ...]) -> None:
    head, *body = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    for row in (head, ["---"] * len(head), *body):
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def met(*wanted: bool) -> str:
    return "yes" if all(wanted) else "**no**"


def print_lattices(method: str) -> None:
    rows: list[tuple[object, ...]] = []
    gold, bar = gold_particle(), F1_BARS["Au particle"]
    for sample in lattices():
        agreed, spacing = agreement(sample, method=method)
        good = met(min(agreed.precision, agreed.recall) >= 0.98)
        found = agreed.precision, agreed.recall, agreed.f1, round(spacing, 1)
        rows.append((sample.name, len(sample.truth), *found, "precision, recall ≥ 0.98", good))
    for radius in (None, AUTHORS):
        agreed, spacing = agreement(gold, radius, method=method)
        found = agreed.precision, agreed.recall, agreed.f1, round(spacing, 1)
        name = gold.name if radius is None else f"{gold.name}, within {radius:.0f} px"
        judged = ("", "") if radius is None else (f"F1 ≥ {bar}", met(agreed.f1 >= bar))
        rows.append((name, len(gold.truth), *found, *judged))
    print(f"Real lattices, {method} (within 0.25 of the nearest-neighbour distance, away from the border)\n")
    print_table(("image", "labels", "precision", "recall", "F1", "spacing (px)", "bar", "met"), *rows)


def print_single_atoms(method: str) -> None:
    rows: list[tuple[object, ...]] = []
    for name in ("acstem", "re_bpy"):
        scores = [agreement(sample, CLICKED, 0, method)[0] for sample in single_atoms(DATA / name)]
        means = [float(np.mean([getattr(score, what) for score in scores])) for what in ("precision", "recall", "f1")]
        rows.append((name, len(scores), *means, f"F1 ≥ {F1_BARS[name]}", met(means[-1] >= F1_BARS[name])))
    print(f"Single atoms, {method} (clicked, within 6 px; means over the images)\n")
    print_table(("set", "images", "precision", "recall", "F1", "bar", "met"), *rows)


def print_electrons() -> None:
    """How precise by the electrons in a column, which count whatever the size of the pixels."""
    rows: list[tuple[object, ...]] = []
    for kind in KINDS:
        per_column = 2 * np.pi * float(simulated(kind, 1.0, 64)[1]["sigma"].iloc[0]) ** 2
        for electrons, share in ((5000, 0.999), (500, 0.999), (100, 0.97)):
            p = precision(kind, electrons / per_column)
            good = [min(p.agreement.precision, p.agreement.recall) >= share]
            bars = f"precision, recall ≥ {share}"
            if electrons >= 500:
                good += [p.error <= 1.15 * p.limit, 0.9 <= p.spread <= 1.1]
                bars += ", ratio ≤ 1.15, spread 0.9 to 1.1"
            found = p.agreement.precision, p.agreement.recall
            row = kind, electrons, *found, p.error, p.limit, p.error / p.limit, p.error / p.among, p.spread
            rows.append((*row, bars, met(*good)))
    print("Simulated 1024² by electrons in a column of C or of the A site")
    print("(error: 2-D RMS in px; limit: Cramér–Rao of columns alone; among: with neighbours that are unknown too)\n")
    head = ("sample", "electrons", "precision", "recall", "error", "limit", "ratio", "ratio among", "spread")
    print_table((*head, "bar", "met"), *rows)


def print_programs() -> None:
    """Ours and the others on the same images."""
    images = {f"{kind}, {dose:g}": simulated(kind, dose) for kind in KINDS for dose in DOSES}
    others: dict[str, list[Detected]] = {}
    if DETECTION.is_ready():
        others = detect_with_others({name: (image.data, truth) for name, (image, truth) in images.items()})
    else:
        print("Other programs are left out; run `python benchmarks/peers/setup.py --only detection` first.\n")
    found: list[tuple[object, ...]] = []
    fits: list[tuple[object, ...]] = []
    for name, (image, truth) in images.items():
        dose = float(name.split()[-1])
        positions, ours = detected(image, truth)
        limit = cramer_rao(truth, BACKGROUND * dose, among=False)
        for program in (ours, *others.get(name, [])):
            agreed, error = program.judged.agreement, program.judged.rms
            seen = program.shape
            same = judge(within(positions, seen), within(truth[["y", "x"]].to_numpy(), seen), seen)  # what it saw
            times = program.seconds, program.cpu, program.cpu / ours.cpu
            row = agreed.precision, agreed.recall, error, error / limit, error / same.rms, *times
            found.append((name, program.program, *row, program.settings))
            if program.fit_cpu and program is not ours:
                each = 1e3 * ours.fit_cpu, 1e3 * program.fit_cpu, program.fit_cpu / ours.fit_cpu
                fits.append((name, *each, f"≥ {FASTER}", met(each[-1] >= FASTER)))
    print("Programs on the same simulated 1024² (error: 2-D RMS in px; limit: Cramér–Rao of columns alone)\n")
    head = ("sample, electrons/px", "program", "precision", "recall", "error", "error/limit", "error/ours")
    print_table((*head, "seconds", "CPU s", "CPU/ours", "settings, best by the truth"), *found)
    if fits:
        print("CPU time of the 2-D Gaussian fit alone, per atom\n")
        print_table(("sample, electrons/px", "ours, ms", "Atomap, ms", "ratio", "bar", "met"), *fits)


def detected(image: nv.Micrograph, truth: pd.DataFrame) -> tuple[np.ndarray, Detected]:
    """Ours, with defaults that know nothing of the image; the fit is what detection takes longer with it."""
    wall, cpu = seconds(lambda: nv.detect_atoms(image))
    _, without = seconds(lambda: nv.detect_atoms(image, refine=False))
    found = nv.detect_atoms(image)[["y", "x"]].to_numpy()
    judged = judge(found, truth[["y", "x"]].to_numpy(), image.shape)
    return found, Detected("napari-vae", "defaults", image.shape, judged, wall, cpu, (cpu - without) / len(found))


def print_times(big: bool) -> None:
    rows: list[tuple[object, ...]] = []
    cases = [("graphene", 1024, 1.0), ("perovskite", 1024, 1.0), ("graphene", 2048, None), ("graphene", 4096, 10.0)]
    for kind, size, bar in cases if big else cases[:-1]:
        # A little more than the default, for 90 000 atoms.
        image, truth = nv.samples.micrograph(kind, size=size, pixel_size=0.0119 if size == 4096 else None)
        wall, cpu = seconds(lambda image=image: nv.detect_atoms(image), 2 if size == 4096 else 5)
        rows.append(
            (
                f"{kind} {size}²",
                len(truth),
                wall,
                cpu,
                *(("", "") if bar is None else (f"≤ {bar:g} s", met(wall <= bar))),
            )
        )
    print("Time to detect and refine\n")
    print_table(("image", "atoms", "seconds", "CPU s", "bar", "met"), *rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--big", action="store_true", help="also time 90 000 atoms in 4096²")
    parser.add_argument("--only", choices=("real", "electrons", "programs", "times"), help="one part")
    chosen = parser.parse_args()
    if chosen.only in (None, "real") and (DATA / "lattices").is_dir():
        for method in ("filter", "learned"):
            print_lattices(method)
            print_single_atoms(method)
    if chosen.only in (None, "electrons"):
        print_electrons()
    if chosen.only in (None, "programs"):
        print_programs()
    if chosen.only in (None, "times"):
        print_times(chosen.big)


if __name__ == "__main__":
    main()
