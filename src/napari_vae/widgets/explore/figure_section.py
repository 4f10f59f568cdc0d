"""Figures and tables of what the explorer shows, saved through a button each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtWidgets import QCheckBox, QWidget

from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...io.writing import check_table_name, origin_in, write_table
from ...layers.images import micrograph_from_layer
from ...layers.open_runs import OpenRun
from ...layers.points import atoms_from_points, placement_of
from ...layers.table import AXES, table_of
from ...patches.patches import Patches
from ..common.dialogs import Image, choose_new, choose_target, no_image
from ..common.jobs import Job, Step, Steps, Stop
from ..common.panel import button_of, row_of, stacked
from ..common.progress_box import ProgressBox, refusing
from ..common.sources import source_image

if TYPE_CHECKING:
    import pandas as pd

    from ...analysis.figures import FigureData


Source = Callable[[], "FigureData"]
FILTERS = {
    ".csv": "CSV table (*.csv)",
    ".parquet": "Parquet table (*.parquet)",
    ".h5ad": "AnnData (*.h5ad)",
    ".xyz": "Extended XYZ (*.xyz)",
}
SAVE = "Draw the ticked figures and save them in a folder that you choose, one column of a journal wide"


class FigureSection(QWidget):
    """Check boxes of the figures that can be drawn, their formats, and buttons that save figures or the table.

    Whoever holds it calls `refresh` when what is shown has changed, and shows `progress`, with the button that saves
    the figures, where it is seen without opening anything.

    Parameters
    ----------
    source : callable
        Gives the `FigureData` that figures are drawn from, or raises `InputError` with the reason why there is none.
    image : callable
        Gives the image layer after which files are named, beside whose file they are put.
    """

    def __init__(self, source: Source, image: Image = no_image, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.source, self._image = source, image
        from ...analysis.figures import CATALOGUE, FORMATS

        self.job = Job(self)
        self.boxes = {name: _ticked(entry.title) for name, entry in CATALOGUE.items()}
        self.formats = {kind: _ticked(kind.upper()) for kind in FORMATS}
        self.progress = ProgressBox("Save figures …", SAVE, page="figures", job=self.job)
        self.table_button = button_of(
            "Save table …",
            "Save positions and all columns as a table: CSV, parquet, AnnData (.h5ad) or extended XYZ, chosen by "
            "the ending of its name",
        )
        self.formats["png"].setToolTip("Files of pixels, 300 to the inch; tick it for slides and manuscripts")
        self.formats["svg"].setToolTip(
            "Files of lines and words; tick it to edit the figure in Inkscape or Illustrator"
        )
        self._lay_out()
        self._connect()

    def refresh(self) -> None:
        """Offer the figures that can be drawn now; the others are grey, and their tooltip says what they need."""
        from ...analysis.figures import CATALOGUE

        try:
            data, reason = self.source(), ""
        except InputError as error:
            data, reason = None, str(error)
        for name, box in self.boxes.items():
            missing = reason if data is None else CATALOGUE[name].missing(data)
            box.setEnabled(not missing)
            box.setToolTip(f"{CATALOGUE[name].about} {missing}".strip())
        self.table_button.setEnabled(data is not None and not self.job.running)
        if not self.job.running:
            self.progress.button.setEnabled(any(box.isEnabled() for box in self.boxes.values()))

    def save_figures(self, folder: str | Path) -> None:
        """Draw the ticked figures into a folder, in the background.

        Raises
        ------
        InputError
            If none is ticked, or nothing is shown.
        """
        which = [name for name, box in self.boxes.items() if box.isEnabled() and box.isChecked()]
        kinds = [kind for kind, box in self.formats.items() if box.isChecked()]
        if not which or not kinds:
            raise InputError("Tick at least one figure and one format.")
        self._begin("Drawing …", figure_steps, self.source(), Path(folder), kinds, which)

    def save_table(self, path: str | Path) -> None:
        """Write the table in the format that the name ends in, in the background.

        Raises
        ------
        InputError
            If the name ends otherwise, a package is missing, or nothing is shown.
        """
        check_table_name(path)
        self._begin("Writing the table …", table_steps, self.source(), Path(path))

    def _begin(self, words: str, steps: Steps, *args: Any) -> None:
        self.progress.begin(words)
        self.job.start(steps, *args)
        self.table_button.setEnabled(False)

    def _lay_out(self) -> None:
        row = row_of(*self.formats.values())
        row.addStretch(1)
        row.addWidget(self.table_button)
        stacked(self, *self.boxes.values(), row)

    def _connect(self) -> None:
        self.progress.start_clicked.connect(self._on_save_clicked)
        self.table_button.clicked.connect(self._on_table_clicked)
        self.job.succeeded.connect(self.progress.say)
        self.job.ended.connect(self.refresh)

    @refusing
    def _on_save_clicked(self) -> None:
        folder = choose_target(self, "Save the figures: choose a folder", self._image())
        if folder:
            self.save_figures(folder)

    @refusing
    def _on_table_clicked(self) -> None:
        filters = ";;".join(FILTERS.values())
        path, chosen = choose_new(self, "Save the table", "latents.csv", self._image(), filters)
        if path:
            endings = {text: ending for ending, text in FILTERS.items()}
            named = Path(path).suffix.lower() in FILTERS
            self.save_table(path if named else path + endings.get(chosen, ".csv"))


def figure_steps(
    stop: Stop, data: FigureData, folder: Path, formats: Sequence[str], which: Sequence[str]
) -> Generator[Step, None, str]:
    """Draw and write figures one after the other; gives what to say at the end."""
    from ...analysis.figures import CATALOGUE, save_figures

    written: list[Path] = []
    for number, name in enumerate(which):
        if stop():
            break
        yield Step(f"Drawing: {CATALOGUE[name].title} …", number / len(which))
        written += _writing(save_figures, data, folder, formats, [name])
    files = f"{len(written)} file{'' if len(written) == 1 else 's'}"
    return f"{files} saved in {folder}." if written else "Stopped; nothing was saved."


def table_steps(stop: Stop, data: FigureData, path: Path) -> Generator[Step, None, str]:
    """Write a table; gives what to say at the end."""
    yield Step("Writing the table …")
    image, run = data.micrograph, data.run
    table = data.table if path.suffix.lower() != ".csv" else headed(data.table, image)
    provenance = {} if run is None else run.provenance
    origin = {"provenance": provenance} if image is None else origin_in(image, provenance)
    _writing(write_table, table, path, **origin)
    return f"{len(table):,} rows saved in {path}."


def headed(table: pd.DataFrame, image: Micrograph | None) -> pd.DataFrame:
    """A table whose header says units, for people: positions also in the unit of the image, if its pixels have a size.

    `read_table` takes the units of the columns that it knows off again.
    """
    from ...models.components import UNITS

    places = [name for name in AXES if name in table]
    size = None if image is None else image.pixel_size
    if image is not None and size is not None and {"y", "x"} <= set(places):
        for place, name, side in zip((len(places), len(places) + 1), ("y", "x"), size, strict=True):
            table = table.copy(deep=False)
            table.insert(place, f"{name} ({image.units})", table[name] * side)
    units = {str(name): UNITS.get(str(name).removesuffix("_sd"), "") for name in table} | {"y": "px", "x": "px"}
    return table.rename(columns={name: f"{name} ({unit})" for name, unit in units.items() if unit})


def _writing(write: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function that writes; what the disk refuses becomes a sentence."""
    try:
        return write(*args, **options)
    except OSError as error:
        raise InputError(f"The file could not be written ({error.strerror or error}); choose another place.") from error


