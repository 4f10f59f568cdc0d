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
from scipy.ndimage import gaussian_filter

import napari_vae as nv
from napari_vae.atoms.filtered import Filtered

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))
from truth.limit import cramer_rao  # noqa: E402
from truth.matching import judge, pair  # noqa: E402

BLUE, YELLOW, RED, GREEN = "#4477aa", "#ccbb44", "#ee6677", "#228833"
CROP = slice(20, 150)
NEAR = 6.0  # px, within which a single atom counts as found


def main(out: Path) -> None:
    for name, draw in (("steps", draw_steps), ("precision", draw_precision), ("texture", draw_texture)):
        figure = draw()
        figure.savefig(out / f"detection-{name}.png", dpi=80, bbox_inches="tight")
        plt.close(figure)


def draw_steps() -> plt.Figure:
    """Image, score, threshold and atoms of a perovskite at a low dose."""
    image, truth = nv.samples.micrograph("perovskite", size=512, dose=3.0, seed=2, jitter=0, drift=0, vacancies=0.03)
    atoms = nv.detect_atoms(image)
    told = atoms.attrs["napari_vae"]
    filtered = Filtered(np.asarray(image.data, dtype=np.float64), float(truth["sigma"].iloc[0]))
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.9), layout="constrained", width_ratios=(1, 1.16, 1.1, 1))
    axes[0].imshow(image.data[CROP, CROP], cmap="gray")
    axes[0].set_title("image, 3 electrons per pixel of peak")
    picture = axes[1].imshow(filtered.maps.score[CROP, CROP], cmap="magma", vmin=-4)
    figure.colorbar(picture, ax=axes[1], label="standard errors", shrink=0.9)
    axes[1].set_title("score")
    scores = filtered.lattice_scores(1)
    axes[2].hist(scores, bins=np.linspace(0, np.quantile(scores, 0.998), 70), color=BLUE)
    axes[2].axvline(told["threshold"], color=RED)
    axes[2].annotate("threshold", (told["threshold"], 0.93), (5, 0), ("data", "axes fraction"), "offset points", color=RED)
    axes[2].set(xlabel="score of the maximum", ylabel="maxima", title="noise, threshold, columns")
    show_found(axes[3], image.data, truth, atoms)
    return figure


def show_found(ax: plt.Axes, image: np.ndarray, truth, atoms) -> None:
    """A crop with the true and the found positions."""
    ax.imshow(image[CROP, CROP], cmap="gray", alpha=0.55)
    for table, style in ((truth, {"s": 60, "facecolors": "none", "edgecolors": BLUE}), (atoms, {"s": 22, "marker": "+", "c": RED})):
        y, x = (table[axis].to_numpy() - CROP.start for axis in "yx")
        ax.scatter(x, y, **style)
    width = CROP.stop - CROP.start
    ax.set(xlim=(-0.5, width - 0.5), ylim=(width - 0.5, -0.5), title="found (+) and true (o)")


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
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.3), layout="constrained")
    for ax, texture in zip(axes, (0.0, 0.15, 0.4), strict=True):
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
            ax.scatter(points[:, 1], points[:, 0], s=70, facecolors="none", edgecolors=colour, label=f"{len(points)} {label}")
        ax.set_title(f"texture {texture:.0%} of an atom" if texture else "no texture")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=3, frameon=False, handletextpad=0.1)
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
