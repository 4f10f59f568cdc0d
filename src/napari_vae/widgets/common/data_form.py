"""What to train on: image layers, atoms or a regular grid, and the window around each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QWidget

from ...atoms.recipe import Options
from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...core.placement import Placement
from ...core.positions import noun_of, table_spacing
from ...core.settings import Level
from ...layers.active import is_atoms, is_source_image
from ...layers.images import micrograph_from_layer
from ...layers.points import KEY, atoms_from_points, placement_of
from ...models.given import Given
from ...patches.grid import grid_positions
from ...patches.patches import check_window, suggest_window
from .layer_box import AtomsBox, ImageBox, LayerChecks
from .length_box import LengthBox
from .panel import Form, row_of
from .pixel_size_box import calibration_events
from .setting_controls import add_settings, changes_of
from .sources import say_frame

GRID = "a regular grid"
MINIMUM = 20  # windows that a model can learn from


@dataclass(frozen=True)
class Source:
    """Everything that a job needs of the viewer, taken on the main thread."""

    micrographs: list[Micrograph]
    placement: Placement
    atoms: pd.DataFrame
    points: Any | None
    image: Any
    given: Given[npt.NDArray[Any]] = field(default_factory=Given)  # with every atom
    column: str = ""  # that it was read from
    level: Level = "auto"  # how the background is subtracted

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image without channels."""
        first = self.micrographs[0]
        return first.shape[1:] if first.axes == "CYX" else first.shape

    @property
    def noun(self) -> str:
        """What the windows lie on."""
        return noun_of(self.atoms)


