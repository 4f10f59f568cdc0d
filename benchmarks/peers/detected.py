"""What other programs detect in simulated images, each at the best of its settings by the truth."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from peers.setup import DETECTION
from truth.labels import NEAR
from truth.matching import Judged, judge, pair, spacing_of

SCRIPT = Path(__file__).resolve().with_name("detection_peers.py")
ALIKE = 0.005  # of F1, within which settings differ by their precision


@dataclass(frozen=True)
class Detected:
    """One program on one image; seconds are for the whole image, extrapolated by atom where it saw a corner only."""

    program: str
    settings: str
    shape: tuple[int, ...]  # of the part of the image that it saw
    judged: Judged
    seconds: float
    cpu: float
    fit_cpu: float | None  # CPU seconds per atom of a 2-D Gaussian fit alone, where the program does one


def detect_with_others(images: Mapping[str, tuple[np.ndarray, pd.DataFrame]]) -> dict[str, list[Detected]]:
    """For every image, by name, with its truth: the best of every program in the environment of the peers.

    The programs are told spacing and width, and the weakest spots are cut where F1 is highest. Of the settings whose F1
    is within `ALIKE` of the best, the one with the smallest error is kept.
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
        all_found: dict[tuple[str, str], list[Detected]] = defaultdict(list)
        for k, record in enumerate(json.loads((folder / "found.json").read_text())):
            truth = images[record["image"]][1]
            detected = _detected(record, np.load(folder / f"found-{k}.npy"), truth[["y", "x"]].to_numpy())
            all_found[record["image"], record["program"]].append(detected)
    return {name: [best(found) for (image, _), found in all_found.items() if image == name] for name in images}


def best(found: list[Detected]) -> Detected:
    """The most precise of those that find about as many as the one that finds most."""
    highest = max(detected.judged.agreement.f1 for detected in found)
    good = [detected for detected in found if detected.judged.agreement.f1 >= highest - ALIKE]
    return min(good, key=lambda detected: detected.judged.rms)


def _detected(record: dict, table: np.ndarray, truth: np.ndarray) -> Detected:
    """Judge what was found (y, x, brightness) in the part of the image that was looked at."""
    shape = tuple(record["shape"])
    seen = within(truth, shape)
    kept = table[table[:, 2] >= best_cut(table, seen)]
    share = len(truth) / len(seen)
    fit_cpu = None if record["fit_cpu"] is None else record["fit_cpu"] / len(table)
    return Detected(
        record["program"],
        record["settings"],
        shape,
        judge(kept[:, :2], seen, shape),
        record["seconds"] * share,
        record["cpu"] * share,
        fit_cpu,
    )


def best_cut(table: np.ndarray, truth: np.ndarray) -> float:
    """The brightness (third column of the table) from which on F1 is highest; infinite if nothing was found."""
    if not len(table):
        return np.inf
    order = np.argsort(-table[:, 2])
    right = pair(table[order, :2], truth, NEAR * spacing_of(truth)) >= 0
    f1 = 2 * np.cumsum(right) / (np.arange(1, len(right) + 1) + len(truth))
    return float(table[order[int(np.argmax(f1))], 2])


def within(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Those in the upper left corner of this shape."""
    return points[(points <= np.array(shape) - 1).all(axis=1)]
