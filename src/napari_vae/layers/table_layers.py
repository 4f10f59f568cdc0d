"""Tables of atoms as points, where the table says, or the analysis that it is part of, or on the image in the window.

Positions in a table are in pixels of its image, and a CSV file does not say how large these are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.classes import Classes
from ..core.errors import InputError, ReadError
from ..core.micrograph import Micrograph
from ..core.placement import KEPT, Placement
from ..core.positions import check_table, frame_numbers
from ..io.json_files import read_json
from ..io.writing import read_table
from ..workflow.analysis_record import RECORD, TABLES, AnalysisFile
from ..workflow.records import PIXEL, UNIT, read_record
from .points import KEY, LayerData, atoms_to_points, placement_of
from .showing import colored

UNKNOWN = (
    "{name} does not say which image its atoms lie on, so they are placed in pixels, which is not how the images are "
    "placed. Open it again when no other image is shown than theirs: then they are placed on that one."
)


def table_layers(path: Path) -> list[LayerData]:
    """The atoms of a table as points in their place on the image, as far as that is known; see `place_table`.

    Raises
    ------
    ReadError
        If the table has no columns ``y`` and ``x``, or holds what are no positions or frames.
    """
    table = read_table(path)
    if not {"y", "x"} <= set(table):
        columns = ", ".join(map(str, table.columns[:8]))
        raise ReadError(
            f"{path.name} has the columns {columns} and no y and x; call the row and column of every atom in pixels so."
        )
    try:
        check_table(table)
        frame_numbers(table)
    except InputError as error:
        raise ReadError(f"{path.name} cannot be shown. {error}") from error
    if "class" in table:
        table["class"] = _as_classes(table["class"])
    made = atoms_to_points(table, place_table(table, path), name=path.stem)
    made[1]["metadata"][KEY] |= {"path": str(path.resolve()), "origin": table.attrs.get("origin", {})}
    return [colored(made, "z1") if "z1" in table.select_dtypes("number") else made]


def _as_classes(column: pd.Series) -> pd.Series:
    """Names of classes as categories; what is something else stays as it is."""
    try:
        return Classes.of(column).column("class").set_axis(column.index)
    except InputError:
        return column


def place_table(table: pd.DataFrame, path: Path) -> Placement:
    """Placement of the atoms of a table as points, with frames where the table has several or lies on a movie.

    Raises
    ------
    ReadError
        If what is noted of it is damaged.
    """
    n_frames = int(frame_numbers(table).max(initial=0)) + 1
    noted = table.attrs.get("origin", {}) or _of_batch(path)
    found = _noted(noted) or _of_analysis(path) or _in_window(table, n_frames, path.name)
    placement = found or Placement.of_micrograph(Micrograph(np.zeros((1, 1))))
    if n_frames > 1 and placement.ndim == 2:
        return placement.stacked("t")
    return placement if "frame" in table else placement.last(2)


def _noted(origin: dict[str, Any]) -> Placement | None:
    """As a table says of itself."""
    if KEPT in origin.get("provenance", {}):
        return Placement.from_dict(origin["provenance"][KEPT])
    if origin.get("pixel_size"):
        return Placement.of_micrograph(Micrograph(np.zeros((1, 1)), origin["pixel_size"], origin.get("units", "px")))
    return None


def _of_analysis(path: Path) -> Placement | None:
    """As the analysis says whose table it is."""
    record = path.parent / RECORD
    if path.name not in TABLES or not record.is_file():
        return None
    image = read_json(record, AnalysisFile).micrograph
    known = Micrograph(np.zeros((1,) * len(image.axes)), image.pixel_size, image.units, image.axes)
    return Placement.of_micrograph(replace(known, metadata=image.metadata.plain()))


def _of_batch(path: Path) -> dict[str, Any]:
    """As the batch says that has written it."""
    record = read_record(path)
    facts = {} if record is None else record.facts
    size = [facts.get(name) for name in PIXEL]
    known = all(isinstance(step, int | float) and step > 0 for step in size)
    return {"pixel_size": size, "units": str(facts.get(UNIT))} if known else {}


def _in_window(table: pd.DataFrame, n_frames: int, name: str) -> Placement | None:
    """That of the image that is shown, if it is only one and holds all atoms; else it is said what to do."""
    import napari
    from napari.utils.notifications import show_warning

    viewer, bare = napari.current_viewer(), Placement.of_micrograph(Micrograph(np.zeros((1, 1))))
    images = [layer for layer in (() if viewer is None else viewer.layers) if _is_shown_image(layer)]
    places = [placement_of(image) for image in images]
    if all(place.last(2).lies_like(bare) for place in places):
        return places[0] if len(places) == 1 else None
    farthest = table[["y", "x"]].to_numpy(float, na_value=np.nan).max(axis=0, initial=0)
    last = np.array([n_frames - 1, *farthest])[-places[0].ndim :]
    alike = all(places[0].lies_like(place) for place in places)
    if alike and (last <= images[0].extent.data[1][-len(last) :] + 0.5).all():
        return places[0]
    show_warning(UNKNOWN.format(name=name))
    return None


def _is_shown_image(layer: Any) -> bool:
    made = layer.metadata.get(KEY, {}).get("kind", "micrograph")
    return bool(layer.__class__.__name__ == "Image" and layer.visible and made == "micrograph")
