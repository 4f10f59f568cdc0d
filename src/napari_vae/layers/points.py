"""Tables and runs as napari layer data, and Points layers as tables; needs neither napari nor Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.class_colors import ATOM_COLOR, NO_CLASS, class_colors, class_cycle, class_names
from ..core.placement import KEY as KEY
from ..core.placement import Placement
from ..core.positions import NO_TRACK
from ..core.square import pixel_sides, with_sides

if TYPE_CHECKING:  # images are read without it
    import pandas as pd

LayerData = tuple[Any, dict[str, Any], str]
BORDER = 0.12  # width of the circles, of their size


def placement_of(layer: Any, viewer: Any = None) -> Placement:
    """Placement of an image layer for what is made from it: a channel axis is dropped, a frame axis kept.

    With a viewer, as its canvas shows it, and with the frame in view.
    """
    placement = Placement.of_layer(layer)
    placement = placement.last(2) if has_channels(layer) else placement
    if viewer is None:
        return placement
    canvas = Placement.of_canvas(viewer)
    placement = replace(placement, bare=canvas.bare)
    point = placement.points_from([viewer.dims.point], canvas)[0]
    return replace(placement, frame=max(0, round(float(point[-3]))) if len(point) > 2 else 0)


def placement_now(before: Placement, image: Any, viewer: Any) -> Placement:
    """Placement of an image layer when a job on it has ended; as it was `before` if the layer has gone."""
    if image not in viewer.layers:
        return before
    now = replace(placement_of(image, viewer), frame=before.frame)
    return before if now.to_dict() == before.to_dict() else now


def carried(layer_data: LayerData, before: Placement, now: Placement) -> LayerData:
    """Layer data made on an image at `before`, where the image lies `now`."""
    data, options, kind = layer_data
    place = Placement(**{name: options[name] for name in before.kwargs()})
    return data, options if now is before else options | place.carried(before, now).kwargs(), kind


def atoms_from_points(layer: Any, placement: Placement | None = None, own: Placement | None = None) -> pd.DataFrame:
    """Atoms table of a Points layer: positions as they are now, edited by hand or not, and all its features.

    Parameters
    ----------
    layer : Points layer
        Two axes (row, column) or three (frame, row, column). Points of two axes on a movie are given its frame in view.
    placement : Placement, optional
        Of the image that the positions are for; points that lie otherwise in the world are converted to its pixels.
    own : Placement, optional
        Of the layer when the image lay there; by default its placement now.
    """
    points = np.asarray(layer.data, float)
    if placement is not None:
        points = placement.points_from(points, own or Placement.of_layer(layer))
    atoms = layer.features.reset_index(drop=True).drop(columns=["frame", "y", "x"], errors="ignore")
    frame = 0 if placement is None else placement.frame
    frames = np.rint(points[:, -3]).astype(np.int64) if points.shape[1] > 2 else np.full(len(points), frame, np.int64)
    atoms.insert(0, "frame", frames)
    atoms.insert(1, "y", points[:, -2])
    atoms.insert(2, "x", points[:, -1])
    noted = layer.metadata.get(KEY, {})
    atoms.attrs[KEY] = {name: noted[name] for name in ("method",) if noted.get(name) == "grid"}
    if noted.get("spacing") is not None:
        atoms.attrs[KEY]["spacing"] = noted["spacing"] * _zoom(layer, placement)
    return with_sides(atoms, pixel_sides((placement or own or Placement.of_layer(layer)).pixel_size()[0]))


def atoms_to_points(
    atoms: pd.DataFrame, placement: Placement, *, name: str = "atoms", spacing: float | None = None
) -> LayerData:
    """Points layer data: an open circle on every atom, everything else of the table as features.

    Parameters
    ----------
    atoms : DataFrame
        Atoms table.
    placement : Placement
        Of the image.
    spacing : float, optional
        Distance between neighbours in pixels, which sets the size of the circles; by default of the table.
    """
    found = dict(atoms.attrs.get(KEY, {}))
    spacing = spacing or found.get("spacing")
    features = atoms.drop(columns=["frame", "y", "x"], errors="ignore").reset_index(drop=True)
    options = {
        "name": name,
        "features": features,
        "symbol": "disc",
        "size": _symbol_size(spacing),
        "face_color": "transparent",
        "border_color": ATOM_COLOR,
        "border_width": BORDER,
        "metadata": {KEY: {"kind": "atoms", **found}},
        **placement.kwargs(),
    }
    if "sublattice" in features and len(features):
        features["sublattice"] = class_names(features["sublattice"])
        colors = class_cycle(len(features["sublattice"].cat.categories) - 1)
        options |= {"border_color": "sublattice", "border_color_cycle": colors}
    if len(features):
        options["feature_defaults"] = blank_row(features)
    return _positions(atoms, placement.ndim), options, "points"


def add_latents(
    features: pd.DataFrame,
    latents: pd.DataFrame,
    classes: pd.Series | None = None,
    owned: tuple[str, ...] = (),
    names: Sequence[str] = (),
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Join latents and classes to the features of the points that they describe.

    Parameters
    ----------
    features : DataFrame
        One row per point, index 0…n−1.
    latents : DataFrame
        Columns of `Run.encode`; its index says which points. The others get NaN.
    classes : Series of int, optional
        Class of each row of `latents`.
    owned : tuple of str
        Columns that an earlier run wrote and this one may replace. Others are the user's and stay: a latent of that
        name is written as ``vae_…``.
    names : sequence of str
        Of the classes, if they have any.

    Returns
    -------
    features : DataFrame
        Plain columns, latents float32, ``class`` and, where there are names, ``class_name`` categorical.
    columns : dict
        Column in `features` of every latent.
    """
    import pandas as pd

    result = features.reset_index(drop=True).drop(columns=[c for c in owned if c in features])
    columns = {str(name): latents[name].astype(np.float32).reindex(result.index) for name in latents}
    if classes is not None:
        columns["class"] = class_names(classes.reindex(latents.index).reindex(result.index))
        if names:
            words = {NO_CLASS: NO_CLASS} | {str(i): word for i, word in enumerate(names)}
            columns["class_name"] = columns["class"].map(words)
    written = {name: next(free for n in count() if (free := n * "vae_" + name) not in result) for name in columns}
    return pd.concat([result, pd.DataFrame(columns).rename(columns=written)], axis=1), written


