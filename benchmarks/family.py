"""Every kind of model on playing cards, against the truth: angles, shear, shifts, scales and classes.

    python benchmarks/family.py [--seeds 3] [--only crvae ss-rvae …]

Prints a markdown table with the median and the worst of all seeds next to the bar. Validation cards have seeds of
their own. Angle errors are medians of |error| about the circular mean of each suit, ♦ modulo 180°; shift errors are
root mean squares about the mean of each suit, in pixels; scale errors are medians relative to the geometric mean. The
unsupervised models are in ``cards.py``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from cards import SUITS, angle_error, matched_accuracy
from napari_vae import ModelConfig, TrainConfig, fit, samples

Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """Cards, a model, how long it is trained, and the bars that its worst figures have to meet."""

    name: str
    preset: str
    epochs: int
    cards: dict[str, Any]
    at_most: dict[str, float] = field(default_factory=dict)
    at_least: dict[str, float] = field(default_factory=dict)
    few_labels: bool = False  # 200 per suit at ±12°, shear ±1°
    settings: dict[str, Any] = field(default_factory=dict)


III = {"max_angle": 120, "max_shear": 1}
IV = {"max_angle": 120, "max_shear": 20}
SHIFTED = {"max_angle": 180, "max_shear": 0.1, "max_shift": 8}
CASES = (
    Case("iv, class given", "crvae", 6, IV, {"angle ♣♠♥♦, °": 5}, {"|Spearman(z, shear)|": 0.9}),
    Case("i: few labels, unlabelled iii", "ss-rvae", 3, III, {}, {"accuracy": 0.995}, few_labels=True),
    Case("ii: few labels, unlabelled iv", "ss-rvae", 6, IV, {}, {"accuracy": 0.95}, few_labels=True),
    Case("ii: few labels, unlabelled iv", "ss-strain-rvae", 6, IV, {}, {"accuracy": 0.995}, few_labels=True),
    Case("iii, no labels", "j-rvae", 3, III, {}, {"accuracy": 0.98}, settings={"n_classes": 4}),
    Case("iv, no labels", "j-strain-rvae", 6, IV, {}, {"accuracy": 0.98}, settings={"n_classes": 4}),
    Case("shift ±8 px", "tvae", 3, SHIFTED | {"max_angle": 0.1}, {"shift, px": 0.3}),
    Case("shift ±8 px, full circle", "trvae", 8, SHIFTED, {"shift, px": 0.3}),
    Case("scale 0.7 … 1.4", "svae", 3, {"max_angle": 0.1, "max_shear": 0.1, "scale": (0.7, 1.4)}, {"scale, %": 2}),
)


def measure(case: Case, seed: int) -> Figures:
    """Train once and compare with the truth of fresh cards."""
    train = samples.cards(3000, **case.cards, seed=seed)
    held_out = samples.cards(1000, **case.cards, seed=10_000 + seed)
    images, known = train.images, {}
    if case.few_labels:
        few = samples.cards(200, max_angle=12, max_shear=1, seed=20_000 + seed)
        images = np.concatenate([few.images, images])
        known = {"labels": np.r_[few.suit, np.full(len(train.suit), -1)]}
    given = {"condition": held_out.suit} if case.preset == "crvae" else {}
    known |= {"condition": train.suit} if given else {}
    start = time.perf_counter()
    model = ModelConfig.preset(case.preset, **case.settings)
    run = fit(images, model, TrainConfig(epochs=case.epochs, seed=seed), **known)
    seconds = time.perf_counter() - start
    table = run.encode(held_out.images, **given)
    figures = {name: of(table, held_out) for name, of in QUANTITIES.items() if name in {*case.at_most, *case.at_least}}
    if "accuracy" in case.at_least:
        right = matched_accuracy if model.kind == "joint" else lambda found, truth: float(np.mean(found == truth))
        figures["accuracy"] = right(table["class"].to_numpy(), held_out.suit)
    return figures | {"training, s": seconds}


def _worst_angle(table: pd.DataFrame, cards: Any) -> float:
    apart = (table["angle"] - cards.angle).to_numpy()
    return max(angle_error(apart[cards.suit == k], 2 if s == "♦" else 1) for k, s in enumerate(SUITS))


def _shear_in_latents(table: pd.DataFrame, cards: Any) -> float:
    """The best latent's |Spearman| with the shear, of the suit where it is lowest."""
    rho = [
        max(abs(spearmanr(table[z][cards.suit == k], cards.shear[cards.suit == k])[0]) for z in ("z1", "z2"))
        for k in range(4)
    ]
    return min(rho)


def _shift(table: pd.DataFrame, cards: Any) -> float:
    apart = table[["shift_y", "shift_x"]].to_numpy() - cards.shift
    apart = np.concatenate([apart[cards.suit == k] - apart[cards.suit == k].mean(0) for k in range(4)])
    return float(np.sqrt((apart**2).sum(1).mean()))


def _scale(table: pd.DataFrame, cards: Any) -> float:
    apart = np.log(table["scale"].to_numpy() / cards.scale)
    return 100 * max(float(np.median(np.abs(a - np.median(a)))) for a in (apart[cards.suit == k] for k in range(4)))


QUANTITIES: dict[str, Callable[[pd.DataFrame, Any], float]] = {
    "angle ♣♠♥♦, °": _worst_angle,
    "|Spearman(z, shear)|": _shear_in_latents,
    "shift, px": _shift,
    "scale, %": _scale,
}


def rows_of(case: Case, runs: list[Figures]) -> list[str]:
    """Lines of the table."""
    lines = []
    for quantity in runs[0]:
        values = [run[quantity] for run in runs]
        lowest, highest = case.at_least.get(quantity), case.at_most.get(quantity)
        worst = min(values) if lowest is not None else max(values)
        met = worst >= lowest if lowest is not None else highest is None or worst <= highest
        bar = f"≥ {lowest:g}" if lowest is not None else f"≤ {highest:g}" if highest is not None else ""
        answer = ("yes" if met else "**no**") if bar else ""
        lines.append(
            f"| {case.name} | {case.preset} | {quantity} | {np.median(values):.4g} | {worst:.4g} | {bar} | {answer} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each case")
    parser.add_argument("--only", nargs="*", default=(), help="presets to measure; all by default")
    options = parser.parse_args()
    print("| cards | model | quantity | median | worst | bar | met |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        if not options.only or case.preset in options.only:
            print("\n".join(rows_of(case, [measure(case, seed) for seed in range(options.seeds)])), flush=True)


if __name__ == "__main__":
    main()
