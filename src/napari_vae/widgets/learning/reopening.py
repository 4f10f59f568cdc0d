"""Forms set as they were when an exploration was saved, so that it can go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QComboBox, QSpinBox

from ...errors import InputError
from .plan_form import OF_KNOWLEDGE
from .target_form import CLASS, EVERYWHERE, LARGEST, NEAR, SMALLEST, Goal, TargetForm

if TYPE_CHECKING:
    from ...learning.record import ExplorationRecord
    from .kernel_form import KernelForm
    from .plan_form import PlanForm


def read_record(folder: str, target: TargetForm, plan: PlanForm, kernel: KernelForm) -> None:
    """Choose the goal, the acquisition and the deep kernel of a record; the target stays as it is chosen.

    Raises
    ------
    InputError
        If the folder holds no record, or its goal does not suit the chosen target.
    """
    from ...learning.record import ExplorationRecord

    record = ExplorationRecord.load(folder)
    classes = target.classes()
    if (record.settings["kind"] == "class") != (classes is not None):
        kind = "classes" if record.settings["kind"] == "class" else "numbers"
        raise InputError(f"The record is of a target of {kind}; choose that target first, then open the record.")
    target.choose_goal(_goal(record, classes or ()))
    plan.choose(record.settings["acquisition"], record.settings["batch"])
    kernel.kappa.setValue(record.settings["kappa"])
    for name, control in kernel.controls().items():
        _set(control, record.settings["model"].get(name))


def _goal(record: ExplorationRecord, classes: tuple[str, ...]) -> Goal:
    wanted = record.settings["goal"]
    if record.settings["acquisition"] in OF_KNOWLEDGE:
        return Goal(EVERYWHERE)
    if record.settings["kind"] == "class":
        if not 0 <= int(wanted) < len(classes):
            raise InputError("The record looks for a class that the chosen target does not have; choose its target.")
        return Goal(CLASS, sought=classes[int(wanted)])
    if wanted in (LARGEST, SMALLEST):
        return Goal(wanted)
    return Goal(NEAR, float(wanted))


def _set(control: QComboBox | QSpinBox | QCheckBox, value: object) -> None:
    if value is None:
        return
    if isinstance(control, QComboBox):
        control.setCurrentIndex(max(control.findData(value), 0))
    elif isinstance(control, QCheckBox):
        control.setChecked(bool(value))
    else:
        control.setValue(int(str(value)))
