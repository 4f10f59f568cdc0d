"""Detect › Train › Explore › Measure next › Batch: where one is, what is done with the image, and what comes next."""

from __future__ import annotations

from typing import Any, NamedTuple

from qtpy.compat import isalive
from qtpy.QtCore import QSize
from qtpy.QtGui import QResizeEvent, QShowEvent
from qtpy.QtWidgets import QLabel, QToolButton, QWidget

from ...layers.active import active_of
from ...layers.identity import ours
from .layer_box import follow_layers
from .panel import button_of, row_of
from .setting_controls import PLUGIN

LINK = """
QToolButton { border: 1px solid transparent; border-radius: 2px; padding: 2px 0px; background: transparent; }
QToolButton:checked { font-weight: bold; text-decoration: underline; }
QToolButton:hover, QToolButton:focus { border-color: palette(highlight); }
"""
TO_DO, DONE = "›", "✓"
MARK_WIDTH, BUTTON_MARGIN = 11, 14  # px; the second that Qt adds to the words of a button
PRIMARY = "QPushButton { background: #0a66ad; color: white; font-weight: bold; padding: 4px 8px; }"
PRIMARY += "QPushButton:hover, QPushButton:focus { background: #0b70bd; }"


EXPLORED = "explored"  # noted: key of the run, if any, of which figures, a table, classes or layers were made
BATCHED = "batched"  # noted in the image that was worked on while many files were


class Step(NamedTuple):
    """One dock.

    Parameters
    ----------
    title : str
        In the row.
    dock : str
        Name of the widget in the manifest.
    purpose : str
        What the dock does.
    """

    title: str
    dock: str
    purpose: str

    @property
    def tab(self) -> str:
        """Title of the tab."""
        return self.title.split()[0]


#: By the page of the documentation about it.
STEPS = {
    "detection": Step("Detect", "Detect atoms", "Finds the atoms of an image, to a fraction of a pixel."),
    "models": Step("Train", "Train VAE", "Learns what differs between the atoms of an image."),
    "explore": Step("Explore", "Explore latents", "Shows what differs between the atoms, linked with the image."),
    "active-learning": Step("Measure next", "Active learning", "Suggests where to measure next."),
    "batch": Step("Batch", "Batch", "Does the same with every file of a folder."),
}


class StepsRow(QWidget):
    """A button for each step, which opens its dock or raises its tab, and `next`, shown when the step at hand is done.

    A tick stands before what is done. In a narrow dock the other steps are numbers.

    Parameters
    ----------
    viewer : napari.Viewer
    page : str
        Of the step at hand, in `STEPS`.
    """

    def __init__(self, viewer: Any, page: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._page = viewer, page
        self._watched: set[Any] = set()
        self.buttons = {key: QToolButton(text=step.title) for key, step in STEPS.items()}
        self.marks = {key: QLabel(TO_DO) for key in STEPS}  # before each
        parts: list[QWidget] = []
        for key, button in self.buttons.items():
            button.setToolTip(f"{STEPS[key].purpose} A click opens it")
            button.setAccessibleName(STEPS[key].title)
            button.setStyleSheet(LINK)
            button.setCheckable(True)
            button.clicked.connect(self._on_clicked)
            self.marks[key].setStyleSheet("padding: 0px;")
            self.marks[key].setFixedWidth(MARK_WIDTH)
            parts += [self.marks[key], button]
        row = row_of(*parts)
        row.setSpacing(0)
        row.addStretch()
        self.setLayout(row)
        pages = list(STEPS)
        self._next_page = pages[min(pages.index(page) + 1, len(pages) - 1)]
        following = STEPS[self._next_page]
        self.next = button_of(f"Next: {following.title}", f"{following.purpose} Opens it for this image")
        self.next.setStyleSheet(PRIMARY)
        self.next.clicked.connect(self._on_next)
        active_of(viewer).follow(self._refresh)
        follow_layers(viewer, self._refresh)
        self._refresh()

    def _refresh(self, event: Any = None) -> None:
        if not isalive(self):
            return
        active = active_of(self._viewer)
        self._watch({active.atoms, active.image} - {None})
        all_done = steps_done(self._viewer)
        for page, button in self.buttons.items():
            done, first = page in all_done, page == next(iter(STEPS))
            button.setChecked(page == self._page)
            button.setAccessibleDescription("Done" if done else "")
            self.marks[page].setText(DONE if done else TO_DO)
            self.marks[page].setVisible(done or not first)
        self.next.setVisible(self._page in all_done and self._page != self._next_page)

    def sizeHint(self) -> QSize:  # Qt's name
        """With all words."""
        return self._size(words=True)

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """With numbers."""
        return self._size(words=False)

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """Write what there is room for."""
        self._write()
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        """Write what there is room for, in napari's font by now."""
        self._write()
        super().showEvent(event)

    def _write(self) -> None:
        words = self.width() >= self.sizeHint().width()
        for page, button in self.buttons.items():
            button.setText(self._text(page, words))

    def _text(self, page: str, words: bool) -> str:
        """What a button says, in words or as a number."""
        if words:
            return STEPS[page].title
        return STEPS[page].tab if page == self._page else str(list(STEPS).index(page) + 1)

    def _size(self, words: bool) -> QSize:
        """Of the row, whatever is written in it now: were it not so, what is written and the width would never rest."""
        width = 0
        for page, button in self.buttons.items():
            width += MARK_WIDTH + button.fontMetrics().size(0, self._text(page, words)).width() + BUTTON_MARGIN
        return QSize(width, super().sizeHint().height())

    def _watch(self, layers: set[Any]) -> None:
        """Notice when something is noted of the atoms or the image, as that a run is open, or a step is done."""
        for changed, name in ((self._watched - layers, "disconnect"), (layers - self._watched, "connect")):
            for layer in changed:
                getattr(layer.events.metadata, name)(self._refresh)
        self._watched = layers

    def _on_clicked(self) -> None:
        page = next(page for page, button in self.buttons.items() if button is self.sender())
        self._refresh()  # where one is stays marked
        open_step(self._viewer, page)

    def _on_next(self) -> None:
        open_step(self._viewer, self._next_page)


def open_step(viewer: Any, page: str) -> None:
    """Open the dock of a step, or show it and raise its tab."""
    dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, STEPS[page].dock)
    dock.show()
    dock.raise_()


def steps_done(viewer: Any) -> set[str]:
    """The steps that there are results of, for the active image."""
    active = active_of(viewer)
    made = [ours(layer) for layer in viewer.layers if active.image is not None and active.has(layer)]
    done = {"detection": active.atoms is not None and active.image is not None}
    done["models"] = any(noted.get("columns") or noted.get("run") for noted in made)
    done["explore"] = any(EXPLORED in noted and noted[EXPLORED] == noted.get("run", "") for noted in made)
    done["active-learning"] = any(noted.get("kind") == "learned" for noted in made)
    done["batch"] = any(BATCHED in noted for noted in made)
    return {page for page, there in done.items() if there}
