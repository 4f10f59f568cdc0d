"""How far the clicked labels of single atoms carry: what a detector reaches that was taught by other labels of a set.

Run ``python benchmarks/label_ceiling.py`` (about 10 minutes on one core). The network of the package is trained on with
the labels of three quarters of the images and applied to the rest, in turn (4-fold cross-validation, seeded, turned and
mirrored images). Nothing of it is shipped: it says which agreement with these people a detector may hope for.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import nn

from detection import CLICKED, DATA, Labelled, compare, print_table, single_atoms
from napari_vae.atoms.estimates import measure
from napari_vae.atoms.frames import open_frames
from napari_vae.atoms.learned import SIGMA, normalized, peaks
from napari_vae.atoms.network import atom_net, load_network, logits_of, resampled
from napari_vae.atoms.recipe import Options
from napari_vae.atoms.spots import flatten

FOLDS, EPOCHS, RATE = 4, 40, 1e-3
BLOB = 1.5  # px at the scale of the network, of the mark of a label: people click about this near


class Seen:
    """An image at the scale of the network, and its labels there."""

    def __init__(self, sample: Labelled, sigma: float) -> None:
        frame = np.asarray(sample.image.data, dtype=float)  # type: ignore[attr-defined]
        shape = tuple(8 * max(2, round(n * SIGMA / sigma / 8)) for n in frame.shape)
        self.sample, self.zoom = sample, np.array(frame.shape) / shape
        self.image = normalized(resampled(flatten(frame, sigma)[0], shape))
        grid = np.stack(np.mgrid[: shape[0], : shape[1]], -1).reshape(-1, 2)
        near = cKDTree((sample.truth + 0.5) / self.zoom - 0.5).query(grid)[0]
        self.wanted = np.exp(-0.5 * (near / BLOB) ** 2).reshape(1, *shape).astype(np.float32)

    def found(self, network: nn.ModuleDict) -> tuple[np.ndarray, np.ndarray]:
        """Maxima (pixels of the image) and their probabilities."""
        with torch.inference_mode():
            place, probability = peaks(logits_of(network, torch.from_numpy(self.image)[None])[0, 0].numpy())
        return (place + 0.5) * self.zoom - 0.5, probability


def taught(seen: list[Seen], rng: np.random.Generator) -> nn.ModuleDict:
    """The network of the package, trained on with these images."""
    network = atom_net()
    network.load_state_dict(load_network().state_dict())
    mean = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    steps = EPOCHS * len(seen)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        one = seen[step % len(seen)]
        turn, mirror = rng.integers(4), rng.integers(2)
        parts = (np.rot90(part, turn, (1, 2)) for part in (one.image, one.wanted))
        image, wanted = (part[:, :, :: 1 - 2 * mirror].copy() for part in parts)
        logits = logits_of(network, torch.from_numpy(image)[None])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(wanted)[None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, new in zip(mean.parameters(), network.parameters(), strict=True):
                slow.lerp_(new, 1 - min(0.98, (step + 1) / (step + 10)))
    return mean


def f1_of(sample: Labelled, found: np.ndarray) -> float:
    """Agreement of what was found; 0 for nothing."""
    return compare(sample, found, CLICKED, 0).f1 if len(found) else 0.0


def agreements(said: list[tuple[Labelled, np.ndarray, np.ndarray]]) -> np.ndarray:
    """F1 of every image (rows) at every threshold (columns)."""
    levels = np.linspace(0.02, 0.9, 45)
    return np.array([[f1_of(s, place[p >= t]) for t in levels] for s, place, p in said])


def ceiling(name: str, seed: int = 0) -> tuple[object, ...]:
    """Mean F1 with the best threshold of every image and with the best one for all; labels without any maximum."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    samples = list(single_atoms(DATA / name))
    sigma = float(np.median([measure(open_frames(s.image), [0], Options())[0].sigma for s in samples]))
    seen = [Seen(sample, sigma) for sample in samples]
    said = []
    for fold in range(FOLDS):
        network = taught([one for i, one in enumerate(seen) if i % FOLDS != fold], rng)
        said += [(one.sample, *one.found(network)) for one in seen[fold::FOLDS]]
    f1 = agreements(said)
    lost = np.concatenate([cKDTree(place).query(s.truth)[0] > CLICKED for s, place, _ in said])
    return name, len(samples), float(f1.max(axis=1).mean()), float(f1.mean(axis=0).max()), float(lost.mean())


if __name__ == "__main__":
    head = ("set", "images", "F1, best threshold of each", "F1, best threshold of all", "labels without maximum")
    print_table(head, *(ceiling(name) for name in ("re_bpy", "acstem")))
