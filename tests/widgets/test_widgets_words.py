"""What stands in the docks can be read, found with the keyboard and understood: tooltips, order, room, contrast."""

import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyqtgraph as pg
import pytest
import yaml
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt
from qtpy.QtGui import QColor, QImage, QTextDocument
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QMenu,
    QScrollBar,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)
from superqt import QCollapsible

from napari_vae.analysis.coloring import color_by
from napari_vae.core.class_colors import CLASS_COLORS
from napari_vae.layers.active import active_of
from napari_vae.widgets.common.guide import Guide
from napari_vae.widgets.common.plot import BLUE, GREEN, ORANGE, ColorKey, swatch
from napari_vae.widgets.common.steps_row import StepsRow
from training_widget import LONG

MANIFEST = Path(__file__).parents[2] / "src/napari_vae/napari.yaml"
DOCKS = [entry["display_name"] for entry in yaml.safe_load(MANIFEST.read_text())["contributions"]["widgets"]]
NUMERIC = (QAbstractSpinBox, QAbstractSlider)
CONTROLS = (QAbstractButton, QComboBox, QLineEdit, QAbstractItemView, pg.PlotWidget, *NUMERIC)
UNIT = re.compile(r"\b(px|nm|s|unit|number|score|factor|share)\b|°|%", re.IGNORECASE)
ADVICE = re.compile(r"\b(choose|usual|suits?|when|where|take|start)\b", re.IGNORECASE)


def controls(panel):
    """What can be clicked or typed into; the parts that Qt makes such a control of are not counted."""
    for part in panel.widget().findChildren(QWidget):
        of_another = any(isinstance(holder, (*CONTROLS, QMenu)) for holder in holders(part, panel))
        if isinstance(part, CONTROLS) and not isinstance(part, QScrollBar) and not of_another:
            yield part


def holders(part, panel):
    while (part := part.parentWidget()) not in (None, panel):
        yield part


def words_of(part, panel):
    """The tooltip that Qt shows: its own, else that of what holds it."""
    return next((tip for w in (part, *holders(part, panel)) if (tip := w.toolTip())), "")


def test_every_control_says_what_it_is_its_unit_and_when_to_change_it(open_widget):
    for name in DOCKS:
        panel = open_widget(name)
        seen = list(controls(panel))
        assert len(seen) > 10
        for part in seen:
            tip = words_of(part, panel)
            told = name, type(part).__name__, tip
            assert len(tip) > 15, told
            if isinstance(part, NUMERIC):
                assert UNIT.search(tip), told
            if isinstance(part, QComboBox) and part.count() > 1:
                assert ADVICE.search(tip), told


def cut_words(part):
    """Words of a control or label that it has no room for, in every entry of a list."""
    width, words = part.width(), []
    if isinstance(part, QLabel):
        needed = part.heightForWidth(width) if part.wordWrap() else part.sizeHint().width()
        return [part.text()] if needed > (part.height() if part.wordWrap() else width) else []
    if isinstance(part, QComboBox):
        option = QStyleOptionComboBox()
        part.initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        width = part.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, part).width()
        words = [part.itemText(i) for i in range(part.count())]
    elif isinstance(part, QAbstractSpinBox):
        width, words = part.lineEdit().contentsRect().width(), [part.text(), part.specialValueText()]
    elif isinstance(part, QLineEdit):
        width, words = part.contentsRect().width(), [part.placeholderText()]
    elif isinstance(part, QAbstractButton):
        words = [part.text()] if part.sizeHint().width() > width else []
        width -= part.sizeHint().width() - part.fontMetrics().horizontalAdvance(part.text())
    return [word for word in words if part.fontMetrics().horizontalAdvance(word) > width]


def cut_in(panel):
    """All words in a dock that lack room."""
    labels = panel.widget().findChildren(QLabel)
    return [words for part in (*labels, *controls(panel)) if part.isVisible() for words in cut_words(part)]


