"""The record of an exploration as a folder of plain files, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from ..errors import ReadError
from ..folders import check_replaceable, open_folder, replace_folder, user_path
from ..io.json_files import read_json
from .record import ExplorationRecord
from .steps import Step

#: The file that marks a folder as a record.
MARKER = "exploration.json"
TABLE = "measurements.csv"
FORMAT = 1


def save_record(record: ExplorationRecord, folder: str | Path) -> Path:
    """Write a record; see `ExplorationRecord.save`. The numbers in the JSON are exact, the table is for the eye."""
    from ..io.writing import write_table

    text = json.dumps({"format": FORMAT, **asdict(record)}, allow_nan=False, ensure_ascii=False)
    with replace_folder(folder, MARKER) as new:
        write_table(record.table, new / TABLE)
        (new / MARKER).write_text(text + "\n", encoding="utf-8")
    return Path(folder)


def load_record(folder: str | Path) -> ExplorationRecord:
    """Read a record; see `ExplorationRecord.load`."""
    with open_folder(folder, MARKER, f"holds no exploration: it has no {MARKER}.") as path:
        return _read(path)


def _read(folder: Path) -> ExplorationRecord:
    try:
        told = read_json(folder / MARKER)
        if told["format"] > FORMAT:
            raise ReadError(f"The exploration in {folder} was written by a newer version; update napari-vae.")
        steps = tuple(Step.from_dict(step) for step in told["steps"])
        record = ExplorationRecord(dict(told["settings"]), dict(told["provenance"]), steps, str(told["reason"]))
        record.goal.check(record.targets.shape[1])
        return record
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(
            f"The exploration in {folder} is damaged ({type(error).__name__}); start a new one, or use a copy."
        ) from error


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
