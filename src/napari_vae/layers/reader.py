"""What napari calls for File → Open and for what is dropped on it: micrographs, tables of atoms, run folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import InputError, ReadError
from ..core.micrograph import Micrograph
from ..io.reading import FORMATS, read_all
from ..io.writing import TABLE_ENDINGS

if TYPE_CHECKING:
    import pandas as pd

LayerData = tuple[Any, dict[str, Any], str]
KEY = "napari_vae"


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return a reader when every path is a file of a suffix that we read, or a folder of ours; no file is opened.

    Examples
    --------
    >>> get_reader("notes.docx") is None
    True
    """
    paths = path if isinstance(path, list | tuple) else [path]
    return read_layers if paths and all(_reader_of(Path(str(item))) for item in paths) else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read files and folders as layers with scale, units, axis labels and metadata.

    Raises
    ------
    ReadError
        If something cannot be read; napari shows the sentence as a notification.
    """
    paths = path if isinstance(path, list | tuple) else [path]
    layers: list[LayerData] = []
    for item in map(Path, paths):
        reader = _reader_of(item) or image_layers  # which says what is wrong
        layers += reader(item)
    return layers


def image_layers(path: Path) -> list[LayerData]:
    """Every image and movie of a file."""
    return [image_layer(micrograph) for micrograph in read_all(path)]


def image_layer(micrograph: Micrograph) -> LayerData:
    """The layer data of a micrograph: a stack of channels becomes one layer per channel, frames a slider.

    Of an image whose file says that its numbers are labels, a Labels layer.
    """
    from ..core.placement import Placement

    options: dict[str, Any] = {"name": micrograph.name}
    if micrograph.axes == "CYX":
        options = {"name": [f"{micrograph.name} {c}" for c in range(micrograph.n_channels)], "channel_axis": 0}
        options |= {"colormap": "gray", "blending": "translucent_no_depth"}
    metadata = {KEY: {"kind": "micrograph", **micrograph.metadata}}
    options |= {"metadata": metadata, **Placement.of_micrograph(micrograph).kwargs()}
    if metadata[KEY]["kind"] == "labels" and micrograph.axes != "CYX":
        return micrograph.data.astype(np.int32), options, "labels"
    return micrograph.data, options, "image"


def table_layers(path: Path) -> list[LayerData]:
    """The atoms of a table as points in their place on the image, as far as that is known; see `place_table`.

    Raises
    ------
    ReadError
        If the table has no columns ``y`` and ``x``, or holds what are no positions or frames.
    """
    from ..core.positions import check_table, frame_numbers
    from ..io.writing import read_table
    from .points import atoms_to_points, latent_style
    from .table_placement import place_table

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
    data, options, kind = atoms_to_points(table, place_table(table, path), name=path.stem)
    options["metadata"][KEY] |= {"path": str(path.resolve()), "origin": table.attrs.get("origin", {})}
    if "z1" in table.select_dtypes("number") and len(table):
        options |= latent_style(options["features"], "z1") | {"border_width": 0.0}
    return [(data, options, kind)]


def _as_classes(column: pd.Series) -> pd.Series:
    """Names of classes as categories; what is something else stays as it is."""
    from ..analysis.classes import Classes

    try:
        return Classes.of(column).column("class").set_axis(column.index)
    except InputError:
        return column


def folder_layers(path: Path) -> list[LayerData]:
    """Everything of a finished analysis; of a trained model what it draws over the plane of its latents."""
    from ..runs.run import load_run
    from ..workflow.archive import RECORD, load_analysis
    from .analysis import analysis_layers
    from .results import run_layer

    if not (path / RECORD).is_file():
        return [run_layer(load_run(path), path)]
    layers = analysis_layers(load_analysis(path))
    for _, options, kind in layers:
        if kind == "points":
            options["metadata"][KEY]["folder"] = str(path.resolve())
    return layers


def _reader_of(path: Path) -> Callable[[Path], list[LayerData]] | None:
    suffix = path.suffix.lower()
    if any((path / marker).is_file() for marker in ("analysis.json", "run.json")):
        return folder_layers
    if suffix in FORMATS:
        return image_layers
    return table_layers if suffix in TABLE_ENDINGS else None
