"""The record of an exploration: its settings and every step, in memory and as a folder of plain files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator

from ...core.arrays import LARGEST
from ...core.errors import InputError
from ...core.folders import open_folder, replace_folder
from ...core.settings import Count, Number, Open, Saved, Whole, about
from ...io.json_files import read_json
from ...io.writing import write_table
from ..config import ExplorationConfig
from .acquisition import Goal

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Candidate = Annotated[Whole, about(ge=0)]

#: The file that marks a folder as a record.
MARKER = "exploration.json"
TABLE = "measurements.csv"
FORMAT = 1
#: Those that a record keeps; its ``start`` names the candidates.
KEPT = [one.name for one in fields(ExplorationConfig) if one.name != "spread"]


@dataclass(frozen=True)
class Step:
    """One step: what was suggested, what was measured, and what came out.

    Attributes
    ----------
    indices : tuple of int
        Candidates that were measured.
    values : tuple of tuple of float, or None
        The targets of each; ``None`` where the measurement failed.
    suggested : tuple of int
        What had been suggested; empty if nothing was.
    phase : str
        As `Suggestion.phase`; empty if nothing was suggested.
    failures : dict of int to str
        Candidates that failed, with the reason.
    score : tuple of float, or None
        Acquisition of each before it was measured; ``None`` where there was none.
    mean, sd : tuple of tuple of float, or None
        Its prediction: of each target, or the probability of each class.
    seconds : dict of str to float
        ``"suggest"`` and ``"measure"``.
    """

    indices: tuple[Candidate, ...]
    values: tuple[tuple[Number, ...] | None, ...]
    suggested: tuple[Candidate, ...] = ()
    phase: str = ""
    failures: Mapping[int, str] = field(default_factory=dict)
    score: tuple[Number | None, ...] | None = None
    mean: tuple[tuple[Number, ...], ...] | None = None
    sd: tuple[tuple[Number, ...], ...] | None = None
    seconds: Mapping[str, Number] = field(default_factory=dict)

    def is_whole(self) -> bool:
        """Whether there is something for each candidate, or for none."""
        columns = [column for column in (self.values, self.score, self.mean, self.sd) if column is not None]
        failed = {i for i, values in zip(self.indices, self.values, strict=False) if values is None}
        return {len(self.indices)} == {len(column) for column in columns} and failed == set(self.failures)


@dataclass(frozen=True)
class Record:
    """What an exploration did, as it is kept: see `ExplorationRecord`, which can also be replayed."""

    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    steps: tuple[Step, ...] = ()
    reason: str = ""

    @cached_property
    def _observed(self) -> dict[int, tuple[float, ...] | str]:
        """Values of all candidates that were tried, or why there are none, in the order of the measurements."""
        observed: dict[int, tuple[float, ...] | str] = {}
        for step in self.steps:
            for i, values in zip(step.indices, step.values, strict=True):
                observed.pop(i, None)
                observed[i] = step.failures.get(i, "") if values is None else values
        return observed

    @cached_property
    def measured(self) -> Rows:
        """Measured candidates (n,), in order."""
        return np.array([i for i, values in self._observed.items() if not isinstance(values, str)], np.int64)

    @cached_property
    def targets(self) -> Floats:
        """What was measured, (n, T), in order."""
        values = [values for values in self._observed.values() if not isinstance(values, str)]
        return np.array(values, np.float64).reshape(len(values), -1 if values else 1)

    @property
    def values(self) -> Floats:
        """What was measured, (n,), or (n, T) of several targets, in order."""
        return self.targets[:, 0] if self.targets.shape[1] == 1 else self.targets

    @property
    def failed(self) -> dict[int, str]:
        """Candidates whose measurement failed, with the reason."""
        return {i: values for i, values in self._observed.items() if isinstance(values, str)}

    def untried(self, n: int) -> Rows:
        """Those of n candidates that were not tried yet, by number."""
        return np.setdiff1d(np.arange(n), list(self._observed))

    @property
    def tried(self) -> int:
        """Measurements, failed ones included."""
        return len(self._observed)

    @property
    def goal(self) -> Goal:
        """What is looked for."""
        kind, wanted, target = (self.settings[name] for name in ("kind", "goal", "target"))
        met = kind != "class" or bool((self.targets == wanted).any())
        return Goal(kind, wanted, target if isinstance(target, int) else tuple(target), met)

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of an `Exploration` that goes the same way."""
        return {name: self.settings[name] for name in KEPT}

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

    def followed_by(self, step: Step) -> Self:
        """The record with one step more."""
        return replace(self, steps=(*self.steps, step), reason="")

    def without_last(self) -> Self:
        """The record without its last step."""
        return replace(self, steps=self.steps[:-1], reason="")

    def check_same(self, other: Record) -> None:
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
        text = _text({"format": FORMAT, **asdict(self)})  # its numbers are exact, the table is for the eye
        with replace_folder(folder, MARKER) as new:
            write_table(self.table, new / TABLE)
            (new / MARKER).write_bytes(text)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a record that `save` wrote. Nothing in it is executed.

        Raises
        ------
        ReadError
            If the folder holds no record, a damaged one, or one of a newer version.
        """
        with open_folder(folder, MARKER, f"holds no exploration: it has no {MARKER}.") as path:
            found = read_json(path / MARKER, RecordFile)
        return cls(found.settings.plain(), found.provenance.plain(), found.steps, found.reason)


class _Settings(Open):
    kind: Literal["real", "angle", "class"]
    start: Annotated[list[Candidate], Field(min_length=1)]
    model: dict[str, Any]


class _Origin(Open):
    data_sha256: str
    n_candidates: Count = 10**9


class RecordFile(Saved):
    """What ``exploration.json`` holds."""

    settings: _Settings
    provenance: _Origin
    steps: tuple[Step, ...]
    reason: str

    @model_validator(mode="before")
    @classmethod
    def _can_be_written(cls, value: dict[str, Any]) -> dict[str, Any]:
        _text(value)
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        options: dict[str, Any] = {name: self.settings.plain().get(name) for name in KEPT}
        config = ExplorationConfig(**options)
        goal = Goal.of(self.settings.kind, config.goal, config.target, config.acquisition)
        rows = [np.array(values) for step in self.steps for values in step.values if values is not None]
        if rows:
            goal.check(len(rows[0]))
        if not all(step.is_whole() for step in self.steps) or any(problem(row, goal, len(rows[0])) for row in rows):
            raise InputError("some steps do not hold the same of every candidate")
        last = max(*self.settings.start, 0, *(i for step in self.steps for i in step.indices))
        if last >= self.provenance.n_candidates:
            raise InputError("it names more candidates than there are")
        return self


def _text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def problem(row: Floats, goal: Goal, n_targets: int) -> str:
    """Why a measurement is none; empty if it is one."""
    if not len(row):
        return "There is no value."
    if not np.isfinite(row).all():
        return "The value is not a number."
    if (np.abs(row) > LARGEST).any():
        return "The value is too large to compute with; give it in another unit."
    if len(row) != n_targets:
        return f"There are {n_targets} targets, but {len(row)} values."
    if goal.kind == "class" and (row[0] < 0 or row[0] % 1):
        return "A class is a whole number from 0."
    return ""


def _named(name: str, values: Sequence[float] | None) -> dict[str, float | None]:
    if values is None or len(values) == 1:
        return {name: values[0] if values else None}
    return {f"{name}_{k}": value for k, value in enumerate(values, 1)}
