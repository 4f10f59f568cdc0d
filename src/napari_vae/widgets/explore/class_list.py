"""Classes as a list: colour, name, number of atoms; names are changed in place."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from ...analysis.classes import Classes

HEIGHT = 110
NAME = Qt.ItemDataRole.UserRole  # of a class, while its words are being changed


class ClassList(QTreeWidget):
    """A row for every class."""

    renamed = Signal(str, str)  # old and new name

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._typed = ("", "")
        self._renaming = QTimer(self, singleShot=True, interval=0)
        self.setColumnCount(2)
        self.setHeaderLabels(["class", "atoms"])
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setRootIsDecorated(False)
        self.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.setFixedHeight(HEIGHT)
        self.setToolTip(
            "Double-click a name, or press F2, to change it; a name that is there already makes the two one class"
        )
        self.itemChanged.connect(self._on_changed)
        self._renaming.timeout.connect(self._tell)

    def show_classes(self, classes: Classes | None) -> None:
        """List these; what is chosen stays so."""
        chosen = set(self.chosen())
        with QSignalBlocker(self):
            self.clear()
            if classes is None:
                return
            for name, color, n in zip(classes.names, classes.colors, classes.counts, strict=True):
                item = QTreeWidgetItem(self, [name, f"{n:,}"])
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setIcon(0, _swatch(color))
                item.setData(0, NAME, name)
                item.setSelected(name in chosen)

    def chosen(self) -> list[str]:
        """Names of the classes that are chosen."""
        return [item.data(0, NAME) for item in self.selectedItems()]

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == 0:  # a number of atoms that was typed over is put right when the list is filled anew
            self._typed = item.data(0, NAME), item.text(0).strip()
        else:
            self._typed = (item.data(0, NAME),) * 2
        self._renaming.start()  # the list cannot be filled anew while it tells of one of its items

    def _tell(self) -> None:
        self.renamed.emit(*self._typed)


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)
