"""Latents that follow the slow brightness of real micrographs, with the background left and with it subtracted.

    python benchmarks/background.py [--only NAME] [--epochs 20]

For every real image at hand (the folder NAPARI_VAE_DATA) that has 100 columns, a small rVAE learns from 600 windows,
cut with ``level="none"`` and with ``level="auto"``. The table holds the largest |r| of its two latents with the image,
blurred over 1.5, 3 and 6 spacings, at the columns; and what ``"auto"`` subtracted.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

import napari_vae as nv
from truth.labels import DATA
from truth.micrographs import micrographs

WINDOWS, FEWEST = 600, 100
WIDTHS = (1.5, 3.0, 6.0)  # spacings
BAR = 0.3  # |r| after the background is subtracted


def largest(image: object, atoms: pd.DataFrame, level: str, epochs: int) -> tuple[float, str]:
    """The largest |r| of a latent with the slow brightness, and what was subtracted."""
    chosen = atoms.sample(min(WINDOWS, len(atoms)), random_state=0)
    patches = nv.extract_patches(image, chosen, level=level)
    run = nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=epochs, device="cpu", seed=0))
    latents = run.encode(patches)[["z1", "z2"]].to_numpy()
    pixels = np.asarray(getattr(image, "data", image), dtype=float)
    at = tuple(np.rint(patches.atoms[["y", "x"]].to_numpy()).astype(int).T)
    spacing = atoms.attrs["napari_vae"]["spacing"]
    slow = np.stack([gaussian_filter(pixels, width * spacing)[at] for width in WIDTHS], axis=1)
    r = np.corrcoef(latents, slow, rowvar=False)[:2, 2:]
    return float(np.nanmax(np.abs(r))), patches.level


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="images whose name holds this")
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    if not (DATA / "lattices").is_dir():
        print(f"There are no real images in {DATA}; name their folder in NAPARI_VAE_DATA.")
        return
    print("| image | none | auto | subtracted | bar | met |\n| --- | --- | --- | --- | --- | --- |")
    for known in micrographs():
        if chosen.only.lower() not in known.name.lower() or known.name.startswith(("acstem", "re_bpy")):
            continue
        atoms = nv.detect_atoms(known.image)
        if len(atoms) < FEWEST:
            continue
        before, _ = largest(known.image, atoms, "none", chosen.epochs)
        after, level = largest(known.image, atoms, "auto", chosen.epochs)
        met = "yes" if after < BAR else "**no**"
        print(f"| {known.name} | {before:.2f} | {after:.2f} | {level} | < {BAR} | {met} |", flush=True)


if __name__ == "__main__":
    main()
