"""Choosing a column of the atoms, or a layer that lies on them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QWidget

from .panel import make_narrow

LABEL = "label"  # the column that is chosen by itself, and made where there is none


class ColumnBox(QComboBox):
    """Drop-down list of columns, and of layers below them; nothing is chosen at first.

    Parameters
    ----------
    hint : str
        Shown while nothing is chosen.
    extra : str
        An entry that is neither, at the end of the list; empty for none. ``ColumnBox.EXTRA`` when it is chosen.
    """

    EXTRA = object()

    def __init__(self, hint: str, extra: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[Any] = []
        self._extra = extra
        self.setPlaceholderText(hint)
        make_narrow(self)

    def chosen(self) -> Any | None:
        """Name of a column, a layer, ``EXTRA``, or ``None``."""
        index = self.currentIndex()
        return self._entries[index] if index >= 0 else None

    def choose(self, entry: Any) -> None:
        """Choose a column by name, or a layer, if it is offered."""
        self.setCurrentIndex(self._entries.index(entry) if entry in self._entries else -1)

    def offer(self, columns: list[str], layers: list[Any], first: str = "") -> None:
        """Offer these; what is chosen stays so, and where nothing is, `first` is chosen."""
        before = self.chosen()
        with QSignalBlocker(self):
            self.clear()
            extra = [self._extra] if self._extra else []
            self._entries = [*columns, *layers, *(self.EXTRA for _ in extra)]
            self.addItems([*columns, *(f"layer “{layer.name}”" for layer in layers), *extra])
            self.choose(first if before is None else before)
