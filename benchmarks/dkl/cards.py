"""Cards by deep kernels: few labels, active learning, and what the embeddings are like.

    python benchmarks/dkl/cards.py [--seeds 10] [--only static|search|steps|embeddings] [--views encoder pixels …]

8000 cards of 30² (±120°, shear ±20°), as in Valleti et al. (arXiv 2303.14554). Tables, of medians over seeds with
their range:

static
    100 random labels, errors over all 8000 as `cards_data.judge` has them. ``encoder`` is `DeepKernelGP` on the encoder
    of a rotation and strain VAE that was trained on all images without a label; ``pixels`` is the same on the images
    alone, as in the paper; ``vae``, ``rvae`` and ``pca`` are processes on two latents or components, which they may
    stretch and turn but not bend.
search
    From 10 random labels, how many measurements until one of the best 1 % is found: by expected improvement, and at
    random; who has not found one after 150 counts as 150.
steps
    Seconds of a step of the loop on 2000 candidates.
embeddings
    Two-dimensional embeddings after 100 labels, chosen at random (``static``) or by the largest variance (``active``),
    against the latents: k-NN R² of the target, roughness, participation ratio.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from cards_data import CardsData, judge, labelled, load
from sklearn.decomposition import PCA

from napari_vae import ModelConfig, Run, TrainConfig, fit
from napari_vae.analysis import knn_r2, measurements_to_reach, participation_ratio, roughness
from napari_vae.analysis.circular import wrapped
from napari_vae.learning.explore.exploration import Exploration
from napari_vae.learning.explore.loop import explore
from napari_vae.learning.explore.stopping import Stopping
from napari_vae.learning.gp.deep_kernel import DeepKernelGP

START, TOP, MOST, FEW = 10, 0.01, 150, 2000
LEARNED = ("encoder", "pixels")  # on which a network is trained
VIEWS = ("encoder", "pixels", "vae", "rvae", "pca")


@dataclass(frozen=True)
class Search:
    """What is looked for: the largest value of a target, or the angle nearest to one."""

    target: str
    kind: str
    goal: str | float

    def merit(self, y: np.ndarray) -> np.ndarray:
        """The larger the better (N,)."""
        return y if self.goal == "max" else -np.abs(wrapped(y - self.goal, 360.0))

    def __str__(self) -> str:
        return f"largest {self.target}" if self.goal == "max" else f"{self.target} nearest to {self.goal:g}°"


SEARCHES = (Search("rotation", "angle", 120.0), Search("rotation", "real", "max"), Search("shear", "real", "max"))


class Views:
    """The cards as each method sees them, and the model that it uses."""

    def __init__(self, data: CardsData, names: list[str]) -> None:
        self.names = names
        began = time.perf_counter()
        self.run = fit(data.images, ModelConfig(invariances=("rotation", "strain")), TrainConfig(seed=0))
        self.seconds = time.perf_counter() - began
        self.rows = {"pixels": data.images}
        if "vae" in names:
            self.rows["vae"] = latents(fit(data.images, ModelConfig(), TrainConfig(seed=0)), data)
        if "rvae" in names:
            self.rows["rvae"] = latents(fit(data.images, ModelConfig.preset("rvae"), TrainConfig(seed=0)), data)
        if "pca" in names:
            scores = PCA(2, random_state=0).fit_transform(data.images.reshape(len(data), -1))
            self.rows["pca"] = scores / scores.std(0)
        self.encoded = DeepKernelGP(self.run).prepare(data.images)

    def of(self, name: str):
        """The candidates."""
        return self.encoded if name == "encoder" else self.rows[name]

    def model(self, name: str, target: str, seed: int, **settings) -> DeepKernelGP:
        """Not yet fitted; angles are learned as angles where something tells how an image is turned."""
        if name == "encoder":
            return DeepKernelGP(self.run, target=target, seed=seed, **settings)
        straight = {} if name == "pixels" else {"network": "linear", "embedding_dim": 2}
        return DeepKernelGP(target=target, seed=seed, **{**straight, **settings})


def latents(run: Run, data: CardsData) -> np.ndarray:
    """The latents of the images (N, 2)."""
    return run.encode(data.images)[["z1", "z2"]].to_numpy()


def line(*cells: object) -> None:
    """Print one line of a table; a list of numbers as its median with its range."""
    texts = []
    for cell in cells:
        if isinstance(cell, list):
            low, middle, high = np.quantile(np.array(cell, float), (0, 0.5, 1), method="nearest")
            cell = f"{middle:.3g} ({low:.3g} … {high:.3g})"
        texts.append(f"{cell:.3g}" if isinstance(cell, float) else str(cell))
    print(f"| {' | '.join(texts)} |", flush=True)


def head(*names: str) -> None:
    """Print the head of a table."""
    print(f"\n| {' | '.join(names)} |\n{'|---' * len(names)}|", flush=True)


def static(data: CardsData, views: Views, seeds: range) -> None:
    """Errors with 100 random labels."""
    figures = ["RMSE", "RMSE, one answer", "RMSE, ♦ mod 180°", "coverage", "coverage, ♦ mod 180°"]
    head("100 labels", "target", *figures, "s")
    line("mean", "rotation", float(data.rotation.std()), "", "", "", "", "")
    line("mean", "shear", float(data.shear.std()), "", "", "", "", "")
    for name in views.names:
        for target, kind in (("rotation", "angle"), ("rotation", "real"), ("shear", "real"), ("class", "class")):
            runs, seconds = [], []
            for seed in seeds:
                rows, began = labelled(data, seed), time.perf_counter()
                seen, model = views.of(name), views.model(name, kind, seed)
                mean, sd = model.fit(seen[rows], data.target(target)[rows]).predict(seen)
                seconds.append(time.perf_counter() - began)
                right = {"accuracy": float((mean.argmax(1) == data.suit).mean())} if kind == "class" else {}
                runs.append(right or judge(data, target, mean, sd))
            if kind == "class":
                line(name, "class", f"accuracy {np.median([run['accuracy'] for run in runs]):.4f}", *[""] * 4, seconds)
                continue
            told = [[run[figure] for run in runs] if figure in runs[0] else "" for figure in figures]
            line(name, f"{target} as {kind}", *told, seconds)


def needed(
    data: CardsData, views: Views, name: str, search: Search, seed: int, rows: np.ndarray
) -> tuple[float, float]:
    """Measurements until one of the best 1 % is found by expected improvement, and the seconds of a step."""
    y, began = data.target(search.target)[rows], time.perf_counter()
    merit = search.merit(y)
    level = float(np.quantile(merit, 1 - TOP))
    record = explore(
        views.of(name)[rows],
        y,
        "ei",
        model=views.model(name, search.kind, seed),
        goal=search.goal,
        start=START,
        budget=MOST,
        until=Stopping(value=level if search.goal == "max" else -level),
        seed=seed,
    )
    steps = max(1, record.tried - START)
    return measurements_to_reach(search.merit(record.values), level), (time.perf_counter() - began) / steps


def search(data: CardsData, views: Views, seeds: range) -> None:
    """How many measurements until one of the best 1 % is found."""
    head("sought", "by", f"measurements until the best 1 % (of {MOST})", "mean", "of random", "s/step")
    rows = np.sort(np.random.default_rng(0).choice(len(data), FEW, replace=False))
    for what in SEARCHES:
        merit = what.merit(data.target(what.target)[rows])
        level, order = np.quantile(merit, 1 - TOP), np.random.default_rng(1)
        chance = [float(min(measurements_to_reach(order.permutation(merit), level), MOST)) for _ in range(4000)]
        line(what, "random", chance, float(np.mean(chance)), 1.0, "")
        for name in views.names:
            found = [needed(data, views, name, what, seed, rows) for seed in seeds]
            until = [min(float(n), float(MOST)) for n, _ in found]
            seconds = [s for n, s in found if n > START]
            line(what, f"ei, {name}", until, float(np.mean(until)), float(np.mean(until) / np.mean(chance)), seconds)


def steps(data: CardsData, views: Views, seeds: range) -> None:
    """Seconds of single steps on 2000 candidates, from 20 to 100 labels of the shear, refit included."""
    head("labels", "median, s", "slowest, s", "bar, s")
    rows = np.sort(np.random.default_rng(0).choice(len(data), FEW, replace=False))
    seen, y = views.of("encoder")[rows], data.shear[rows]
    search, seconds = Exploration(seen, model=views.model("encoder", "real", 0), start=20), []
    while len(search.measured) < 100:
        chosen = search.suggest()
        search.tell(chosen.indices, y[chosen.indices])
        if chosen.phase == "model":
            seconds.append(chosen.seconds)
    line("20 … 100", float(np.median(seconds)), max(seconds), "≤ 2")


def embeddings(data: CardsData, views: Views, seeds: range) -> None:
    """What the embeddings are like after 100 labels."""
    head("target", "embedding", "k-NN R²", "roughness", "participation ratio")
    for target in ("rotation", "shear", "label"):
        y = data.target(target)
        for name in [view for view in views.names if view not in LEARNED]:
            told = views.rows[name]
            line(target, name, knn_r2(told, y), roughness(told, y), participation_ratio(told))
        for name in [view for view in views.names if view in LEARNED]:
            for how in ("static", "active"):
                found = [learned(data, views, name, target, how, seed) for seed in seeds]
                line(target, f"deep kernel on {name}, {how}", *(list(part) for part in zip(*found, strict=True)))


def learned(data: CardsData, views: Views, name: str, target: str, how: str, seed: int) -> tuple[float, float, float]:
    """Figures of the embedding that 100 labels lead to."""
    y, seen = data.target(target), views.of(name)
    model = views.model(name, "real", seed, embedding_dim=2, ensemble=1)
    rows = labelled(data, seed)
    if how == "active":
        pool = np.sort(np.random.default_rng(seed).choice(len(data), FEW, replace=False))
        record = explore(
            seen[pool], y[pool], "variance", model=model, start=START, batch=5, budget=100, refit_every=5, seed=seed
        )
        rows = pool[record.measured]
    z = model.fit(seen[rows], y[rows]).embed(seen)
    return knn_r2(z, y), roughness(z, y), participation_ratio(z)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", choices=("static", "search", "steps", "embeddings"))
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS))
    chosen = parser.parse_args()
    data = load()
    views = Views(data, chosen.views)
    print(f"The encoder's training on {len(data)} images without labels took {views.seconds:.0f} s.")
    for part in (static, search, steps, embeddings):
        if chosen.only in (None, part.__name__):
            part(data, views, range(chosen.seeds))


if __name__ == "__main__":
    main()