def latents_to_points(
    atoms: pd.DataFrame,
    latents: pd.DataFrame,
    placement: Placement,
    classes: pd.Series | None = None,
    *,
    name: str = "latents",
    spacing: float | None = None,
    names: Sequence[str] = (),
) -> LayerData:
    """Points layer data with the latents as features, its ``columns``."""
    data, options, kind = atoms_to_points(atoms, placement, name=name, spacing=spacing)
    positions = latents.set_axis(atoms.index.get_indexer(latents.index), axis=0)
    labels = None if classes is None else classes.reindex(latents.index).set_axis(positions.index)
    features, written = add_latents(options["features"], positions, labels, names=names)
    options |= {"features": features, "feature_defaults": blank_row(features)}
    options["metadata"][KEY]["columns"] = tuple(written.values())
    return data, options, kind


def blank_row(features: pd.DataFrame) -> dict[str, Any]:
    """What a point that is added by hand is to have in each column.

    Of numbers and words nothing; false of what is true or false; of columns without a blank what the last point has,
    which is napari's default for all.
    """
    import pandas as pd

    blanks: dict[str, Any] = {str(name): column.iloc[-1] for name, column in features.items()}
    for name, column in features.items():
        if pd.api.types.is_float_dtype(column.dtype):
            blanks[str(name)] = float("nan")
        elif name == "track":
            blanks[str(name)] = NO_TRACK
        elif pd.api.types.is_bool_dtype(column.dtype):
            blanks[str(name)] = False
        elif NO_CLASS in getattr(column.dtype, "categories", ()) or pd.api.types.is_string_dtype(column.dtype):
            blanks[str(name)] = NO_CLASS
    return blanks


def classes_to_labels(
    picture: npt.NDArray[np.uint8],
    placement: Placement,
    *,
    name: str,
    names: Sequence[str] = (),
    palette: Sequence[str] = (),
) -> LayerData:
    """Labels layer data of a picture of class + 1, in the colours that the points have when coloured by class.

    `names` and `palette` are those of the classes, where these have any.
    """
    n = max(int(picture.max()), len(palette))
    colors = {None: "transparent", 0: "transparent"} | dict(enumerate(palette or class_colors(n), start=1))
    options = {
        "name": name,
        "colormap": colors,
        "features": {
            "index": list(range(n + 1)),
            "class": [NO_CLASS, *(names[:n] or map(str, range(n)))],
        },  # what hovering shows
        "opacity": 0.5,
        "metadata": {KEY: {"kind": "classes", "classes": n}},
        **placement.kwargs(),
    }
    return picture, options, "labels"


def has_channels(layer: Any) -> bool:
    """Whether the first axis of an image layer is labelled as channels."""
    return layer.ndim == 3 and str(layer.axis_labels[0]).lower() in ("c", "channel", "channels")


def _zoom(layer: Any, placement: Placement | None) -> float:
    """Size of a pixel of the layer in pixels of the placement."""
    if placement is None:
        return 1.0
    area = np.linalg.det(placement.last(2).matrix_from(Placement.of_layer(layer).last(2)))
    return float(np.sqrt(abs(area)))


def _positions(atoms: pd.DataFrame, ndim: int) -> npt.NDArray[np.float64]:
    columns = ["frame", "y", "x"] if ndim == 3 else ["y", "x"]
    return np.asarray(atoms[columns].to_numpy(float))


def _symbol_size(spacing: float | None) -> float:
    return max(3.0, 0.55 * spacing) if spacing and np.isfinite(spacing) else 8.0
