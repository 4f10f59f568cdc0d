"""The record of an exploration: settings, every step, and what is needed to go on or to replay it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...core.arrays import as_array
from ...core.errors import InputError
from ...core.provenance import data_hash, describe_versions
from ..gp.candidates import Prepared
from .goals import Goal
from .steps import Step

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ExplorationRecord:
    """Everything that an exploration did.

    Attributes
    ----------
    settings : dict
        What was explored and how: arguments of `Exploration`, the seeds as candidates, the model in words.
    provenance : dict
        Hash of the candidates, versions, date.
    steps : tuple of Step
    reason : str
        Why it ended, in a sentence; empty while it can go on.

    Examples
    --------
    >>> record = ExplorationRecord({"kind": "real", "goal": "max", "target": 0}, {})
    >>> record = record.followed_by(Step((7, 2), ((0.5,), (1.5,))))
    >>> record.best, record.curve.tolist()
    (2, [0.5, 1.5])
    """

    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    steps: tuple[Step, ...] = ()
    reason: str = ""

    @cached_property
    def _told(self) -> dict[int, tuple[float, ...] | str]:
        """Values, or why there are none, of all candidates in the order in which they were told."""
        told: dict[int, tuple[float, ...] | str] = {}
        for step in self.steps:
            for i, values in zip(step.indices, step.values, strict=True):
                told.pop(i, None)
                told[i] = step.failures.get(i, "") if values is None else values
        return told

    @cached_property
    def measured(self) -> Rows:
        """Measured candidates (n,), in order."""
        return np.array([i for i, values in self._told.items() if not isinstance(values, str)], np.int64)

    @cached_property
    def targets(self) -> Floats:
        """What was measured, (n, T), in order."""
        values = [values for values in self._told.values() if not isinstance(values, str)]
        return np.array(values, np.float64).reshape(len(values), -1 if values else 1)

    @property
    def values(self) -> Floats:
        """What was measured, (n,), or (n, T) of several targets, in order."""
        return self.targets[:, 0] if self.targets.shape[1] == 1 else self.targets

    @property
    def failed(self) -> dict[int, str]:
        """Candidates whose measurement failed, with the reason."""
        return {i: values for i, values in self._told.items() if isinstance(values, str)}

    @property
    def tried(self) -> int:
        """Measurements, failed ones included."""
        return len(self._told)

    @property
    def goal(self) -> Goal:
        """What is looked for."""
        kind, wanted, target = (self.settings[name] for name in ("kind", "goal", "target"))
        met = kind != "class" or bool((self.targets == wanted).any())
        return Goal(kind, wanted, target if isinstance(target, int) else tuple(target), met)

    @property
    def best(self) -> int | None:
        """The measured candidate nearest to the goal; ``None`` before the first, and where there is no goal."""
        if not len(self.measured) or not self.goal.sought:
            return None
        return int(self.measured[np.argmax(self.goal.merit(self.targets))])

    @property
    def curve(self) -> Floats:
        """Learning curve (n,): the best value after each measurement; of a class, how many of it were found.

        NaN where there is no goal.
        """
        if not len(self.measured) or not self.goal.sought:
            return np.full(len(self.measured), np.nan)
        merit = self.goal.merit(self.targets)
        if self.goal.kind == "class":
            return np.cumsum(merit)
        first = np.maximum.accumulate(merit)
        leaders = np.maximum.accumulate(np.where(merit == first, np.arange(len(merit)), 0))
        return self.goal.looked_at(self.targets)[leaders]

    @property
    def table(self) -> pd.DataFrame:
        """One row per measurement, in order, numbered by its candidate.

        Columns ``step``, ``phase``, ``value``, ``failure``, ``score``, ``mean``, ``sd``; of several targets or classes
        ``value_1`` … and so on.
        """
        import pandas as pd

        rows, index = [], []
        for number, step in enumerate(self.steps):
            for k, i in enumerate(step.indices):
                row = {"step": number, "phase": step.phase, **_named("value", step.values[k])}
                row |= {"failure": step.failures.get(i, ""), "score": None if step.score is None else step.score[k]}
                row |= _named("mean", None if step.mean is None else step.mean[k])
                row |= _named("sd", None if step.sd is None else step.sd[k])
                rows.append(row)
                index.append(i)
        return pd.DataFrame(rows, index=pd.Index(index, dtype=np.int64))

    def followed_by(self, step: Step) -> ExplorationRecord:
        """The record with one step more."""
        return replace(self, steps=(*self.steps, step), reason="")

    def without_last(self) -> ExplorationRecord:
        """The record without its last step."""
        return replace(self, steps=self.steps[:-1], reason="")

    def check_same(self, other: ExplorationRecord) -> None:
        """Refuse to go on with an exploration of other candidates or settings.

        Raises
        ------
        InputError
        """
        if self.provenance["data_sha256"] != other.provenance["data_sha256"]:
            raise InputError("The record is of other candidates; give those it was made with, or start a new one.")
        known = self.provenance.get("encoder_sha256")  # which older records do not have
        if known is not None and known != other.provenance.get("encoder_sha256"):
            raise InputError("The record was made with another run as features; give the same, or start a new one.")
        ours, theirs = (json.loads(json.dumps(dict(record.settings))) for record in (self, other))
        different = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        if different:
            raise InputError(
                f"The record was made with another {' and '.join(different)}; give the same, or start a new one."
            )

    def save(self, folder: str | Path) -> Path:
        """Write ``exploration.json`` and ``measurements.csv``; a former record there is replaced when all is written.

        Raises
        ------
        InputError
            If the folder holds something else.
        """
        from .record_files import save_record

        return save_record(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> ExplorationRecord:
        """Read a record that `save` wrote. Nothing in it is executed.

        Raises
        ------
        ReadError
            If the folder holds no record, a damaged one, or one of a newer version.
        """
        from .record_files import load_record

        return load_record(folder)

    def replay(self, x: Any, *, model: Any = None) -> ExplorationRecord:
        """Go through the same steps again: what is suggested, given what was told before each of them.

        With the same candidates, model, seed and device every ``suggested`` is that of this record.

        Raises
        ------
        InputError
            If candidates or model are other ones.
        """
        from .loop import replay

        return replay(self, x, model=model)


def begin(x: Any, settings: Mapping[str, Any], model: Any) -> ExplorationRecord:
    """An empty record: settings, the model in words, and where the candidates come from."""
    data = x.data if hasattr(x, "atoms") else x.values if isinstance(x, Prepared) else x
    data = as_array(data, "candidates")
    described = {"kind": getattr(model, "target", "real"), "model": describe_model(model)}
    return ExplorationRecord(
        {**described, **settings},
        {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "data_sha256": data_hash(data),
            "encoder_sha256": _encoder_hash(model),
            "n_candidates": len(data),
            "versions": describe_versions(),
        },
    )


def describe_model(model: Any) -> dict[str, Any]:
    """Name and settings of a model as plain values, and which run its features are of."""
    settings = json.loads(json.dumps(vars(getattr(model, "config", model)), default=str))
    run = getattr(getattr(model, "encoder", None), "run", None)
    origin = {} if run is None else {"features": run.provenance.get("data_sha256", "")}
    return {"name": type(model).__name__, **settings, **origin}


def _encoder_hash(model: Any) -> str | None:
    """SHA-256 over the weights of the run whose encoder is used; runs of the same data may differ in nothing else."""
    run = getattr(getattr(model, "encoder", None), "run", None)
    if run is None:
        return None
    digest = hashlib.sha256()
    for name, value in sorted(run.state().items()):
        digest.update(f"{name}{data_hash(np.atleast_1d(value.numpy()))}".encode())
    return digest.hexdigest()


def _named(name: str, values: Sequence[float] | None) -> dict[str, float | None]:
    if values is None or len(values) == 1:
        return {name: values[0] if values else None}
    return {f"{name}_{k}": value for k, value in enumerate(values, 1)}
