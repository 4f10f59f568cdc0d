"""Spectra that pyroVED's VED predicts from images; run by ``benchmarks/encoder_decoder.py``.

    .venv/bin/python pyroved_spectra.py FOLDER --seconds 120

Needs the environment that ``setup.py`` makes and nothing of ours. FOLDER holds ``images.npy`` (N, height, width) in
[0, 1], ``spectra.npy`` (N, L) and ``asked.npy`` (M, height, width); ``predicted.npy`` (M, L) is written. Widths,
likelihood, learning rate and trainer are its defaults, with four latents and batches of 50; spectra are brought to
[0, 1], as its likelihood asks for. It trains on whole epochs until so many seconds of the processor are over.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from pathlib import Path

import numpy as np
import torch

# Its figures take make_grid from torchvision, which comes in builds that must match torch's; training never calls it.
sys.modules["torchvision"] = types.ModuleType("torchvision")
sys.modules["torchvision.utils"] = types.ModuleType("torchvision.utils")
sys.modules["torchvision.utils"].make_grid = None

import pyroved as pv  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    images, spectra, asked = (np.load(chosen.folder / f"{name}.npy") for name in ("images", "spectra", "asked"))
    low, span = spectra.min(), np.ptp(spectra)
    x, y = (torch.from_numpy(one[:, None]).float() for one in (images, (spectra - low) / span))
    model = pv.models.VED(images.shape[1:], spectra.shape[1:], latent_dim=4)
    trainer, data = pv.trainers.SVItrainer(model), pv.utils.init_dataloader(x, y, batch_size=50)
    began, epochs = time.process_time(), 0
    while time.process_time() - began < chosen.seconds:
        trainer.step(data)
        epochs += 1
    mean, _ = model.predict(torch.from_numpy(asked[:, None]).float())
    np.save(chosen.folder / "predicted.npy", mean.numpy().reshape(len(asked), -1) * span + low)
    print(epochs)


if __name__ == "__main__":
    main()
