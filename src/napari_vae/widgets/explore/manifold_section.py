"""What the model draws at the place under the cursor, or wherever the sliders stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from ...layers.open_runs import OpenRun
from ...layers.points import KEY, LayerData
from ...models.component import Freedom
from ...runs.decoding import class_names_of, draw, freedoms, grid, traverse
from ..common.panel import Form, button_of, row_of, sentence, stacked
from .pictures import picture_of

STEPS = 200
SIDE = 140  # px
TILES = 9  # along each side of the grid behind the plot
NO_RUN = "No model is open for this layer. Train one on it, or load a model that was saved."


class Knob(QWidget):
    """One number between two others.

    Parameters
    ----------
    low, high : float
    value : float
        At first, and after a double-click on the name.
    unit : str
        Behind the value.
    whole : bool
        Whether there is nothing between whole numbers.
    """

    changed = Signal()

    def __init__(
        self,
        name: str,
        low: float,
        high: float,
        value: float,
        unit: str,
        tooltip: str,
        whole: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name, self.low, self.high, self._unit = name, low, high, unit
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(high - low) if whole else STEPS)
        self.slider.setAccessibleName(name)
        self._words = QLabel()
        self._words.setMinimumWidth(self._words.fontMetrics().horizontalAdvance("−0.00 px"))
        self._words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setToolTip(tooltip)
        label = QLabel(name)
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance("strain xx"))
        self.setLayout(row_of(label, self.slider, self._words, wide=self.slider))
        self.set_value(value)
        self.slider.valueChanged.connect(self._on_moved)

    @property
    def value(self) -> float:
        """Where the slider stands."""
        return self.low + (self.high - self.low) * self.slider.value() / self.slider.maximum()

    def set_value(self, value: float) -> None:
        """Move the slider; ``changed`` keeps still."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(self.slider.maximum() * (value - self.low) / ((self.high - self.low) or 1.0)))
        self._say()

    def _on_moved(self, step: int) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        self._words.setText(f"{self.value:.2f} {self._unit}".strip())


