"""Words and marks can be told from their ground in both themes, by the ratio of contrast of WCAG 2 (AA)."""

import re

import pytest
from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_vae.widgets.batch.table import AMBER, ON_AMBER
from napari_vae.widgets.common.panel import words_color
from napari_vae.widgets.common.plot import BLUE, GREEN, GREY, MARKED, ORANGE, SHADE
from napari_vae.widgets.common.scatter_plot import ScatterPlot
from napari_vae.widgets.common.steps_row import PRIMARY

WORDS, MARKS = 4.5, 3.0


def luminance(color):
    parts = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in QColor(color).getRgbF()[:3]
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(params=["dark", "light"])
def ground(request, qapp):
    """The ground of the window in a theme that napari has from now on."""
    appearance = get_settings().appearance
    before, appearance.theme = appearance.theme, request.param
    yield get_theme(request.param).background.as_hex()
    appearance.theme = before


def test_words_and_marks_stand_out_from_the_ground(ground):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast(words_color(), ground) >= WORDS
    for color in (BLUE, ORANGE, GREEN, GREY):
        assert contrast(color, ground) >= MARKS, color
    assert max(contrast(color, ground) for color in (MARKED, SHADE)) >= MARKS, "drawn together"


def test_axes_are_in_the_colour_of_the_words_and_points_without_a_value_are_seen(ground, qtbot):
    holder = QWidget()
    plot = ScatterPlot(holder)
    plot.set_points([0.0, 1.0], [0.0, 1.0])
    axis = plot.plot.getAxis("left")
    assert contrast(axis.textPen().color(), ground) >= WORDS and contrast(axis.pen().color(), ground) >= WORDS
    get_settings().appearance.theme = "light" if get_settings().appearance.theme == "dark" else "dark"
    assert axis.textPen().color() == QColor(words_color()), "it follows the theme"
    holder.deleteLater()


def test_words_on_grounds_of_our_own_can_be_read():
    grounds = re.findall(r"background: (#\w+)", PRIMARY)
    assert len(grounds) == 2 and "color: white" in PRIMARY
    for one in grounds:
        assert contrast("#ffffff", one) >= WORDS, one
    assert contrast(ON_AMBER, AMBER) >= WORDS