def _ticked(text: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setChecked(True)
    return box


def figure_data(
    viewer: Any,
    layer: Any,
    opened: OpenRun | None,
    windows: npt.NDArray[np.int64],
    color: str,
    plane: tuple[str, str],
    frame: int | None,
) -> FigureData:
    """Everything that is known about a layer, for figures of it.

    Parameters
    ----------
    viewer : napari viewer
    layer : Points or Labels layer
    opened : OpenRun, optional
    windows : array (N,) of int
        Number of the window of every point, −1 for none.
    color, plane : str, (str, str)
        The columns that are plotted.
    frame : int, optional
        Of a movie, the one in view.

    Raises
    ------
    InputError
        If there is no layer, or nothing in it.
    """
    from ...analysis.figures import FigureData

    if layer is None:
        raise InputError("There is no layer of points or labels; choose one first.")
    table, micrograph = table_of(layer), None
    if layer.__class__.__name__ == "Points":
        micrograph = _image(viewer, layer)
    if micrograph is not None:
        image, placement = micrograph
        places = atoms_from_points(layer, placement)[["frame", "y", "x"]]
        table = places.join(table.drop(columns=list(places), errors="ignore"))
    patches = None if opened is None else _windows(opened.patches, windows)
    return FigureData(
        table,
        micrograph=None if micrograph is None else image,
        patches=patches,
        run=None if opened is None else opened.run,
        color=color if color in table else "",
        plane=plane if all(name in table for name in plane) else ("", ""),
        frame=frame,
    )


def _image(viewer: Any, layer: Any) -> tuple[Micrograph, Any] | None:
    try:
        image = source_image(viewer, layer)
    except InputError:
        return None
    return micrograph_from_layer(image), placement_of(image, viewer)


def _windows(patches: Patches, number: npt.NDArray[np.int64]) -> Patches:
    """The windows of a run, each named by the row of the layer that it belongs to; copied only if not all are there."""
    rows = np.flatnonzero(number >= 0)
    if not np.array_equal(number[rows], np.arange(len(patches))):
        patches = patches.rows(number[rows])
    return replace(patches, atoms=patches.atoms.set_axis(rows, axis=0))
