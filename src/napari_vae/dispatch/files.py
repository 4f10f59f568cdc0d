"""Atoms and latents of many files and long movies, a frame at a time, here or on a Dask cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..archive import check_writable
from ..errors import InputError
from ..io.writing import check_table_name, write_table
from ..terminal import exit_code, sentence
from .frames import FrameJob, FrameResult, Work, do_frame, jobs_of
from .parts import Parts
from .spreading import spreader


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
        Why there is no table.
    """

    path: Path
    table: Path
    frames: int = 0
    rows: int = 0
    problem: Exception | None = None

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
            return f"{self.path.name}: {self.rows} atoms on {self.frames} frames in {self.table}"
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
    progress: Callable[[FramesProgress], object] | None = None,
    **options: Any,
) -> list[FileResult]:
    """Detect the atoms of images and movies frame by frame: ``FILE-atoms.parquet`` in `out` for each.

    Frames that are done are kept in ``FILE-atoms.parts`` until the table is complete, so a job that was broken off
    goes on where it was. The table is the one that `detect_atoms` returns, whoever computed the frames.

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
    return _do(files, out, "atoms", Work(options, dataset=dataset), scheduler, progress)


def encode_files(
    run: str | PathLike[str],
    files: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    scheduler: Any = None,
    dataset: str | int | None = None,
    progress: Callable[[FramesProgress], object] | None = None,
    **options: Any,
) -> list[FileResult]:
    """Detect the atoms of images and movies and encode them with a trained model: ``FILE-latents.parquet`` for each.

    0 and 1 of the model are the limits of the first frame of each file, for all its frames.

    Parameters
    ----------
    run : path
        Folder of a trained model, which the workers see too.
    files, out, scheduler, dataset, progress, **options
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
    return _do(files, out, "latents", Work(options, str(folder), version, dataset), scheduler, progress)


@dataclass
class _File:
    """A file under way."""

    path: Path
    target: Path
    first: FrameJob
    parts: Parts
    frames: list[int] = field(default_factory=list)
    missing: set[int] = field(default_factory=set)
    result: FileResult | None = None

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
            write_table(table, self.target)
            self.parts.discard()
            self.result = FileResult(self.path, self.target, len(self.frames), len(table))
        return jobs


def _do(
    files: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    kind: str,
    work: Work,
    scheduler: Any,
    progress: Callable[[FramesProgress], object] | None,
) -> list[FileResult]:
    from ..batch.inputs import find_files, places

    folder = check_writable(out)
    check_table_name(folder / "name.parquet")
    paths = [path.resolve() for path in find_files(files)]
    with spreader(scheduler) as spread:
        under_way = {
            str(p): _begin(p, place, kind, work) for p, place in zip(paths, places(paths, folder), strict=True)
        }
        queue = deque(file.first for file in under_way.values())
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


def _begin(path: Path, place: Path, kind: str, work: Work) -> _File:
    target = place.with_name(f"{place.name}-{kind}.parquet")
    about = path.stat() if path.is_file() else None  # whoever reads it says what is wrong
    first = FrameJob(str(path), 0 if about is None else about.st_mtime_ns, work)
    settings = {**asdict(first), "bytes": 0 if about is None else about.st_size}
    return _File(path, target, first, Parts(target.with_suffix(".parts"), _listed(settings)))


def _listed(value: Any) -> Any:
    """Arrays as lists, and what JSON does not know as text."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
