"""Training speed next to pyroVED's, on the same cards and in the same run.

    python benchmarks/peers/setup.py && python benchmarks/speed.py [--models rvae crvae ss-rvae j-rvae]

12 000 cards of 48² (±120°, shear ±20°), of which the semi-supervised models know 800 labels, in batches of 50, float32,
all cores. Ours goes through `fit` for two epochs after a short training that does not count; the seconds are those of
its history, with validation and reports, and in brackets those of the whole call. pyroVED 0.3 takes a number of steps in
its own environment (``peers/pyroved_speed.py``), without validation. They take turns, and the faster turn of each counts,
because other work on the machine slows them differently. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_vae import ModelConfig, TrainConfig, fit, samples
from peers.setup import PYTHON, is_ready

BATCH, EPOCHS, CLASSES, LABELLED, BAR = 50, 2, 4, 800, 40
TURNS = 2
KINDS = {"rvae": "vae", "crvae": "conditional", "ss-rvae": "semi-supervised", "j-rvae": "joint"}
PEER = Path(__file__).resolve().parent / "peers" / "pyroved_speed.py"


def ours(name: str, images: np.ndarray, suits: np.ndarray, device: str) -> tuple[float, float]:
    """Images per second of a training, and of the whole call; every image counts once an epoch."""
    kind = KINDS[name]
    sizes = {} if kind == "vae" else {"n_classes": CLASSES}
    model = ModelConfig(kind=kind, invariances=("rotation",), **sizes)
    labels = np.where(np.arange(len(suits)) < LABELLED, suits, -1)

    def train(n: int) -> pd.Series:
        known: dict[str, Any] = {"conditional": {"condition": suits[:n]}, "semi-supervised": {"labels": labels[:n]}}
        train = TrainConfig(epochs=EPOCHS, batch_size=BATCH, device=device)
        return fit(images[:n], model, train, **known.get(kind, {})).history.iloc[-1]

    train(2000)
    start = time.perf_counter()
    end = train(len(images))
    return tuple(end["step"] * BATCH / seconds for seconds in (end["seconds"], time.perf_counter() - start))


def theirs(name: str, images: np.ndarray, suits: np.ndarray, device: str, seconds: float) -> float:
    """Images per second of pyroVED."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, name)) for name in ("images.npy", "labels.npy")]
        np.save(files[0], images)
        np.save(files[1], suits)
        options = ["--models", name, "--batch", str(BATCH), "--device", device, "--seconds", str(seconds)]
        done = subprocess.run([PYTHON, PEER, *files, *options], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=15, help="for each turn of the peer")
    chosen = parser.parse_args()
    cards = samples.cards(3000, 120, 20)
    order = np.random.default_rng(0).permutation(len(cards))
    images, suits = cards.images[order], cards.suit[order]
    if not is_ready():
        print("pyroVED is not set up, so it is left out; run `python benchmarks/peers/setup.py` first.\n")
    print("| model | ours, images/s | pyroVED, images/s | ratio | bar | met |")
    print("|---|---|---|---|---|---|")
    for name in chosen.models:
        peer, turns = [], []
        for _ in range(TURNS):
            if is_ready():
                peer.append(theirs(name, images, suits, chosen.device, chosen.seconds))
            turns.append(ours(name, images, suits, chosen.device))
        speed, whole = max(turns)
        told, met = " | ", ""
        if peer:
            told, met = f"{max(peer):.3g} | {speed / max(peer):.0f}", "yes" if speed >= BAR * max(peer) else "**no**"
        print(f"| {name} | {speed:.0f} ({whole:.0f}) | {told} | ≥ {BAR} | {met} |", flush=True)


if __name__ == "__main__":
    main()
