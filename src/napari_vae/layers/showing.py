"""Which column colours a layer of points, and how: one choice, for the canvas and for every plot and list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.coloring import Coloring, class_order, color_by
from ..analysis.quality import certainty_of
from ..core.class_colors import ATOM_COLOR, class_cycle
from ..core.errors import InputError
from .dimming import COLORS, undimmed
from .identity import ours
from .open_runs import find_run, unwrapped
from .points import BORDER, KEY, LayerData, blank_row
from .table import positions_of

SHOWN, FADED, PALETTES = "shown", "faded", "palette"  # noted: a column, whether by certainty, colours of its classes
LOOKS = ("size", "border_width", "border_color", "face_color")
_NO_COLOR, _RING = (0.0, 0.0, 0.0, 0.0), (*(int(ATOM_COLOR[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0)
DISC = 0.55  # size of a coloured disc, of the size of the ring that marks an atom: the micrograph stays visible


#: How points looked before a column coloured them, by layer, weakly.
_PLAIN: WeakKeyDictionary[Any, Look] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Look:
    """How points look, to be put back."""

    column: str
    faded: bool
    arrays: dict[str, npt.NDArray[Any]]  # by the name of the property

    @classmethod
    def of(cls, points: Any) -> Look:
        """How they look now, in full colour."""
        with undimmed(points):
            arrays = {name: np.array(getattr(points, name)) for name in LOOKS}
        return cls(shown_column(points), is_faded(points), arrays)

    def restore(self, points: Any) -> None:
        """Let them look so again."""
        _note(points, self.column, self.faded)
        redraw(points, **self.arrays)


def shown_column(layer: Any) -> str:
    """The column that colours a layer; empty where none does, or none that is still there."""
    name = str(ours(layer).get(SHOWN, ""))
    return name if name in layer.features or name in positions_of(layer) else ""


def is_faded(layer: Any) -> bool:
    """Whether points are the fainter the less sure their value is."""
    return bool(ours(layer).get(FADED, False))


def coloring_of(layer: Any, column: str, faded: bool = False) -> Coloring:
    """Colours of the points or labels of a layer by a column.

    Raises
    ------
    InputError
        If the column is not there, or has more classes than colours can tell apart.
    """
    values = layer.features.get(column, positions_of(layer).get(column))
    if values is None:
        raise InputError(f"The layer “{layer.name}” has no column “{column}” any more.")
    opened = find_run(ours(layer).get("run", ""))
    return color_by(
        pd.Series(values, name=column),
        certainty=certainty_of(layer.features, column) if faded else None,
        period=None if opened is None else 360 / opened.run.symmetry,  # after which angles are the same
        palette=dict(ours(layer).get(PALETTES, {}).get(column, {})),
    )


def coloring_now(layer: Any) -> Coloring | None:
    """Colours by the column that is shown; None where none is, or where it has too many classes by now."""
    column = shown_column(layer)
    try:
        return coloring_of(layer, column, is_faded(layer)) if column else None
    except InputError:
        return None


def show(layer: Any, column: str, faded: bool = False) -> Coloring | None:
    """Colour points by a column, as discs, on the canvas and wherever else they are drawn; by none they are rings.

    Gives the colours. ``events.face_color`` of the layer tells. Of labels the choice is noted alone: their picture has
    its own colours.

    Raises
    ------
    InputError
        As `coloring_of`.
    """
    coloring = coloring_of(layer, column, faded) if column else None
    points = layer.__class__.__name__ == "Points"
    looks = {} if not points else _rings(layer) if coloring is None else _discs(layer)
    _note(layer, column, faded)
    if points:
        layer.face_colorbar.visible = False  # the bar with title and unit stands where the column is chosen
    if points and coloring is not None:
        if coloring.limits is not None:
            layer.face_colormap, layer.face_contrast_limits = coloring.colormap, coloring.limits  # of napari's own bar
        # Borders too: of the smallest points that it draws, napari draws borders, however thin.
        looks |= dict.fromkeys(COLORS, coloring.rgba / np.float32(255))
    if looks:
        redraw(layer, **looks)
    return coloring


def redraw(points: Any, **looks: Any) -> None:
    """Give points other looks, by the names of their properties, and draw them once.

    napari draws all of them for each property that is set, mostly twice, which takes seconds for a million. So what
    their arrays can hold is changed in place.
    """
    with undimmed(points):
        for name, values in looks.items():
            there = getattr(points, name)
            if name in COLORS:
                fits = str(getattr(points, f"{name}_mode")) == "direct"
            else:
                fits = np.can_cast(np.asarray(values).dtype, there.dtype, "same_kind")
            if fits:
                there[:] = values
            else:
                setattr(points, name, np.array(values))
    if len(points.data) and type(points.symbol[0]) is not str:
        points.symbol[:] = list(map(str, points.symbol))  # napari makes words of its enums with every drawing
    points.refresh(extent=False, data_displayed=False, highlight=False)  # of sizes napari keeps those in the frame
    if points.visible:  # else they are drawn once they are seen
        points.events.face_color()


def write_features(points: Any, features: pd.DataFrame, column: str | None = None, look: Look | None = None) -> None:
    """Replace the features of points, and colour them by a column, or as they looked once; by default as before."""
    if str(points.face_color_mode) != "direct":  # napari would map a column that changes its type by its old rule
        with points.events.face_color.blocker():
            points.face_color = np.array(points.face_color)
    points.features = features
    points.feature_defaults = blank_row(features)
    faded = is_faded(points)
    if look is not None:
        look.restore(points)
    elif column is not None:
        show(points, column, faded)
    elif name := shown_column(points):
        show(points, name, faded)


def colored(made: LayerData, column: str) -> LayerData:
    """Layer data of points, coloured by a column of its features as `show` does."""
    data, options, kind = made
    if not len(data):
        return made
    coloring = color_by(options["features"][column])
    colors = coloring.rgba / 255
    look: dict[str, Any] = {"face_color": colors, "border_color": colors, "border_width": 0.0}
    look["size"] = DISC * options["size"]
    if coloring.limits is not None:
        look |= {"face_colormap": coloring.colormap, "face_contrast_limits": coloring.limits}
    noted = options["metadata"][KEY] | {SHOWN: column}
    return data, options | look | {"metadata": {KEY: noted}}, kind


def _note(layer: Any, column: str, faded: bool) -> None:
    layer.metadata[KEY] = {**ours(layer), SHOWN: column, FADED: faded}  # no event: the table is the same


def _discs(points: Any) -> dict[str, Any]:
    """What makes discs of rings; the points of others keep their size."""
    if not ours(points).get(SHOWN):
        _PLAIN[unwrapped(points)] = Look.of(points)
    rings = points.border_width > 0
    if not rings.any():
        return {}
    sizes = {"size": points.size * np.where(rings, DISC, 1)} if "kind" in ours(points) else {}
    return sizes | {"border_width": 0}


def _rings(points: Any) -> dict[str, Any]:
    """What lets points look as they did before they were coloured, or as atoms without a value."""
    if not ours(points).get(SHOWN):
        return {}
    plain = _PLAIN.get(unwrapped(points))
    if plain is not None and len(plain.arrays["size"]) == len(points.data):
        return dict(plain.arrays)
    sizes = {"size": points.size / np.where(points.border_width > 0, 1, DISC)} if "kind" in ours(points) else {}
    looks = sizes | {"border_width": BORDER, "face_color": _NO_COLOR, "border_color": _RING}
    if "sublattice" in points.features:
        points.border_color_cycle = class_cycle(len(class_order(points.features["sublattice"])))
        points.border_color = "sublattice"
        del looks["border_color"]
    return looks
