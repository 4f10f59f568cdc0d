"""Results into the viewer, on the main thread; nothing of the user's is overwritten."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers import KEY, add_latents, atoms_from_points, class_cycle, latent_style
from .training_steps import Described

REPLACED = ("residual", "reconstruction", "classes", "manifold")


def deliver(viewer: Any, result: Described) -> str:
    """Add the layers of a result, write the latents into its Points layer, and say in a sentence what was done."""
    hide_earlier(viewer, result.patches.name)
    points = result.source.points
    kept = points is not None and points in viewer.layers and _unchanged(points, result)
    for data, options, kind in result.layers:
        if kind == "points" and kept:
            write_latents(points, result)
        elif kind == "points":
            points = viewer.add_points(data, **options)
        else:
            getattr(viewer, f"add_{kind}")(data, **options)
    viewer.layers.move(viewer.layers.index(points), -1)
    viewer.layers.selection = [points]
    return " ".join(filter(None, [_headline(result), _fate(result, kept), result.patches.describe_dropped()]))


def write_latents(points: Any, result: Described) -> None:
    """Latents and class as columns of a Points layer, coloured by the first latent."""
    ours = points.metadata.get(KEY, {})
    features, names = add_latents(points.features, result.latents, result.classes, tuple(ours.get("columns", ())))
    points.face_color = "white"  # napari maps a colour column that changes its type under its old rule, and fails
    points.features = features
    if result.classes is not None:
        points.face_color_cycle = class_cycle(int(result.classes.max()) + 1)
    for key, value in latent_style(features, names[str(result.latents.columns[0])]).items():
        setattr(points, key, value)
    points.border_width = 0
    points.metadata = {**points.metadata, KEY: {**ours, "columns": tuple(names.values())}}


def hide_earlier(viewer: Any, source: str) -> None:
    """Hide, but keep, the pictures of earlier results of the same source."""
    for layer in viewer.layers:
        made = layer.metadata.get(KEY, {})
        if made.get("kind") in REPLACED and made.get("source") == source:
            layer.visible = False


def _unchanged(points: Any, result: Described) -> bool:
    now = atoms_from_points(points, result.source.placement)[["y", "x"]].to_numpy()
    then = result.source.atoms[["y", "x"]].to_numpy()
    return now.shape == then.shape and np.array_equal(now, then)


def _headline(result: Described) -> str:
    n = 0 if result.classes is None else int(result.classes.max()) + 1
    stopped = "Stopped early. " if getattr(result.run, "stopped", False) else ""
    return (
        f"{stopped}{len(result.patches)} atoms in {n} class{'es' if n != 1 else ''}, computed on {result.run.device}."
    )


def _fate(result: Described, kept: bool) -> str:
    if kept or result.source.points is None:
        return ""
    return "The points were changed or deleted meanwhile, so the latents are in a layer of their own."