def by_tab(panel):
    """The controls in the order in which Tab goes through them."""
    part, visible = panel, [part for part in controls(panel) if part.isVisible()]
    while panel.isAncestorOf(part := part.nextInFocusChain()):
        if part in visible and part.focusPolicy() & Qt.FocusPolicy.TabFocus:
            yield part


def jumps_in(panel):
    """Pairs of controls between which Tab goes up or to the left."""
    return [pair for pair in pairwise(by_tab(panel)) if not reads_on(*pair, panel)]


def reads_on(before, after, panel):
    """Whether a control is right of the one before it, in one row, or else below."""
    first, second = (part.mapTo(panel.widget(), QPoint(0, 0)) for part in (before, after))
    same_row = second.y() < first.y() + before.height() and first.y() < second.y() + after.height()
    return second.x() > first.x() if same_row else second.y() > first.y()


def test_everything_can_be_read_and_reached_by_tab_beside_the_canvas_of_a_laptop(viewer, open_widget, qtbot):
    """At 1366 × 768, every section open, in the width that the dock asks for: nothing cut, Tab goes as one reads."""
    for name in DOCKS:
        if name == "Spectrum":  # which has little to show else
            viewer.open_sample("napari-vae", "spectra")
        panel = open_widget(name)
        for section in panel.findChildren(QCollapsible):
            section.expand(animate=False)
        with suppress(qtbot.TimeoutError):  # Qt needs some rounds until all have their place
            qtbot.waitUntil(lambda shown=panel: narrow(shown) and not (cut_in(shown) or jumps_in(shown)), timeout=LONG)
        assert narrow(panel) and panel.widget().minimumSizeHint().width() <= panel.viewport().width() < 450, name
        assert not cut_in(panel), name
        assert not jumps_in(panel), name
        assert len(list(by_tab(panel))) > 8, name
        dock_of(panel).hide()


def dock_of(panel):
    return next(holder for holder in holders(panel, None) if isinstance(holder, QDockWidget))


def test_a_dock_asks_for_little_width_before_it_is_seen(viewer, open_widget):
    """Qt gives it that width, and never takes it back."""
    columns = {name: np.arange(3.0) for name in ("z1", "z2", "angle")}
    viewer.add_image(np.zeros((30, 30)))
    viewer.add_points(10 * np.ones((3, 2)), features=pd.DataFrame(columns | {"class": ["a", "b", "b"]}))
    for name in DOCKS:
        assert open_widget(name).sizeHint().width() < 480, name


def test_in_a_small_window_a_dock_is_narrow_and_nothing_in_it_is_cut(open_widget, qtbot):
    """As at 200 % on the screen of a small laptop: labels above controls, steps as numbers, the rest by scrolling."""
    panel = open_widget("Train VAE")
    steps = panel.findChild(Guide).steps.buttons
    qtbot.waitUntil(lambda: narrow(panel, 683) and not cut_in(panel), timeout=LONG)
    assert panel.width() <= 250 and [button.text() for button in steps.values()] == ["1", "Train", "3", "4", "5"]
    assert panel.horizontalScrollBar().maximum() == panel.widget().width() - panel.viewport().width()
    qtbot.waitUntil(lambda: narrow(panel) and steps["active-learning"].text() == "Measure next", timeout=LONG)
    assert not panel.horizontalScrollBar().maximum()


class LayoutRequests(QObject):
    """Counts how often Qt is asked to lay widgets out anew."""

    def __init__(self):
        super().__init__()
        self.count = 0
        QApplication.instance().installEventFilter(self)

    def eventFilter(self, watched, event):  # Qt's name
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False

    def seen(self, qtbot):
        """In a moment of rest."""
        before = self.count
        qtbot.wait(50)
        return self.count - before


def test_the_row_of_steps_comes_to_rest_at_any_width(viewer, qtbot):
    """What is written according to the width must not ask for another width: that would never end, and starve jobs."""
    image = viewer.add_image(np.zeros((30, 30)))
    active_of(viewer).choose(image)
    viewer.add_points(10 * np.ones((3, 2)))
    row, requests = StepsRow(viewer, "models"), LayoutRequests()
    qtbot.addWidget(row)
    row.show()
    assert row.marks["detection"].text() == "✓"
    for width in range(row.sizeHint().width() - 16, row.sizeHint().width() + 4):
        row.resize(width, 30)
        qtbot.waitUntil(lambda: not requests.seen(qtbot), timeout=LONG)
        assert (row.buttons["batch"].text() == "Batch") == (width >= row.sizeHint().width())


