"""Atoms and latents of many files and long movies, a frame at a time, here or on a Dask cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.folders import check_writable, user_path
from ..io.writing import check_table_name
from .frames import Work, do_frame, let_go
from .inputs import find_files
from .names import places
from .scheduler import spreader
from .under_way import FileResult, UnderWay


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
    goes on where it was. The table is the one that `detect_atoms` returns, whoever computed the frames. A file whose
    table was made from the same content with the same options is not done again.

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
    from ..atoms.recipe import Options

    Options(**options)
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
    from ..atoms.recipe import Options
    from ..runs.run import load_run

    Options(**options)
    folder = user_path(run).resolve()
    if load_run(folder, device="cpu").model_config.knows.conditional:
        raise InputError("A conditional model is told something of every atom; encode a table with it, file by file.")
    version = (folder / "weights.safetensors").stat().st_mtime_ns
    return _do(files, out, "latents", Work(options, str(folder), version, dataset), scheduler, overwrite, progress)


def _do(
    files: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    kind: str,
    work: Work,
    scheduler: Any,
    overwrite: bool,
    progress: Callable[[FramesProgress], object] | None,
) -> list[FileResult]:
    folder = check_writable(out)
    check_table_name(folder / "name.parquet")
    paths = [path.resolve() for path in find_files(files)]
    with spreader(scheduler, after=let_go) as spread:
        under_way = {
            str(p): UnderWay.begin(p, place, kind, work, overwrite)
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
