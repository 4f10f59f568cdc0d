"""A finished analysis, or a trained model, as napari layer data, and points that a model described as an analysis.

The one module of this room that loads torch; the others import it inside a function.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.errors import InputError, ReadError
from ..core.placement import Placement
from ..models.columns import check_redraws, other_names
from ..patches.patches import extract_patches
from ..runs.run import load_run
from ..workflow.analysis_record import RECORD
from ..workflow.archive import Analysis, check_folder, load_analysis
from ..workflow.findings import CLASS
from .identity import belongs, linked, ours
from .images import image_layer, micrograph_from_layer
from .open_runs import OpenRun, find_run
from .pictures import grid_layers
from .points import KEY, LayerData, atoms_from_points, placement_of
from .results import result_points, run_layer


def analysis_layers(analysis: Analysis) -> list[LayerData]:
    """Napari layer data: the micrograph below, on it the latents; all else is made when it is asked for.

    Of a regular grid pictures of the latents lie between, and the points, which carry the table, are hidden.

    Examples
    --------
    >>> for data, options, kind in analysis_layers(load_analysis("results")):  # doctest: +SKIP
    ...     viewer.add_layer(napari.layers.Layer.create(data, options, kind))
    """
    placement = Placement.of_micrograph(analysis.micrograph)
    points = result_points(analysis.run, analysis.patches, analysis.encoded, analysis.classes, placement)
    pictures = grid_layers(points, analysis.patches, placement)
    for _, options, _ in pictures[-1:]:
        options["visible"] = True
    return linked([image_layer(analysis.micrograph), *pictures, points])


def folder_layers(path: Path) -> list[LayerData]:
    """Everything of a finished analysis; of a trained model what it draws over the plane of its latents."""
    if not (path / RECORD).is_file():
        run = load_run(path)
        check_redraws(run.model_config)
        return [run_layer(run, path)]
    layers = analysis_layers(load_analysis(path))
    for _, options, kind in layers:
        if kind == "points":
            options["metadata"][KEY]["folder"] = str(path.resolve())
    return layers


def read_run(folder: str) -> OpenRun | None:
    """The run in the folder of an analysis, which takes its time; ``None`` if the folder was moved or removed since."""
    try:
        return open_analysis(load_analysis(folder))
    except ReadError:
        return None


def open_analysis(analysis: Analysis) -> OpenRun:
    """The run of a finished analysis, its windows and what it was given of them."""
    return OpenRun(analysis.run, analysis.patches, Placement.of_micrograph(analysis.micrograph), analysis.condition)


def save_described(layers: list[Any], path: str | PathLike[str]) -> Path:
    """Write the analysis of `describe_points` as a folder.

    Raises
    ------
    InputError
        As `describe_points`, or if the folder is not empty.
    """
    folder = check_folder(path)
    return describe_points(layers).save(folder)


def describe_points(layers: list[Any]) -> Analysis:
    """The points on an image that a model has described, described anew, as an analysis.

    Raises
    ------
    InputError
        If the layers are not one image and the points on it, or the model is not open.
    """
    kinds = {layer: layer.__class__.__name__ for layer in layers}
    opened = {layer: find_run(ours(layer).get("run", "")) for layer in layers if kinds[layer] == "Points"}
    described = [(layer, run) for layer, run in opened.items() if run is not None]
    images = [layer for layer in layers if kinds[layer] == "Image" and described and belongs(described[0][0], layer)]
    if len(described) != 1 or len(images) != 1:
        raise InputError("Choose the points that a model has described and the image below them, and save these.")
    points, run = described[0][0], described[0][1].run
    if run.model_config.knows.conditional:
        raise InputError("A model with a condition is saved by “Save …” in Train VAE, and its table from the points.")
    image = micrograph_from_layer(images[0])
    atoms = atoms_from_points(points, placement_of(images[0]))
    made = list(ours(points).get("columns", ()))
    classes = pd.to_numeric(atoms["class"].astype(str), errors="coerce") if "class" in {*made} & {*atoms} else None
    atoms = atoms.drop(columns=made, errors="ignore")
    cutting = run.cutting | {"partial": bool({"seen", "vae_seen"} & {*made})}  # as the model has described the points
    patches = extract_patches(image, atoms, normalization=run.normalization, **cutting)
    encoded = run.encode(patches)
    if classes is not None and "class" not in encoded and (known := classes.loc[patches.atoms.index]).notna().all():
        encoded["class"] = known.astype(int)
    results = encoded.columns.union(list(CLASS))
    renamed = other_names(patches.atoms, results)
    atoms, patches = atoms.rename(columns=renamed), replace(patches, atoms=patches.atoms.rename(columns=renamed))
    settings = {"window": list(run.window), "model": asdict(run.model_config), "training": asdict(run.train_config)}
    return Analysis(image, atoms, patches, run, patches.atoms.join(encoded), settings)
