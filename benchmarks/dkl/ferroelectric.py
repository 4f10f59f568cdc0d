"""Which field curls or polarises a ferroelectric most: active learning over 7500 trajectories.

    python benchmarks/dkl/ferroelectric.py --cache trajectories.npz [--seeds 1] [--steps 500]

The experiment of Valleti et al. (arXiv 2303.14554): 100 trajectories at random, then 500 single steps, for the curl and
for the total polarisation at the end (see `samples.FieldResponse`). A candidate is its field at 90 points of time; the
numbers A, α, ω and B behind it are not shown. Steps are chosen by expected improvement (``ei``) or by the largest
variance (``variance``) of `DeepKernelGP` as it comes; by expected improvement of a process on two principal components
(``ei-pca``) or on two latents of a VAE (``ei-vae``), which it may stretch and turn but not bend; or at random. All
begin with the same 100. Afterwards the same kind of model is fitted from scratch to what each has measured, a deep
kernel for ``random``, and asked about all others. Prints markdown tables, medians over seeds with their range.

All targets are simulated beforehand, once, and kept in the file that ``--cache`` names; ``--records`` keeps every
exploration in a folder, from which a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm
from trajectories_data import TARGETS, TrajectoriesData, load

from napari_vae.analysis import knn_r2, measurements_to_reach, participation_ratio, roughness, simple_regret
from napari_vae.learning.explore.loop import explore
from napari_vae.learning.gp.deep_kernel import DeepKernelGP


@dataclass(frozen=True)
class Way:
    """How candidates are seen and chosen; no acquisition is random choice."""

    acquisition: str | None
    view: str = "fields"
    network: str = "auto"


WAYS = {
    "ei": Way("ei"),
    "variance": Way("variance"),
    "ei-pca": Way("ei", "pca", "linear"),
    "ei-vae": Way("ei", "vae", "linear"),
    "random": Way(None),
}
START, TOP = 100, 0.001  # random measurements first; the share of candidates that is looked for
FIGURES = ("R²", "RMSE", "inside 90 %")
Outcomes = dict[tuple[str, str], list["Outcome"]]


@dataclass(frozen=True)
class Outcome:
    """What a search measured, in order, and what a model learnt from that."""

    measured: np.ndarray
    seconds: float  # per step
    figures: dict[str, float]
    embedding: np.ndarray


def search(data: TrajectoriesData, target: str, name: str, seed: int, args: argparse.Namespace) -> Outcome:
    """Measure one candidate after the other, and learn from all of them in the end."""
    way, y = WAYS[name], data.targets[target]
    order = np.random.default_rng(seed).permutation(len(y))
    measured, start = order[: START + args.steps], time.perf_counter()
    if way.acquisition:
        record = explore(
            data.views[way.view],
            y,
            way.acquisition,
            model=DeepKernelGP(network=way.network, seed=seed),
            start=order[:START].tolist(),
            budget=START + args.steps,
            refit_every=args.refit_every,
            seed=seed,
            record=args.records and args.records / f"{target}-{name}-{seed}",
        )
        measured = record.measured
    seconds = (time.perf_counter() - start) / max(1, args.steps)
    return Outcome(measured, seconds, *learnt(data.views[way.view], y, measured, way.network, seed))


def learnt(
    rows: np.ndarray, y: np.ndarray, measured: np.ndarray, network: str, seed: int
) -> tuple[dict[str, float], np.ndarray]:
    """How well a model of what was measured predicts the others, and its embedding of all."""
    model = DeepKernelGP(network=network, seed=seed)
    prepared = model.prepare(rows)
    model.fit(prepared[measured], y[measured])
    others = np.setdiff1d(np.arange(len(y)), measured)
    mean, sd = model.predict(prepared[others])
    error = np.abs(mean - y[others])
    figures = (
        1 - np.mean(error**2) / y[others].var(),
        np.sqrt(np.mean(error**2)),
        np.mean(error <= norm.ppf(0.95) * sd),
    )
    return dict(zip(FIGURES, figures, strict=True)), model.embed(prepared)


def line(*cells: object) -> None:
    """Print one line of a table; a list of numbers as its median, with the range if they differ."""
    texts = []
    for cell in cells:
        if isinstance(cell, list):
            low, middle, high = (f"{value:.3g}" for value in np.quantile(cell, (0, 0.5, 1), method="nearest"))
            cell = middle if low == high else f"{middle} ({low} … {high})"
        texts.append(f"{cell:.3g}" if isinstance(cell, float) else str(cell).replace("inf", "never"))
    print(f"| {' | '.join(texts)} |", flush=True)


def head(*names: str) -> None:
    """Print the head of a table."""
    print(f"\n| {' | '.join(names)} |\n{'|---' * len(names)}|", flush=True)


def describe(data: TrajectoriesData) -> None:
    """What the targets are, and how much of them the ten nearest neighbours know in coordinates that nobody taught."""
    numbers = (data.numbers - data.numbers.mean(0)) / data.numbers.std(0)
    known = {"two PCA": data.views["pca"], "two latents": data.views["vae"], "A, α, ω, B": numbers}
    head("target", "median", "sd", f"best {TOP:.1%}", "best", *(f"k-NN R², {name}" for name in known))
    for name, y in data.targets.items():
        levels = [float(np.quantile(y, level)) for level in (1 - TOP, 1)]
        line(name, float(np.median(y)), float(y.std()), *levels, *(knn_r2(z, y) for z in known.values()))


def found(data: TrajectoriesData, outcomes: Outcomes, steps: int) -> None:
    """What the searches found, and when."""
    marks = sorted({START + share * steps // 20 for share in (0, 1, 2, 4, 20)})
    best = [f"best of {mark}" for mark in marks]
    head("target", "chosen by", *best, "regret, sd", f"until one of the best {TOP:.1%}", "until the best", "s/step")
    for (target, name), runs in outcomes.items():
        y = data.targets[target]
        values = [y[run.measured] for run in runs]
        so_far = [[v[:mark].max() for v in values] for mark in marks]
        regret = [simple_regret(v, y.max())[-1] / y.std() for v in values]
        until = [[measurements_to_reach(v, level) for v in values] for level in (np.quantile(y, 1 - TOP), y.max())]
        line(target, name, *so_far, regret, *until, [run.seconds for run in runs] if WAYS[name].acquisition else "")


def understood(data: TrajectoriesData, outcomes: Outcomes) -> None:
    """What a model learnt from the measurements, and how its embedding orders the target."""
    head("target", "measured by", *FIGURES, "k-NN R²", "roughness", "participation ratio")
    for (target, name), runs in outcomes.items():
        y = data.targets[target]
        figures = [[run.figures[figure] for run in runs] for figure in FIGURES]
        quality = [[measure(run.embedding, y) for run in runs] for measure in (knn_r2, roughness)]
        line(target, name, *figures, *quality, [participation_ratio(run.embedding) for run in runs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, help="file (.npz) that keeps the simulated targets")
    parser.add_argument("--records", type=Path, help="folder that keeps the explorations")
    parser.add_argument("--candidates", type=int, default=7500)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--refit-every", type=int, default=1)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    args = parser.parse_args()
    data = load(args.cache, args.candidates)
    describe(data)
    outcomes: Outcomes = {}
    for target in args.targets:
        for name in args.ways:
            outcomes[target, name] = [search(data, target, name, seed, args) for seed in range(args.seeds)]
            print(f"{target}, {name}: done", file=sys.stderr)
    found(data, outcomes, args.steps)
    understood(data, outcomes)


if __name__ == "__main__":
    main()
