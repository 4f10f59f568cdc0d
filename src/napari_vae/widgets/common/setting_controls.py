"""Controls for settings, made from the fields; napari keeps what is chosen and lists it in Preferences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import floor, log10
from typing import Any

from napari.settings import get_plugin_settings
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox

from ...core.fields import AUTOMATIC, Setting, settings_of
from .panel import Form, choice_of

PLUGIN = "napari-vae"
Control = QCheckBox | QComboBox | QSpinBox | QDoubleSpinBox
MOST = 2**31 - 1  # that a box for whole numbers can hold
MOST_WITH_DECIMALS = 1e6  # where a field has no limit


def napari_settings(section: str) -> Any:
    """What napari keeps under a key of ``configurations``, or None where the plugin is not installed or enabled."""
    try:
        return getattr(get_plugin_settings(PLUGIN), section)
    except KeyError:
        return None


def remember(section: str, controls: Mapping[str, Control]) -> Memory:
    """Set controls as they were left, and keep every change from now on.

    Parameters
    ----------
    section : str
        Key under ``configurations`` in the manifest.
    controls : dict
        Control of each property; what that section does not list is not kept. Of a drop-down list the data of the
        entry is kept, as text.
    """
    settings = napari_settings(section)
    return Memory(
        [] if settings is None else [_Remembered(c, settings, n) for n, c in controls.items() if hasattr(settings, n)]
    )


class Memory:
    """What `remember` ties to the settings of napari."""

    def __init__(self, kept: list[_Remembered]) -> None:
        self._kept = kept

    def keep(self) -> None:
        """Keep what all controls show now."""
        for one in self._kept:
            one.keep()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep no change that is made meanwhile."""
        for one in self._kept:
            one.paused = True
        try:
            yield
        finally:
            for one in self._kept:
                one.paused = False


class _Remembered(QObject):
    """Ties a control to one property of the settings, as long as the control lives."""

    def __init__(self, control: Control, settings: Any, name: str) -> None:
        super().__init__(control)
        self._settings, self._name, self.paused = settings, name, False
        value = getattr(settings, name)
        if isinstance(control, QCheckBox):
            control.setChecked(value)
        elif isinstance(control, QComboBox):
            index = next((i for i in range(control.count()) if str(control.itemData(i)) == value), 0)
            control.setCurrentIndex(index)
        else:
            control.setValue(value)
        changes_of(control).connect(self._on_changed)

    def keep(self) -> None:
        """Keep what the control shows."""
        control = self.parent()
        if isinstance(control, QCheckBox):
            value: Any = control.isChecked()
        else:
            value = str(control.currentData()) if isinstance(control, QComboBox) else control.value()
        setattr(self._settings, self._name, value)

    def _on_changed(self, value: object = None) -> None:
        if not self.paused:
            self.keep()


def add_settings(form: Form, cls: type, *names: str) -> dict[str, Control]:
    """Append a row for each of these fields of a class of settings to a form; its controls by their names."""
    controls = {name: control_of(settings_of(cls)[name]) for name in names}
    for name, control in controls.items():
        form.add(settings_of(cls)[name].title, control, settings_of(cls)[name].text)
    return controls


def control_of(setting: Setting) -> Control:
    """A list, check box or box for numbers that shows the default of a field and takes what the field allows."""
    if setting.choices:
        return choice_of(setting.choices, setting.default)
    if setting.flag:
        box = QCheckBox()
        box.setChecked(setting.default)
        return box
    number = setting.number
    low, high = number.get("minimum", 0), number.get("maximum", number.get("exclusiveMaximum", MOST + 1) - 1)
    if number["type"] == "integer":
        box = QSpinBox()
        box.setRange(low - setting.automatic, min(high, MOST))
    else:
        box, size = QDoubleSpinBox(), floor(log10(setting.default or 1))
        box.setDecimals(max(2, 1 - size))
        box.setSingleStep(10.0**size / 2)
        box.setRange(low or 10.0 ** -box.decimals() * ("exclusiveMinimum" in number), min(high, MOST_WITH_DECIMALS))
    if setting.automatic:
        box.setSpecialValueText(AUTOMATIC)
    box.setSuffix(f" {setting.unit}" if setting.unit else "")
    box.setValue(box.minimum() if setting.default in (None, "auto") else setting.default)
    return box


def changes_of(control: Control) -> Any:
    """The signal that the control shows another value."""
    if isinstance(control, QCheckBox):
        return control.toggled
    return control.currentIndexChanged if isinstance(control, QComboBox) else control.valueChanged


def values_of(controls: dict[str, Control]) -> dict[str, Any]:
    """What is chosen, for the class of the settings."""
    return {name: _value_of(control) for name, control in controls.items()}


def set_value(control: Control, value: Any) -> None:
    """Show a value, if the control has such a one."""
    if isinstance(control, QComboBox) and isinstance(value, str):
        control.setCurrentIndex(max(control.findData(value), 0))
    elif isinstance(control, QCheckBox) and isinstance(value, bool):
        control.setChecked(value)
    elif isinstance(control, QSpinBox) and isinstance(value, int):
        control.setValue(min(max(value, control.minimum()), control.maximum()))
    elif isinstance(control, QDoubleSpinBox) and isinstance(value, int | float):
        control.setValue(value)  # Qt keeps it within the limits


def _value_of(control: Control) -> Any:
    if isinstance(control, QComboBox):
        return control.currentData()
    if isinstance(control, QCheckBox):
        return control.isChecked()
    return "auto" if control.specialValueText() and control.value() == control.minimum() else control.value()
