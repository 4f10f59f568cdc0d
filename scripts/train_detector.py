"""Train the learned detector on simulated images, calibrate its score on others, and write the weights.

Run ``python scripts/train_detector.py --minutes 40``: one core is enough. The images are those of
detector_images.py; no image from a microscope is looked at. Each is seen once.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from detector_images import Scene, scene
from safetensors.torch import load_file, save_file
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from torch import nn

from napari_vae.atoms.learned import SIGMA, normalized, peaks
from napari_vae.atoms.network import atom_net, logits_of

WEIGHTS = Path(__file__).resolve().parent.parent / "src" / "napari_vae" / "atoms" / "weights" / "atomnet.safetensors"
SIZE, BATCH = 128, 16
BLOB = 1.2  # px, width of the mark of an atom in the target
FREE = 2.5  # px around places that may be marked or not, where the loss does not count
RATE = 2e-3
AVERAGED = 0.998  # share of the running mean of the weights that stays in each step
FOUND = 1.5 * SIGMA  # px within which a maximum is the atom


def target_of(sample: Scene) -> tuple[np.ndarray, np.ndarray]:
    """What the network shall say at every pixel, and how much it counts."""
    grid = np.stack(np.mgrid[: sample.image.shape[0], : sample.image.shape[1]], -1).reshape(-1, 2)
    wanted, counts = np.zeros(len(grid)), np.ones(len(grid))
    if len(sample.atoms):
        near = cKDTree(sample.atoms).query(grid, distance_upper_bound=4 * BLOB)[0]
        wanted = np.exp(-0.5 * (near / BLOB) ** 2)
    if len(sample.may):
        free = cKDTree(sample.may).query(grid, distance_upper_bound=FREE)[0] < FREE
        counts = np.where(free & (wanted < 0.2), 0.0, 1.0)
    return wanted.reshape(sample.image.shape), counts.reshape(sample.image.shape)


def batch_of(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    samples = [scene(rng, SIZE) for _ in range(BATCH)]
    images = np.stack([normalized(sample.image) for sample in samples])
    wanted, counts = (np.stack(part) for part in zip(*map(target_of, samples), strict=True))
    image = torch.from_numpy(images).to(memory_format=torch.channels_last)
    return image, torch.from_numpy(wanted).float()[:, None], torch.from_numpy(counts).float()[:, None]


def loss_of(network: nn.ModuleDict, image: torch.Tensor, wanted: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits = logits_of(network, image).float()
    each = nn.functional.binary_cross_entropy_with_logits(logits, wanted, weight=counts, reduction="none")
    atoms = wanted.sum(dim=(1, 2, 3), keepdim=True)
    return (each / (0.5 + 0.005 * atoms) ** 0.5).mean()  # images full of columns must not outweigh single atoms


def train(network: nn.ModuleDict, minutes: float, seed: int) -> nn.ModuleDict:
    """Adam with a rate that rises for a while and then falls to zero in the given time; the mean of the weights."""
    rng = np.random.default_rng(seed)
    network.to(memory_format=torch.channels_last)
    mean = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-4)
    begun, told, losses, step = time.monotonic(), 0.0, [], 0
    while (spent := (time.monotonic() - begun) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, spent / 0.05 + 0.01) * 0.5 * (1 + np.cos(np.pi * spent))
        loss = loss_of(network, *batch_of(rng))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            for slow, new in zip(mean.parameters(), network.parameters(), strict=True):
                slow.lerp_(new, 1 - min(AVERAGED, step / (step + 10)))
        losses.append(float(loss.detach()))
        if spent - told > 0.02:
            told = spent
            print(f"{spent:4.0%} step {step} loss {np.mean(losses[-100:]):.4f}", flush=True)
    return mean


def maxima(network: nn.ModuleDict, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Probabilities of the maxima in `n` new images, which of them are atoms, and how many atoms there are."""
    rng = np.random.default_rng(seed)
    said, true, total = [], [], 0
    for _ in range(n):
        sample = scene(rng, SIZE)
        with torch.inference_mode():
            logits = logits_of(network, torch.from_numpy(normalized(sample.image))[None])[0, 0].numpy()
        place, probability = peaks(logits)
        if len(sample.may) and len(place):
            keep = cKDTree(sample.may).query(place)[0] > FREE
            if len(sample.atoms):
                keep |= cKDTree(sample.atoms).query(place)[0] < FOUND
            place, probability = place[keep], probability[keep]
        hit = np.zeros(len(place), dtype=bool)
        if len(sample.atoms) and len(place):
            distance, nearest = cKDTree(place).query(sample.atoms)
            hit[nearest[distance < FOUND]] = True
        said.append(probability)
        true.append(hit)
        total += len(sample.atoms)
    return np.concatenate(said), np.concatenate(true), total


def calibrate(network: nn.ModuleDict, n: int, seed: int) -> None:
    """Scale and shift the logits so that, among maxima of probability p, a share p are atoms (Platt 1999)."""
    said, true, _ = maxima(network, n, seed)
    logit = np.log(said / (1 - said).clip(1e-12))
    fit = LogisticRegression(C=1e6).fit(logit[:, None], true)
    with torch.no_grad():
        network["leave"].weight.mul_(float(fit.coef_[0, 0]))
        network["leave"].bias.mul_(float(fit.coef_[0, 0])).add_(float(fit.intercept_[0]))
    print(f"logits scaled by {fit.coef_[0, 0]:.3f} and shifted by {fit.intercept_[0]:+.3f}")


def report(network: nn.ModuleDict, n: int, seed: int) -> None:
    """Print how often maxima of a score are atoms, and precision and recall at a half."""
    said, true, total = maxima(network, n, seed)
    print("| score | maxima | of them atoms |\n| --- | --- | --- |")
    for low in np.arange(0, 1, 0.1):
        here = (said >= low) & (said < low + 0.1 + 1e-9)
        print(f"| {low:.1f} to {low + 0.1:.1f} | {here.sum()} | {true[here].mean():.3f} |")
    taken = said >= 0.5
    print(f"precision {true[taken].mean():.3f}, recall {true[taken].sum() / total:.3f} at a score of 0.5")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    network = atom_net()
    nn.init.constant_(network["leave"].bias, -2.5)  # atoms are rare
    if asked.start:
        network.load_state_dict(load_file(asked.start))
    network = train(network, asked.minutes, asked.seed)
    calibrate(network, 600, asked.seed + 1)
    report(network, 600, asked.seed + 2)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().half() for name, value in network.state_dict().items()}, asked.out)
