"""What napari calls for File → Open and for what is dropped on it: micrographs, tables of atoms, run folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from ..io.reading import FORMATS, read_all
from ..io.spectra import SPECTRA, holds_map, read_spectra
from ..io.writing import TABLE_ENDINGS
from .active import like_what_is_open
from .identity import FILE
from .images import image_layer
from .points import KEY, LayerData


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
    return like_what_is_open(layers)


def image_layers(path: Path) -> list[LayerData]:
    """Every image and movie of a file, the first of them on top and visible alone; they share the token of the file."""
    layers, token = [image_layer(micrograph) for micrograph in reversed(read_all(path))], uuid4().hex
    for number, (_, options, _) in enumerate(layers, start=1):
        options["metadata"][KEY][FILE] = token
        if number < len(layers):
            options["visible"] = False
        elif "channel_axis" in options:
            options["visible"] = [channel == 0 for channel in range(len(options["name"]))]
    return layers


def _spectra_or_images(path: Path) -> list[LayerData]:
    """The images of a file, and of a map of spectra in it the sum over a band."""
    if not holds_map(path):
        return image_layers(path)
    from .spectra import spectra_layers  # loads what no image needs

    spectra = read_spectra(path)
    return spectra_layers(spectra, [] if spectra.survey is None else image_layers(path))


def _table_layers(path: Path) -> list[LayerData]:
    from . import table_layers

    return table_layers.table_layers(path)


def _folder_layers(path: Path) -> list[LayerData]:
    from . import analysis

    return analysis.folder_layers(path)


def _reader_of(path: Path) -> Callable[[Path], list[LayerData]] | None:
    suffix = path.suffix.lower()
    if any((path / marker).is_file() for marker in ("analysis.json", "run.json")):
        return _folder_layers
    if suffix in FORMATS:
        return _spectra_or_images if suffix in SPECTRA else image_layers
    return _table_layers if suffix in TABLE_ENDINGS else None
