"""Where the atoms of a movie go, as a Tracks layer behind their points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        Of these atoms, as `add_atoms` made it.
    placement : Placement
        Of the movie.
    """
    made = {name: points.metadata[KEY][name] for name in ("source", "digest")}
    others = [layer.metadata.get(KEY, {}) for layer in viewer.layers if layer is not points]
    kept = [(other.get("source"), other.get("digest")) for other in others if other.get("kind") == "atoms"]
    for layer in list(viewer.layers):
        old = layer.metadata.get(KEY, {})
        mine = old.get("kind") == "tracks" and old.get("source") == made["source"]
        if mine and (old["source"], old["digest"]) not in kept:
            viewer.layers.remove(layer)
    found = tracks_to_layer(atoms, placement, name=f"tracks of {made['source']}") if "track" in atoms else None
    if found is None:
        return
    data, options, _ = found
    options["metadata"][KEY] |= made
    viewer.add_tracks(data, **options)
    viewer.layers.move(viewer.layers.index(points), -1)
    viewer.layers.selection = [points]
