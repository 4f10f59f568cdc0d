"""The head of a dock widget: its step, the image, the page about it, sample data, and a hint for the first time."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from napari.settings import get_settings
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from ...layers.active import is_atoms
from .layer_box import ImageBox
from .panel import Panel, button_of, row_of, sentence, stacked, words_color
from .setting_controls import PLUGIN, napari_settings
from .steps_row import STEPS, StepsRow

DOCS = "https://github.com/napari-vae/napari-vae/blob/main/docs"
TOUR, TROUBLES = "getting-started", "troubleshooting"
SAMPLES = {"graphene": "graphene", "perovskite": "perovskite", "cards": "playing cards"}
IMAGE = (
    "The image that all docks work on, of several channels the first. Choose another, here or in the layer list: its "
    "layers are shown, and those of others hidden."
)
NO_IMAGE = "No image is open. Drop a file on the canvas, or open a sample: {samples}."


def address_of(page: str) -> str:
    """Where a page of the documentation is read, by the name of its file."""
    return f"{DOCS}/{page}.md"


def link(page: str, words: str) -> str:
    """A link to a page in rich text, in the colour of napari's words: Qt's own blue cannot be read on dark ground."""
    return f'<a href="{page}" style="color: {words_color()}">{words}</a>'


def open_page(page: str) -> None:
    """Show a page of the documentation in the browser."""
    QDesktopServices.openUrl(QUrl(address_of(page)))


class MorePages(QLabel):
    """Links under a failure, hidden at first: the page about the widget, and the one of faults by their symptoms."""

    def __init__(self, page: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._page = page
        self.setWordWrap(True)
        self.setToolTip("Pages of the documentation; they open in the browser")
        self.linkActivated.connect(open_page)
        get_settings().appearance.events.theme.connect(self._write)
        self._write()
        self.hide()

    def _write(self, event: Any = None) -> None:
        if isalive(self):
            self.setText(f"Read {link(self._page, 'about this step')} or {link(TROUBLES, 'what may be wrong')}.")


class Guide(QWidget):
    """The row of steps with “?”, the image with what is next, and a hint that can be closed for good.

    The hint offers samples as long as no image is open, whether it was closed or not.

    Parameters
    ----------
    viewer : napari.Viewer
    page : str
        Of the documentation, about this widget; the key of its step.
    hint : str
        What to do first, with an image open.
    image : ImageBox
        Where the image is chosen.
    before_atoms : str, optional
        What to do first while no layer has atoms; by default `hint`.
    """

    def __init__(
        self,
        viewer: Any,
        page: str,
        hint: str,
        image: ImageBox,
        *,
        before_atoms: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self.page, self.image = viewer, page, image
        self._advice, self._advice_before_atoms = hint, before_atoms or hint
        self._settings = napari_settings("hints")
        self.help = button_of("?", f"Read about it in the browser: {address_of(page)}")
        self.help.setFixedWidth(26)
        self.help.setAccessibleName("Help")
        self.help.clicked.connect(self._open_page)
        self.steps = StepsRow(viewer, page)
        self.hint = sentence()
        self.hint.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.hint.setToolTip("What to do first; the links open a sample, or a page in the browser")
        self.hint.linkActivated.connect(self._follow)
        self.close_hint = QToolButton()
        self.close_hint.setText("✕")
        self.close_hint.setToolTip("Do not show hints again; Preferences → napari-vae brings them back")
        self.close_hint.setAccessibleName("Do not show hints again")
        self.close_hint.clicked.connect(self._dismiss)
        self._lay_out()
        viewer.layers.events.inserted.connect(self._refresh)
        viewer.layers.events.removed.connect(self._refresh)
        get_settings().appearance.events.theme.connect(self._refresh)
        if self._settings is not None:
            self._settings.events.shown.connect(self._refresh)
        self._refresh()

    def _open_page(self) -> None:
        open_page(self.page)

    def _lay_out(self) -> None:
        self.frame = QFrame()
        self.frame.setObjectName("hint")
        self.frame.setStyleSheet("QFrame#hint { border: 1px solid palette(highlight); border-radius: 3px; }")
        hint = QHBoxLayout(self.frame)
        hint.setContentsMargins(6, 4, 4, 4)
        self.hint.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        hint.addWidget(self.hint, 1)
        hint.addWidget(self.close_hint, 0, Qt.AlignmentFlag.AlignTop)
        self.head = row_of(self.steps, self.help, wide=self.steps)
        stacked(self, self.head, row_of(self.image, self.steps.next, wide=self.image), self.frame)

    def _refresh(self, event: Any = None) -> None:
        """Show the hint that is of use now."""
        if not isalive(self):  # the viewer outlives its docks
            return
        empty = not any(isinstance(layer, Image) for layer in self._viewer.layers)
        wanted = self._settings is not None and self._settings.shown
        samples = ", ".join(link(f"sample:{key}", words) for key, words in SAMPLES.items())
        atoms = any(is_atoms(layer) and len(layer.data) for layer in self._viewer.layers)
        advice = self._advice if atoms else self._advice_before_atoms
        first = NO_IMAGE.format(samples=samples) if empty else advice
        tour = f" {link(TOUR, 'The tour')} takes ten minutes." if wanted else ""
        self.hint.setText(first + tour)
        self.close_hint.setVisible(wanted)
        self.frame.setVisible(wanted or empty)

    def _follow(self, target: str) -> None:
        kind, _, key = target.partition(":")
        if kind == "sample":
            self._viewer.open_sample(PLUGIN, key)
        else:
            open_page(target)

    def _dismiss(self) -> None:
        if self._settings is not None:
            self._settings.shown = False


class Dock(Panel):
    """A panel with a guide at its top.

    Each dock names the page of the documentation, what to do first, and what before there are atoms.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    """

    PAGE = HINT = BEFORE = ""
    IMAGE = ImageBox  # where the image is chosen

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self.image = self.IMAGE(napari_viewer)
        self.image.setToolTip(IMAGE)
        self.image.setAccessibleName("Image")
        self._guide = Guide(napari_viewer, self.PAGE, self.HINT, self.image, before_atoms=self.BEFORE)
        self.column.addWidget(self._guide)

    def needed_width(self) -> int:
        """In which the names of all steps stand in their row, in px."""
        margins = self.column.contentsMargins()
        return max(super().needed_width(), self._guide.head.sizeHint().width() + margins.left() + margins.right())

    def _on_docked(self) -> None:
        super()._on_docked()
        if self._dock is not None:
            self._dock.setWindowTitle(STEPS[self.PAGE].tab)  # so that the tabs of all have room
