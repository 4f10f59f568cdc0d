"""What is measured at each place, and what is sought: the largest, the smallest, a value, a class, or all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QWidget

from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.active import is_source_image
from ...layers.points import KEY
from ...layers.targets import LayerTarget, Target, column_target, labels_in
from ..common.layer_box import ColumnBox, PointsForm
from ..common.panel import offer, sentence

TYPED = "typed in by you"
LARGEST, SMALLEST, NEAR, EVERYWHERE, CLASS = "max", "min", "near", "everywhere", "class"
GOALS = {
    LARGEST: "find the largest",
    SMALLEST: "find the smallest",
    NEAR: "find the closest to",
    EVERYWHERE: "learn it everywhere",
}
MOST_SOUGHT = 12  # classes that are offered one by one
BOUND = 1e12


@dataclass(frozen=True)
class Purpose:
    """What is sought.

    Parameters
    ----------
    kind : str
        ``"max"``, ``"min"``, ``"near"``, ``"everywhere"`` or ``"class"``.
    value : float
        Of ``"near"``.
    sought : str
        Of ``"class"``, its name.
    """

    kind: str = LARGEST
    value: float = 0.0
    sought: str = ""

    def setting(self, target: Target | None = None) -> str | float:
        """As `Exploration` takes it, for what is known of all places.

        Raises
        ------
        InputError
            If no place has the class that is sought.
        """
        if self.kind == CLASS:
            classes = () if target is None else target.classes
            number = classes.index(self.sought) if self.sought in classes else -1
            if target is None or not (target.values == number).any():
                raise InputError(f"No place is of the class “{self.sought}”; choose another goal.")
            return float(number)
        return self.value if self.kind == NEAR else SMALLEST if self.kind == SMALLEST else LARGEST


class TargetForm(PointsForm):
    """Rows of the target and the goal.

    Attributes
    ----------
    kind : {"class", "angle", "real"}
        Of the chosen target.
    classes : tuple of str
        Its names of classes.
    """

    changed = Signal()
    kind: str
    classes: tuple[str, ...]

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.kind, self.classes = "real", ()
        self.target = ColumnBox("choose what is measured", TYPED)
        self.radius = QDoubleSpinBox()
        self.radius.setRange(0, 500)
        self.radius.setDecimals(1)
        self.radius.setValue(4)
        self.radius.setSuffix(" px")
        self.goal = QComboBox()
        self.value = QDoubleSpinBox()
        self.value.setDecimals(4)
        self.value.setRange(-BOUND, BOUND)
        self.message = sentence()
        self._lay_out()
        self.target.currentIndexChanged.connect(self._on_changed)
        self.goal.currentIndexChanged.connect(self._on_goal_changed)
        self.outdated.connect(self._refresh)
        self._refresh()

    @property
    def typed(self) -> bool:
        """Whether the user is the instrument."""
        return self.target.chosen() is ColumnBox.EXTRA

    def _refresh(self) -> None:
        """Offer the columns and layers that there are now."""
        columns = [] if self.points is None else [str(name) for name in self.points.features]
        layers = [layer for layer in reversed(self._viewer.layers) if _can_be_read(layer)]
        self.target.offer(columns, layers)
        self._on_changed()

    def read(self, ndim: int) -> Target | LayerTarget | None:
        """What is measured: values of all points, or a layer to be read under them; ``None`` if typed in.

        Parameters
        ----------
        ndim : int
            Axes of the image that the places lie in: 3 if it has frames. Of a layer with more axes the slice in view
            is read.

        Raises
        ------
        InputError
            If nothing is chosen, the column is gone, or there is nothing to learn from it.
        """
        chosen = self.target.chosen()
        if chosen is None:
            raise InputError(
                "Choose what is measured (Target): a column of the points, a layer under them, or values that you type "
                "in yourself."
            )
        if chosen is ColumnBox.EXTRA:
            return None
        if isinstance(chosen, str):
            target = column_target(self._column(chosen))
            target.check()
            return target
        return _layer_target(self._viewer, chosen, ndim, self.radius.value())

    def read_purpose(self) -> Purpose:
        """What is sought."""
        chosen = self.goal.currentData()
        if chosen in GOALS:
            return Purpose(chosen, self.value.value())
        return Purpose(CLASS, sought=chosen)

    def choose_purpose(self, goal: Purpose) -> None:
        """Choose what is sought, if it is offered."""
        self.goal.setCurrentIndex(max(self.goal.findData(goal.sought or goal.kind), 0))
        self.value.setValue(goal.value)

    def _lay_out(self) -> None:
        self.add(
            "Target",
            self.target,
            "What is measured at each place. Choose “typed in by you” to measure at the instrument: you are "
            "shown where, and type in what you find. To try it out on values that are known, choose a column "
            "of the points (numbers or classes), or a layer: a map of the same area, such as a channel of a "
            "spectrum image, or Labels as classes. They are looked up only at the places that are measured.",
        )
        self.add(
            "Mean within",
            self.radius,
            "Radius of the disc around each place in which the layer is averaged, in px of the image. About a "
            "third of the distance between atoms suits a map of atoms; 0 takes the pixel under the place.",
        )
        self.add(
            "Goal",
            self.goal,
            "What the measurements are for. Choose a search to find the places with the largest or smallest "
            "value, one near a number, or those of one class; choose “learn it everywhere” to know the target "
            "at all places as well as possible.",
        )
        self.add("Wanted value", self.value, "The value that is sought, in the unit of the target.")
        self.add_wide(self.message)

    def _column(self, name: str) -> Any:
        if self.points is None or name not in self.points.features:
            raise InputError(f"There is no column “{name}” any more; choose another target.")
        return self.points.features[name].reset_index(drop=True)

    def _on_changed(self, index: int = 0) -> None:
        chosen = self.target.chosen()
        self.set_row_visible(self.radius, isinstance(chosen, Image))
        self.kind, self.classes, words = self._summary(chosen)
        self._offer_goals()
        self.message.setText(words)
        self.set_row_visible(self.message, bool(words))
        self._on_goal_changed()

    def _on_goal_changed(self, index: int = 0) -> None:
        self.set_row_visible(self.value, self.goal.currentData() == NEAR)
        self.changed.emit()

    def _offer_goals(self) -> None:
        entries = {kind: words for kind, words in GOALS.items() if self.kind == "real" or kind in (NEAR, EVERYWHERE)}
        if self.kind == "class":
            entries = {EVERYWHERE: "tell all classes apart"}
            entries |= {name: f"find “{name}”" for name in self.classes[:MOST_SOUGHT] if name not in GOALS}
        offer(self.goal, entries, self.goal.currentData())

    def _summary(self, chosen: Any) -> tuple[str, tuple[str, ...], str]:
        """Kind of the target, names of its classes, and what it holds in a few words."""
        if isinstance(chosen, Labels):
            axes = 2 if self.points is None else self.points.ndim
            return "class", tuple(map(str, labels_in(_slice_in_view(self._viewer, chosen, axes)))), ""
        if not isinstance(chosen, str):
            return "real", (), ""
        try:
            target = column_target(self._column(chosen))
            target.check()
        except InputError as error:
            return "real", (), str(error)
        return target.kind, target.classes, _in_words(target)


def _in_words(target: Target) -> str:
    """What a target holds."""
    known = target.values[target.known]
    if target.classes:
        counts = np.bincount(known.astype(int), minlength=len(target.classes))
        counted = [f"{name} {count}" for name, count in zip(target.classes, counts, strict=True)]
        return f"{', '.join(counted[:4])}{', …' if len(counted) > 4 else ''}"
    unit = "°" if target.angle else ""
    missing = f"; {len(target.values) - len(known)} without" if len(known) < len(target.values) else ""
    return f"{len(known)} values, {known.min():.4g}{unit} to {known.max():.4g}{unit}{missing}"


def _can_be_read(layer: Any) -> bool:
    """Whether a layer can be read under the places: a grey image that is no result of ours, or labels."""
    if isinstance(layer, Labels):
        return True
    return is_source_image(layer) and not layer.rgb and layer.metadata.get(KEY, {}).get("kind") != "window"


def _layer_target(viewer: Any, layer: Any, ndim: int, radius: float) -> LayerTarget:
    """A layer as it is now, and where it lies."""
    pixels = _slice_in_view(viewer, layer, ndim)
    placement = Placement.of_layer(layer).last(pixels.ndim)
    return LayerTarget(layer.name, pixels, placement, None if isinstance(layer, Labels) else radius)


def _slice_in_view(viewer: Any, layer: Any, ndim: int = 2) -> Any:
    """Data of a layer with its last `ndim` axes; of those before, such as channels, what is in view."""
    data = layer.data[0] if layer.multiscale else layer.data
    if data.ndim <= ndim:
        return np.asarray(data)
    canvas, shape = Placement.of_canvas(viewer), data.shape[:-ndim]
    place = Placement.of_layer(layer).points_from([viewer.dims.point], canvas)[0]
    index = tuple(int(np.clip(np.rint(p), 0, n - 1)) for p, n in zip(place[:-ndim], shape, strict=True))
    return np.asarray(data[index])
