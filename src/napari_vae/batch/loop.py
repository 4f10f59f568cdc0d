"""A task on many files, one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..core.errors import InputError, exit_code, sentence
from ..core.folders import check_writable
from ..core.progress import never
from ..workflow.records import BEGUN, DONE, FAILED, Record, check_unchanged, key_of, read_record, stamp_of, write_record
from .inputs import Patterns, find_files, is_open, listed
from .names import places
from .summary import check_summary, write_summary

if TYPE_CHECKING:
    from ..workflow.analyze import Stage

EARLIER = "finished before"

Say = Callable[["Stage"], None]


@dataclass(frozen=True)
class Found:
    """What a task found in a file: a sentence, and plain values for the summary table."""

    message: str
    facts: dict[str, Any] = field(default_factory=dict)


class Task(Protocol):
    """What is done with every file."""

    #: In a word.
    name: ClassVar[str]
    #: Names of the stages of the work on one file, in order.
    stages: ClassVar[tuple[str, ...]]

    def prepare(self, n_files: int) -> None:
        """Check the options and read what all files need; raises `InputError`."""

    def settings(self) -> dict[str, Any]:
        """Everything but the image that the result depends on, as values that JSON knows."""

    def targets(self, places: Sequence[Path], out: Path) -> list[Path]:
        """The file or folder that is written for each place; `out` is the place where one file is to have it."""

    def check(self, target: Path) -> None:
        """Raise `InputError` if something that is not ours would be replaced."""

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Do it, and write the target, whole or not at all."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    path, target : Path
        The image, and what is written for it.
    state : {"done", "finished before", "failed"}
    message : str
        What was found, or why it failed.
    code : int
        Exit code of a failure: 2 for bad input, 1 for a fault of the program; else 0.
    facts : dict
        Columns of the summary table.
    """

    path: Path
    target: Path
    state: str
    message: str
    code: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether nothing was written."""
        return self.state == FAILED

    def __str__(self) -> str:
        if self.failed and self.path.name in self.message:
            return self.message
        return f"{self.path.name}: {f'{EARLIER}; ' if self.state == EARLIER else ''}{self.message}"


@dataclass(frozen=True)
class BatchProgress:
    """Where a batch is.

    Attributes
    ----------
    path : Path
        The file at work.
    total : int
        How many files there are.
    outcomes : tuple of Outcome
        What became of those before it.
    stage : Stage or None
        Of the file at work; ``None`` when it is begun.
    fraction : float
        Share of the whole that is done.
    seconds_left : float or None
        Estimate from the files that were worked on; ``None`` until there is one.
    """

    path: Path
    total: int
    outcomes: tuple[Outcome, ...]
    stage: Stage | None = None
    fraction: float = 0.0
    seconds_left: float | None = None

    @property
    def message(self) -> str:
        """What is being done, in words."""
        what = "" if self.stage is None else f": {' '.join(filter(None, [self.stage.name, self.stage.message]))}"
        return f"File {len(self.outcomes) + 1} of {self.total}, {self.path.name}{what}"


class StoppedError(Exception):
    """Ends the work on a file when the user wants no more of it."""


def run(
    task: Task,
    files: Patterns,
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    summary: bool | None = None,
    progress: Callable[[BatchProgress], object] | None = None,
    stop: Callable[[], bool] = never,
) -> list[Outcome]:
    """Do a task on every file, and write what came of it as ``summary.csv`` and ``report.html``.

    Each result appears whole or not at all. A file whose result is there, from the same content and settings, is not
    done again: so a batch that was stopped or killed goes on where it was. A file that fails is noted, and the rest is
    done.

    Parameters
    ----------
    task : Detect, Crystal, Encode, Analyze or Train
        What to do.
    files : path or sequence of paths
        Images, folders of images, and patterns such as ``"today/*.dm4"``.
    out : path
        Folder for the results.
    overwrite : bool
        Replace results of other images or settings that are there already; otherwise such a file fails.
    summary : bool, optional
        Write the summary, of everything that is in `out`, and give every file a folder of its own where a task writes
        folders. By default when there are several files, or a folder or a pattern was named.
    progress : callable, optional
        Called with a `BatchProgress` when a file is begun and as the work on it goes on.
    stop : callable, optional
        Asked at the same times; when it returns True the file at work is left and the batch ends.

    Returns
    -------
    list of Outcome
        In the order of the files; without those that were not reached.

    Raises
    ------
    InputError
        If no file is named, `out` cannot be written to, or the task cannot be done at all.

    Examples
    --------
    >>> from napari_vae import batch
    >>> batch.run(batch.Detect(), "today/*.dm4", "tables")  # doctest: +SKIP
    """
    paths, folder = find_files(files), check_writable(out)
    if summary is None:
        summary = len(paths) > 1 or any(map(is_open, listed(files)))
    if summary:
        check_summary(folder)
    task.prepare(len(paths))
    named = places(paths, folder)
    targets = task.targets(named, named[0] if summary else folder)
    work = _Batch(task, paths, targets, overwrite, summary, progress or (lambda event: None), stop)
    try:
        return work.outcomes()
    finally:  # also when the user interrupts the program
        if summary:
            write_summary(folder, task.name, work.done)


def make_way(task: Task, target: Path, known: Record | None, overwrite: bool) -> None:
    """Refuse to replace what is not asked to be.

    Raises
    ------
    InputError
        If something is there that may not be replaced.
    """
    task.check(target)
    check_replaceable(target, known, overwrite)


def check_replaceable(target: Path, known: Record | None, overwrite: bool) -> None:
    """Refuse to replace a result that is complete, unless it is asked for.

    Raises
    ------
    InputError
        If it is there.
    """
    ours = known is not None and known.state == BEGUN
    if target.exists() and not (ours or overwrite):
        raise InputError(
            f"{target} exists already, made from another image or with other settings; choose another folder for "
            "the results, or allow it to be replaced (--overwrite)."
        )


@dataclass
class _Batch:
    """The state of one run: what is asked for, and what is known so far."""

    task: Task
    paths: list[Path]
    targets: list[Path]
    overwrite: bool
    keep_failures: bool
    progress: Callable[[BatchProgress], object]
    stop: Callable[[], bool]
    done: tuple[Outcome, ...] = ()
    worked: int = 0
    seconds: float = 0.0

    def outcomes(self) -> list[Outcome]:
        """Work on the files until the end or until stopped."""
        settings = self.task.settings()
        for path, target in zip(self.paths, self.targets, strict=True):
            begun = time.monotonic()
            try:
                outcome = self._one(path, target, settings)
            except StoppedError:
                break
            if outcome.state == DONE:
                self.worked, self.seconds = self.worked + 1, self.seconds + time.monotonic() - begun
            self.done = (*self.done, outcome)
        return list(self.done)

    def _one(self, path: Path, target: Path, settings: dict[str, Any]) -> Outcome:
        self._say(path, None)
        record, known = Record(str(path), self.task.name, BEGUN), read_record(target)
        try:
            record = replace(record, stamp=stamp_of(path), key=key_of(path, settings))
            return self._work(path, target, record, known)
        except StoppedError:
            raise
        except Exception as error:
            if os.environ.get("NAPARI_VAE_DEBUG"):
                raise
            failure = replace(record, state=FAILED, message=sentence(error)) if self.keep_failures else None
            with suppress(OSError):  # where no record can be written, the other files may still be done
                write_record(target, known if target.exists() else failure)
            return Outcome(path, target, FAILED, sentence(error), exit_code(error))

    def _work(self, path: Path, target: Path, record: Record, known: Record | None) -> Outcome:
        if known is not None and known.state == DONE and known.key == record.key and target.exists():
            return Outcome(path, target, EARLIER, known.message, facts=known.facts)
        make_way(self.task, target, known, self.overwrite)
        write_record(target, record)
        found = self.task.work(path, target, lambda stage: self._say(path, stage))
        try:
            check_unchanged(path, record.stamp)
        except InputError as error:  # what was written is of who knows which content, and is replaced next time
            return Outcome(path, target, FAILED, str(error), exit_code(error))
        write_record(target, replace(record, state=DONE, message=found.message, facts=found.facts))
        return Outcome(path, target, DONE, found.message, facts=found.facts)

    def _say(self, path: Path, stage: Stage | None) -> None:
        if self.stop():
            raise StoppedError
        total, part = len(self.paths), 0.0
        if stage is not None and stage.name in self.task.stages:
            part = (self.task.stages.index(stage.name) + stage.fraction) / len(self.task.stages)
        left = (total - len(self.done) - part) * self.seconds / self.worked if self.worked else None
        self.progress(BatchProgress(path, total, self.done, stage, (len(self.done) + part) / total, left))
