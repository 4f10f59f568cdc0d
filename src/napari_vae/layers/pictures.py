"""Pictures of a result that are made when they are asked for: of a column, of classes, of what the model redraws."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.cells import CELL_RADIUS, cells_of, painted
from ..analysis.classes import Classes
from ..analysis.coloring import color_by, is_categorical
from ..core.class_colors import MOST_LABELS
from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.placement import Placement
from ..core.positions import on_grid, table_spacing
from ..core.progress import Stage
from ..core.provenance import data_hash
from ..patches.grid import grid_cells
from ..patches.patches import Patches
from .identity import ours
from .open_runs import find_run
from .points import KEY, LayerData, classes_to_labels
from .results import pasted_layers
from .showing import PALETTES
from .table import table_of

DRAWN = "drawn"  # noted in a picture: `state_of` the column that it shows
PlacedAtoms = tuple[Micrograph, pd.DataFrame, Placement]  # an image, its atoms, and where it lies
#: Draws the pictures, of long work step by step; may run in a thread, since everything is read before.
Making = Callable[[], list[LayerData] | Generator[Stage, None, list[LayerData]]]


def state_of(places: npt.ArrayLike, column: pd.Series, palette: dict[str, str] | None = None) -> str:
    """What a picture of a column at the places of points looks like, as a word that is another for other values.

    Classes have the colours of a `palette`, where these are not those of their order.
    """
    if is_categorical(column):
        classes = Classes.of(column, palette)
        return data_hash(np.column_stack([places, classes.codes])) + repr(classes.palette)
    return data_hash(np.column_stack([places, column.to_numpy(dtype=float)]))


def state_now(points: Any, name: str) -> str:
    """`state_of` a column of a layer of points as it is now."""
    return state_of(points.data, table_of(points)[name], ours(points).get(PALETTES, {}).get(name, {}))


def column_map(source: PlacedAtoms, points: Any, name: str) -> Making:
    """Image layer data of a column of numbers over the cells of the atoms, clear where no atom is.

    That of a regular grid has a pixel for each of its places.

    Raises
    ------
    InputError
        If there is no such column, or it holds classes.
    """
    table = table_of(points)
    if name not in table or is_categorical(table[name]):
        raise InputError("A map shows numbers; choose such a column as colour, for example reconstruction_error.")
    state = state_of(points.data, table[name])
    return lambda: [_noted(_map_layer(table[name], *_cells(source)), state)]


def class_labels(source: PlacedAtoms, points: Any, name: str) -> Making:
    """Labels layer data of a column of classes, in the colours that they have on the points.

    Raises
    ------
    InputError
        If there is no such column, or no classes in it.
    """
    column, palette = points.features.get(name), dict(ours(points).get(PALETTES, {}).get(name, {}))
    classes = None if column is None else Classes.of(column, palette)
    if classes is None or not classes.names:
        raise InputError("There are no classes yet; group the atoms or assign some first.")
    state = state_of(points.data, column, palette)
    return lambda: [_noted(_class_layer(classes, name, *_cells(source)), state)]


def grid_layers(points: LayerData, patches: Patches, placement: Placement) -> list[LayerData]:
    """Pictures of what a model says of the places of a regular grid, hidden: its classes, pose and latents, z1 on top.

    None of atoms.
    """
    places, options, _ = points
    features, written = options["features"], options["metadata"][KEY]["columns"]
    if not on_grid(patches.atoms):
        return []
    cells, place = grid_cells(patches.atoms, placement)
    classes = [name for name in ("class_name", "class") if name in written][:1]
    made = [_class_layer(Classes.of(features[name]), name, cells, place) for name in classes]
    measured = [name for name in written if f"{name}_sd" in written]
    made += [_map_layer(features[name], cells, place) for name in reversed(measured)]
    for data, look, _ in made:
        noted = look["metadata"][KEY]
        look |= {"name": f"{look['name']} of {patches.name}", "visible": False}
        noted |= {"source": patches.name, "sha256": data_hash(np.asarray(data, float))}
        noted[DRAWN] = state_of(places, features[noted["column"]])
    return made


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


def _cells(source: PlacedAtoms) -> tuple[npt.NDArray[np.int32], Placement]:
    micrograph, atoms, placement = source
    shape = micrograph.shape[-placement.ndim :]
    return cells_of(atoms, shape, placement, CELL_RADIUS * table_spacing(atoms))


def _noted(made: LayerData, state: str) -> LayerData:
    made[1]["metadata"][KEY][DRAWN] = state
    return made


def _map_layer(values: pd.Series, cells: npt.NDArray[np.int32], placement: Placement) -> LayerData:
    """Image layer data of the values of a column."""
    coloring = color_by(values)
    options = {
        "name": f"map of {values.name}",
        "colormap": coloring.colormap,
        "contrast_limits": coloring.limits,
        "opacity": 0.8,
        "interpolation2d": "nearest",
        "metadata": {KEY: {"kind": "map", "column": values.name}},
    }
    picture = painted(values.to_numpy(np.float32), cells, np.nan)
    return picture, options | placement.kwargs(), "image"


def _class_layer(classes: Classes, name: str, cells: npt.NDArray[np.int32], placement: Placement) -> LayerData:
    """Labels layer data of a column of classes."""
    if len(classes.names) > MOST_LABELS:
        raise InputError(f"There are more than {MOST_LABELS} classes; group the latents into fewer.")
    picture = painted((classes.codes + 1).astype(np.uint8), cells, 0)
    data, options, kind = classes_to_labels(picture, placement, name=name, names=classes.names, palette=classes.colors)
    options["metadata"][KEY]["column"] = name
    return data, options, kind
