"""Where the atoms of a movie go, as a Tracks layer behind their points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ...core.placement import Placement
from ...layers.identity import add_made, made_of, note, ours
from ...layers.tracks import tracks_to_layer

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
    there = {ours(layer).get("tracks") for layer in viewer.layers}
    for layer in made_of(viewer.layers, ("tracks",)):
        if ours(layer)["of"] not in there:
            viewer.layers.remove(layer)
    source, image = ours(points)["source"], ours(points)["image"]
    found = tracks_to_layer(atoms, placement, name=f"tracks of {source}") if "track" in atoms else None
    if found is None:
        return
    ticket = uuid4().hex  # points of another detection may lie at the same places
    note(points, tracks=ticket)
    add_made(viewer, found, source=source, image=image, of=ticket)
    viewer.layers.move(viewer.layers.index(points), -1)
    viewer.layers.selection = [points]
