"""What other programs detect in simulated images, each at the best of its settings by the truth."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from peers.setup import DETECTION
from truth.labels import NEAR
from truth.matching import Judged, judge, pair, spacing_of

SCRIPT = Path(__file__).resolve().with_name("detection_peers.py")


@dataclass(frozen=True)
class Detected:
    """One program on one image; seconds are for the whole image, extrapolated by atom where it saw a corner only."""

    program: str
    settings: str
    judged: Judged
    seconds: float
    cpu: float
    fit_cpu: float | None  # CPU seconds per atom of a 2-D Gaussian fit alone, where the program does one


def detect_with_others(images: Mapping[str, tuple[np.ndarray, pd.DataFrame]]) -> dict[str, list[Detected]]:
    """For every image, by name, with its truth: the best of every program in the environment of the peers.

    The programs are told spacing and width, and the weakest spots are cut where F1 is highest; of the settings, the one
    with the highest F1 (to 0.001), then the smallest error, is kept.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scales = {}
        for image_name, (image, truth) in images.items():
            np.save(folder / f"{image_name}.npy", image)
            spacing = spacing_of(truth[["y", "x"]].to_numpy())
            scales[image_name] = {"spacing": spacing, "sigma": float(truth["sigma"].iloc[0])}
        (folder / "scales.json").write_text(json.dumps(scales))
        subprocess.run([DETECTION.python, "-W", "ignore", SCRIPT, folder], check=True)
        best: dict[tuple[str, str], Detected] = {}
        for k, record in enumerate(json.loads((folder / "found.json").read_text())):
            truth = images[record["image"]][1]
            detected = _detected(record, np.load(folder / f"found-{k}.npy"), truth[["y", "x"]].to_numpy())
            key = record["image"], record["program"]
            best[key] = max(best.get(key, detected), detected, key=_quality)
    return {name: [detected for (image, _), detected in best.items() if image == name] for name in images}


def _detected(record: dict, table: np.ndarray, truth: np.ndarray) -> Detected:
    """Judge what was found (y, x, brightness) in the part of the image that was looked at."""
    shape = tuple(record["shape"])
    seen = truth[(truth <= np.array(shape) - 1).all(axis=1)]
    kept = table[table[:, 2] >= best_cut(table, seen)]
    share = len(truth) / len(seen)
    fit_cpu = None if record["fit_cpu"] is None else record["fit_cpu"] / len(table)
    return Detected(
        record["program"],
        record["settings"],
        judge(kept[:, :2], seen, shape),
        record["seconds"] * share,
        record["cpu"] * share,
        fit_cpu,
    )


def best_cut(table: np.ndarray, truth: np.ndarray) -> float:
    """The brightness (third column of the table) from which on F1 is highest."""
    order = np.argsort(-table[:, 2])
    right = pair(table[order, :2], truth, NEAR * spacing_of(truth)) >= 0
    f1 = 2 * np.cumsum(right) / (np.arange(1, len(right) + 1) + len(truth))
    return float(table[order[int(np.argmax(f1))], 2])


def _quality(detected: Detected) -> tuple[float, float]:
    return round(detected.judged.agreement.f1, 3), -detected.judged.rms
