"""The figures of ``active-learning.md``: cards, ferroelectric trajectories, and the rarest defect of a micrograph.

    python docs/figures/learning.py [OUT]

Writes ``learning-cards.png``, ``learning-ferroelectric.png`` and ``learning-micrograph.png`` to OUT (default
``docs/images``), in some five minutes on two cores. They show single runs; medians and ranges over many are the
subject of ``benchmarks/dkl/``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree
from sklearn.decomposition import PCA

import napari_vae as nv

LABELS = 100
TARGETS = {"rotation": ("twilight", (-180, 180)), "shear": ("viridis", None), "suit": ("Set1", (0, 8))}


def main(out: Path) -> None:
    for name, draw in {"cards": cards, "ferroelectric": ferroelectric, "micrograph": micrograph}.items():
        figure = draw()
        figure.savefig(out / f"learning-{name}.png", dpi=80)
        plt.close(figure)


def cards() -> plt.Figure:
    """Embeddings of all cards, a column each, coloured by the target of each row."""
    deck = nv.samples.cards(2000, 120, 20, size=30)
    values = {"rotation": deck.angle, "shear": deck.shear, "suit": deck.suit.astype(float)}
    run = nv.fit(deck.images, nv.ModelConfig(invariances=("rotation", "strain")))
    rvae = nv.fit(deck.images, nv.ModelConfig.preset("rvae")).encode(deck.images)[["z1", "z2"]].to_numpy()
    pca = PCA(2, random_state=0).fit_transform(deck.images.reshape(len(deck), -1))
    seen = nv.DeepKernelGP(run).prepare(deck.images)
    figure, grid = plt.subplots(3, 4, figsize=(11, 8), layout="constrained")
    for row, (target, y) in zip(grid, values.items(), strict=True):
        columns = {"two principal components": pca, "two latents of an rVAE": rvae}
        for way in ("random", "active"):
            columns[f"deep kernel, {LABELS} {way} labels"] = embedding(run, seen, y, way)
        for axes, (name, z) in zip(row, columns.items(), strict=True):
            cmap, limits = TARGETS[target]
            axes.scatter(*z[::3].T, c=y[::3], s=2, cmap=cmap, clim=limits, rasterized=True)
            axes.set(xticks=[], yticks=[], title=f"{name}\nk-NN R² {nv.analysis.knn_r2(z, y):.2f}")
            axes.title.set_fontsize(9)
        row[0].set_ylabel(f"coloured by {target}", fontsize=11)
    return figure


def embedding(run: nv.Run, seen: nv.DeepKernelGP, y: np.ndarray, way: str) -> np.ndarray:
    """Two dimensions in which a deep kernel orders the target after some labels."""
    model = nv.DeepKernelGP(run, embedding_dim=2, ensemble=1)
    measured = np.random.default_rng(0).choice(len(y), LABELS, replace=False)
    if way == "active":
        settings = {"model": model, "start": 10, "batch": 5, "refit_every": 5}
        measured = nv.explore(seen, y, "variance", budget=LABELS, **settings).measured
    return model.fit(seen[measured], y[measured]).embed(seen)


def ferroelectric() -> plt.Figure:
    """The best so far by expected improvement and at random; the field that curls most, and what it leaves behind."""
    fields = nv.samples.field_trajectories(7500, seed=0).field
    lattice = nv.samples.Ferroelectric(seed=0)
    curl = lattice.drive(fields).curl.astype(float)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(curl))
        record = nv.explore(fields[:, ::10], curl, "ei", start=order[:100].tolist(), budget=130, seed=seed)
        for measured, colour, name in (
            (order[:130], "0.6", "at random"),
            (record.measured, "C3", "expected improvement"),
        ):
            left.step(range(1, 131), np.maximum.accumulate(curl[measured]), where="post", c=colour, label=name)
    left.axhline(curl.max(), c="k", lw=0.8, ls=":")
    left.set(xlim=(90, 130), ylim=(19.9, 20.95), title="three searches, after 100 at random")
    left.set(xlabel="trajectories simulated, of 7500", ylabel="largest curl so far")
    left.legend(*[handles[:2] for handles in left.get_legend_handles_labels()], frameon=False, loc="center right")
    best = int(curl.argmax())
    middle.plot(np.linspace(0, 1, fields.shape[1]), fields[best], c="C3")
    middle.set(xlabel="time", ylabel="field, coercive fields", title="the field that curls it most")
    state = lattice.drive(fields[best : best + 1]).state[0]
    y, x = np.mgrid[: state.shape[0], : state.shape[1]]
    down, across = state[..., 0], state[..., 1]
    right.quiver(
        x, y, across, down, np.arctan2(-down, across), cmap="hsv", clim=(-np.pi, np.pi), angles="xy", pivot="mid"
    )
    right.set(xticks=[], yticks=[], aspect="equal", title="the polarisation that it leaves")
    right.invert_yaxis()
    return figure


def micrograph() -> plt.Figure:
    """Where a search for N looked, and the same number of atoms at random."""
    image, truth = nv.samples.micrograph("graphene", size=512, seed=0, dopants={"Si": 0.03, "N": 0.01})
    atoms = nv.detect_atoms(image)
    true = truth.iloc[cKDTree(truth[["y", "x"]]).query(atoms[["y", "x"]])[1]]
    kind = np.where(true["vacant_neighbours"] > 0, 1, 0)
    kind = np.where(true["species"] == "Si", 2, np.where(true["species"] == "N", 3, kind))
    patches = nv.extract_patches(image, atoms.assign(kind=kind))
    kind, places = patches.atoms["kind"].to_numpy(), patches.atoms[["y", "x"]].to_numpy()
    run = nv.fit(patches, nv.ModelConfig.preset("rvae"))
    order = np.random.default_rng(0).permutation(len(kind))
    model = nv.DeepKernelGP(run, target="class")
    settings = {"model": model, "goal": 3.0, "start": order[:10].tolist(), "batch": 10}
    record = nv.explore(patches, kind, "pi", budget=80, **settings)
    figure, panels = plt.subplots(1, 2, figsize=(11, 5.7), layout="constrained")
    for axes, name, measured in zip(
        panels, ("asked by the model", "at random"), (record.measured, order[:80]), strict=True
    ):
        axes.imshow(image.data, cmap="gray", vmax=np.quantile(image.data, 0.99))
        axes.axis("off")
        rare = places[kind == 3]
        shown = axes.scatter(*places[measured].T[::-1], c=np.arange(1, 81), cmap="viridis", s=22)
        axes.plot(*rare.T[::-1], "o", mfc="none", mec="#ff3d7f", ms=11, mew=1.5)
        axes.set_title(f"{name}: {np.sum(kind[measured] == 3)} of {len(rare)} N in 80 measurements")
    figure.colorbar(shown, ax=panels, shrink=0.8, label="order")
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "images")
