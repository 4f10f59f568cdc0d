"""Where the atoms of a movie go, as a Tracks layer behind their points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..layers import KEY
from ..placement import Placement
from ..tracks_layer import tracks_to_layer

if TYPE_CHECKING:
    import pandas as pd


def show_tracks(viewer: Any, atoms: pd.DataFrame, points: Any, placement: Placement) -> None:
    """Show the tracks of atoms that were followed, behind their points; earlier ones go with the points they were of.

    Parameters
    ----------
    viewer : napari viewer
    atoms : DataFrame
        With the column ``track`` if the atoms were followed.
    points : Points layer
        Of these atoms, as `deliver` made it.
    placement : Placement
        Of the movie.
    """
    there = {layer.metadata.get(KEY, {}).get("tracks") for layer in viewer.layers}
    for layer in list(viewer.layers):
        made = layer.metadata.get(KEY, {})
        if made.get("kind") == "tracks" and made["of"] not in there:
            viewer.layers.remove(layer)
    source = points.metadata[KEY]["source"]
    found = tracks_to_layer(atoms, placement, name=f"tracks of {source}") if "track" in atoms else None
    if found is None:
        return
    data, options, _ = found
    ticket = uuid4().hex  # names change, and points of another detection may lie at the same places
    points.metadata = {**points.metadata, KEY: {**points.metadata[KEY], "tracks": ticket}}
    options["metadata"][KEY] |= {"source": source, "of": ticket}
    viewer.add_tracks(data, **options)
    viewer.layers.move(viewer.layers.index(points), -1)
    viewer.layers.selection = [points]