class DataForm(Form):
    """Choice of the data on the active image; ``advanced`` holds the rows that a first look does not need.

    ``changed`` says that a model would be trained on other data now, or that their unit is another.
    """

    changed = Signal()

    def __init__(self, viewer: Any, image: ImageBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self.image = viewer, image
        self.atoms = AtomsBox(viewer, is_atoms, extra=GRID)
        self.window_px, self.step_px = LengthBox(3, 1024, 3), LengthBox(1, 1024, 1)
        self.advanced = Form()
        self.channels = LayerChecks(viewer, self._is_further_image)
        self._lay_out()
        self._connect()
        self.suggest()

    def source(self, window: tuple[int, int] | None = None) -> Source:
        """What is chosen now, for windows of a size in pixels; by default that of the form.

        Raises
        ------
        InputError
            If there is no image, no atoms, fewer than 20 of them, or the window does not fit the image.
        """
        image = self._image()
        size = window or (self.window_px.value(),) * 2
        micrographs = [micrograph_from_layer(layer) for layer in (image, *self.channels.layers())]
        placement, points = placement_of(image, self._viewer), self.atoms.layer()
        check_window(size, micrographs[0].shape)
        if points is None:
            atoms = grid_positions(micrographs[0], self.step_px.value(), window=size)
        else:
            atoms = atoms_from_points(points, placement)
            say_frame(points, placement)
        on_image = (atoms[["y", "x"]] > -0.5) & (atoms[["y", "x"]] < np.subtract(micrographs[0].shape[-2:], 0.5))
        if len(atoms) and not on_image.all(axis=1).any():
            raise InputError(
                f"No point of “{points.name}” lies on “{image.name}”; choose the points of this image. Those of a "
                "table are placed on it if no other image is shown while the table is opened."
            )
        if not len(atoms):
            raise InputError(f"“{points.name}” has no points; detect atoms first, or add points by hand.")
        if len(atoms) < MINIMUM:
            noun = "windows on the grid" if points is None else "atoms"
            remedy = "make the step smaller" if points is None else "lower the threshold, or take a regular grid"
            raise InputError(f"There are {len(atoms)} {noun}, and a model needs at least {MINIMUM}; {remedy}.")
        return Source(micrographs, placement, atoms, points, image, level=self.level.currentData())

    def suggest(self) -> None:
        """Set the window to two lattice spacings, and the grid step to half a window."""
        points, image = self.atoms.layer(), self.image.layer()
        grid = None if image is None else image.metadata.get(KEY, {}).get("grid")  # a sheet of separate pictures
        size = grid or 24
        if points is not None and image is not None and len(points.data) > 1:
            size = suggest_window(table_spacing(atoms_from_points(points, placement_of(image, self._viewer))))
        if image is not None:
            size = min(size, *full_shape(image)[-2:])
        with QSignalBlocker(self.window_px), QSignalBlocker(self.step_px):
            self.window_px.setValue(size)
            self.step_px.setValue(grid or max(1, size // 2))
        for event in () if image is None else calibration_events(image):
            event.connect(self._on_changed)  # napari does not connect the same twice
        self._on_changed()

    def example_centre(self) -> tuple[float, float] | None:
        """Centre (row, column) of the window that is drawn on the canvas: that of the atom nearest to the middle."""
        image = self.image.layer()
        if image is None:
            return None
        middle = (np.asarray(full_shape(image)[-2:], float) - 1) / 2
        points = self.atoms.layer()
        if points is None or not len(points.data):
            return float(middle[0]), float(middle[1])
        positions = atoms_from_points(points, placement_of(image, self._viewer))[["y", "x"]].to_numpy()
        nearest = positions[np.argmin(np.linalg.norm(positions - middle, axis=1))]
        return float(nearest[0]), float(nearest[1])

    def _lay_out(self) -> None:
        self.add(
            "Atoms",
            self.atoms,
            "The Points layer with the atoms, as “Detect atoms” makes it; edit it by hand as you like. Choose "
            "a regular grid where there are no atoms to be found: it cuts windows all over the image.",
        )
        self.add(
            "Window",
            row_of(self.window_px, self.window_px.length, wide=self.window_px),
            "Side of the square that is cut out around every atom, in px, or typed as 2 nm; it is drawn on the image. "
            "Two lattice spacings are suggested, which show an atom and its nearest neighbours. Make it larger to "
            "see more of the surroundings.",
        )
        self._step = self.add(
            "Grid step",
            row_of(self.step_px, self.step_px.length, wide=self.step_px),
            "Distance between the windows of the regular grid, in px, or typed as 2 nm. Smaller gives finer pictures, "
            "and takes longer.",
        )
        self.advanced.add(
            "More channels",
            self.channels,
            "Further images of the same area and size, such as a second detector. Tick those that the model "
            "shall see together with the first.",
        )
        self._show_channels()
        self.level = add_settings(self.advanced, Options, "level")["level"]

    def _connect(self) -> None:
        self.image.layer_changed.connect(self.suggest)
        self.image.layer_changed.connect(self.channels.refresh)
        self.channels.offered.connect(self._show_channels)
        self.atoms.layer_changed.connect(self.suggest)
        self.channels.ticked.connect(self._on_changed)
        for control in (self.window_px, self.step_px, self.level):
            changes_of(control).connect(self._on_changed)

    def _on_changed(self, value: object = None) -> None:
        if isalive(self):  # the image outlives it
            image = self.image.layer()
            self.set_row_visible(self._step, self.atoms.layer() is None)
            for box in (self.window_px, self.step_px):
                box.show_in(*((None, "px") if image is None else placement_of(image).pixel_size()))
            self.changed.emit()

    def _show_channels(self) -> None:
        self.advanced.set_row_visible(self.channels, self.channels.count() > 0)

    def _is_further_image(self, layer: Any) -> bool:
        return is_source_image(layer) and layer != self.image.layer()

    def _image(self) -> Any:
        image = self.image.layer()
        if image is None:
            raise InputError("There is no image; open one, or a sample from File → Open Sample.")
        return image


def full_shape(layer: Any) -> tuple[int, ...]:
    """Shape of the data of an image layer at full resolution."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(data.shape)
