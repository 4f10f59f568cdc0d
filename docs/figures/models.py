"""The figures of ``models.md``: what each kind of model makes of the playing cards.

    python docs/figures/models.py [OUT]

Trains seven models for about a minute each on two cores, and writes one picture per model to OUT (default
``docs/images``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

import napari_vae as nv
from napari_vae.runs.decoding import tile

COLOURS = np.array(["#4477aa", "#ccbb44", "#ee6677", "#228833"])
N = 1000  # cards per suit
CASES: dict[str, dict[str, Any]] = {
    "vae": {"max_shear": 20, "epochs": 4},
    "rvae": {"max_shear": 1, "epochs": 4},
    "trvae": {"max_shear": 1, "max_shift": 6, "epochs": 8},
    "strain-rvae": {"max_shear": 20, "epochs": 10},
    "crvae": {"max_shear": 20, "epochs": 20},
    "ss-rvae": {"max_shear": 20, "epochs": 16},
    "j-rvae": {"max_shear": 1, "epochs": 10},
}


def main(out: Path) -> None:
    for name, case in CASES.items():
        figure = draw(name, **case)
        figure.savefig(out / f"model-{name}.png", dpi=80, bbox_inches="tight")
        plt.close(figure)


def draw(name: str, *, epochs: int, **options: Any) -> plt.Figure:
    """Train on cards in all orientations; draw the plane of latents, and the latents coloured by suit."""
    cards = nv.samples.cards(N, max_angle=120, **options)
    model = nv.ModelConfig.preset(name, **({"n_classes": 4} if name.startswith("j-") else {}))
    given = {"condition": cards.suit} if model.kind == "conditional" else {}
    known = given
    if model.kind == "semi-supervised":  # 25 of each suit
        known = {"labels": np.where(np.arange(len(cards)) % N < 25, cards.suit, -1)}
    run = nv.fit(cards.images, model, nv.TrainConfig(epochs=epochs), **known)
    table = run.encode(cards.images, **given)
    has_classes = bool(run.model_config.n_classes)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2))
    if has_classes:  # a row of the manifold for every class
        tiles = np.concatenate([run.manifold(7, label=k)[3:4] for k in range(4)])
        left.set_title("each class along z1")
    else:
        tiles = run.manifold(7)
        left.set_title("z1 to the right, z2 up")
    left.imshow(tile(tiles), cmap="gray")
    left.axis("off")
    horizontal, vertical = axes_of(table.columns)
    right.scatter(table[horizontal], table[vertical], s=2, c=COLOURS[cards.suit])
    right.set(xlabel=horizontal, ylabel=vertical, title="every card, coloured by its suit")
    right.yaxis.get_major_locator().set_params(integer=has_classes)
    for spine in ("top", "right"):
        right.spines[spine].set_visible(False)
    return figure


def axes_of(columns: Any) -> tuple[str, str]:
    """Two columns that show what the model has found."""
    if "class" in columns:
        return "z1", "class"
    return ("strain_xy", "z1") if "strain_xy" in columns else ("z1", "z2")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "images")
