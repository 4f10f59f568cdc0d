"""The figures of ``detection.md``: how atoms are found, how precisely, and where that fails. Simulated images only.

    python docs/figures/detection.py [OUT]

Takes about a minute, and writes three pictures to OUT (default ``docs/images``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

import napari_vae as nv
from napari_vae.atoms.candidates import Filtered
from napari_vae.atoms.damage import mend

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))
from truth.limit import cramer_rao  # noqa: E402
from truth.matching import judge, pair  # noqa: E402

BLUE, YELLOW, RED, GREEN = "#4477aa", "#eecc44", "#ee6677", "#44bb66"
CROP = slice(20, 140)
NEAR = 6.0  # px, within which a single atom counts as found


def main(out: Path) -> None:
    for name, draw in (("steps", draw_steps), ("precision", draw_precision), ("texture", draw_texture)):
        figure = draw()
        path = out / f"detection-{name}.png"
        figure.savefig(path, dpi=80, bbox_inches="tight")
        plt.close(figure)
        # Noise makes large files; of the methods of Pillow this one keeps the few pixels of the marks coloured.
        Image.open(path).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def draw_steps() -> plt.Figure:
    """Image, score, threshold and atoms of a perovskite at a low dose."""
    image, truth = nv.samples.micrograph("perovskite", size=512, dose=1.2, seed=2, jitter=0, drift=0, vacancies=0.03)
    atoms = nv.detect_atoms(image)
    threshold = atoms.attrs["napari_vae"]["threshold"]
    filtered = Filtered(mend(np.asarray(image.data, dtype=np.float64)), float(truth["sigma"].iloc[0]))
    figure, axes = plt.subplots(2, 2, figsize=(9, 8.2), layout="constrained")
    axes[0, 0].imshow(image.data[CROP, CROP], cmap="gray", extent=_extent())
    axes[0, 0].set_title("image, 1.2 electrons per pixel at the peak")
    picture = axes[0, 1].imshow(filtered.maps.score[CROP, CROP], cmap="magma", vmin=0, extent=_extent())
    figure.colorbar(picture, ax=axes[0, 1], label="score, standard errors", shrink=0.9)
    axes[0, 1].set_title("score")
    scores = filtered.lattice_scores(1)
    axes[1, 0].hist(scores, bins=np.linspace(0, np.quantile(scores, 0.998), 60), color=BLUE)
    axes[1, 0].axvline(threshold, color=RED)
    axes[1, 0].annotate(
        "threshold", (threshold, 0.95), (6, 0), ("data", "axes fraction"), "offset points", color=RED, va="top"
    )
    axes[1, 0].set(xlabel="score of the maximum, standard errors", ylabel="number of maxima", title="threshold")
    axes[1, 1].imshow(image.data[CROP, CROP], cmap="gray", alpha=0.55, extent=_extent())
    axes[1, 1].scatter(truth["x"], truth["y"], s=90, facecolors="none", edgecolors=BLUE, linewidths=1.5, label="true")
    axes[1, 1].scatter(atoms["x"], atoms["y"], s=45, marker="+", c=RED, linewidths=1.5, label="found")
    axes[1, 1].set(xlim=_extent()[:2], ylim=_extent()[2:], title="atoms, after the sub-pixel fit")
    axes[1, 1].legend(loc="upper right", framealpha=1)
    for ax in (axes[0, 0], axes[0, 1], axes[1, 1]):
        ax.set(xlabel="x, pixels", ylabel="y, pixels")
    return figure


def _extent() -> tuple[float, float, float, float]:
    return CROP.start - 0.5, CROP.stop - 0.5, CROP.stop - 0.5, CROP.start - 0.5


def draw_precision() -> plt.Figure:
    """Error and its estimate against the electrons in a column, beside the Cramér–Rao limit."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained", sharey=True)
    for ax, kind in zip(axes, ("graphene", "perovskite"), strict=True):
        electrons, error, claimed, alone, among = np.array([precision_at(kind, n) for n in np.geomspace(60, 2e4, 9)]).T
        ax.loglog(electrons, alone, color="0.6", label="limit, a column alone")
        ax.loglog(electrons, among, color="0.2", ls="--", label="limit, neighbours unknown too")
        ax.loglog(electrons, error, "o", color=RED, label="RMS error")
        ax.loglog(electrons, claimed, "_", ms=14, mew=2, color=BLUE, label="errors in the table")
        ax.set(xlabel="electrons in a column", title=kind)
        ax.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("2-D error, pixels")
    axes[0].legend(frameon=False)
    return figure


def precision_at(kind: str, electrons: float) -> tuple[float, float, float, float, float]:
    """Electrons, RMS error, RMS of the standard errors, limit alone and among neighbours, in pixels."""
    sigma = float(nv.samples.micrograph(kind, size=64)[1]["sigma"].iloc[0])
    dose = electrons / (2 * np.pi * sigma**2)
    image, truth = nv.samples.micrograph(kind, size=512, dose=dose, jitter=0, drift=0, background=0.1)
    atoms = nv.detect_atoms(image)
    judged = judge(atoms[["y", "x"]].to_numpy(), truth[["y", "x"]].to_numpy(), image.shape)
    claimed = atoms[["y_err", "x_err"]].to_numpy()[judged.right]
    limits = (cramer_rao(truth, 0.1 * dose, among=among) for among in (False, True))
    return electrons, judged.rms, float(np.sqrt(np.nanmean((claimed**2).sum(axis=1)))), *limits


def draw_texture() -> plt.Figure:
    """Single atoms on a smooth support and on supports with a texture as coarse as the atoms."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), layout="constrained", sharey=True)
    for ax, texture in zip(axes, (0.0, 0.12, 0.25), strict=True):
        image, truth = single_atoms(texture)
        found = nv.detect_atoms(image)[["y", "x"]].to_numpy()
        partner = pair(found, truth, NEAR)
        missed = np.setdiff1d(np.arange(len(truth)), partner)
        ax.imshow(image, cmap="gray")
        for points, colour, label in (
            (found[partner >= 0], GREEN, "found"),
            (truth[missed], YELLOW, "missed"),
            (found[partner < 0], RED, "texture"),
        ):
            label = f"{len(points)} {label}"
            ax.scatter(
                points[:, 1], points[:, 0], s=90, facecolors="none", edgecolors=colour, linewidths=1.5, label=label
            )
        ax.set(xlabel="x, pixels", title=f"texture of {texture:.0%} of an atom" if texture else "no texture")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, frameon=False, handletextpad=0.1)
    axes[0].set_ylabel("y, pixels")
    return figure


def single_atoms(texture: float, size: int = 256, sigma: float = 2.5) -> tuple[np.ndarray, np.ndarray]:
    """Image of 40 atoms of 100 electrons per pixel of peak on a support of 100, and their positions.

    The texture is white noise blurred to the width of the atoms; its standard deviation is a share of their height.
    """
    rng = np.random.default_rng(5)
    truth = np.zeros((0, 2))
    while len(truth) < 40:
        place = rng.uniform(10, size - 10, 2)
        if not len(truth) or np.hypot(*(truth - place).T).min() > 6 * sigma:
            truth = np.vstack([truth, place])
    y, x = np.mgrid[:size, :size]
    expected = np.full((size, size), 100.0)
    for (row, column), height in zip(truth, rng.uniform(70, 130, len(truth)), strict=True):
        expected += height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
    uneven = gaussian_filter(rng.standard_normal((size, size)), sigma, mode="wrap")
    expected += 100 * texture * uneven / uneven.std()
    return rng.poisson(expected.clip(1)).astype(np.float32), truth


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
