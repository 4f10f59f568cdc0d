"""Atoms frame by frame: what a worker does, which reads the frame itself, and how the table of a file is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from ..atoms.damage import first_usable
from ..atoms.detect import detect_frame
from ..atoms.estimates import measure
from ..atoms.frames import BadFrameError, describe_skipped, frame_list, open_frames
from ..atoms.recipe import Options, Recipe
from ..atoms.subpixel import blank_table
from ..core.micrograph import Micrograph, first_channel
from ..core.progress import Stage
from ..core.square import pixel_sides, with_sides
from ..io.reading import read
from ..io.writing import check_table_name, origin_in, write_table
from ..workflow.records import stamp_of
from .columns import KEY, pixel_columns, said
from .outcomes import Found, Job, Parted, Say
from .parts import COUNT, SKIPPED, Parts
from .tasks import WritesTable, detection_settings, pixel_size_settings


@dataclass(frozen=True)
class Frames(WritesTable):
    """The atoms of images and movies, frame by frame: ``FILE-atoms.parquet``.

    Frames that are done are kept in ``FILE-atoms.parts`` until the table is complete.

    Parameters
    ----------
    detection : dict
        Options of `detect_atoms`.
    dataset : str or int, optional
        Name or number of the image in files with several.
    overwrite : bool
        Whether frames of the same file that were done with other options may be lost.
    pixel_size : (float, float), optional
        Nanometres along rows and columns, in place of what the files say.
    """

    detection: dict[str, Any] = field(default_factory=dict)
    dataset: str | int | None = None
    overwrite: bool = False
    pixel_size: tuple[float, float] | None = None

    name: ClassVar[str] = "detect"
    ending = "atoms"
    suffix = ".parquet"
    stages: ClassVar[tuple[str, ...]] = ("frames",)
    #: Whether what the first frame says of the others is known before the frame itself is done.
    measures: ClassVar[bool] = True

    def prepare(self, n_files: int) -> None:
        """Refuse unknown options, and a table that could not be written."""
        self.settings()
        check_table_name(Path("table.parquet"))

    def settings(self) -> dict[str, Any]:
        """What the table depends on."""
        known = {"task": self.name, "detection": detection_settings(self.detection), "dataset": self.dataset, "run": ""}
        return known | pixel_size_settings(self.pixel_size)

    def by_frame(self, overwrite: bool) -> Frames:
        """Itself."""
        return self

    def describe(
        self, image: Micrograph, atoms: pd.DataFrame, recipe: Recipe, limits: dict[str, Any] | None
    ) -> tuple[pd.DataFrame, dict[str, Any] | None]:
        """The table of a frame and the limits of its intensities, which are those of the first frame if given."""
        return atoms, None

    def work(self, path: Path, target: Path, say: Say) -> Parted:
        """Do the first frame or measure it, do the others with what it says, and write the table."""
        identity = {"settings": self.settings(), "stamp": stamp_of(path)}
        parts = Parts(target.with_suffix(".parts"), identity, lose=self.overwrite)
        first = FrameJob(path.resolve(), path.stat().st_mtime_ns, self)
        result: FrameResult = yield [partial(do_frame, first)]
        frames, origin = result.frames, result.origin
        if parts.basis is None:
            parts.begin(result.basis)
        missing = {frame for frame in frames if not parts.has(frame)}
        others = [frame for frame in frames if frame in missing and frame != result.frame]
        jobs: list[Job] = [partial(do_frame, replace(first, basis=parts.basis, frame=frame)) for frame in others]
        while True:
            if result.table is not None and result.frame in missing:
                parts.add(result.frame, result.table)
                missing.discard(result.frame)
            say(Stage("frames", 1 - len(missing) / len(frames), f"{len(frames)} frames"))
            if not missing:
                break
            result = yield jobs
            jobs = []
        table = parts.join(frames)
        write_table(table, target, **origin)
        columns = {"frames": len(frames), "atoms": len(table)} | pixel_columns(origin["pixel_size"], origin["units"])
        words = f"{len(table)} atoms on {len(frames)} frames"
        yield Found(said(words, describe_skipped(table), see=target), columns)
        parts.discard()


@dataclass(frozen=True)
class FrameJob:
    """One frame of a file that was `changed` at a time; without a `basis` the first that shows something, for all."""

    path: Path
    changed: int
    task: Frames
    basis: dict[str, Any] | None = None
    frame: int = -1


@dataclass(frozen=True)
class FrameResult:
    """The frames of the file, what its first one says of all, its `origin_in`, and the table of one that was done."""

    frames: list[int]
    basis: dict[str, Any]
    origin: dict[str, Any]
    frame: int = -1
    table: pd.DataFrame | None = None


def do_frame(job: FrameJob) -> FrameResult:
    """Detect the atoms of a frame, and describe them as the task wants.

    The recipe of the detection is that of the movie; for a model the limits of the intensities are those of the first
    frame that shows something. One that shows nothing has an empty table. While the first one of a movie is detected
    the others would have to wait; where the recipe is enough it is only measured.

    Raises
    ------
    InputError
        As `read`, `detect_atoms`, `extract_patches` and `Run.encode`.
    """
    task = job.task
    image = kept(_read, job.path, job.changed, task.dataset, task.pixel_size)
    asked = Options(**task.detection)
    searched = open_frames(first_channel(image), asked.level)
    frames, origin = frame_list(searched, asked.frames), origin_in(image, {})
    if job.basis is None:
        recipe, seen = measure(searched, frames, asked)
        if len(frames) > 1 and task.measures:
            return FrameResult(frames, _basis(recipe), origin)
        number = first_usable(searched, frames)
    else:
        number, recipe, seen = job.frame, Recipe.of(job.basis["recipe"]), {}
    try:
        table = detect_frame(searched, number, recipe, asked, filtered=seen.get(number))
    except BadFrameError:
        if len(frames) == 1:
            raise
        table = blank_table(0, number, asked.placing)
        table.attrs = {KEY: {"method": asked.method} | recipe.summary, COUNT: 0, SKIPPED: True}
        return FrameResult(frames, job.basis or {}, origin, number, table)
    assert table is not None  # nobody stops it
    table = table.reset_index(drop=True)
    table.attrs = {KEY: {"method": asked.method} | recipe.summary, COUNT: len(table)}
    table = with_sides(table, pixel_sides(image.pixel_size))
    attributes = table.attrs
    table, limits = task.describe(image, table, recipe, None if job.basis is None else job.basis["limits"])
    table.attrs = attributes
    return FrameResult(frames, _basis(recipe, limits), origin, number, table)


@lru_cache(maxsize=2)
def kept(load: Callable[..., Any], path: Path, changed: int, *options: Any) -> Any:
    """A file, and a model, that were `changed` at a time, kept open for the next frame."""
    return load(path, *options)


def let_go() -> None:
    """Close the file and forget the model that are kept for the next frame; Windows replaces no file that is open."""
    kept.cache_clear()


def _read(path: Path, dataset: str | int | None, pixel_size: tuple[float, float] | None) -> Micrograph:
    return read(path, dataset=dataset, pixel_size=pixel_size)


def _basis(recipe: Recipe, limits: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the other frames need to know, as JSON keeps it, to the last digit."""
    plain = {key: value.item() if hasattr(value, "item") else value for key, value in asdict(recipe).items()}
    return {"recipe": plain, "limits": limits}
