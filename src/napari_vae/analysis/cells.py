"""Images in which every atom has a cell, the pixels nearer to it than to others, and every place of a grid a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.class_colors import MOST_LABELS
from ..core.errors import InputError
from ..core.placement import Placement
from ..core.positions import frame_numbers, on_grid
from ..patches.grid import grid_cells

if TYPE_CHECKING:  # images are read without it
    import pandas as pd

CELL_RADIUS = 0.71  # of the spacing: the cells of a square lattice just meet, those at a vacancy end in a disc


def class_labels(
    atoms: pd.DataFrame, classes: pd.Series, shape: tuple[int, ...], radius: float
) -> npt.NDArray[np.uint8]:
    """Label image of the classes: around each atom the pixels nearer to it than to others, within `radius` pixels.

    Parameters
    ----------
    atoms : DataFrame
        Positions; rows as in `classes`.
    classes : Series of int
        From 0.
    shape : (Y, X) or (T, Y, X)
    radius : float
        In pixels.

    Returns
    -------
    array uint8
        Class + 1, and 0 where there is no atom.
    """
    if int(classes.max()) >= MOST_LABELS:
        raise InputError("There are more than 255 classes; group the latents into fewer.")
    return value_map(atoms, (classes.to_numpy(int) + 1).astype(np.uint8), shape, radius, np.uint8(0))


def value_map(
    atoms: pd.DataFrame, values: npt.NDArray[Any], shape: tuple[int, ...], radius: float, empty: Any
) -> npt.NDArray[Any]:
    """Image in which the cell of each atom, as `class_labels` has it, holds the atom's value; `empty` elsewhere."""
    from scipy.spatial import cKDTree

    picture = np.full((shape[0] if len(shape) == 3 else 1, *shape[-2:]), empty, values.dtype)
    frames = frame_numbers(atoms, len(picture))
    known = np.append(values, np.array(empty, values.dtype))
    pixels = np.indices(shape[-2:]).reshape(2, -1).T
    for frame in np.unique(frames):
        rows = np.flatnonzero(frames == frame)
        tree = cKDTree(atoms[["y", "x"]].to_numpy(float)[rows])
        nearest = tree.query(pixels, distance_upper_bound=radius)[1]
        picture[frame] = known[np.append(rows, len(values))[nearest]].reshape(shape[-2:])
    return picture if len(shape) == 3 else picture[0]


def cells_of(
    atoms: pd.DataFrame, shape: tuple[int, ...], placement: Placement, radius: float
) -> tuple[npt.NDArray[np.int32], Placement]:
    """Row of the atom that each pixel of a picture belongs to, −1 for none, and where the picture lies.

    It is as large as the image of this shape and placement; that of a regular grid has a pixel for each of its places.
    """
    if on_grid(atoms):
        return grid_cells(atoms, placement)
    return value_map(atoms, np.arange(len(atoms), dtype=np.int32), shape, radius, np.int32(-1)), placement


def painted(values: npt.NDArray[Any], cells: npt.NDArray[np.int32], empty: Any) -> npt.NDArray[Any]:
    """Picture of a value of every atom in its cells; `empty` where none is."""
    return np.append(values, np.array(empty, values.dtype))[cells]
