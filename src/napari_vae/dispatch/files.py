"""Atoms and latents of many files and long movies, a frame at a time, here or on a Dask cluster."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..archive import check_writable
from ..errors import InputError
from ..io.writing import check_table_name, write_table
from ..terminal import exit_code, sentence
from .frames import FrameJob, FrameResult, Work, do_frame, jobs_of
from .parts import Parts
from .spreading import spreader

if TYPE_CHECKING:
    import pandas as pd

    from ..batch.records import Record


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


@dataclass(frozen=True)
class FramesProgress:
    """A frame is done: of `path`, `done` out of `total`."""

    path: Path
    done: int
    total: int


def detect_files(
    files: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    scheduler: Any = None,
    dataset: str | int | None = None,
    overwrite: bool = False,
    progress: Callable[[FramesProgress], object] | None = None,
    **options: Any,
) -> list[FileResult]:
    """Detect the atoms of images and movies frame by frame: ``FILE-atoms.parquet`` in `out` for each.

    Frames that are done are kept in ``FILE-atoms.parts`` until the table is complete, so a job that was broken off
    goes on where it was. The table is the one that `detect_atoms` returns, whoever computed the frames. A file that is
    unchanged since its table was made with the same options is not done again.

    Parameters
    ----------
    files : sequence of paths
        With a scheduler on a disk that its workers see under the same name.
    out : path
        Folder for the tables; only this process writes there.
    scheduler : str, path or distributed.Client, optional
        Address or scheduler file of a Dask cluster that does the frames; by default this process does them.
    dataset : str or int, optional
        Name or number of the image in files with several.
    overwrite : bool
        Replace tables of other images or options that are there already; otherwise such a file fails.
    progress : callable, optional
        Called with a `FramesProgress` after every frame.
    **options
        Those of `detect_atoms`.

    Returns
    -------
    list of FileResult
        One per file, in order; a file that fails keeps no other from being done.

    Raises
    ------
    InputError
        For unknown options, a cluster that does not answer, or a folder that cannot be written to; before any work.

    Examples
    --------
    >>> detect_files(["movie.tif"], "tables", scheduler="tcp://node1:8786")  # doctest: +SKIP
    """
    from ..atoms.recipe import options_of

    options_of(options)
    return _do(files, out, "atoms", Work(options, dataset=dataset), scheduler, overwrite, progress)


def encode_files(
    run: str | PathLike[str],
    files: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    scheduler: Any = None,
    dataset: str | int | None = None,
    overwrite: bool = False,
    progress: Callable[[FramesProgress], object] | None = None,
    **options: Any,
) -> list[FileResult]:
    """Detect the atoms of images and movies and encode them with a trained model: ``FILE-latents.parquet`` for each.

    0 and 1 of the model are the limits of the first frame of each file, for all its frames.

    Parameters
    ----------
    run : path
        Folder of a trained model, which the workers see too.
    files, out, scheduler, dataset, overwrite, progress, **options
        As in `detect_files`.

    Returns
    -------
    list of FileResult

    Raises
    ------
    InputError
        As `detect_files`, or if the model is a conditional one.
    ReadError
        If the folder holds no run.
    """
    from ..atoms.recipe import options_of
    from ..run import load_run

    options_of(options)
    folder = Path(run).expanduser().resolve()
    if load_run(folder, device="cpu").model_config.kind == "conditional":
        raise InputError("A conditional model is told something of every atom; encode a table with it, file by file.")
    version = (folder / "weights.safetensors").stat().st_mtime_ns
    return _do(files, out, "latents", Work(options, str(folder), version, dataset), scheduler, overwrite, progress)


@dataclass
class _File:
    """A file under way."""

    path: Path
    target: Path
    first: FrameJob
    record: Record
    settings: dict[str, Any]
    frames: list[int] = field(default_factory=list)
    missing: set[int] = field(default_factory=set)
    result: FileResult | None = None

    @cached_property
    def parts(self) -> Parts:
        """What is there of it already; opening them removes those of another job."""
        return Parts(self.target.with_suffix(".parts"), self.settings)

    def take(self, outcome: FrameResult | Exception) -> list[FrameJob]:
        """Keep what a job found; the jobs that it makes possible."""
        if isinstance(outcome, Exception):
            self.result = self.result or FileResult(self.path, self.target, len(self.frames), problem=outcome)
            return []
        jobs: list[FrameJob] = []
        if not self.frames:
            self.frames = outcome.frames
            if self.parts.basis is None:
                self.parts.begin(outcome.basis)
            self.missing = {frame for frame in self.frames if not self.parts.has(frame)}
            others = [frame for frame in self.frames if frame in self.missing and frame != outcome.frame]
            jobs = jobs_of(self.first, self.parts.basis or outcome.basis, others)
        if outcome.frame in self.missing:
            self.parts.add(outcome.frame, outcome.table)
            self.missing.discard(outcome.frame)
        if not self.missing:
            table = self.parts.join(self.frames)
            self.result = FileResult(self.path, self.target, len(self.frames), len(table))
            self._keep(table, self.result)
        return jobs

    def look_back(self, overwrite: bool) -> None:
        """Have a result at once where the table is finished, or may not be replaced."""
        from ..batch.records import DONE, read_record
        from ..batch.running import check_replaceable

        known = read_record(self.target)
        if known is not None and (known.state, known.key) == (DONE, self.record.key) and self.target.exists():
            frames, rows = (known.facts.get(name, 0) for name in ("frames", "atoms"))
            self.result = FileResult(self.path, self.target, frames, rows, earlier=True)
            return
        try:
            check_replaceable(self.target, known, overwrite)
        except InputError as error:
            self.result = FileResult(self.path, self.target, problem=error)

    def _keep(self, table: pd.DataFrame, result: FileResult) -> None:
        from ..batch.records import DONE, write_record

        write_record(self.target, self.record)
        write_table(table, self.target)
        facts = {"frames": result.frames, "atoms": result.rows}
        write_record(self.target, replace(self.record, state=DONE, message=str(result), facts=facts))
        self.parts.discard()


def _do(
    files: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    kind: str,
    work: Work,
    scheduler: Any,
    overwrite: bool,
    progress: Callable[[FramesProgress], object] | None,
) -> list[FileResult]:
    from ..batch.inputs import find_files, places

    folder = check_writable(out)
    check_table_name(folder / "name.parquet")
    paths = [path.resolve() for path in find_files(files)]
    with spreader(scheduler) as spread:
        under_way = {
            str(p): _begin(p, place, kind, work, overwrite)
            for p, place in zip(paths, places(paths, folder), strict=True)
        }
        queue = deque(file.first for file in under_way.values() if file.result is None)
        for job, outcome in spread(do_frame, queue):
            file = under_way[job.path]
            if file.result is None:  # what is left of a failed file is of no use
                queue.extendleft(reversed(file.take(outcome)))
                if progress is not None and file.frames:
                    progress(FramesProgress(file.path, len(file.frames) - len(file.missing), len(file.frames)))
            if file.result is not None and file.result.problem is not None:
                for left in [waiting for waiting in queue if waiting.path == job.path]:
                    queue.remove(left)
    return [file.result for file in under_way.values() if file.result is not None]


def _begin(path: Path, place: Path, kind: str, work: Work, overwrite: bool) -> _File:
    from ..batch.records import BEGUN, Record

    target = place.with_name(f"{place.name}-{kind}.parquet")
    about = path.stat() if path.is_file() else None  # whoever reads it says what is wrong
    first = FrameJob(str(path), 0 if about is None else about.st_mtime_ns, work)
    settings = _listed({**asdict(first), "bytes": 0 if about is None else about.st_size})
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    record = Record(str(path), "detect" if kind == "atoms" else "encode", BEGUN, key)
    file = _File(path, target, first, record, settings)
    if about is not None:
        file.look_back(overwrite)
    return file


def _listed(value: Any) -> Any:
    """Arrays as lists, and what JSON does not know as text."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
