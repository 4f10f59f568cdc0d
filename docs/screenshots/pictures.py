"""Pictures of the napari window as it stands on the screen, with open menus."""

import io

from PIL import Image
from qtpy.QtCore import QBuffer, QEventLoop, QPoint, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow

SIZE = 1366, 768  # a small laptop


def wait(seconds):
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def main_window():
    (window,) = (widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMainWindow))
    return window


def shoot(path):
    """Save what the screen shows where the window lies."""
    wait(0.5)
    window = main_window()
    corner = window.mapToGlobal(QPoint(0, 0))
    picture, buffer = window.screen().grabWindow(0, corner.x(), corner.y(), *SIZE), QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")
    save(Image.open(io.BytesIO(bytes(buffer.data()))), path)


def save(picture, path):
    """Write a picture with 256 colours, a fifth of the size of one with all."""
    colours = picture.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    colours.save(path, optimize=True)


def shoot_menu(path, *titles):
    """Unfold a menu as the mouse does, down to the last title, which is highlighted; then take the picture."""
    bar = main_window().menuBar()
    entry = _entry(bar, titles[0])
    top = menu = entry.menu()
    menu.popup(bar.mapToGlobal(bar.actionGeometry(entry).bottomLeft()))
    wait(0.3)
    for title in titles[1:]:
        entry = _entry(menu, title)
        menu.setActiveAction(entry)
        wait(0.3)
        menu = entry.menu() or menu
    shoot(path)
    top.close()
    wait(0.3)


def _entry(menu, title):
    (found,) = (action for action in menu.actions() if action.text().replace("&", "") == title)
    return found
