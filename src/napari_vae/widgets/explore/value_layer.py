"""A column of the points as a picture: the cell of every atom holds its value, or its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.cells import CELL_RADIUS, value_map
from ...analysis.coloring import color_by, is_categorical
from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...core.placement import Placement
from ...core.positions import table_spacing
from ...layers.points import KEY, LayerData, classes_to_labels
from ...layers.table import table_of
from .class_column import ClassColumn

PlacedAtoms = tuple[Micrograph, pd.DataFrame, Placement]  # an image, its atoms, and where it lies
Making = Callable[[], LayerData]  # draws the picture; may run in a thread, since everything is read before


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
    options = {
        "name": name,
        "colormap": "viridis",
        "contrast_limits": color_by(table[name]).limits,
        "opacity": 0.8,
        "metadata": {KEY: {"kind": "map", "column": name}},
    }
    values = table[name].to_numpy(np.float32)

    def make() -> LayerData:
        picture = value_map(atoms, values, shape, CELL_RADIUS * table_spacing(atoms), np.float32(np.nan))
        return picture, options | placement.kwargs(), "image"

    return make


def class_layer(source: PlacedAtoms, points: Any, name: str) -> Making:
    """Labels layer data of a column of classes, in the colours that they have on the points.

    Raises
    ------
    InputError
        If there is no such column, or no classes in it.
    """
    classes = ClassColumn(points, name).read()
    if classes is None or not classes.names:
        raise InputError("There are no classes yet; group the atoms or assign some first.")
    micrograph, atoms, placement = source
    shape = micrograph.shape[-placement.ndim :]
    numbers = pd.Series(classes.codes, index=atoms.index)

    def make() -> LayerData:
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
        return data, options, kind

    return make
