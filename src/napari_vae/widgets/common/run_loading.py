"""A saved model for a layer that came without one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pandas as pd
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...core.placement import Placement
from ...layers.identity import CHOSEN, note, token_of
from ...layers.images import micrograph_from_layer
from ...layers.open_runs import OpenRun, keep_run, unread_folder
from ...layers.points import atoms_from_points, placement_of
from ...patches.patches import extract_patches
from .dialogs import choose_folder
from .jobs import Job, Step, import_torch
from .sources import say_frame, source_image

if TYPE_CHECKING:
    from ...runs.run import Run


class RunLoader(QObject):
    """Reads models from their folders and ties them to layers of one viewer.

    Parameters
    ----------
    viewer : napari viewer
    parent : QWidget
        The widget that owns it.
    """

    said = Signal(str)
    failed = Signal(str)
    loaded = Signal()

    def __init__(self, viewer: Any, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer, self._window = viewer, parent
        self._layer: Any | None = None
        self._image = ""  # token of the image that the windows are cut from
        self.job = Job(parent)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_opened)
        self.job.failed.connect(self.failed)

    def ask(self, layer: Any | None) -> None:
        """Have a folder chosen, and load the model in it."""
        folder = choose_folder(self._window, "Load a model: choose its folder")
        if folder:
            self.load(folder, layer)

    def load(self, folder: str, layer: Any | None) -> None:
        """Read a saved model and tie it to a layer; bad input ends in a notification."""
        if self.job.running or layer is None:
            return
        try:
            source = read_source(self._viewer, layer)
        except InputError as error:
            show_error(str(error))
            self.failed.emit(str(error))
            return
        self._layer = layer
        self._image = token_of(self._viewer.layers, source_image(self._viewer, layer))
        self.job.start(open_steps, folder, *source, Placement.of_layer(layer))

    def read_folder(self, layer: Any | None) -> None:
        """Read the run of the analysis that a layer was opened with, if that was not tried before."""
        folder = "" if layer is None or self.job.running else unread_folder(layer)
        if folder:
            note(layer, run="")
            self._layer, self._image = layer, ""
            self.job.start(folder_steps, folder)

    def _on_progress(self, step: Any) -> None:
        self.said.emit(step.message)

    def _on_opened(self, opened: OpenRun | None) -> None:
        layer, self._layer = self._layer, None
        if layer is not None and opened is not None:
            note(layer, run=keep_run(self._viewer, opened), **({CHOSEN: self._image} if self._image else {}))
            self.loaded.emit()


def read_source(viewer: Any, layer: Any) -> tuple[Micrograph, pd.DataFrame, Placement]:
    """What `open_steps` needs of the layers, read on the main thread.

    Raises
    ------
    InputError
        As `source_image`.
    """
    image = source_image(viewer, layer)
    placement = placement_of(image, viewer)
    say_frame(layer, placement)
    return micrograph_from_layer(image), atoms_from_points(layer, placement), placement


def folder_steps(stop: Callable[[], bool], folder: str) -> Generator[Step, None, OpenRun | None]:
    """Read the run of a finished analysis."""
    yield Step("Loading the model of this analysis …")
    import_torch()
    from ...layers.analysis import read_run

    return read_run(folder)


def load_steps(stop: Callable[[], bool], folder: str) -> Generator[Step, None, Run]:
    """Read a saved model; in a thread because torch takes its time to be imported."""
    yield Step("Loading the model …")
    import_torch()
    from ...models.columns import check_redraws
    from ...runs.run import load_run

    run = load_run(folder)
    check_redraws(run.model_config)
    return run


def open_steps(
    stop: Callable[[], bool],
    folder: str,
    image: Micrograph,
    atoms: pd.DataFrame,
    placement: Placement,
    points: Placement,
) -> Generator[Step, None, OpenRun]:
    """Read a model and cut its windows around the points; in a thread because both take their time."""
    run = yield from load_steps(stop, folder)
    if run.model_config.knows.conditional:
        raise InputError("This model needs a condition; apply it to the image in Train VAE instead.")
    patches = extract_patches(image, atoms, levels=run.levels, **run.cutting, partial=True)
    return OpenRun(run, patches, placement, points=points)
