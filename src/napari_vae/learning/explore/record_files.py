"""The record of an exploration as a folder of plain files, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ...core.errors import InputError
from ...core.folders import check_replaceable, open_folder, replace_folder, user_path
from ...core.settings import Count, NotNegative, Number, Open, Saved, Seed, Whole, about
from ...io.json_files import read_json
from .goals import Goal, Wanted
from .record import ExplorationRecord
from .steps import Candidate, Step
from .telling import problem

#: The file that marks a folder as a record.
MARKER = "exploration.json"
TABLE = "measurements.csv"
FORMAT = 1


class _Settings(Open):
    kind: Literal["real", "angle", "class"]
    acquisition: Literal["ei", "ucb", "pi", "variance", "thompson", "information"]
    goal: Wanted
    target: Annotated[Whole, about(ge=0)] | list[Number]
    kappa: NotNegative
    start: Annotated[list[Candidate], Field(min_length=1)]
    batch: Count
    refit_every: Count
    seed: Seed
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
        known = self.settings
        goal = Goal.of(known.kind, known.goal, known.target, known.acquisition)
        rows = [np.array(values) for step in self.steps for values in step.values if values is not None]
        if rows:
            goal.check(len(rows[0]))
        if not all(step.is_whole() for step in self.steps) or any(problem(row, goal, len(rows[0])) for row in rows):
            raise InputError("some steps do not tell the same of every candidate")
        if max(*known.start, 0, *(i for step in self.steps for i in step.indices)) >= self.provenance.n_candidates:
            raise InputError("it tells of more candidates than there are")
        return self


def save_record(record: ExplorationRecord, folder: str | Path) -> Path:
    """Write a record; see `ExplorationRecord.save`. The numbers in the JSON are exact, the table is for the eye."""
    from ...io.writing import write_table

    text = _text({"format": FORMAT, **asdict(record)})
    with replace_folder(folder, MARKER) as new:
        write_table(record.table, new / TABLE)
        (new / MARKER).write_bytes(text)
    return Path(folder)


def _text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def load_record(folder: str | Path) -> ExplorationRecord:
    """Read a record; see `ExplorationRecord.load`."""
    with open_folder(folder, MARKER, f"holds no exploration: it has no {MARKER}.") as path:
        told = read_json(path / MARKER, RecordFile)
    return ExplorationRecord(told.settings.plain(), told.provenance.plain(), told.steps, told.reason)


def load_or_new(record: ExplorationRecord | str | Path | None) -> tuple[ExplorationRecord | None, Path | None]:
    """The record to go on from, and the folder to keep it in; either may be missing.

    Raises
    ------
    InputError
        If the folder holds something else, or a damaged record.
    """
    if record is None or isinstance(record, ExplorationRecord):
        return record, None
    folder = user_path(record)
    check_replaceable(folder, MARKER)
    return (ExplorationRecord.load(folder) if (folder / MARKER).is_file() else None), folder
