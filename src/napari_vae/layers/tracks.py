"""Tables of atoms that were followed through a movie as napari Tracks layer data; needs neither napari nor Qt."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.classes import Classes
from ..analysis.coloring import is_categorical
from ..analysis.rates import iter_transitions, lacks_tracks
from ..core.errors import InputError
from ..core.placement import Placement
from ..core.positions import NO_TRACK, frame_numbers
from ..core.progress import Stage
from .identity import ours
from .pictures import Making, PlacedAtoms
from .points import KEY, LayerData, atoms_to_points
from .showing import PALETTES
from .table import color_columns

OWN = ("moved", "length")
NOT_CARRIED = ("frame", "y", "x", "track", "track_id", *OWN)
TAIL = 30  # frames that a track stays visible


def tracks_to_layer(atoms: pd.DataFrame, placement: Placement, *, name: str = "tracks") -> LayerData | None:
    """Tracks layer data of all atoms that are seen in more than one frame, coloured by how far each has moved.

    Parameters
    ----------
    atoms : DataFrame
        With the column ``track`` of `link_atoms`.
    placement : Placement
        Of the movie, three axes.
    name : str
        Of the layer.

    Returns
    -------
    data, options, "tracks"
        ``data`` is (N, 4): track, frame, row and column. The features are ``moved``, the distance in pixels from where
        the track began with the drift of the sample taken out, ``length``, the frames in which it is seen, and the
        numbers and classes of the table.
        ``None`` when no atom is seen twice.

    Raises
    ------
    InputError
        If the table has no tracks, or the placement is that of a single image.
    """
    if "track" not in atoms:
        raise InputError("The atoms have no column track; follow them with link_atoms first.")
    if placement.ndim != 3:
        raise InputError("Tracks lie in a movie of three axes (frame, row, column), and this is a single image.")
    rows = _tracked(atoms)
    if not len(rows):
        return None
    described = _numbers_of(atoms).loc[rows.index].reset_index(drop=True)
    rows = rows.reset_index(drop=True)
    by_track = rows.groupby("track")
    moved = rows[["y", "x"]] - by_track[["y", "x"]].transform("first")
    drift = np.asarray(atoms.attrs.get(KEY, {}).get("drift", np.zeros((rows["frame"].max() + 1, 2))))
    start = by_track["frame"].transform("first").to_numpy()
    moved = moved.to_numpy() - drift[rows["frame"]] + drift[start]
    features = {
        "moved": np.linalg.norm(moved, axis=1).astype(np.float32),
        "length": by_track["frame"].transform("size").to_numpy(),
    }
    options: dict[str, Any] = {
        "name": name,
        "features": pd.DataFrame(features).join(described),
        "color_by": "moved",
        "colormap": "viridis",
        "tail_length": TAIL,
        "blending": "translucent",
        "metadata": {KEY: {"kind": "tracks"}},
        **placement.kwargs(),
    }
    return rows[["track", "frame", "y", "x"]].to_numpy(float), options, "tracks"


def _tracked(atoms: pd.DataFrame) -> pd.DataFrame:
    """Track, frame and position of the atoms that are seen more than once, in the order of napari."""
    rows = atoms[["track", "y", "x"]].assign(frame=frame_numbers(atoms))
    again = rows["track"].duplicated(keep=False) & (rows["track"] != NO_TRACK)
    return rows[again].sort_values(["track", "frame"])


def _numbers_of(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of a table that can colour tracks: its numbers, and classes as numbers from 0.

    What is missing is the smallest: with a NaN in a column napari draws no track at all.
    """
    columns = {name: table[name] for name in color_columns(table) if name not in NOT_CARRIED}
    numbers = {name: Classes.of(column).codes if is_categorical(column) else column for name, column in columns.items()}
    found = pd.DataFrame(numbers, index=table.index, dtype=float)
    return found.fillna(found.min()).fillna(0.0)


def describe_tracks(tracks: Any, points: Any) -> None:
    """Give a Tracks layer the columns that its atoms, of the same track in the same frame, have now."""
    at = pd.MultiIndex.from_arrays([points.features["track"], np.rint(points.data[:, -3])])
    once = ~at.duplicated(keep=False)
    known = _numbers_of(points.features)[once].set_axis(at[once])
    rows = known.reindex(pd.MultiIndex.from_arrays([tracks.data[:, 0], tracks.data[:, 1]]))
    if tracks.color_by not in (*OWN, *rows):
        tracks.color_by = OWN[0]  # before its column goes
    tracks.features = tracks.features[list(OWN)].join(rows.fillna(known.min()).reset_index(drop=True))


def class_changes(source: PlacedAtoms, points: Any, column: str) -> Making:
    """Points layer data of all changes of class: where and when, in the colour of the class that an atom changed to.

    Raises
    ------
    InputError
        If the atoms were not followed, or there are no classes.
    """
    if lack := lacks_tracks(points.features, column):
        raise InputError(lack)
    _, atoms, placement = source
    colors = Classes.of(points.features[column], dict(ours(points).get(PALETTES, {}).get(column, {}))).palette

    def make() -> Generator[Stage, None, list[LayerData]]:
        found = yield from iter_transitions(atoms, column)
        if not len(found.events):
            raise InputError("No atom changes its class.")
        found.events.attrs = atoms.attrs
        data, options, kind = atoms_to_points(found.events, placement, name="changes")
        options |= {"border_color": [colors[name] for name in found.events["to"]], "size": 1.5 * options["size"]}
        options["metadata"] = {KEY: {"kind": "changes", "column": column, "says": found.sentence()}}
        return [(data, options, kind)]

    return make
