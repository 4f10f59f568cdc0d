"""Whether a model tells images of its own kind from others when it is applied.

    python benchmarks/likeness.py [--seeds 5]

A model of rotation is trained on one simulated image, 512², of graphene and one of perovskite, with the settings of the
window, and applied to others; atoms are detected. Of the same kind are other seeds, half and double the dose, three
times the dopants and another tilt; of another kind are the other crystal, pixels 1.3 and 2 times as large, and the
negative of the image. No image knows its calibration. Prints a markdown table: how many of the images were warned of,
and the medians of what the warning is about.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

import napari_vae as nv
from napari_vae.runs.likeness import Likeness
from napari_vae.workflow.apply import apply_run

KINDS = {"graphene": ("perovskite", 0.0115, 0.02), "perovskite": ("graphene", 0.012, 0.02)}  # other, nm, dopants
SIZE, DOSE, TILT = 512, 100.0, 7.0
Case = tuple[str, bool, np.ndarray]


def image(kind: str, seed: int, **options: float) -> np.ndarray:
    """The counts, without their calibration."""
    return np.asarray(nv.samples.micrograph(kind, SIZE, seed=seed, **options)[0].data)


def cases(kind: str, seed: int) -> Iterator[Case]:
    """Names, whether a warning is right, and images."""
    other, pixel, dopants = KINDS[kind]
    yield "another seed", False, image(kind, seed)
    yield "half the dose", False, image(kind, seed, dose=DOSE / 2)
    yield "double the dose", False, image(kind, seed, dose=DOSE * 2)
    yield "three times the dopants", False, image(kind, seed, dopants=3 * dopants)
    yield "another tilt", False, image(kind, seed, angle=TILT + 20)
    yield f"{other}", True, image(other, seed)
    yield "pixels 1.3 times as large", True, image(kind, seed, pixel_size=1.3 * pixel)
    yield "pixels 1.3 times as small", True, image(kind, seed, pixel_size=pixel / 1.3)
    yield "pixels twice as large", True, image(kind, seed, pixel_size=2 * pixel)
    negative = image(kind, seed)
    yield "negative", True, negative.max() - negative


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(1, 1 + parser.parse_args().seeds)
    print("| model of | applied to | warned of | unlike windows | spacing, times | right |\n|---|---|---|---|---|---|")
    for kind in KINDS:
        run = nv.analyze(image(kind, 0), model="rvae").run
        found: dict[tuple[str, bool], list[Likeness]] = {}
        for seed in seeds:
            for name, other, counts in cases(kind, seed):
                found.setdefault((name, other), []).append(apply_run(run, counts).likeness)
        for (name, other), told in found.items():
            warned = sum(likeness.sentence is not None for likeness in told)
            unlike, spacing = (float(np.median([getattr(t, of) for t in told])) for of in ("unlike", "spacing_ratio"))
            right = "yes" if warned == (len(told) if other else 0) else "**no**"
            print(f"| {kind} | {name} | {warned} of {len(told)} | {unlike:.3f} | {spacing:.2f} | {right} |", flush=True)


if __name__ == "__main__":
    main()
