"""Forms set as they were when an exploration was saved, so that it can go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.errors import InputError
from ..common.setting_controls import set_value
from .plan_form import OF_KNOWLEDGE
from .target_form import CLASS, EVERYWHERE, LARGEST, NEAR, SMALLEST, Purpose

KINDS = {"real": "numbers", "angle": "angles", "class": "classes"}

if TYPE_CHECKING:
    from ...learning.explore.record import Record
    from .plan_form import PlanForm
    from .setup_form import SetUpForm


def read_record(folder: str, form: SetUpForm, plan: PlanForm) -> None:
    """Choose the goal, the acquisition and the deep kernel of a record; the target stays as it is chosen.

    Raises
    ------
    InputError
        If the folder holds no record, or its goal does not suit the chosen target.
    """
    from ...learning.explore.record import Record

    record = Record.load(folder)
    target, kernel = form.target, form.kernel
    kind, classes = target.kind(), target.classes()
    if record.settings["kind"] != kind:
        words = KINDS[record.settings["kind"]]
        raise InputError(f"The record is of a target of {words}; choose that target first, then open the record.")
    target.choose_purpose(_purpose(record, classes))
    plan.choose(record.settings["acquisition"], record.settings["batch"])
    kernel.kappa.setValue(record.settings["kappa"])
    for name, control in kernel.controls.items():
        set_value(control, record.settings["model"].get(name))


def _purpose(record: Record, classes: tuple[str, ...]) -> Purpose:
    wanted = record.settings["goal"]
    if record.settings["acquisition"] in OF_KNOWLEDGE:
        return Purpose(EVERYWHERE)
    if record.settings["kind"] == "class":
        if not 0 <= int(wanted) < len(classes):
            raise InputError("The record looks for a class that the chosen target does not have; choose its target.")
        return Purpose(CLASS, sought=classes[int(wanted)])
    if wanted in (LARGEST, SMALLEST):
        return Purpose(wanted)
    return Purpose(NEAR, float(wanted))
