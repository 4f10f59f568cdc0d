"""How well the rotation of cards can be known at all, and what simple methods reach with 100 labels.

    python benchmarks/dkl/limit.py [--seeds 5]

♦ looks the same after half a turn. Whether the two can be told apart is asked of noise-free images: pose (angle, shear,
shift within ±0.1 px) is fitted from the other side, and what is left over is compared with what a fit from the right
side leaves. A likelihood ratio between the two needs the images to be known better than that rest, so the table gives,
for white noise of several sizes (of a measurement, or of a model of the images), how often it is right and the smallest
RMSE of the rotation over all cards, everything else being known: the answer is the mean of the two angles by their
probabilities. Whether neighbours tell is asked of the nearest other ♦ in pixels. Prints markdown tables; of the simple
methods medians over labelled subsets.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from cards_data import (
    DIAMOND,
    FIGURES,
    LABELLED,
    MAX_ANGLE,
    MAX_SHEAR,
    N_PER_SUIT,
    SIZE,
    CardsData,
    judge,
    labelled,
    load,
)
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.neighbors import KNeighborsRegressor

from napari_vae.samples.playing_cards import draw_cards

MAX_SHIFT = 0.1  # px
PAIRS = 400
NOISES = (0.0, 0.003, 0.01, 0.02, 0.03, 0.05, 0.1, np.inf)  # of the contrast, per pixel
STEPS = np.array([0.05, 0.05, 0.01, 0.01])  # of the numerical derivatives by angle, shear (°) and shift (px)
ROUNDS = 25
COMPONENTS = (2, 10)
Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]]


def diamonds(poses: np.ndarray, size: int) -> np.ndarray:
    """♦ of poses (N, 4), angle, shear (°), shift (px), as rows of pixels."""
    n = len(poses)
    suit = np.full(n, DIAMOND)
    images = draw_cards(suit, poses[:, 0], poses[:, 1], poses[:, 2:], np.ones(n), size)
    return images.reshape(n, -1).astype(np.float64)


def left_over(images: np.ndarray, start: np.ndarray, size: int) -> np.ndarray:
    """Norm (N,) of what the best pose near a start leaves of each image, by Levenberg's and Marquardt's method."""
    poses, damping = start.copy(), np.full(len(start), 1e-3)
    rest = diamonds(poses, size) - images
    best = (rest**2).sum(1)
    for _ in range(ROUNDS):
        moved = [(diamonds(poses + d, size) - diamonds(poses - d, size)) / (2 * d.max()) for d in np.diag(STEPS)]
        jacobian = np.stack(moved, -1)
        normal = np.einsum("nij,nik->njk", jacobian, jacobian)
        slope = np.einsum("nij,ni->nj", jacobian, rest)
        damped = normal + damping[:, None, None] * np.eye(4) * np.einsum("njj->nj", normal)[:, None]
        tried = poses - np.linalg.solve(damped, slope[..., None])[..., 0]
        tried[:, 1] = tried[:, 1].clip(-MAX_SHEAR, MAX_SHEAR)
        tried[:, 2:] = tried[:, 2:].clip(-MAX_SHIFT, MAX_SHIFT)
        new_rest = diamonds(tried, size) - images
        new = (new_rest**2).sum(1)
        better = new < best
        poses[better], rest[better], best[better] = tried[better], new_rest[better], new[better]
        damping = np.where(better, damping / 5, damping * 5).clip(1e-9, 1e9)
    return np.sqrt(best)


def half_turns(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What fits from the other side and from near the truth leave of noise-free ♦ that have two answers (PAIRS,)."""
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-MAX_SHIFT, MAX_SHIFT, (PAIRS, 2))
    angle, shear = rng.uniform(180 - MAX_ANGLE, MAX_ANGLE, PAIRS), rng.uniform(-MAX_SHEAR, MAX_SHEAR, PAIRS)
    truth = np.column_stack([angle, shear, shift])
    images = diamonds(truth, size)
    near = truth + rng.normal(0, [1, 1, 0.02, 0.02], truth.shape)
    return left_over(images, truth - [180, 0, 0, 0], size), left_over(images, near, size)


def best_possible(rest: np.ndarray, noise: float) -> tuple[float, float]:
    """Share of right sides by the likelihood ratio in this noise, and the smallest RMSE of the rotation of all cards.

    With d = rest/noise the log ratio is normal, of mean d²/2 and variance d². Half of the ♦, an eighth of all, have two
    answers, both as likely before; the best answer is off by 180° times the probability of the wrong one.
    """
    if noise == 0:
        return 1.0, 0.0
    d = rest[:, None] / noise
    z = np.linspace(-8, 8, 801)
    weight = norm.pdf(z) / norm.pdf(z).sum()
    wrong = 1 / (1 + np.exp(np.clip(d**2 / 2 + d * z, -500, 500)))
    return float(norm.cdf(d / 2).mean()), 180 * float(np.sqrt((wrong**2 @ weight).mean() / 8))


