"""What a candidate looks like to the deep kernel: its window, what a trained model makes of that, or latents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal

from ...core.errors import InputError
from ...layers.open_runs import run_of
from ..common.dialogs import choose_folder
from ..common.layer_box import PointsForm
from ..common.panel import button_of, choice_of, offer, row_of
from ..common.run_loading import RunLoader

if TYPE_CHECKING:
    from ...runs.run import Run

WINDOWS, OPEN, SAVED, LATENTS = "windows", "open", "saved", "latents"
LATENT = re.compile(r"(vae_)?z\d+")
TOOLTIP = (
    "What the model sees of every place. The windows themselves: a network is trained here, on your "
    "measurements alone. Choose the encoder of a model from “Train VAE”, open or loaded with the button, where "
    "measurements are dear: it knows all windows already, so that fewer may be enough; windows are of its size "
    "then. Choose latents, the columns z1, z2 … of the points, where these already order what you look for."
)


@dataclass(frozen=True)
class Features:
    """What was chosen: a run whose encoder is used, or columns; neither for the windows themselves."""

    run: Run | None = None
    columns: tuple[str, ...] = ()


class FeaturesForm(PointsForm):
    """One row: a list, and a button to load a model."""

    load_asked = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.loader = RunLoader(viewer, self)
        self._saved: Run | None = None
        self._saved_name = ""
        self.choice = choice_of({}, narrow=True)
        self.load_button = button_of("Load …", "Read a model that was saved in “Train VAE”, to use its encoder")
        self.add("Described by", row_of(self.choice, self.load_button, wide=self.choice), TOOLTIP)
        self.load_button.clicked.connect(self._on_load_clicked)
        self.outdated.connect(self._refresh)
        self._refresh()

    def follow(self, points: Any | None) -> None:
        """Offer what there is for these points from now on; ``None`` for a regular grid."""
        super().follow(points)
        if points is not None:
            self.loader.read_folder(points)

    def set_saved(self, run: Run, name: str) -> None:
        """Offer and choose a model that was loaded."""
        self._saved, self._saved_name = run, name
        self._refresh()
        self.choice.setCurrentIndex(self.choice.findData(SAVED))

    def _refresh(self) -> None:
        """Offer what there is now; the choice stays where it can."""
        entries = {WINDOWS: "the windows"}
        if self.points is not None and self._open_run() is not None:
            entries[OPEN] = "encoder of the open model"
        if self._saved is not None:
            entries[SAVED] = f"encoder of {self._saved_name}"
        if columns := self._latents():
            entries[LATENTS] = f"latents {columns[0]} … {columns[-1]}" if len(columns) > 1 else f"latent {columns[0]}"
        offer(self.choice, entries, self.choice.currentData())

    def read(self) -> Features:
        """What is chosen.

        Raises
        ------
        InputError
            If the model needs a condition.
        """
        chosen = self.choice.currentData()
        if chosen == LATENTS:
            return Features(columns=self._latents())
        if chosen == WINDOWS:
            return Features()
        run = self._open_run() if chosen == OPEN else self._saved
        if run is not None and run.model_config.knows.conditional:
            raise InputError("The encoder of this model needs a condition; choose the windows.")
        return Features(run=run)

    def _open_run(self) -> Run | None:
        opened = None if self.points is None else run_of(self._viewer, self.points)
        return None if opened is None else opened.run

    def _latents(self) -> tuple[str, ...]:
        """Columns of the points that are latents, in their order."""
        names = () if self.points is None else (str(name) for name in self.points.features)
        return tuple(name for name in names if LATENT.fullmatch(name))

    def _on_load_clicked(self) -> None:
        folder = choose_folder(self, "Load a model: choose its folder")
        if folder:
            self.load_asked.emit(str(Path(folder)))
