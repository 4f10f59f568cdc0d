"""The docks as napari opens them: an empty panel at once, what it holds as soon as its modules are loaded.

To load the modules takes a third of a second at first, to make the controls of a dock a tenth, and to lay them out
another: the window would stand still for a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from importlib import import_module
from typing import Any, ClassVar

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from .common.jobs import Job, uncollected
from .common.panel import Panel, sentence

Kind = Callable[..., Panel]

OPENING = "Opening …"
LETTERS = 52  # in a line of a dock: so that it is about as wide before it is there


class Opening(Panel):
    """A panel that another takes the place of.

    Its modules are loaded in the background; then it is made, and put in place, one turn of the event loop each.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    """

    holds: ClassVar[tuple[str, str]]  # the module beside this one, and the panel in it

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._made: Panel | None = None
        self._words = sentence(OPENING)
        self.column.addWidget(self._words)
        self.column.addStretch()
        self._placing = QTimer(self, singleShot=True, interval=0)
        self._placing.timeout.connect(self._on_placed)
        self.job = Job(self, notify=False)
        self.job.succeeded.connect(self._on_loaded)
        self.job.failed.connect(self._words.setText)
        self.job.ended.connect(self._on_ended)

    def needed_width(self) -> int:
        """About that of the dock, in px."""
        return LETTERS * self.fontMetrics().averageCharWidth()

    @classmethod
    def kind(cls) -> Kind:
        """What makes the panel that takes the place; its modules are loaded when it is asked for."""
        module, name = cls.holds
        made: Kind = getattr(import_module(f".{module}", __package__), name)
        return made

    def finish(self) -> Panel:
        """Do at once what is still to be done, and return the panel that has taken the place."""
        self._placing.stop()
        made = self._made or self._make(self.kind())
        if made.parentWidget() is self:
            if self._dock is None:
                self._on_docked()
            (self._dock or self).setWidget(made)
        if self._dock is not None and not self.job.running:
            self.deleteLater()
        return made

    def _make(self, kind: Kind) -> Panel:
        self._made = kind(self._viewer, parent=self)
        self._made.hide()
        return self._made

    def _on_loaded(self, kind: Kind) -> None:
        if self._made is None:
            self._make(kind)
            self._placing.start()

    def _on_ended(self) -> None:
        if self._made is not None and not self._placing.isActive():  # it was asked for meanwhile
            self.deleteLater()

    def _on_placed(self) -> None:
        self.finish()
        threading.Thread(target=load_rest, daemon=True).start()

    def _on_docked(self) -> None:
        self._docking.stop()
        super()._on_docked()
        if self._dock is not None:
            self._dock.setWindowTitle(type(self).__name__)
        if self._made is None:
            self.job.start(_loading, self.kind)


class Detect(Opening):
    """Finds the atoms of an image."""

    holds = "detect.dock", "DetectWidget"


class Train(Opening):
    """Learns what differs between the atoms of an image."""

    holds = "train.dock", "TrainWidget"


class Explore(Opening):
    """Shows what differs between the atoms, linked with the image."""

    holds = "explore.dock", "ExploreWidget"


class Measure(Opening):
    """Suggests where to measure next."""

    holds = "learn.dock", "LearnWidget"


class Batch(Opening):
    """Does the same with every file of a folder."""

    holds = "batch.dock", "BatchWidget"


class Spectrum(Opening):
    """Shows the spectrum under the cursor, and makes maps of bands."""

    holds = "spectrum.dock", "SpectrumWidget"


def _loading(stop: Callable[[], bool], kind: Callable[[], Kind]) -> Generator[None, None, Kind]:
    yield
    with uncollected():
        return kind()


def load_rest() -> None:
    """Load the modules of the other docks, and what draws colours, while the user looks at the first."""
    with uncollected(), suppress(ImportError):  # which is said when the dock is opened
        import matplotlib.colors  # noqa: F401

        for dock in Opening.__subclasses__():
            dock.kind()
