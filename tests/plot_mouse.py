"""The mouse over the plot of Explore latents."""

from qtpy.QtCore import Qt


def pixel(widget, x, y):
    """Where a place of the plane lies in the widget of the plot."""
    scene = widget.plot.box.mapFromViewToItem(widget.plot.box, _point(x, y))
    return widget.plot.plot.mapFromScene(widget.plot.box.mapToScene(scene))


def _point(x, y):
    from qtpy.QtCore import QPointF

    return QPointF(float(x), float(y))


def drag(qtbot, widget, places, modifier=Qt.KeyboardModifier.NoModifier):
    """Press at the first place of the plane, move over the others, release."""
    view = widget.plot.plot.viewport()
    pixels = [pixel(widget, *place) for place in places]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, modifier, pixels[0])
    for place in pixels[1:]:
        for _ in range(2):  # pyqtgraph begins a drag with the second move
            send_move(view, place, modifier)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, modifier, pixels[-1])


def send_move(view, place, modifier, buttons=Qt.MouseButton.LeftButton):
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        QPointF(view.mapToGlobal(place)),
        Qt.MouseButton.NoButton,
        buttons,
        modifier,
    )
    QApplication.sendEvent(view, event)


def mode(qtbot, widget, text):
    button = next(button for button in widget.tools.modes.buttons() if button.text() == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
