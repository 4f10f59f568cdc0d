"""What all docks share: the wheel scrolls, labels line up, a double click starts only, closing at work asks."""

import threading

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QGraphicsView,
    QMessageBox,
    QPushButton,
    QScrollBar,
)
from superqt import QCollapsible

from napari_vae.widgets.batch.dock import BatchWidget
from napari_vae.widgets.common.jobs import Step
from napari_vae.widgets.common.panel import CLOSE_BUTTON, Form
from napari_vae.widgets.common.progress_box import ProgressBox
from napari_vae.widgets.common.scatter_plot import ScatterPlot
from napari_vae.widgets.detect.dock import DetectWidget
from napari_vae.widgets.explore.dock import ExploreWidget
from napari_vae.widgets.learn.dock import LearnWidget
from napari_vae.widgets.train.dock import TrainWidget
from training_widget import LONG, settle

DOCKS = [DetectWidget, TrainWidget, ExploreWidget, LearnWidget, BatchWidget]


def turn(part, modifiers=Qt.KeyboardModifier.NoModifier, up=False):
    """A notch of the wheel downwards, or upwards, over a part, as it comes from the mouse."""
    window = part.window()
    place = QPointF(part.mapTo(window, part.rect().center()))
    QTest.wheelEvent(window.windowHandle(), place, QPoint(0, 120 if up else -120), QPoint(), modifiers)
    QApplication.processEvents()


def values(panel):
    """What every list, spin box and slider of a panel shows."""
    shown = [box.currentIndex() for box in panel.findChildren(QComboBox)]
    shown += [box.text() for box in panel.findChildren(QAbstractSpinBox)]
    return shown + [box.value() for box in panel.findChildren(QAbstractSlider) if not isinstance(box, QScrollBar)]


@pytest.mark.parametrize("kind", DOCKS)
def test_the_wheel_scrolls_the_panel_and_changes_nothing(scene, show_widget, qtbot, kind):
    panel = show_widget(kind)
    for section in panel.findChildren(QCollapsible):
        section.expand(animate=False)
    panel.resize(panel.width(), 240)
    settle(qtbot, panel)
    bar = panel.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 200, timeout=LONG)
    before, over = values(panel), 0
    for part in (*panel.findChildren(QComboBox), *panel.findChildren(QAbstractSpinBox)):
        if part.isVisible() and part.isEnabled():
            bar.setValue(0)
            panel.ensureWidgetVisible(part)
            start = bar.value()
            turn(part, up=start == bar.maximum())
            assert bar.value() != start, part.toolTip()
            over += 1
    assert values(panel) == before and over > 1


def test_a_plot_is_zoomed_by_the_wheel_with_ctrl_alone(scene, show_widget, qtbot):
    panel = show_widget(ExploreWidget)
    settle(qtbot, panel)
    plot = panel.findChild(ScatterPlot)
    panel.ensureWidgetVisible(plot)
    canvas = plot.findChild(QGraphicsView)
    qtbot.waitUntil(canvas.isVisible, timeout=LONG)
    view = canvas.getViewBox()
    before = view.viewRange()
    turn(canvas.viewport())
    assert view.viewRange() == before
    turn(canvas.viewport(), Qt.KeyboardModifier.ControlModifier)
    assert view.viewRange() != before


@pytest.mark.parametrize("kind", DOCKS)
def test_labels_and_controls_of_all_forms_line_up(scene, show_widget, qtbot, kind):
    panel = show_widget(kind)
    for section in panel.findChildren(QCollapsible):
        section.expand(animate=False)
    settle(qtbot, panel)

    def columns():
        labels = [label for form in panel.findChildren(Form) for label in form.row_labels() if label.isVisibleTo(panel)]
        return {(label.mapTo(panel, QPoint()).x(), label.width()) for label in labels}

    qtbot.waitUntil(lambda: len(columns()) == 1, timeout=LONG)


def test_a_double_click_starts_and_does_not_stop(qtbot):
    box = ProgressBox("Train", "Trains something for a while", page="models")
    qtbot.addWidget(box)
    begun, stopped = [], []
    box.start_clicked.connect(lambda: (begun.append(1), box.begin("Starting …")))
    box.stop_clicked.connect(lambda: stopped.append(1))
    qtbot.mouseDClick(box.button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(box.button, Qt.MouseButton.LeftButton)
    assert begun == [1] and not stopped and box.button.text() == "Stop"
    settle(qtbot, box)
    qtbot.mouseClick(box.button, Qt.MouseButton.LeftButton)
    assert stopped == [1] and box.button.text() == "Stopping …"


def test_the_time_left_only_goes_down(qtbot):
    box = ProgressBox("Train", "Trains something for a while", page="models")
    qtbot.addWidget(box)
    box.begin("Starting …")
    box.show_step(Step("Training", 0.1, 3000.0))
    assert "50 min" in box.words.text()
    box.show_step(Step("Training", 0.2, 1200.4))
    assert "20 min" in box.words.text()
    box.show_step(Step("Training", 0.3, 9000.0))
    assert "20 min" in box.words.text() or "19 min" in box.words.text()
    box.show_step(Step("Training until it gains no more", 0.4))
    assert "left" not in box.words.text()
    box.show_step(Step("Training, settling", 0.7, 1800.4))
    assert "30 min" in box.words.text()


def close_button(panel):
    dock = panel
    while not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    return dock.findChild(QPushButton, CLOSE_BUTTON)


def test_closing_a_dock_at_work_asks_first(scene, open_widget, qtbot, viewer):
    panel, ended = open_widget("Train VAE"), threading.Event()
    settle(qtbot, panel)
    asked = []

    def steps(stop):
        try:
            while not stop():
                yield Step("Training", 0.1)
        finally:
            ended.set()

    def answer(button):
        boxes = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox) and w.isVisible()]
        asked.append(boxes[0].text())
        boxes[0].button(button).click()

    panel.job.start(steps)
    QTimer.singleShot(0, lambda: answer(QMessageBox.StandardButton.No))
    qtbot.mouseClick(close_button(panel), Qt.MouseButton.LeftButton)
    assert "still at work" in asked[0] and not ended.is_set()
    assert panel.job.running and "Train VAE (napari-vae)" in viewer.window.dock_widgets
    QTimer.singleShot(0, lambda: answer(QMessageBox.StandardButton.Yes))
    qtbot.mouseClick(close_button(panel), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(ended.is_set, timeout=LONG)
    assert len(asked) == 2


def test_closing_an_idle_dock_asks_nothing(scene, open_widget, qtbot, viewer):
    panel = open_widget("Train VAE")
    settle(qtbot, panel)
    qtbot.mouseClick(close_button(panel), Qt.MouseButton.LeftButton)
    assert "Train VAE (napari-vae)" not in viewer.window.dock_widgets


@pytest.mark.own_window
def test_a_dock_becomes_wider_with_what_stands_in_it(viewer, open_widget, qtbot):
    panel = open_widget("Train VAE")
    panel.window().resize(1366, 768)
    panel.window().show()
    wide = QPushButton("a button that is wide")
    wide.setMinimumWidth(panel.viewport().width() + 40)
    panel.column.addWidget(wide)
    qtbot.waitUntil(lambda: panel.viewport().width() >= wide.width() > 0 and not wide.visibleRegion().isEmpty())
    qtbot.waitUntil(lambda: panel.viewport().width() >= wide.minimumWidth())
