"""Latents that follow the slow brightness of real micrographs, with the background left and with it subtracted.

    python benchmarks/background.py [--only NAME] [--epochs 20]

For every real image at hand (the folder NAPARI_VAE_DATA) that has 100 columns, a small rVAE learns from 600 windows,
cut with ``level="none"`` and with ``level="auto"``. The table holds the largest |r| of its two latents with the image,
blurred over 1.5, 3 and 6 spacings, at the columns; and what ``"auto"`` subtracted. A second table is of
moirés: real domains in trilayer graphene, which a tilt hides, in windows on a grid, whose background is taken to be the
surface of second order through the image; and simulated columns whose height follows a moiré over a bowl. It has |r|
with the background, and how much of the moiré (R²) follows from the latents of other windows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor

import napari_vae as nv
from truth.labels import DATA
from truth.micrographs import micrographs

WINDOWS, FEWEST = 600, 100
WIDTHS = (1.5, 3.0, 6.0)  # spacings
BAR = 0.3  # |r| after the background is subtracted
REAL = DATA / "unseen" / "formats" / "topo_ABC_2.sm4"


def largest(image: object, atoms: pd.DataFrame, level: str, epochs: int) -> tuple[float, str]:
    """The largest |r| of a latent with the slow brightness, and what was subtracted."""
    patches = nv.extract_patches(image, atoms.sample(min(WINDOWS, len(atoms)), random_state=0), level=level)
    latents, at = learnt(patches, "rvae", epochs)
    pixels = np.asarray(getattr(image, "data", image), dtype=float)
    spacing = atoms.attrs["napari_vae"]["spacing"]
    return followed(latents, np.stack([gaussian_filter(pixels, w * spacing)[at] for w in WIDTHS], 1)), patches.level


def learnt(patches: nv.Patches, model: str, epochs: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Latents (N, 2) of a small model, and rows and columns of the windows."""
    run = nv.fit(patches, nv.ModelConfig.preset(model), nv.TrainConfig(epochs=epochs, device="cpu", seed=0))
    at = np.rint(patches.atoms[["y", "x"]].to_numpy()).astype(int)
    return run.encode(patches)[["z1", "z2"]].to_numpy(), tuple(at.T)


def followed(latents: np.ndarray, slow: np.ndarray) -> float:
    """The largest |r| of a latent with a column of (N, k) slow brightness."""
    return float(np.nanmax(np.abs(np.corrcoef(latents, slow, rowvar=False)[:2, 2:])))


@dataclass(frozen=True)
class Moire:
    """An image, where its windows are, its background, and what else varies slowly."""

    name: str
    image: nv.Micrograph
    places: pd.DataFrame
    window: int
    background: np.ndarray
    domains: np.ndarray


def moires() -> Iterator[Moire]:
    """The real one, and a simulated one."""
    image = nv.read(REAL)
    pixels = np.asarray(image.data, dtype=float)
    y, x = (grid.ravel() / max(pixels.shape) for grid in np.indices(pixels.shape))
    surface = np.stack([np.ones_like(y), y, x, y**2, y * x, x**2], axis=1)
    slow = (surface @ np.linalg.lstsq(surface, pixels.ravel(), rcond=None)[0]).reshape(pixels.shape)
    grid = nv.patches.grid_positions(image, 4, window=24)
    yield Moire("trilayer graphene, STM", image, grid, 24, slow, pixels - slow)
    crystal, truth = nv.samples.micrograph("graphene", size=256, dose=500, angle=10.0, background=0.0)
    y, x = np.mgrid[:256, :256]
    turns = np.radians([20, 80, 140])[:, None, None]
    waves = np.cos(2 * np.pi / 55 * (np.sin(turns) * y + np.cos(turns) * x)).sum(axis=0)
    bowl = (y - 100.0) ** 2 + (x - 140.0) ** 2
    columns = truth.assign(frame=0)
    columns.attrs["napari_vae"] = {"spacing": 12.3}
    spread = crystal.data.std()
    image = nv.Micrograph(crystal.data + spread * (waves / waves.std() + 3 * bowl / bowl.std()))
    yield Moire("simulated, a bowl", image, columns, 24, bowl, waves)


def shown(moire: Moire, level: str, epochs: int) -> tuple[float, float, str]:
    """|r| of the latents with the background, R² of the domains, and what was subtracted."""
    patches = nv.extract_patches(moire.image, moire.places, window=moire.window, level=level)
    latents, at = learnt(patches, "rvae", epochs)
    seen = moire.domains[at]
    parts = KFold(5, shuffle=True, random_state=0)
    told = cross_val_predict(KNeighborsRegressor(10), latents / latents.std(axis=0), seen, cv=parts)
    r = followed(latents, moire.background[at][:, None])
    return r, 1 - np.mean((told - seen) ** 2) / seen.var(), patches.level


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
    print("\n| moiré | level | \\|r\\| | bar | met | R² of the moiré |\n| --- | --- | --- | --- | --- | --- |")
    for moire in moires() if chosen.only.lower() in "moirés" else ():
        for asked in ("none", "auto"):
            r, share, level = shown(moire, asked, chosen.epochs)
            bar, met = (f"< {BAR}", "yes" if r < BAR else "**no**") if asked == "auto" else ("", "")
            print(f"| {moire.name} | {asked}: {level} | {r:.2f} | {bar} | {met} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
