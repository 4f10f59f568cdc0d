"""A line above Train: how many atoms are learnt from, in which windows, and how long and how much memory it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from ...core.placement import Placement
from ...core.square import pixel_sides, square_shape
from ...layers.points import placement_of
from ...patches.patches import fits
from ...training.forecast import Forecast, forecast, measure_slowness
from ..common.data_form import MINIMUM, DataForm, full_shape
from ..common.panel import sentence, stacked
from ..common.plot import ORANGE, swatch
from .model_form import ModelForm
from .steps import Described

FEW = 0.5  # share of the atoms below which something should be changed
SOON = 150  # milliseconds after a change


class ForecastLine(QWidget):
    """Follows what is chosen in two forms.

    Parameters
    ----------
    viewer : napari viewer
    data : DataForm
    model : ModelForm
    """

    def __init__(self, viewer: Any, data: DataForm, model: ModelForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._data, self._model = viewer, data, model
        self._slowness: float | None = None  # of this machine
        self.words = sentence()
        self.words.setToolTip(
            "What Train will do: atoms whose whole window lies on the image, its side, and an estimate of time and "
            "memory on a CPU; after a training it goes by what that one took"
        )
        stacked(self, self.words)
        self._timer = QTimer(self, singleShot=True, interval=SOON)
        self._timer.timeout.connect(self._show)
        for form in (data, model):
            form.changed.connect(self.ask)
        self.ask()

    def ask(self) -> None:
        """Look again, in a moment."""
        self._timer.start()

    def learn(self, result: Described) -> None:
        """Go from now on by how long the steps of a training have taken."""
        run, patches = result.run, result.patches
        expected = forecast(len(patches.whole), patches.data[0].size, run.model_config, run.train_config)
        last = run.history.iloc[-1]
        self._slowness = float(last["seconds"]) / max(1.0, float(last["step"])) / expected.of_a_step
        self.ask()

    def _forecast(self, n: int, described: int, slowness: float) -> Forecast:
        pixels = self._data.window_px.value() ** 2 * (1 + len(self._data.channels.layers()))
        model, train = self._model.model(), self._model.train()
        return forecast(n, pixels, model, train, described=described, slowness=slowness)

    def _show(self) -> None:
        self.setVisible(self._data.image.layer() is not None)
        if self._data.image.layer() is not None:
            self.words.setText(self._words())

    def _words(self) -> str:
        if self._slowness is None:
            self._slowness = measure_slowness()
        size, points = self._data.window_px.value(), self._data.atoms.layer()
        centres, shape, n_windows = self._windows()
        n = n_windows if points is None else int(fits(centres, (size, size), shape).sum())
        of = f"{grouped(n)} windows" if points is None else f"{grouped(n)} of {grouped(len(centres))} atoms"
        side, unit = placement_of(self._data.image.layer()).pixel_size()
        length = f"{size} px" + ("" if side is None else f" = {size * min(side):.2g} {unit}")
        if n < MINIMUM:
            return f"{swatch(ORANGE)}{of} · {length} · a model needs {MINIMUM} at least: {self._remedy(centres, shape)}"
        cost = self._forecast(n, len(centres), self._slowness)
        line = f"{of} · {length} · {about(cost.seconds)} · {cost.bytes / 1e9:.1f} GB"
        if points is None or n >= FEW * len(centres):
            return line
        why = "The others lie too near the border to be learnt from"
        return f"{swatch(ORANGE)}{line}. {why}: {self._remedy(centres, shape)}"

    def _windows(self) -> tuple[npt.NDArray[np.float64], tuple[int, int], int]:
        """Centres (N, 2) of the atoms and shape of the image, in square pixels; and how many windows a grid has."""
        image, points = self._data.image.layer(), self._data.atoms.layer()
        placement, whole = placement_of(image, self._viewer), full_shape(image)
        whole = whole[:-1] if image.rgb else whole
        sides = pixel_sides(placement.pixel_size()[0])
        shape = square_shape(whole[-2:], sides)
        if points is not None:
            positions = placement.points_from(np.asarray(points.data, float), Placement.of_layer(points))
            return positions[:, -2:] * sides, shape, 0
        size, step = self._data.window_px.value(), self._data.step_px.value()
        each = int(np.prod([len(range(0, max(0, length - size + 1), step)) for length in shape]))
        return np.empty((0, 2)), shape, each * (whole[0] if len(whole) > 2 else 1)

    def _remedy(self, centres: npt.NDArray[np.float64], shape: tuple[int, int]) -> str:
        if self._data.atoms.layer() is None:
            return "make the step smaller."
        room = np.minimum(centres, np.subtract(shape, 1) - centres).min(axis=1)  # to the nearest edge
        enough = np.sort(room)[::-1][min(len(room) - 1, max(MINIMUM, round(FEW * len(room))) - 1)] if len(room) else 0.0
        fitting = 2 * int(enough + 0.5)
        if len(room) < MINIMUM or fitting < self._data.window_px.minimum():
            return "detect more atoms, or take a regular grid."
        return f"take a window of {fitting} px at most."


def grouped(n: int) -> str:
    """A whole number in groups of three digits.

    >>> grouped(5322)
    '5\u202f322'
    """
    return f"{n:,}".replace(",", "\u202f")


def about(seconds: float) -> str:
    """A rough time in words.

    >>> about(4.2), about(42), about(100), about(9000)
    ('some seconds', 'about 40 s', 'about 2 min', 'about 2.5 h')
    """
    if seconds < 10:
        return "some seconds"
    if seconds < 55:
        return f"about {round(seconds, -1):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 3600 else f"about {seconds / 3600:.1f} h"
