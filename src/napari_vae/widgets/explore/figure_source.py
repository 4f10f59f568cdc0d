"""What the figures are drawn from: the layer that is explored, its image, and the run that described it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import InputError
from ...layers.images import micrograph_from_layer
from ...layers.open_runs import OpenRun
from ...layers.points import atoms_from_points, placement_of
from ...layers.table import table_of
from ..common.sources import source_image

if TYPE_CHECKING:
    from ...analysis.figures import FigureData
    from ...core.micrograph import Micrograph
    from ...patches.patches import Patches


def figure_data(
    viewer: Any, layer: Any, opened: OpenRun | None, color: str, plane: tuple[str, str], frame: int | None
) -> FigureData:
    """Everything that is known about a layer, for figures of it.

    Parameters
    ----------
    viewer : napari viewer
    layer : Points or Labels layer
    opened : OpenRun, optional
    color, plane : str, (str, str)
        The columns that are plotted.
    frame : int, optional
        Of a movie, the one in view.

    Raises
    ------
    InputError
        If there is no layer, or nothing in it.
    """
    from ...analysis.figures import FigureData

    if layer is None:
        raise InputError("There is no layer of points or labels; choose one first.")
    table, micrograph = table_of(layer), None
    if layer.__class__.__name__ == "Points":
        micrograph = _image(viewer, layer)
    if micrograph is not None:
        image, placement = micrograph
        places = atoms_from_points(layer, placement)[["frame", "y", "x"]]
        table = table.drop(columns=["frame", "y", "x"], errors="ignore").join(places)
    patches = None if opened is None else _windows(opened, layer)
    return FigureData(
        table,
        micrograph=None if micrograph is None else image,
        patches=patches,
        run=None if opened is None else opened.run,
        color=color if color in table else "",
        plane=plane if all(name in table for name in plane) else ("", ""),
        frame=frame,
    )


def _image(viewer: Any, layer: Any) -> tuple[Micrograph, Any] | None:
    try:
        image = source_image(viewer, layer)
    except InputError:
        return None
    return micrograph_from_layer(image), placement_of(image, viewer)


def _windows(opened: OpenRun, layer: Any) -> Patches:
    """The windows of the run, each named by the row of the layer that it belongs to."""
    number = opened.windows_of(layer)
    rows = np.flatnonzero(number >= 0)
    atoms = opened.patches.atoms.iloc[number[rows]].set_axis(rows, axis=0)
    return replace(opened.patches, data=opened.patches.data[number[rows]], atoms=atoms)