def neighbour_agrees(n: int, seed: int = 0, at_most: int = 500) -> float:
    """Share of ♦ with two answers whose nearest other ♦ of n, in pixels, is on the same side."""
    data = load(seed, n)
    two = np.flatnonzero(data.has_two_answers)[:at_most]
    is_diamond = data.suit == DIAMOND
    others, angle = data.images[is_diamond].reshape(n, -1), data.rotation[is_diamond]
    own = two - np.flatnonzero(is_diamond)[0]
    distance = (others**2).sum(1) - 2 * others[own] @ others.T
    distance[np.arange(len(own)), own] = np.inf
    return float((np.abs(angle[distance.argmin(1)] - angle[own]) < 90).mean())


def mean_alone(x: np.ndarray, y: np.ndarray):
    """The mean of the labels, and their spread."""
    return lambda new: (np.full(len(new), y.mean()), np.full(len(new), y.std()))


def neighbours(x: np.ndarray, y: np.ndarray):
    """The three nearest labelled images in pixels, by their distance."""
    model = KNeighborsRegressor(3, weights="distance").fit(x, y)
    return lambda new: (model.predict(new), None)


def gaussian_process(x: np.ndarray, y: np.ndarray):
    """An exact GP with a length scale for every column and noise."""
    kernel = ConstantKernel() * RBF(np.full(x.shape[1], 3.0), (1e-1, 1e3)) + WhiteKernel(0.1, (1e-6, 10))
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound: a column that says nothing
        model.fit(x, y)
    return lambda new: model.predict(new, return_std=True)


def on_the_circle(fit: Fit) -> Fit:
    """A method for degrees that learns cosine and sine, each by itself."""

    def fit_both(x: np.ndarray, y: np.ndarray):
        parts = [fit(x, part(np.deg2rad(y))) for part in (np.cos, np.sin)]
        return lambda new: (np.rad2deg(np.arctan2(parts[1](new)[0], parts[0](new)[0])), None)

    return fit_both


def baselines(data: CardsData, seeds: range) -> Iterator[str]:
    """Lines of the table of simple methods: medians over labelled subsets."""
    pixels = data.images.reshape(len(data), -1)
    methods = [("mean", pixels, mean_alone), ("3 nearest in pixels", pixels, neighbours)]
    for k in COMPONENTS:
        scores = PCA(k, random_state=0).fit_transform(pixels)
        methods.append((f"GP on {k} principal components", scores / scores.std(0), gaussian_process))
    for name, x, fit in methods:
        for target, how, method in (
            ("rotation", "", fit),
            ("rotation", ", cosine and sine", on_the_circle(fit)),
            ("shear", "", fit),
        ):
            runs = []
            for rows in (labelled(data, seed) for seed in seeds):
                runs.append(judge(data, target, *method(x[rows], data.target(target)[rows])(x)))
            figures = [f"{np.median([run[key] for run in runs]):.3g}" if key in runs[0] else "" for key in FIGURES]
            yield f"| {name}{how} | {target} | {' | '.join(figures)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="labelled subsets")
    seeds = range(parser.parse_args().seeds)
    other, own = half_turns(SIZE)
    least, median, most = (np.quantile(other, q) / SIZE for q in (0, 0.5, 1))
    print(f"{PAIRS} noise-free ♦ of {SIZE}² that have two answers: a fit from the other side leaves {median:.4f}")
    print(f"per pixel ({least:.4f} to {most:.4f}, RMS), one from the right side at most {own.max() / SIZE:.0e}.\n")
    print("| noise per pixel | side right | smallest RMSE of the rotation, ° |\n|---|---|---|")
    for noise in NOISES:
        share, error = best_possible(other, noise)
        print(f"| {noise:g} | {share:.3f} | {error:.1f} |")
    data = load()
    two = data.has_two_answers
    mean, guess = 90 * np.sqrt(two.mean()), 180 * np.sqrt(two.mean() / 2)
    print(f"\nOf {len(data)} cards {two.mean():.2%} have two answers. Where nothing tells them apart, the RMSE is at")
    print(f"least {mean:.1f}°, with the mean of the two as the answer; {guess:.1f}° with one of them at random.")
    for n in (N_PER_SUIT, 10 * N_PER_SUIT):
        print(f"The nearest other ♦ of {n} is on the same side for {neighbour_agrees(n):.0%} of them.")
    print(f"\n| {LABELLED} labels | target | {' | '.join(FIGURES)} |\n|---|---|{'---|' * len(FIGURES)}")
    for line in baselines(data, seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