class ManifoldSection(QWidget):
    """A decoded picture with a slider for everything that the model can vary, and a class where it knows any."""

    backdrop_changed = Signal(object, object)  # picture (H, W) and rectangle, or None twice
    layer_made = Signal(object)  # LayerData
    load_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opened: OpenRun | None = None
        self._axes = ("", "")
        self.knobs: dict[str, Knob] = {}
        self._freedoms: list[Freedom] = []
        self.picture = QLabel()
        self.picture.setFixedSize(SIDE, SIDE)
        self.picture.setToolTip("What the model draws where the cursor is on the plot, or the sliders stand")
        self.classes, self.along = QComboBox(), QComboBox()
        self.follow, self.behind = QCheckBox("follow the cursor"), QCheckBox("grid behind the plot")
        self.words = sentence(NO_RUN)
        self.load_button = button_of(
            "Load a model …", "Read a model from its folder and describe the atoms of this layer with it"
        )
        self.image_button = button_of("Picture", "Make an image layer of the picture at the left")
        self.grid_button = button_of("Grid", "Make an image layer of the grid over the two plotted latents")
        self.traverse_button = button_of(
            "Traverse",
            "Make a stack of images, one for each step, in which the slider chosen at Along runs over its range",
        )
        self._content = QWidget()
        self._sliders = QVBoxLayout()
        self._lay_out()
        self._connect()
        self.set_run(None)

    def set_run(self, opened: OpenRun | None) -> None:
        """Draw with another run, or with none."""
        if opened is not None and opened is self._opened:
            return
        self._opened = opened
        self._content.setVisible(opened is not None)
        self.words.setVisible(opened is None)
        self.load_button.setVisible(opened is None)
        for knob in self.knobs.values():
            self._sliders.removeWidget(knob)
            knob.setParent(None)
            knob.deleteLater()
        self.knobs.clear()
        self.classes.clear()
        self.along.clear()
        if opened is not None:
            self._offer(opened)
            self._draw()
        self._show_backdrop()

    def set_axes(self, x: str, y: str) -> None:
        """Say which columns are plotted."""
        self._axes = x.removeprefix("vae_"), y.removeprefix("vae_")
        self._show_backdrop()

    def show_at(self, x: float, y: float) -> None:
        """Draw what lies at a place of the plotted plane, if it is one of latents."""
        names = [name for name in self._axes if name in self.knobs]
        if self._opened is None or not names or not self.follow.isChecked() or not np.isfinite([x, y]).all():
            return
        for name, value in zip(self._axes, (x, y), strict=True):
            if name in self.knobs:
                self.knobs[name].set_value(value)
        if self.isVisible():
            self._draw()

    def values(self) -> dict[str, float]:
        """Where the sliders stand."""
        return {name: knob.value for name, knob in self.knobs.items()}

    def label(self) -> int | None:
        """The class that is drawn; ``None`` for models without classes."""
        return self.classes.currentIndex() if self.classes.count() else None

    def _lay_out(self) -> None:
        self.follow.setChecked(True)
        self.follow.setToolTip(
            "Draw what lies under the cursor while it moves over the plot; untick it to keep what the sliders say"
        )
        self.behind.setToolTip(
            "Show what the model draws all over the plane, behind the points; for axes that are two latents"
        )
        form = Form()
        form.add(
            "Class",
            self.classes,
            "Class that is drawn, if the model was given classes or has found them; choose each in turn to "
            "compare them.",
        )
        form.add(
            "Along",
            self.along,
            "Slider that runs over its range when you press Traverse; choose the latent or pose that you want to "
            "see the effect of.",
        )
        self._form = form
        checks = QVBoxLayout()
        checks.addWidget(self.follow)
        checks.addWidget(self.behind)
        checks.addWidget(QLabel("Make a layer of:"))
        for button in (self.image_button, self.grid_button, self.traverse_button):
            checks.addWidget(button)
        checks.addStretch()
        top = QHBoxLayout()
        top.addWidget(self.picture)
        top.addLayout(checks, 1)
        stacked(self._content, top, self._sliders, form)
        stacked(self, self.words, self.load_button, self._content)

    def _connect(self) -> None:
        self.classes.currentIndexChanged.connect(self._on_class_changed)
        self.behind.toggled.connect(self._show_backdrop)
        self.load_button.clicked.connect(self.load_asked)
        self.image_button.clicked.connect(self._on_image_clicked)
        self.grid_button.clicked.connect(self._on_grid_clicked)
        self.traverse_button.clicked.connect(self._on_traverse_clicked)

    def _offer(self, opened: OpenRun) -> None:
        self._freedoms = freedoms(opened.run)
        for one in self._freedoms:
            knob = Knob(one.name, one.low, one.high, one.neutral, one.unit, one.means, one.whole)
            knob.changed.connect(self._draw)
            self.knobs[one.name] = knob
            self._sliders.addWidget(knob)
        names = class_names_of(opened.run)
        self.classes.addItems(names)
        self._form.set_row_visible(self.classes, bool(names))
        self.along.addItems(self.knobs)

    def _draw(self) -> None:
        if self._opened is not None:
            self.picture.setPixmap(picture_of(draw(self._opened.run, self.values(), self.label()), SIDE))

    def _grid(self) -> tuple[Any, Any] | None:
        if self._opened is None:
            return None
        return grid(self._opened.run, *self._axes, TILES, self.values(), self.label())

    def _show_backdrop(self, wanted: bool | None = None) -> None:
        shown = self._grid() if self.behind.isChecked() else None
        self.backdrop_changed.emit(*(shown or (None, None)))

    def _on_class_changed(self, index: int) -> None:
        if index >= 0 and self.knobs:
            self._draw()
            self._show_backdrop()

    def _on_image_clicked(self) -> None:
        if self._opened is not None:
            values = ", ".join(f"{name} {value:.2f}" for name, value in self.values().items())
            self._make(draw(self._opened.run, self.values(), self.label()), f"decoded, {values}")

    def _on_grid_clicked(self) -> None:
        picture = self._grid()
        if picture is not None:
            self._make(picture[0], f"manifold of {self._axes[0]} and {self._axes[1]}")

    def _on_traverse_clicked(self) -> None:
        if self._opened is None:
            return
        along = self._freedoms[self.along.currentIndex()]
        frames = traverse(self._opened.run, self.values(), along, self.label())
        self._make(frames, f"traverse of {along.name}, {along.low:.2f} to {along.high:.2f}")

    def _make(self, picture: npt.NDArray[Any], name: str) -> None:
        self.layer_made.emit(decoded_layer(picture, name, self._opened))


def decoded_layer(picture: npt.NDArray[Any], name: str, opened: OpenRun | None) -> LayerData:
    """Image layer of a decoded picture (H, W) or stack (T, H, W), in the pixel size of the source, above its frame."""
    options: dict[str, Any] = {
        "name": name,
        "colormap": "gray",
        "contrast_limits": (0.0, 1.0),
        "metadata": {KEY: {"kind": "decoded"}},
    }
    if opened is not None:
        gap = 1.05 * picture.shape[-2]
        placement = opened.placement.last(2).beside([-gap, 0])
        options |= (placement if picture.ndim == 2 else placement.stacked("step")).kwargs()
    return picture, options, "image"
