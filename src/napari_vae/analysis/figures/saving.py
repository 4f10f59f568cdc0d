"""Figures as files: PNG at 300 dots per inch, SVG whose words stay words."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Generator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

from ...core.arguments import checks_arguments
from ...core.errors import InputError
from ...core.folders import check_writable, replacing
from ...core.progress import drain
from .catalogue import CATALOGUE, chosen
from .data import FigureData
from .style import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
_SETTING = threading.Lock()


@checks_arguments
def save_figures(
    data: FigureData,
    folder: str | PathLike[str],
    formats: Sequence[str] = FORMATS,
    which: Sequence[str] | None = None,
) -> list[Path]:
    """Write figures, one column (85 mm) wide, into a folder.

    Parameters
    ----------
    data : FigureData
        What they are drawn from.
    folder : path
        Made if it is not there. Files of the same name are replaced, each when the new one is complete.
    formats : sequence of "png", "svg"
    which : sequence of str, optional
        Of ``overlay``, ``scatter``, ``angles``, ``classes``, ``changes``, ``density``, ``manifold`` and ``loss``; by
        default all that there is enough for.

    Returns
    -------
    list of Path
        The files, for example ``overlay-z1.png``.

    Raises
    ------
    InputError
        If a figure or a format is not known, something is missing for a figure, or the folder may not be written to.

    Examples
    --------
    >>> analysis = load_analysis("results")  # doctest: +SKIP
    >>> save_figures(FigureData.of(analysis, color="angle"), "figures", which=["overlay", "angles"])  # doctest: +SKIP
    """
    return drain(iter_save_figures(data, folder, formats, which))


def iter_save_figures(
    data: FigureData,
    folder: str | PathLike[str],
    formats: Sequence[str] = FORMATS,
    which: Sequence[str] | None = None,
) -> Generator[str, None, list[Path]]:
    """`save_figures` as a generator that yields the name of each figure before it is drawn, and returns the files."""
    names, target = chosen(data, which), check_writable(folder)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise InputError(f"Figures are written as {' or '.join(FORMATS)}, not {', '.join(unknown) or 'nothing'}.")
    return _save(data, target, list(dict.fromkeys(formats)), names)


def _save(data: FigureData, folder: Path, formats: list[str], names: list[str]) -> Generator[str, None, list[Path]]:
    written = []
    for name in names:
        yield name
        figure = CATALOGUE[name].draw(data)
        for kind in formats:
            path = folder / f"{file_stem(name, data)}.{kind}"
            with replacing(path) as temporary:
                temporary.write_bytes(figure_bytes(figure, kind))
            written.append(path)
    return written


def file_stem(name: str, data: FigureData) -> str:
    """Name of the file of a figure without its ending, which says what it shows."""
    shown = {"overlay": (data.color,), "scatter": (*data.plane, data.color), "angles": (data.angle,)}
    shown["density"] = (data.color, data.covariate)
    return "-".join([name, *(re.sub(r"[^\w.]+", "_", normalize("NFC", word)) for word in shown.get(name, ()) if word)])


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as the content of a file."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # How SVG holds text can only be said in matplotlib's settings; they are as before when the lock opens again.
    with _SETTING, rc_context({"svg.fonttype": "none", "svg.hashsalt": "napari-vae"}):
        figure.savefig(buffer, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()
