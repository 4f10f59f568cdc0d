"""The figure of ``crystal.md``: a simulated perovskite with its polarisations, strain and vacancies.

    python docs/figures/crystal.py [OUT]

Writes ``crystal.png`` to OUT (default ``docs/images``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

import napari_vae as nv

FACTOR = 10  # by which arrows are lengthened


def main(out: Path) -> None:
    image, _ = nv.samples.micrograph(
        "perovskite", size=400, seed=1, strain_field=0.03, displacement=0.001, polar=0.03, vacancies=0.02
    )
    crystal = nv.describe_crystal(nv.assign_sublattices(nv.detect_atoms(image)), image)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
    for axes in (left, right):
        axes.imshow(image.data, cmap="gray")
        axes.axis("off")
    left.set_title(f"polarisation × {FACTOR}, vacancies")
    right.set_title("strain_xx")
    draw_arrows(left, crystal)
    atoms = crystal.atoms
    shown = right.scatter(atoms["x"], atoms["y"], c=atoms["strain_xx"], cmap="RdBu_r", vmin=-0.03, vmax=0.03, s=22)
    figure.colorbar(shown, ax=right, shrink=0.85)
    figure.savefig(out / "crystal.png", dpi=64)
    plt.close(figure)


def draw_arrows(axes: plt.Axes, crystal: nv.crystal.Crystal) -> None:
    """Arrows of the weaker columns in the colour of their direction, the lattice vectors, squares on missing atoms."""
    weak = crystal.atoms[crystal.atoms["sublattice"] == 1]
    y, x = weak["polarisation_y"] * FACTOR, weak["polarisation_x"] * FACTOR
    axes.quiver(
        weak["x"], weak["y"], x, y, np.arctan2(-y, x), cmap="hsv", clim=(-np.pi, np.pi),
        angles="xy", scale_units="xy", scale=1, width=0.009,
    )  # fmt: skip
    missing = crystal.vacancies
    axes.plot(missing["x"], missing["y"], "s", mfc="none", mec="#ff3d7f", ms=9, mew=1.5)
    origin = crystal.atoms[crystal.atoms["sublattice"] == 0].iloc[60]
    for name, (down, right) in (("a", crystal.lattice.a), ("b", crystal.lattice.b)):
        end = origin["x"] + right, origin["y"] + down
        axes.annotate("", end, (origin["x"], origin["y"]), arrowprops={"arrowstyle": "->", "color": "white", "lw": 2})
        axes.annotate(name, end, color="white", fontsize=13, fontweight="bold")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "images")
