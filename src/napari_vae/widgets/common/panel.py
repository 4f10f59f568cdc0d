"""The frame that the dock widgets share: a form that scrolls when the window is low, with words on every control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QLayout,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from .docking import share_tab


class Panel(QScrollArea):
    """A column of widgets that scrolls up and down but never sideways."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(6, 6, 6, 6)
        self.column.setSpacing(8)
        self.setWidget(content)
        self._docking = QTimer(self, singleShot=True, interval=0)
        self._docking.timeout.connect(self._share_tab)
        self._docking.start()  # when napari has put the dock where it belongs

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """As wide as the content needs, since it never scrolls sideways."""
        width = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width, 200)

    def sizeHint(self) -> QSize:  # Qt's name
        """A little wider than needed, and as high as the content."""
        return QSize(self.minimumSizeHint().width() + 10, self.widget().sizeHint().height())

    def _share_tab(self) -> None:
        share_tab(self, Panel)


class Form(QWidget):
    """Rows of a label and a control; both show the same tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setVerticalSpacing(5)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)

    def add(self, label: str, control: QWidget, tooltip: str) -> None:
        """Append a row."""
        text = QLabel(label)
        text.setToolTip(tooltip)
        text.setBuddy(control)
        control.setToolTip(tooltip)
        control.setAccessibleName(label)
        self._rows.addRow(text, control)

    def add_wide(self, control: QWidget) -> None:
        """Append a row without a label."""
        self._rows.addRow(control)

    def set_row_visible(self, control: QWidget, visible: bool) -> None:
        """Show or hide a row."""
        self._rows.setRowVisible(control, visible)


class Section(QCollapsible):
    """A section whose arrow has the colour of its title, in any theme; the library paints it once, as it is made."""

    OPEN, CLOSED = "▾", "▸"

    def __init__(self, title: str) -> None:
        super().__init__(title, expandedIcon=self.OPEN, collapsedIcon=self.CLOSED)
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


def side_by_side(layout: QLayout) -> QWidget:
    """A widget that holds a layout without margins, for use as one control of a form."""
    holder = QWidget()
    layout.setContentsMargins(0, 0, 0, 0)
    holder.setLayout(layout)
    return holder


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
    for value, words in entries.items():
        box.addItem(words, value)
    box.setCurrentIndex(max(box.findData(chosen), 0))
    if narrow:
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(12)
    return box
