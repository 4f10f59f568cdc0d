"""What stands in the docks can be read, found with the keyboard and understood: tooltips, order, room, contrast."""

import re
from pathlib import Path

import pyqtgraph as pg
import pytest
import yaml
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QScrollBar,
    QStyle,
    QStyleOptionComboBox,
    QStyleOptionSpinBox,
    QTableView,
    QWidget,
)
from superqt import QCollapsible

from napari_vae.widgets.panel import Panel

MANIFEST = Path(__file__).parents[1] / "src/napari_vae/napari.yaml"
DOCKS = [entry["display_name"] for entry in yaml.safe_load(MANIFEST.read_text())["contributions"]["widgets"]]
NUMERIC = (QAbstractSpinBox, QAbstractSlider)
CONTROLS = (QAbstractButton, QComboBox, QLineEdit, QAbstractItemView, pg.PlotWidget, *NUMERIC)
UNIT = re.compile(r"\b(px|nm|s|unit|number|score|factor|share)\b|°|%", re.IGNORECASE)
ADVICE = re.compile(r"\b(choose|usual|suits?|when|where|take|start)\b", re.IGNORECASE)


def controls(panel):
    """What can be clicked or typed into; the parts that Qt makes such a control of are not counted."""
    for part in panel.widget().findChildren(QWidget):
        above = list(holders(part, panel))
        if isinstance(part, CONTROLS) and not isinstance(part, QScrollBar):
            if not any(isinstance(holder, (*CONTROLS, QMenu)) for holder in above):
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
