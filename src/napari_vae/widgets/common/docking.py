"""Where a dock widget of ours goes when another one is there already: behind a tab, not below it."""

from __future__ import annotations

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def share_tab(widget: QWidget, kind: type[QWidget]) -> None:
    """Put the dock of `widget` over another dock that holds a `kind`, so that neither is squeezed.

    Docks that float, are hidden or lie at another side of the window are left where they are.
    """
    dock, window = _dock_of(widget), widget.window()
    if dock is None or not isinstance(window, QMainWindow) or dock.isFloating():
        return
    area = window.dockWidgetArea(dock)
    for other in window.findChildren(QDockWidget):
        beside = other is not dock and other.isVisible() and not other.isFloating()
        if beside and window.dockWidgetArea(other) == area and other.findChildren(kind):
            window.tabifyDockWidget(other, dock)
            dock.raise_()
            return


def _dock_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent
