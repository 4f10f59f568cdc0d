"""What the dock widgets are put together from: a column that scrolls, forms, sections, rows, buttons with words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QObject, QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QFormLayout,
    QFrame,
    QGraphicsView,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMainWindow,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QScrollBar,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from .jobs import Job

CLOSE_BUTTON = "QTitleBarCloseButton"  # napari's name of the ✕ of a dock
NARROWEST, SHARE = 240, 0.35  # px, and of the window, that a panel always takes if it needs them
WORDS_MARGIN = 12  # px, of a button beside its words
LOST = (
    "This panel is still at work, and what it has found so far would be lost. Press No, then Stop in the panel, to "
    "keep it. Close it all the same?"
)


class Panel(QScrollArea):
    """A column of widgets that scrolls up and down, and sideways only where there is little room beside the canvas.

    The wheel scrolls it wherever the pointer is, and so never changes a value on the way; with Ctrl it zooms a plot.
    Labels of all forms are of one width. Closing a panel that is at work asks first.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        content = _Content()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(6, 6, 6, 6)
        self.column.setSpacing(8)
        self.setWidget(content)
        content.installEventFilter(self)
        self._dock: QDockWidget | None = None
        self._docking = QTimer(self, singleShot=True, interval=0)
        self._docking.timeout.connect(self._on_docked)
        self._docking.start()  # when napari has put the dock where it belongs

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """As wide as the content needs, but no more than leaves room for the canvas in a small window."""
        beside = self.verticalScrollBar().sizeHint().width() + 2 * self.frameWidth()  # napari draws one of a pixel
        width, window = self.needed_width() + beside, self.window()
        if isinstance(window, QMainWindow):
            width = min(width, max(NARROWEST, round(SHARE * window.width())))
        return QSize(width, 200)

    def sizeHint(self) -> QSize:  # Qt's name
        """A little wider than needed, and as high as the content."""
        return QSize(self.minimumSizeHint().width() + 10, self.widget().sizeHint().height())

    def needed_width(self) -> int:
        """Of the content, in px."""
        return self.widget().minimumSizeHint().width()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Keep the wheel from what stands in the panel, and ask before it is closed at work."""
        kind = event.type()
        if kind == QEvent.Type.LayoutRequest and watched is self.widget():
            self._tidy()
            self.updateGeometry()  # the content may have become wider
        elif kind == QEvent.Type.Resize and isinstance(watched, QMainWindow):
            self.updateGeometry()
        elif kind == QEvent.Type.Wheel and not isinstance(watched, QScrollBar):  # Qt has us watch our own too
            of_plot = isinstance(watched.parent(), QGraphicsView)
            if not (of_plot and event.modifiers() & Qt.KeyboardModifier.ControlModifier):
                event.ignore()  # so that what holds it gets the event, which is the panel in the end
                return True
        elif kind in (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress) and watched.objectName() == CLOSE_BUTTON:
            return not self._may_close()
        return super().eventFilter(watched, event)

    def _tidy(self) -> None:
        """Watch the wheel over what there is by now, and give all labels of forms the same width."""
        content = self.widget()
        for part in (
            *content.findChildren(QComboBox),
            *content.findChildren(QAbstractSpinBox),
            *(slider for slider in content.findChildren(QAbstractSlider) if not isinstance(slider, QScrollBar)),
            *(plot.viewport() for plot in content.findChildren(QGraphicsView)),
        ):
            part.installEventFilter(self)
        labels = [label for form in content.findChildren(Form) for label in form.row_labels()]
        width = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels:
            label.setMinimumWidth(width)

    def _may_close(self) -> bool:
        busy = [job for job in self.findChildren(Job) if job.running and job.notify]
        if not busy:
            return True
        if QMessageBox.question(self, "Close the panel?", LOST) != QMessageBox.StandardButton.Yes:
            return False
        for job in busy:
            job.ended.connect(self.deleteLater)
            job.leave()
            job.stop()
        return True

    def _on_docked(self) -> None:
        dock = self.parentWidget()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        if dock is not None:
            dock.topLevelChanged.connect(self._watch_closing)  # napari makes a new title bar then
            self._dock = dock
            self._watch_closing()
            self._share_tab(dock, self.window())
            self.window().installEventFilter(self)

    def _watch_closing(self, floats: bool = False) -> None:
        for button in self._dock.findChildren(QPushButton, CLOSE_BUTTON):
            button.installEventFilter(self)

    def _share_tab(self, dock: QDockWidget, window: QWidget) -> None:
        """Go over another dock with a panel, behind a tab, so that neither is squeezed.

        Docks that float, are hidden or lie at another side of the window are left where they are.
        """
        if not isinstance(window, QMainWindow) or dock.isFloating() or window.tabifiedDockWidgets(dock):
            return
        area = window.dockWidgetArea(dock)
        for other in window.findChildren(QDockWidget):
            beside = other is not dock and other.isVisible() and not other.isFloating()
            if beside and window.dockWidgetArea(other) == area and other.findChildren(Panel):
                window.tabifyDockWidget(other, dock)
                dock.raise_()
                return


class _Content(QWidget):
    """What a panel scrolls: as high as it is at its width.

    Qt takes the height that sentences have in a narrow column for the least, and would scroll over empty ground.
    """

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """The width alone."""
        return QSize(super().minimumSizeHint().width(), 0)


class Form(QWidget):
    """Rows of a label and a control, below it where there is little room; both show the same tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = wrapping_rows()
        self.setLayout(self._rows)

    def event(self, event: QEvent) -> bool:  # Qt's name
        """Be as high as the rows are at this width; sections ask only for the height that they have when wide."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self.setMinimumHeight(self._rows.heightForWidth(self.width()))
        return super().event(event)

    def add(self, label: str, control: QWidget | QLayout, tooltip: str) -> QWidget:
        """Append a row, and return its control, which holds those of a layout."""
        if isinstance(control, QLayout):
            for part in (control.itemAt(place).widget() for place in range(control.count())):
                part.setToolTip(part.toolTip() or tooltip)
            control = side_by_side(control)
        text = QLabel(label)
        text.setToolTip(tooltip)
        text.setBuddy(control)
        control.setToolTip(tooltip)
        control.setAccessibleName(label)
        self._rows.addRow(text, control)
        return control

    def add_wide(self, control: QWidget) -> None:
        """Append a row without a label."""
        self._rows.addRow(control)

    def row_labels(self) -> list[QLabel]:
        """The labels of all rows."""
        places = (self._rows.itemAt(row, QFormLayout.ItemRole.LabelRole) for row in range(self._rows.rowCount()))
        return [place.widget() for place in places if place is not None]

    def set_row_visible(self, control: QWidget, visible: bool) -> None:
        """Show or hide a row."""
        self._rows.setRowVisible(control, visible)


class Section(QCollapsible):
    """A section whose arrow has the colour of its title, in any theme; the library paints it once, as it is made."""

    OPEN, CLOSED = "▾", "▸"

    def __init__(self, title: str) -> None:
        super().__init__(title, expandedIcon=self.OPEN, collapsedIcon=self.CLOSED)
        self.layout().setContentsMargins(0, 0, 0, 0)  # its edges are those of the panel
        self.content().layout().setContentsMargins(0, 0, 0, 0)
        self.toggleButton().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Paint the arrows anew when the title has another colour."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self.setExpandedIcon(self.OPEN)
            self.setCollapsedIcon(self.CLOSED)
        return super().eventFilter(watched, event)


def folded(title: str, content: QWidget, about: str) -> QCollapsible:
    """A section that opens on a click; its tooltip says what it is `about`."""
    section = Section(title)
    section.toggleButton().setToolTip(f"{about}. A click opens or closes it")
    section.setDuration(0)
    section.addWidget(content)
    section.collapse(animate=False)
    return section


def stacked(holder: QWidget, *parts: QWidget | QLayout, wide: QWidget | None = None) -> QVBoxLayout:
    """Put parts one below the other into a widget without margins; the `wide` one takes the height that is left."""
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if isinstance(part, QLayout):
            column.addLayout(part)
        else:
            column.addWidget(part, int(part is wide))
    return column


def column_of(*parts: QWidget | QLayout) -> QWidget:
    """A widget with parts one below the other."""
    holder = QWidget()
    stacked(holder, *parts)
    return holder


def row_of(*widgets: QWidget, wide: QWidget | None = None) -> QHBoxLayout:
    """Widgets side by side without margins; the `wide` one takes the width that is left."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget, int(widget is wide))
    return row


