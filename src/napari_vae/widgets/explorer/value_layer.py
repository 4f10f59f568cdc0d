"""A column of the points as an image: the cell of every atom holds its value."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...analysis.coloring import color_by, is_categorical
from ...errors import InputError
from ...layer_table import table_of
from ...layers import KEY, LayerData, atoms_from_points, micrograph_from_layer, placement_of, value_map
from ...positions import table_spacing
from ...results import CELL_RADIUS


def column_map(image: Any, points: Any, name: str) -> LayerData:
    """Image layer data of a column of numbers over the cells of the atoms, clear where no atom is.

    Raises
    ------
    InputError
        If there is no such column, or it holds classes.
    """
    table = table_of(points)
    if name not in table or is_categorical(table[name]):
        raise InputError("A map shows numbers; choose such a column as colour, for example reconstruction_error.")
    micrograph, placement = micrograph_from_layer(image), placement_of(image)
    atoms = atoms_from_points(points, placement)
    shape = tuple(n for n, axis in zip(micrograph.shape, micrograph.axes, strict=True) if axis != "C")
    radius = CELL_RADIUS * table_spacing(atoms)
    picture = value_map(atoms, table[name].to_numpy(np.float32), shape, radius, np.float32(np.nan))
    options = {
        "name": f"{name} of {points.name}",
        "colormap": "viridis",
        "contrast_limits": color_by(table[name]).limits,
        "opacity": 0.8,
        "metadata": {KEY: {"kind": "map", "column": name}},
    }
    return picture, options | placement.kwargs(), "image"
