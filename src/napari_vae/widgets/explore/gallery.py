"""Pictures of atoms in rows, each with its name: walked through with the arrow keys, renamed in place."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QModelIndex, QSignalBlocker, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemDelegate,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ..common.jobs import Job
from .pictures import Cut, Pixels, mean_steps, picture_of

PICTURE, FRAME, CELL = 56, 3, 80  # px: the picture, the colour around it, the width of a tile
ROWS = 2  # of tiles in view
SAMPLE = 100  # windows that a mean is taken of; more change nothing that is seen
KEY, NOTE, COLOR = (Qt.ItemDataRole.UserRole + number for number in range(3))


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of a gallery: what it stands for, its name and what is said below it, its colour, its atoms."""

    key: Hashable
    name: str
    note: str
    color: str
    rows: npt.NDArray[np.int64]


class _Words(QStyledItemDelegate):
    """Writes the note below the name, which alone is edited."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:  # Qt's name
        super().initStyleOption(option, index)
        option.text = f"{option.text}\N{LINE SEPARATOR}{index.data(NOTE)}"


class Gallery(QListWidget):
    """Tiles in rows; their pictures are drawn in the background once they are seen.

    Parameters
    ----------
    editable : bool
        Whether names can be changed, and several tiles be chosen.
    """

    renamed = Signal(object, str)  # key, and the new name

    def __init__(self, *, editable: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editable = editable
        self._tiles: Sequence[Tile] = ()
        self._wanted: Callable[[], tuple[Any, ...]] | None = None  # what is drawn next, once it is seen
        self._typed: tuple[Any, str] = ("", "")
        self._put_off: list[Callable[[], None]] = []  # until the name that is being typed is entered
        self._catching_up = QTimer(self, singleShot=True, interval=0)
        self._catching_up.timeout.connect(self._catch_up)
        self._renaming = QTimer(self, singleShot=True, interval=0)
        self._renaming.timeout.connect(self._tell)
        self.job = Job(self, notify=False)
        self.job.succeeded.connect(self._on_drawn)
        self.job.ended.connect(self._draw)
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setMovement(QListWidget.Movement.Static)
        if editable:
            self.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.setEditTriggers(self.EditTrigger.EditKeyPressed | self.EditTrigger.SelectedClicked)
        side = PICTURE + 2 * FRAME
        self.setIconSize(QSize(side, side))
        self.setGridSize(QSize(CELL, side + 2 * self.fontMetrics().lineSpacing() + 8))
        self.setItemDelegate(_Words(self))
        self.itemChanged.connect(self._on_changed)

    def show_tiles(self, tiles: Sequence[Tile], cut: Cut | None = None, poses: pd.DataFrame | None = None) -> None:
        """Show these, with the mean of the windows that `cut` gives; what is chosen stays so."""
        if self._typing():
            self._put_off.append(lambda: self.show_tiles(tiles, cut, poses))
            return
        self._put_off.clear()
        chosen, pictures = set(self.chosen()), {}
        if [tile.key for tile in tiles] == [tile.key for tile in self._tiles]:
            pictures = {number: self.item(number).icon() for number in range(self.count())}
        self._tiles = tiles
        with QSignalBlocker(self):
            self.clear()
            for number, tile in enumerate(tiles):
                item = QListWidgetItem(pictures.get(number, _icon(tile.color)), tile.name, self)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable if self._editable else item.flags())
                item.setToolTip(f"{tile.name}: {tile.note}")
                for role, value in ((KEY, tile.key), (NOTE, tile.note), (COLOR, tile.color)):
                    item.setData(role, value)
                item.setSelected(tile.key in chosen)
        self._fit()
        self._wanted = None if cut is None or not tiles else lambda: (cut, _sampled(tiles), poses)
        self._draw()

    def chosen(self) -> list[Any]:
        """Keys of the tiles that are chosen, in their order."""
        return [item.data(KEY) for number in range(self.count()) if (item := self.item(number)).isSelected()]

    @staticmethod
    def key_of(item: QListWidgetItem) -> Any:
        """What a tile stands for."""
        return item.data(KEY)

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        """Draw what was put off."""
        super().showEvent(event)
        self._draw()

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:  # Qt's name
        """Show what was put off."""
        super().closeEditor(editor, hint)
        self._catching_up.start()

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """Be as high as the tiles need at this width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        across = max(1, (self.width() - self.verticalScrollBar().sizeHint().width()) // CELL)
        rows = min(ROWS, max(1, -(-len(self._tiles) // across)))
        self.setFixedHeight(rows * self.gridSize().height() + 2 * self.frameWidth() + 2)

    def _draw(self) -> None:
        if self._wanted is None or not self.isVisible():
            return
        if self.job.running:
            self.job.stop()  # what it draws is out of date
            return
        wanted, self._wanted = self._wanted, None
        self.job.start(mean_steps, *wanted())

    def _on_drawn(self, pictures: dict[Any, Pixels]) -> None:
        if self._wanted is not None:
            return  # others are drawn next
        if self._typing():
            self._put_off.append(lambda: self._on_drawn(pictures))
            return
        with QSignalBlocker(self):
            for item in map(self.item, range(self.count())):
                item.setIcon(_icon(item.data(COLOR), pictures.get(item.data(KEY))))

    def _typing(self) -> bool:
        """Whether a name is being typed, which any change of its tile would take back."""
        return self.state() == self.State.EditingState

    def _catch_up(self) -> None:
        while self._put_off and not self._typing():
            self._put_off.pop(0)()

    def _on_changed(self, item: QListWidgetItem) -> None:
        self._typed = item.data(KEY), item.text().strip()
        self._renaming.start()  # the list cannot be filled anew while it tells of one of its items

    def _tell(self) -> None:
        self.renamed.emit(*self._typed)


def _sampled(tiles: Sequence[Tile]) -> dict[Any, npt.NDArray[np.int64]]:
    return {tile.key: tile.rows[:: -(-len(tile.rows) // SAMPLE) or 1] for tile in tiles}


def _icon(color: str, pixels: Pixels | None = None) -> QIcon:
    """A picture in a frame of its colour; black without one."""
    side = PICTURE + 2 * FRAME
    pixmap = QPixmap(side, side)
    pixmap.fill(QColor(color))
    painter = QPainter(pixmap)
    painter.fillRect(FRAME, FRAME, PICTURE, PICTURE, QColor("#000000"))
    if pixels is not None:
        picture = picture_of(pixels, PICTURE)
        painter.drawPixmap((side - picture.width()) // 2, (side - picture.height()) // 2, picture)
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else the style tints it
    return icon
