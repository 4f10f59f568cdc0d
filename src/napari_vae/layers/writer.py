"""What napari calls for File → Save: points as tables, labels as calibrated TIFF, a described image as a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..io.writing import write_image, write_table

if TYPE_CHECKING:
    from ..workflow.analyze import Analysis

KEY = "napari_vae"
LayerData = tuple[Any, dict[str, Any], str]


@contextlib.contextmanager
def _shown() -> Iterator[None]:
    """Turn our sentences into an error that napari shows; a ValueError it takes for a plugin that is not there."""
    try:
        yield
    except InputError as error:
        raise OSError(str(error)) from error


def write_points(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the positions in pixels and the features of points as a table, in the format that the name ends in.

    Raises
    ------
    OSError
        If the format needs something that is missing, such as a package or the size of the pixels.
    """
    from ..core.placement import KEPT, Placement
    from .points import atoms_from_points

    layer = _layer((data, attributes, "points"))
    with _shown():
        table = atoms_from_points(layer)
        told = _told(layer) | {KEPT: Placement.of_layer(layer).to_dict()}
        return [str(write_table(table, path, provenance=told, **_calibration(layer)))]


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write labels as a TIFF with the size of their pixels, which opens as labels again.

    Raises
    ------
    OSError
        If there are more than 16 million labels, or axes beyond frames, rows and columns.
    """
    layer = _layer((data, attributes, "labels"))
    labels = layer.data[0] if layer.multiscale else layer.data
    with _shown():
        if labels.ndim not in (2, 3):
            raise InputError(f"The labels have {labels.ndim} axes; save (rows, columns) or (frames, rows, columns).")
        return [str(write_image(labels, path, labels=True, **_calibration(layer)))]


def write_analysis(path: str, layers: list[LayerData]) -> list[str]:
    """Write an image, the points that a model has described on it, and the model as the folder of an analysis.

    The atoms are those of the points now, moved by hand or not; the model describes them anew.

    Raises
    ------
    OSError
        If the layers are not one image and the points on it, the model is not open, or the folder is not empty.
    """
    from ..workflow.archive import check_folder

    with _shown():
        folder = check_folder(path)
        return [str(_analysis([_layer(item) for item in layers]).save(folder))]


def _analysis(layers: list[Any]) -> Analysis:
    import pandas as pd

    from ..models.columns import set_aside
    from ..patches.patches import extract_patches
    from ..workflow.analyze import CLASS, Analysis
    from .identity import belongs
    from .open_runs import find_run
    from .points import atoms_from_points, micrograph_from_layer, placement_of

    opened = {layer: find_run(_told(layer).get("run", "")) for layer in layers if _kind(layer) == "Points"}
    described = [(layer, run) for layer, run in opened.items() if run is not None]
    images = [layer for layer in layers if _kind(layer) == "Image" and described and belongs(described[0][0], layer)]
    if len(described) != 1 or len(images) != 1:
        raise InputError("Choose the points that a model has described and the image below them, and save these.")
    points, run = described[0][0], described[0][1].run
    if run.model_config.kind == "conditional":
        raise InputError("A model with a condition is saved by “Save …” in Train VAE, and its table from the points.")
    image = micrograph_from_layer(images[0])
    atoms = atoms_from_points(points, placement_of(images[0]))
    made = list(_told(points).get("columns", ()))
    classes = pd.to_numeric(atoms["class"].astype(str), errors="coerce") if "class" in {*made} & {*atoms} else None
    atoms = atoms.drop(columns=made, errors="ignore")
    patches = extract_patches(image, atoms, window=run.window, normalization=run.normalization)
    encoded = run.encode(patches)
    if classes is not None and "class" not in encoded and (known := classes.loc[patches.atoms.index]).notna().all():
        encoded["class"] = known.astype(int)
    results = encoded.columns.union(list(CLASS))
    atoms, patches = set_aside(atoms, results), replace(patches, atoms=set_aside(patches.atoms, results))
    settings = {"window": list(run.window), "model": asdict(run.model_config), "training": asdict(run.train_config)}
    return Analysis(image, atoms, patches, run, patches.atoms.join(encoded), settings)


def _layer(item: LayerData) -> Any:
    from napari.layers import Layer

    return Layer.create(*item)


def _kind(layer: Any) -> str:
    return str(layer.__class__.__name__)


def _told(layer: Any) -> dict[str, Any]:
    return dict(layer.metadata.get(KEY, {}))


def _calibration(layer: Any) -> dict[str, Any]:
    from ..core.placement import Placement

    pixel_size, units = Placement.of_layer(layer).pixel_size()
    return {"pixel_size": pixel_size, "units": units}
