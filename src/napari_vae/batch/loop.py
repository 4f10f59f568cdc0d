"""A task on many files: one after the other here, or frame by frame on a Dask cluster."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.arguments import checks_arguments
from ..core.errors import InputError, exit_code, sentence
from ..core.folders import check_writable
from ..core.progress import Stage, never
from ..workflow.records import (
    BEGUN,
    DONE,
    FAILED,
    Record,
    check_unchanged,
    content_of,
    key_from,
    read_record,
    stamp_of,
    write_record,
)
from .frames import let_go
from .inputs import Patterns, find_files, is_open, listed, places
from .outcomes import EARLIER, BatchProgress, Found, Job, Outcome, Parted, StoppedError, Task
from .scheduler import runner
from .summary import check_summary, write_summary


@checks_arguments
def run(
    task: Task,
    files: Patterns,
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    summary: bool | None = None,
    scheduler: Any = None,
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
    scheduler : str, path or distributed.Client, optional
        Address or scheduler file of a Dask cluster, whose workers do the frames of `Detect` and `Encode`; tables are
        parquet then. The files lie on a disk that the workers see under the same names.
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
        If no file is named, `out` cannot be written to, no cluster answers, or the task cannot be done at all.

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
    task = task if scheduler is None else task.by_frame(overwrite)
    task.prepare(len(paths))
    named = places(paths, folder)
    targets = task.targets(named, named[0] if summary else folder)
    results = [_Result(path, target, task.name) for path, target in zip(paths, targets, strict=True)]
    batch = _Batch(task, results, overwrite, summary, progress or (lambda event: None), stop)
    try:
        return batch.outcomes(scheduler)
    finally:  # also when the user interrupts the program
        if summary:
            write_summary(folder, task.name, batch.done)


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


@dataclass(eq=False)
class _Result:
    """The result of a file: its record, the work on it that is begun, and what became of it."""

    path: Path
    target: Path
    task: str
    known: Record | None = None
    work: Parted | None = None
    begun: float = 0.0
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        self.record = Record(str(self.path), self.task, BEGUN)


@dataclass
class _Batch:
    """The state of one run: what is asked for, and what is known so far."""

    task: Task
    results: list[_Result]
    overwrite: bool
    keep_failures: bool
    progress: Callable[[BatchProgress], object]
    stop: Callable[[], bool]
    done: tuple[Outcome, ...] = ()
    worked: int = 0
    seconds: float = 0.0
    ended: float = 0.0
    shares: dict[Path, float] = field(default_factory=dict)
    waiting: deque[tuple[_Result, Job]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.settings, self.left = self.task.settings(), iter(self.results)

    def outcomes(self, scheduler: Any) -> list[Outcome]:
        """Work on the files until the end or until stopped."""
        with runner(scheduler, after=let_go) as do_all:
            try:
                for result, found in do_all(self._next_job):
                    if result.outcome is None:  # nothing is made of what is left of a file that failed
                        self._go_on(result, found)
            except StoppedError as stopped:
                if stopped.__cause__ is not None:
                    raise stopped.__cause__ from None
        return [result.outcome for result in self.results if result.outcome is not None]

    def _next_job(self) -> tuple[_Result, Job] | None:
        """A job that waits, or the first one of the next file that has one; ``None`` where there is none by now."""
        while not self.waiting:
            if (result := next(self.left, None)) is None:
                return None
            result.begun = time.monotonic()
            self._say(result)
            self._go_on(result)
        return self.waiting.popleft()

    def _go_on(self, result: _Result, found: Any = None) -> None:
        """Begin the work on a file, or go on with what a job of it found; what fails is a failure of the file."""
        try:
            outcome = self._begin(result) if result.work is None else self._take(result, found)
        except StoppedError:
            raise
        except Exception as error:
            if os.environ.get("NAPARI_VAE_DEBUG"):
                raise
            outcome = self._fail(result, error)
        if outcome is None:
            return
        now = time.monotonic()
        if outcome.state == DONE:
            self.worked, self.seconds = self.worked + 1, self.seconds + now - max(result.begun, self.ended)
        self.ended, result.outcome, self.done = now, outcome, (*self.done, outcome)
        self.shares.pop(result.path, None)

    def _begin(self, result: _Result) -> Outcome | None:
        """Know a finished result again, or begin the work on it; a file of the same size and date is not read again."""
        path, target, known = result.path, result.target, read_record(result.target)
        result.known, stamp = known, stamp_of(path)
        same = known is not None and bool(known.content) and known.stamp == stamp
        content = known.content if known is not None and same else content_of(path)
        key = key_from(content, self.settings)
        if known is not None and known.state == DONE and known.key == key and target.exists():
            if not same:
                write_record(target, replace(known, content=content, stamp=stamp))
            return Outcome(path, target, EARLIER, known.message, facts=known.facts)
        self.task.check(target)
        check_replaceable(target, known, self.overwrite)
        result.record = replace(result.record, key=key, content=content, stamp=stamp)
        write_record(target, result.record)
        work = self.task.work(path, target, lambda stage: self._say(result, stage))
        if isinstance(work, Found):
            return self._finish(result, work)
        result.work = work
        return self._take(result, None)

    def _take(self, result: _Result, found: Any) -> Outcome | None:
        """Hand what a job found to the work of its file, which has more jobs or is at its end."""
        assert result.work is not None
        more = result.work.throw(found) if isinstance(found, Exception) else result.work.send(found)
        if isinstance(more, Found):
            outcome = self._finish(result, more)
            next(result.work, None)  # it tidies up
            return outcome
        self.waiting.extendleft((result, job) for job in reversed(more))
        return None

    def _finish(self, result: _Result, found: Found) -> Outcome:
        try:
            check_unchanged(result.path, result.record.stamp)
        except InputError as error:  # what was written is of who knows which content, and is replaced next time
            return Outcome(result.path, result.target, FAILED, str(error), exit_code(error))
        write_record(result.target, replace(result.record, state=DONE, message=found.message, facts=found.facts))
        return Outcome(result.path, result.target, DONE, found.message, facts=found.facts)

    def _fail(self, result: _Result, error: Exception) -> Outcome:
        failure = replace(result.record, state=FAILED, message=sentence(error)) if self.keep_failures else None
        with suppress(OSError):  # where no record can be written, the other files may still be done
            write_record(result.target, result.known if result.target.exists() else failure)
        self.waiting = deque(job for job in self.waiting if job[0] is not result)
        return Outcome(result.path, result.target, FAILED, sentence(error), exit_code(error))

    def _say(self, result: _Result, stage: Stage | None = None) -> None:
        if self.stop():
            raise StoppedError
        stages, share = self.task.stages, 0.0
        if stage is not None and stage.name in stages:
            share = (stages.index(stage.name) + stage.fraction) / len(stages)
        self.shares[result.path] = share
        total, done = len(self.results), len(self.done) + sum(self.shares.values())
        left = (total - done) * self.seconds / self.worked if self.worked else None
        try:
            self.progress(BatchProgress(result.path, total, self.done, stage, done / total, left))
        except Exception as error:  # is none of the file
            raise StoppedError from error
