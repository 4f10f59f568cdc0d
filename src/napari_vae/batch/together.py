"""One model of many files: the windows of all in one training, and a table of where each came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.folders import check_writable, replace_folder
from ..core.normalization import levels_of
from ..core.positions import on_grid, table_spacing
from ..core.progress import Stage, never
from ..core.units import size_ratio
from ..io.csv_tables import write_csv
from ..io.writing import read_table, write_table
from ..patches.patches import Patches, extract_patches, suggest_window
from ..runs.likeness import OTHER_SCALE
from ..runs.run import Run
from ..training.processes import Group
from ..workflow.analyze import encode_patches, train_model
from ..workflow.records import (
    BEGUN,
    DONE,
    FAILED,
    Record,
    State,
    check_unchanged,
    content_of,
    key_from,
    read_record,
    stamp_of,
    write_record,
)
from .columns import atom_columns
from .inputs import Patterns, find_files
from .loop import check_replaceable
from .models import Train
from .outcomes import EARLIER, Outcome, StoppedError
from .sources import Source, share_out

WINDOWS, FILES = "windows.csv", "files.csv"
MARKER = "run.json"


@checks_arguments
def train_on_all(
    job: Train,
    files: Patterns,
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Callable[[Stage], None] | None = None,
    stop: Callable[[], bool] = never,
    group: Group | None = None,
) -> list[Outcome]:
    """Train one model on the windows of all files, and write it with tables of its windows and files.

    The intensities of every image are brought to the spread of the first, so that exposures may differ; the window, in
    pixels, is the same everywhere. A file that cannot be used is noted and left out.

    Parameters
    ----------
    job : Train
        Model, training and detection.
    files : path or sequence of paths
        Images, folders of images, and patterns such as ``"today/*.dm4"``.
    out : path
        Folder for the model: a run with ``windows.csv``, a row per window in the order of the training (``file``,
        ``frame``, the columns of the atom, and what the model says of it), and ``files.csv``, a row per file.
    overwrite : bool
        Replace a model of other images or settings.
    progress : callable, optional
        Called with a `Stage` as the work goes on; what it raises ends the work, and nothing is written.
    stop : callable, optional
        Asked as the work goes on. When it returns True the training ends, and the model is written as it is then; the
        same call makes it anew. While atoms are detected, nothing is written.
    group : Group, optional
        Processes that train together, of which the first writes; all see `files` and `out` on the same disk. Each
        detects the atoms of some files.

    Returns
    -------
    list of Outcome
        One per file, in order; that of a file left out has failed. None if it was stopped before the training.

    Raises
    ------
    InputError
        If pixels are more than a quarter larger in one file than in another, no file can be used, or the model cannot
        be trained or written.

    Examples
    --------
    >>> from napari_vae import ModelConfig, TrainConfig, batch
    >>> job = batch.Train(ModelConfig.preset("rvae"), TrainConfig())
    >>> batch.train_on_all(job, "today/*.dm4", "run")  # doctest: +SKIP
    """
    say = progress or (lambda stage: None)
    sources, target = [Source(path) for path in find_files(files)], check_writable(out)
    job.check_table(len(sources))
    job.prepare(1)
    record, known = Record("", job.name, BEGUN, _key(job, sources)), read_record(target)
    if known is not None and (known.state, known.key) == (DONE, record.key) and (target / FILES).is_file():
        return _outcomes(read_table(target / FILES), sources, target, EARLIER)
    job.check(target)
    check_replaceable(target, known, overwrite)
    if group is not None:
        group.any(False)  # all have looked before the first one writes
    if group is not None and not group.first:
        windows = _all_windows(job, sources, say, group=group)
        train_model(windows, job.model, job.train, say, job.given, group=group)
        return _outcomes(_table_of(sources), sources, target, DONE)
    write_record(target, record)
    options: dict[str, Any] = {"stop": stop} if group is None else {"stop": stop, "group": group}
    try:
        windows = _all_windows(job, sources, say, stop, group)
        run = train_model(windows, job.model, job.train, say, job.given, **options)
        say(Stage("write"))
        _write(run, windows, sources, target, job)
    except BaseException as error:
        write_record(target, known)
        if isinstance(error, StoppedError):
            return []
        raise
    words = f"one model of {len(windows)} windows"
    facts: dict[str, Any] = {"windows": len(windows), "warning": run.note}
    state: State = BEGUN if run.stopped else DONE
    write_record(target, replace(record, state=state, message=words, facts=facts))
    return _outcomes(_table_of(sources), sources, target, DONE)


def _key(job: Train, sources: list[Source]) -> str:
    """Hash of the settings, and of names and contents of the files; one that cannot be opened has no content."""
    known: list[list[str]] = []
    for source in sources:
        known.append([source.path.name])
        source.attempt(lambda source: _note_content(source, known[-1]))
    text = json.dumps([job.settings(), known], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _note_content(source: Source, known: list[str]) -> None:
    source.stamp = stamp_of(source.path)
    known.append(key_from(content_of(source.path), {}))


def _all_windows(
    job: Train,
    sources: list[Source],
    say: Callable[[Stage], None],
    stop: Callable[[], bool] = never,
    group: Group | None = None,
) -> Patches:
    """The windows of all files that can be used, one after the other."""

    def look(source: Source) -> None:
        image = job.read(source.path)
        source.pixel_size, source.units = image.pixel_size, image.units

    def detect(source: Source) -> None:
        def part(stage: Stage) -> None:
            if stop():
                raise StoppedError
            say(Stage(stage.name, (number + stage.fraction) / len(sources), source.path.name))

        number = sources.index(source)
        image = job.read(source.path)
        source.atoms = job.find_atoms(image, part)
        if source.atoms.empty:
            raise InputError("No atoms are found; nothing stands out of noise and texture as atoms do.")
        if job.covariate is not None:
            source.atoms = job.covariate.on_atoms(source.atoms, image, source.path, number, len(sources))

    def cut(source: Source) -> None:
        assert source.atoms is not None
        image, first = job.read(source.path), next(iter(_used(sources)), None)
        if first is not None and image.n_channels != first.data.shape[1]:
            raise InputError(f"It has {image.n_channels} channels, those before {first.data.shape[1]}; give as many.")
        levels = None if first is None else levels_of(first.data)
        check_unchanged(source.path, source.stamp)
        level = job.level if first is None else first.level
        source.patches = extract_patches(image, source.atoms, window=window, levels=levels, level=level)

    for source in sources:
        source.attempt(look)
    _check_pixel_sizes(sources)
    share_out(sources, detect, group)
    tables = [source.atoms for source in sources if source.atoms is not None and not source.problem]
    spacings = [table_spacing(table) for table in tables if not on_grid(table)]
    window = suggest_window(float(np.median(spacings)) if spacings else None) if job.window == "auto" else job.window
    for source in sources:
        source.attempt(cut)
    return _joined(sources)


def _check_pixel_sizes(sources: list[Source]) -> None:
    """Refuse files in which the same window shows another part of the motif."""
    known = [source for source in sources if source.pixel_size and not source.problem]
    for source in known[1:]:
        ratio = size_ratio(source.pixel_size, source.units, known[0].pixel_size, known[0].units)
        if ratio is not None and max(ratio, 1 / ratio) > OTHER_SCALE:
            raise InputError(
                f"The pixels of {source.path.name} are {ratio:.2g} times as large as those of {known[0].path.name}, so "
                "one window would show different parts of the motif; train one model for each pixel size."
            )


def _used(sources: list[Source]) -> list[Patches]:
    return [source.patches for source in sources if source.patches is not None]


def _joined(sources: list[Source]) -> Patches:
    """Windows of all, numbered through, with their file and frame; in the limits of the first."""
    cut = _used(sources)
    if not cut:
        assert sources[0].problem is not None  # what was not cut has failed
        name, (why, _) = sources[0].path.name, sources[0].problem
        raise InputError(f"None of the files can be used; {why if name in why else f'{name}: {why}'}")
    tables = []
    for source in sources:
        if source.patches is not None:
            table = source.patches.atoms
            frames = table.get("frame", 0)
            rest = table.drop(columns=["file", "frame"], errors="ignore")
            place = pd.DataFrame({"file": str(source.path), "frame": frames}, index=table.index)
            tables.append(pd.concat([place, rest], axis=1))
    atoms = pd.concat(tables, ignore_index=True)
    dropped = pd.concat([windows.dropped for windows in cut], ignore_index=True)
    data = np.concatenate([windows.data for windows in cut])
    in_gaps = sum(windows.in_gaps for windows in cut)
    bright = np.concatenate([windows.brightness for windows in cut])
    known: dict[str, Any] = {"dropped": dropped, "in_gaps": in_gaps, "brightness": bright}
    return replace(cut[0], data=data, atoms=atoms, name=f"{len(cut)} files", **known)


def _write(run: Run, windows: Patches, sources: list[Source], target: Path, job: Train) -> None:
    """The model and the tables, all or nothing."""
    encoded = encode_patches(run, windows, job.given)
    latents = windows.atoms.drop(columns=list(encoded), errors="ignore").join(encoded)
    with replace_folder(target, MARKER) as new:
        run.save(new)
        write_table(latents, new / WINDOWS)
        write_csv(_table_of(sources), new / FILES)


def _table_of(sources: list[Source]) -> pd.DataFrame:
    rows = []
    for source in sources:
        row: dict[str, Any] = {"file": str(source.path), "state": FAILED, "code": 0, "windows": 0}
        if source.patches is None or source.atoms is None:
            assert source.problem is not None
            row |= {"code": source.problem[1], "message": source.problem[0]}
        else:
            row |= {"state": DONE, "windows": len(source.patches), "message": f"{len(source.patches)} windows"}
            row |= atom_columns(source.atoms)
        rows.append(row)
    return pd.DataFrame(rows)


def _outcomes(table: pd.DataFrame, sources: list[Source], target: Path, done: str) -> list[Outcome]:
    """What became of every file, as the table beside the model says."""
    known = table.astype(object).where(table.notna(), None).to_dict("records")
    outcomes = []
    for source, row in zip(sources, known, strict=True):
        state = FAILED if row["state"] == FAILED else done
        outcomes.append(
            Outcome(source.path, target, state, row["message"], int(row["code"]), {"windows": row["windows"]})
        )
    return outcomes