def narrow(panel, width=1366):
    """Give a dock the width that it asks for, in the window of a small laptop; true when it has it."""
    window = panel.window()
    window.resize(width, 768)
    window.show()
    window.resizeDocks([dock_of(panel)], [panel.sizeHint().width()], Qt.Orientation.Horizontal)
    return abs(panel.width() - panel.sizeHint().width()) < 5


def luminance(rgb):
    """Relative luminance (…,) of colours (…, 3) of 0 to 255, as WCAG 2 defines it."""
    share = np.asarray(rgb, float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    low, high = np.sort([one, other])
    return (high + 0.05) / (low + 0.05)


def pixels_of(part, panel):
    """Colours (N, 3) of the pixels where a label is drawn."""
    image = panel.widget().grab(QRect(part.mapTo(panel.widget(), QPoint(0, 0)), part.size())).toImage()
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(-1, 3)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_our_words_stand_out_from_the_ground(theme, open_widget, qtbot):
    """At least 4.5 : 1 for words, 3 : 1 for lines and marks (WCAG 2.2 AA)."""
    from napari.settings import get_settings

    panel, appearance = open_widget("Train VAE"), get_settings().appearance
    before, appearance.theme = appearance.theme, theme
    head = panel.findChild(Guide)
    panel.progress.show_failure("There are no atoms.")
    panel.live.show()
    caption = panel.loss.findChild(QLabel)
    panel.resize(360, 700)
    panel.grab()  # lays it out
    for part in (head.hint, panel.progress.words, panel.progress.more, caption):
        colors, counts = np.unique(pixels_of(part, panel), axis=0, return_counts=True)
        ground = luminance(colors[counts.argmax()])
        assert (ground > 0.5) == (theme == "light")
        assert max(contrast(ground, light) for light in luminance(colors)) >= 4.5, (theme, part.text())
        for color in (BLUE, ORANGE, GREEN):
            assert contrast(ground, luminance(QColor(color).getRgb()[:3])) >= 3, (theme, color)
    arrow = panel.advanced.collapsedIcon().pixmap(32).toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    pixels = np.frombuffer(arrow.constBits(), np.uint8).reshape(-1, 4)
    seen = luminance(pixels[pixels[:, 3] > 200, :3])
    assert len(seen) and min(contrast(ground, light) for light in seen) >= 3, "the arrow of a section"
    assert set(re.findall(r'style="color:[^>]*>([^<]*)<', caption.text())) == {"■"}  # words have the theme's colour
    appearance.theme = before


def test_a_swatch_of_a_class_can_be_seen_on_any_ground():
    assert all(contrast(0, luminance(QColor(color).getRgb()[:3])) >= 3 for color in CLASS_COLORS)
    assert "background-color:#000000" in swatch(CLASS_COLORS[0], on_black=True)


def test_a_colour_and_its_class_stay_in_one_line_of_the_legend_however_wide(qtbot):
    key = ColorKey()
    qtbot.addWidget(key)
    names = ["C0", "C1", "on column", "Ti-O/x (y)", "C4", "<b>", "edge"]
    members = pd.Series(np.repeat(names, [4582, 184, 92, 65, 44, 39, 4]), name="class")
    key.show_coloring(color_by(members))
    document = QTextDocument()
    document.setHtml(key.legend.text())
    for width in range(120, 420, 7):
        document.setTextWidth(width)
        assert document.size().height() > 0  # lays it out
        block = document.firstBlock()
        lines = [block.layout().lineAt(number) for number in range(block.layout().lineCount())]
        words = [block.text()[line.textStart() : line.textStart() + line.textLength()].strip() for line in lines]
        assert all(line.startswith("■") and line[-1].isdigit() for line in words), width
