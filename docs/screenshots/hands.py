"""The window used as a person uses it: with the mouse and the keyboard, by the words that stand on the screen."""

from pictures import main_window, wait
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLineEdit

CLICKED = []  # what was clicked, in order


def click(widget, place, what):
    QTest.mouseMove(widget, place)
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)
    CLICKED.append(what)


def choose(*titles):
    """Click on a menu, go down to an entry, and click on it; menus inside unfold under the pointer."""
    menu = main_window().menuBar()
    for title in titles:
        (entry,) = (action for action in menu.actions() if action.text().replace("&", "") == title)
        place = menu.actionGeometry(entry).center()
        if title in (titles[0], titles[-1]):
            click(menu, place, title)
        else:
            QTest.mouseMove(menu, place)
        wait(0.4)
        menu = entry.menu() or menu


def press(panel, text):
    """Click the button of a dock widget that has this text, after scrolling to it; not a step in its head."""
    from napari_vae.widgets.common.steps_row import StepsRow

    buttons = (b for b in panel.findChildren(QAbstractButton) if b.text() == text and b.isVisible())
    (button,) = (b for b in buttons if not isinstance(b.parent(), StepsRow))
    panel.ensureWidgetVisible(button)
    wait(0.3)
    middle = button.rect().center()
    seen = panel.viewport().rect().contains(button.mapTo(panel.viewport(), middle))
    assert seen and button.isEnabled(), f"{text} cannot be clicked"
    click(button, middle, text)


def open_section(panel, title):
    """Click the head of a folded section."""
    (head,) = (b for b in panel.findChildren(QAbstractButton) if b.text().endswith(title) and b.isVisible())
    panel.ensureWidgetVisible(head)
    click(head, QPoint(20, head.height() // 2), title)
    wait(0.5)


def type_path(path):
    """When a dialog asks for a file or a folder, type its name and press Enter."""

    def answer():
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QFileDialog):
            QTimer.singleShot(200, answer)
            return
        wait(1)  # until it is there as a whole
        line = dialog.findChild(QLineEdit)
        line.clear()
        QTest.keyClicks(line, str(path))
        QTest.keyClick(line, Qt.Key.Key_Return)

    QTimer.singleShot(500, answer)


def dock_named(title):
    """The widget inside the dock that a menu has opened."""
    from napari_vae.widgets.common.panel import Panel

    for _ in range(120):
        wait(0.5)
        panels = [p for p in main_window().findChildren(Panel) if p.isVisible() and type(p).__name__ == title]
        if panels:
            break
    (panel,) = panels
    return panel
