"""Choices that outlive the session: napari keeps them with the settings of the plugin and lists them in Preferences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari.settings import get_plugin_settings
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox

PLUGIN = "napari-vae"
Control = QCheckBox | QComboBox | QSpinBox | QDoubleSpinBox


def settings_of(section: str) -> Any:
    """What napari keeps under a key of ``configurations``, or None where the plugin is not installed or enabled."""
    try:
        return getattr(get_plugin_settings(PLUGIN), section)
    except KeyError:
        return None


def remember(section: str, controls: Mapping[str, Control]) -> None:
    """Set controls as they were left, and keep every change from now on.

    Parameters
    ----------
    section : str
        Key under ``configurations`` in the manifest.
    controls : dict
        Control of each property of that section; of a drop-down list the data of the entry is kept, as text.
    """
    settings = settings_of(section)
    if settings is None:
        return
    for name, control in controls.items():
        _Remembered(control, settings, name)


class _Remembered(QObject):
    """Ties a control to one property of the settings, as long as the control lives."""

    def __init__(self, control: Control, settings: Any, name: str) -> None:
        super().__init__(control)
        self._settings, self._name = settings, name
        value = getattr(settings, name)
        if isinstance(control, QCheckBox):
            control.setChecked(value)
            control.toggled.connect(self._keep)
        elif isinstance(control, QComboBox):
            index = next((i for i in range(control.count()) if str(control.itemData(i)) == value), 0)
            control.setCurrentIndex(index)
            control.currentIndexChanged.connect(self._keep_entry)
        else:
            control.setValue(value)
            control.valueChanged.connect(self._keep)

    def _keep(self, value: bool | int | float) -> None:
        setattr(self._settings, self._name, value)

    def _keep_entry(self, index: int) -> None:
        setattr(self._settings, self._name, str(self.parent().itemData(index)))
