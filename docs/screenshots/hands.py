"""The window used as a person uses it: with the mouse and the keyboard, by the words that stand on the screen."""

from pictures import main_window, wait
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLineEdit


def choose(*titles):
    """Click through a menu, down to an entry."""
    place = main_window().menuBar()
    for title in titles:
        (entry,) = (action for action in place.actions() if action.text().replace("&", "") == title)
        QTest.mouseClick(place, Qt.MouseButton.LeftButton, pos=place.actionGeometry(entry).center())
        wait(0.4)
        place = entry.menu() or place


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
    QTest.mouseMove(button, middle)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=middle)


def open_section(panel, title):
    """Click the head of a folded section."""
    (head,) = (b for b in panel.findChildren(QAbstractButton) if b.text().endswith(title) and b.isVisible())
    panel.ensureWidgetVisible(head)
    QTest.mouseClick(head, Qt.MouseButton.LeftButton, pos=QPoint(20, head.height() // 2))
    wait(0.5)


def type_folder(path):
    """When a dialog asks for a folder, type its name and press Enter."""

    def answer():
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QFileDialog):
            QTimer.singleShot(200, answer)
            return
        line = dialog.findChild(QLineEdit)
        line.clear()
        QTest.keyClicks(line, str(path))
        QTest.keyClick(line, Qt.Key.Key_Return)

    QTimer.singleShot(500, answer)


def dock_named(title):
    """The widget inside the dock that a menu has opened."""
    from napari_vae.widgets.common.panel import Panel

    wait(0.5)
    panels = [p for p in main_window().findChildren(Panel) if p.isVisible() and type(p).__name__ == title]
    assert len(panels) == 1, panels
    return panels[0]