def wrapping_rows() -> QFormLayout:
    """Rows of two parts without margins; the second goes below the first where there is no room beside it."""
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(5)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    return rows


def side_by_side(layout: QLayout) -> QWidget:
    """A widget that holds a layout without margins, for use as one control of a form."""
    holder = QWidget()
    layout.setContentsMargins(0, 0, 0, 0)
    holder.setLayout(layout)
    return holder


def button_of(text: str, tooltip: str) -> QPushButton:
    """A button that says what it does."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    # Before it is seen, in napari's style, Qt takes it for wider than it is, and would widen the dock for good.
    made.setMinimumWidth(made.fontMetrics().horizontalAdvance(text) + WORDS_MARGIN)
    return made


def words_color() -> str:
    """The colour of words in napari's theme."""
    return str(get_theme(get_settings().appearance.theme).text.as_hex())


def sentence(text: str = "") -> QLabel:
    """A label for sentences: wraps, and can be copied from."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label


def counter(low: int, high: int, value: int) -> QSpinBox:
    """A box for whole numbers from `low` to `high`."""
    box = QSpinBox()
    box.setRange(low, high)
    box.setValue(value)
    return box


def choice_of(entries: Mapping[Any, str], chosen: Any = None, *, narrow: bool = False) -> QComboBox:
    """A list of words for values.

    Parameters
    ----------
    entries : dict
        Words of each value.
    chosen : optional
        The value to begin with; the first one by default.
    narrow : bool
        Whether it may cut the longer ones, which its list shows whole.
    """
    box = QComboBox()
    offer(box, entries, chosen)
    if narrow:
        make_narrow(box)
    return box


def make_narrow(box: QComboBox, letters: int = 12) -> None:
    """Let a list cut its entries, so that long names do not widen the dock."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)


def offer(box: QComboBox, entries: Mapping[Any, str], chosen: Any = None) -> None:
    """Fill a list with words for values, without a signal; `chosen`, else the first, is chosen then."""
    with QSignalBlocker(box):
        box.clear()
        for value, words in entries.items():
            box.addItem(words, value)
        box.setCurrentIndex(max(box.findData(chosen), 0))
