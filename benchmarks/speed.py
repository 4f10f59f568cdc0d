"""Training speed next to pyroVED's, on the same cards and in the same run.

    python benchmarks/peers/setup.py && python benchmarks/speed.py [--models rvae crvae ss-rvae j-rvae]

12 000 cards of 48² (±120°, shear ±20°), of which the semi-supervised models know 800 labels, in batches of 50, float32,
all cores. Ours goes through `fit` for two epochs after a short training that does not count, with the widths of
pyroVED's networks (two layers of 128) and with our own; the seconds are those of its history, with validation and
reports. pyroVED 0.3 takes a number of steps in its own environment (``peers/pyroved_speed.py``), without validation.
They take turns, and the faster turn of each counts, because other work on the machine slows them differently. The last
column is what our networks compute, as a share of what a large matrix product reaches on the device in the same run:
the roof for a program that does nothing but multiply. Prints a markdown table.
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
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_vae import ModelConfig, TrainConfig, fit, samples
from peers.setup import PYROVED

BATCH, EPOCHS, CLASSES, LABELLED, BAR = 50, 2, 4, 800, 40
TURNS, WIDTHS = 4, (128, 128)
KINDS = {"rvae": "vae", "crvae": "conditional", "ss-rvae": "semi-supervised", "j-rvae": "joint"}
PEER = Path(__file__).resolve().parent / "peers" / "pyroved_speed.py"


def ours(
    name: str, images: np.ndarray, suits: np.ndarray, device: str, hidden: tuple[int, ...], *, warm: bool = True
) -> float:
    """Images per second of a training; every image counts once an epoch."""
    kind = KINDS[name]
    sizes = {} if kind == "vae" else {"n_classes": CLASSES}
    model = ModelConfig(kind=kind, invariances=("rotation",), hidden=hidden, **sizes)
    labels = np.where(np.arange(len(suits)) < LABELLED, suits, -1)

    def train(n: int) -> float:
        known: dict[str, Any] = {"conditional": {"condition": suits[:n]}, "semi-supervised": {"labels": labels[:n]}}
        train = TrainConfig(epochs=EPOCHS, batch_size=BATCH, device=device)
        end = fit(images[:n], model, train, **known.get(kind, {})).history.iloc[-1]
        return float(end["step"] * BATCH / end["seconds"])

    if warm:
        train(2000)
    return train(len(images))


def arithmetic(name: str, images: np.ndarray, suits: np.ndarray) -> float:
    """Floating-point operations of matrix products and convolutions per image of a training, our defaults."""
    with FlopCounterMode(display=False) as counter:
        ours(name, images[:2000], suits[:2000], "cpu", ModelConfig().hidden, warm=False)
    return counter.get_total_flops() / (EPOCHS * 2000)


def peak(device: str) -> float:
    """Floating-point operations per second of a large matrix product, in the precision of a training."""
    a = torch.randn(4096, 4096, device=device, dtype=torch.bfloat16 if device.startswith("cuda") else torch.float32)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        (a @ a)[0, 0].item()  # waits for a GPU
        best = min(best, time.perf_counter() - start)
    return 2 * 4096**3 / best


def theirs(name: str, images: np.ndarray, suits: np.ndarray, device: str, seconds: float) -> float:
    """Images per second of pyroVED."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, name)) for name in ("images.npy", "labels.npy")]
        np.save(files[0], images)
        np.save(files[1], suits)
        options = ["--models", name, "--batch", str(BATCH), "--device", device, "--seconds", str(seconds)]
        done = subprocess.run([PYROVED.python, PEER, *files, *options], capture_output=True, text=True, check=True)
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
    if not PYROVED.is_ready():
        print("pyroVED is not set up, so it is left out; run `python benchmarks/peers/setup.py` first.\n")
    roof = peak(chosen.device)
    print(
        "| model | pyroVED, images/s | ours, same widths | ratio | bar | met | our defaults | ratio | share of roof |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in chosen.models:
        peer, same, own = [], [], []
        for _ in range(TURNS):
            if PYROVED.is_ready():
                peer.append(theirs(name, images, suits, chosen.device, chosen.seconds))
            same.append(ours(name, images, suits, chosen.device, WIDTHS))
            own.append(ours(name, images, suits, chosen.device, ModelConfig().hidden))
        best = max(peer, default=float("nan"))
        ratio, met = max(same) / best, "yes" if max(same) >= BAR * best else "**no**"
        print(
            f"| {name} | {best:.3g} | {max(same):.0f} | {ratio:.0f} | ≥ {BAR} | {met if peer else ''} "
            f"| {max(own):.0f} | {max(own) / best:.0f} | {max(own) * arithmetic(name, images, suits) / roof:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
