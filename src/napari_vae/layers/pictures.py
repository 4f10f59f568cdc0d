"""Pictures of a result that are made when they are asked for: of a column, of classes, of what the model redraws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.cells import CELL_RADIUS, value_map
from ..analysis.classes import Classes
from ..analysis.coloring import color_by, is_categorical
from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.placement import Placement
from ..core.positions import table_spacing
from .identity import ours
from .open_runs import find_run
from .points import KEY, LayerData, classes_to_labels
from .results import pasted_layers
from .showing import PALETTES
from .table import table_of

PlacedAtoms = tuple[Micrograph, pd.DataFrame, Placement]  # an image, its atoms, and where it lies
Making = Callable[[], list[LayerData]]  # draws the pictures; may run in a thread, since everything is read before


def column_map(source: PlacedAtoms, points: Any, name: str) -> Making:
    """Image layer data of a column of numbers over the cells of the atoms, clear where no atom is.

    Raises
    ------
    InputError
        If there is no such column, or it holds classes.
    """
    table = table_of(points)
    if name not in table or is_categorical(table[name]):
        raise InputError("A map shows numbers; choose such a column as colour, for example reconstruction_error.")
    micrograph, atoms, placement = source
    shape = micrograph.shape[-placement.ndim :]
    coloring = color_by(table[name])
    options = {
        "name": f"map of {name}",
        "colormap": coloring.colormap,
        "contrast_limits": coloring.limits,
        "opacity": 0.8,
        "metadata": {KEY: {"kind": "map", "column": name}},
    }
    values = table[name].to_numpy(np.float32)

    def make() -> list[LayerData]:
        picture = value_map(atoms, values, shape, CELL_RADIUS * table_spacing(atoms), np.float32(np.nan))
        return [(picture, options | placement.kwargs(), "image")]

    return make


def class_labels(source: PlacedAtoms, points: Any, name: str) -> Making:
    """Labels layer data of a column of classes, in the colours that they have on the points.

    Raises
    ------
    InputError
        If there is no such column, or no classes in it.
    """
    column = points.features.get(name)
    classes = None if column is None else Classes.of(column, dict(ours(points).get(PALETTES, {}).get(name, {})))
    if classes is None or not classes.names:
        raise InputError("There are no classes yet; group the atoms or assign some first.")
    micrograph, atoms, placement = source
    shape = micrograph.shape[-placement.ndim :]
    numbers = pd.Series(classes.codes, index=atoms.index)

    def make() -> list[LayerData]:
        data, options, kind = classes_to_labels(
            atoms,
            numbers,
            shape,
            placement,
            radius=CELL_RADIUS * table_spacing(atoms),
            name=name,
            names=classes.names,
            palette=classes.colors,
        )
        options["metadata"][KEY]["column"] = name
        return [(data, options, kind)]

    return make


def redrawn(source: PlacedAtoms, points: Any, kind: str) -> Making:
    """Image layer data, one for each channel, of the ``"reconstruction"`` of a run or of its ``"residual"``.

    Raises
    ------
    InputError
        If the run that described the points is not open.
    """
    opened = find_run(ours(points).get("run", ""))
    if opened is None:
        raise InputError("No model is open for these points; train one on them, or load one in Explore latents.")
    micrograph, _, placement = source
    shape = micrograph.shape[-placement.ndim :]

    def make() -> list[LayerData]:
        rebuilt = opened.run.reconstruct(opened.patches, condition=opened.condition)
        layers = pasted_layers(opened.patches, rebuilt, shape, placement)
        layers = [layer for layer in layers if layer[1]["metadata"][KEY]["kind"] == kind]
        for _, options, _ in layers:
            options["name"] = options["name"].replace(f" of {opened.patches.name}", "", 1)
        return layers

    return make
