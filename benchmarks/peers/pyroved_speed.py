"""Training speed of pyroVED 0.3 as it is installed, in images per second; run by ``benchmarks/speed.py``.

    .venv/bin/python pyroved_speed.py IMAGES.npy LABELS.npy [--models rvae crvae] [--seconds 30] [--batch 50]

Needs the environment that ``setup.py`` makes and nothing of ours. Widths, learning rates and trainers are its defaults,
two latents, ``invariances=["r"]``. Each model trains on whole rounds of batches until the seconds are over, after a
first step that does not count. Prints JSON: ``{"rvae": 35.1, …}``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import types
from collections.abc import Callable

import numpy as np
import torch

# Its figures take make_grid from torchvision, which comes in builds that must match torch's; training never calls it.
sys.modules["torchvision"] = types.ModuleType("torchvision")
sys.modules["torchvision.utils"] = types.ModuleType("torchvision.utils")
sys.modules["torchvision.utils"].make_grid = None

import pyroved as pv  # noqa: E402

MODELS = ("rvae", "crvae", "ss-rvae", "j-rvae")
CLASSES = 4
ROUND = {"ss-rvae": 16}  # batches without labels to one with labels, as with 12 000 cards and 800 labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", help="(N, height, width) in [0, 1], shuffled")
    parser.add_argument("labels", help="(N,) classes from 0")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--seconds", type=float, default=30.0, help="at least so long for each model")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    images = torch.from_numpy(np.load(chosen.images)).float()
    labels = torch.nn.functional.one_hot(torch.from_numpy(np.load(chosen.labels)).long(), CLASSES).float()
    speeds = {}
    for name in chosen.models:
        steps = training(name, images, labels, chosen.batch, chosen.device)
        speeds[name] = measure(steps, ROUND.get(name, 4), chosen.seconds, chosen.device)
    print(json.dumps(speeds))


def training(name: str, images: torch.Tensor, labels: torch.Tensor, batch: int, device: str) -> Callable[[int], int]:
    """A function that trains on so many batches and returns how many images these were."""
    shape, options = tuple(images.shape[1:]), {"invariances": ["r"], "device": device}
    images = images.flatten(1)  # classes are appended to the pixels

    def loader(n_batches: int, *data: torch.Tensor) -> torch.utils.data.DataLoader:
        return pv.utils.init_dataloader(*(part[: n_batches * batch] for part in data), batch_size=batch)

    if name == "ss-rvae":
        model = pv.models.ssiVAE(shape, 2, CLASSES, **options)
        trainer = pv.trainers.auxSVItrainer(model, device=device)

        def semi_supervised(n_batches: int) -> int:
            trainer.step(loader(n_batches, images), loader(1, images, labels))
            return (n_batches + (n_batches > 1)) * batch  # the labelled batch follows the second without labels

        return semi_supervised
    if name == "j-rvae":
        model = pv.models.jiVAE(shape, 2, CLASSES, **options)
    else:
        model = pv.models.iVAE(shape, 2, c_dim=CLASSES if name == "crvae" else 0, **options)
    trainer = pv.trainers.SVItrainer(model, enumerate_parallel=name == "j-rvae", device=device)
    data = (images, labels) if name == "crvae" else (images,)

    def unsupervised(n_batches: int) -> int:
        trainer.step(loader(n_batches, *data))
        return n_batches * batch

    return unsupervised


def measure(train: Callable[[int], int], n_batches: int, seconds: float, device: str) -> float:
    """Images per second over rounds of `n_batches`."""
    train(1)
    start, seen = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        seen += train(n_batches)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return seen / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
