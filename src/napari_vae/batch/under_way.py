"""One file of a job that is done frame by frame: what there is of it, what is missing, and its table in the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import InputError, exit_code, sentence
from ..io.writing import write_table
from ..workflow.records import (
    BEGUN,
    DONE,
    Record,
    check_unchanged,
    content_hash,
    content_of,
    key_from,
    read_record,
    stamp_of,
    write_record,
)
from .frames import FrameJob, FrameResult, Work, jobs_of
from .loop import check_replaceable
from .parts import Parts, check_same_job
from .tables import detection_settings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FileResult:
    """What became of a file.

    Attributes
    ----------
    path, table : Path
        The image, and the table that is written for it.
    frames, rows : int
        Frames that were looked at, and rows of the table.
    problem : Exception or None
        Why there is no table of this image with these options.
    earlier : bool
        Whether the table was there already.
    """

    path: Path
    table: Path
    frames: int = 0
    rows: int = 0
    problem: Exception | None = None
    earlier: bool = False

    @property
    def failed(self) -> bool:
        """Whether there is no table."""
        return self.problem is not None

    @property
    def code(self) -> int:
        """Exit code of the command line: 0, of a failure 2 for bad input and else 1."""
        return 0 if self.problem is None else exit_code(self.problem)

    def __str__(self) -> str:
        if self.problem is None:
            found = f"{self.path.name}: {self.rows} atoms on {self.frames} frames in {self.table}"
            return f"{found} (finished before)" if self.earlier else found
        told = sentence(self.problem)
        return told if self.path.name in told else f"{self.path.name}: {told}"


@dataclass
class UnderWay:
    """A file under way.

    Attributes
    ----------
    first : FrameJob
        The job that tells of the others.
    stamp : list
        Sizes and dates of the file and those that it leads to, when it was begun.
    frames, missing
        Those to be looked at, once the first has told them, and those of which there is no result yet.
    result : FileResult or None
        What became of it; ``None`` while there is work to do.
    """

    path: Path
    target: Path
    task: str
    first: FrameJob
    stamp: list[Any]
    frames: list[int] = field(default_factory=list)
    missing: set[int] = field(default_factory=set)
    result: FileResult | None = None

    @classmethod
    def begin(cls, path: Path, place: Path, kind: str, work: Work, overwrite: bool) -> UnderWay:
        """A file of which the table is to be made, unless it is there already."""
        target = place.with_name(f"{place.name}-{kind}.parquet")
        there = path.is_file()  # if not, whoever reads it says what is wrong
        first = FrameJob(str(path), path.stat().st_mtime_ns if there else 0, work)
        file = cls(path, target, "detect" if kind == "atoms" else "encode", first, stamp_of(path) if there else [])
        if there:
            file._look_back(overwrite)
        return file

    @cached_property
    def content(self) -> str:
        """Hash of the content; large files are read for it only when there is need, and once."""
        return content_of(self.path)

    @property
    def key(self) -> str:
        """Hash of the content and of the options."""
        return key_from(self.content, self._settings)

    @cached_property
    def parts(self) -> Parts:
        """What is there of it already; opening them removes those of another job."""
        return Parts(*self._job)

    @property
    def _job(self) -> tuple[Path, dict[str, Any]]:
        """Where the parts are, and of what."""
        return self.target.with_suffix(".parts"), {"settings": self._settings, "stamp": self.stamp}

    def take(self, outcome: FrameResult | Exception) -> list[FrameJob]:
        """Keep what a job found; the jobs that it makes possible. What goes wrong here is a failure of the file."""
        try:
            if isinstance(outcome, Exception):
                raise outcome
            jobs = self._told(outcome) if not self.frames else []
            if outcome.table is not None and outcome.frame in self.missing:
                self.parts.add(outcome.frame, outcome.table)
                self.missing.discard(outcome.frame)
            if not self.missing:
                table = self.parts.join(self.frames)
                self._keep(table, FileResult(self.path, self.target, len(self.frames), len(table)))
        except Exception as error:
            self.result = FileResult(self.path, self.target, len(self.frames), problem=error)
            return []
        return jobs

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """What the table depends on but the file."""
        work = self.first.work
        model = content_hash(Path(work.run) / name for name in ("run.json", "weights.safetensors")) if work.run else ""
        options = detection_settings(work.detection)
        return {"task": self.task, "detection": _listed(options), "dataset": work.dataset, "run": model}

    def _told(self, outcome: FrameResult) -> list[FrameJob]:
        """The jobs of all frames that are missing, which the first one made known."""
        self.frames = outcome.frames
        if self.parts.basis is None:
            self.parts.begin(outcome.basis)
        self.missing = {frame for frame in self.frames if not self.parts.has(frame)}
        others = [frame for frame in self.frames if frame in self.missing and frame != outcome.frame]
        return jobs_of(self.first, self.parts.basis or outcome.basis, others)

    def _look_back(self, overwrite: bool) -> None:
        """Have a result at once where the table is finished, or may not be replaced."""
        known = read_record(self.target)
        try:
            if known is not None and known.state == DONE and self.target.exists() and self._is_of(known):
                frames, rows = (int(known.facts.get(name) or 0) for name in ("frames", "atoms"))
                self.result = FileResult(self.path, self.target, frames, rows, earlier=True)
                write_record(self.target, replace(known, stamp=self.stamp))
                return
            check_replaceable(self.target, known, overwrite)
            if not overwrite:
                check_same_job(*self._job)
        except InputError as error:
            self.result = FileResult(self.path, self.target, problem=error)

    def _is_of(self, known: Record) -> bool:
        """Whether a record is of this content and these options; a file of the same size and date is not read."""
        if known.content and known.stamp == self.stamp:
            self.content = known.content
        return known.key == self.key

    def _keep(self, table: pd.DataFrame, result: FileResult) -> None:
        check_unchanged(self.path, self.stamp)
        record = Record(str(self.path), self.task, BEGUN, self.key, content=self.content, stamp=self.stamp)
        write_record(self.target, record)
        write_table(table, self.target)
        facts = {"frames": result.frames, "atoms": result.rows}
        write_record(self.target, replace(record, state=DONE, message=str(result), facts=facts))
        self.result = result
        self.parts.discard()


def _listed(value: Any) -> Any:
    """Arrays as lists, and what JSON does not know as text."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
