"""The steps of the batch job, and of opening what it made: nothing here touches a layer or a widget.

A batch has a thread of its own beside that of the job, so that Stop is answered at once: the file at work is left to
itself, and ends without writing anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ... import batch
from ...batch.inputs import find_files
from ...batch.outcomes import BatchProgress, Outcome, Task
from ...core.micrograph import Micrograph
from ...core.placement import Placement
from ...core.progress import Stage
from ...io.reading import read
from ...io.writing import read_table
from ...layers.identity import linked
from ...layers.images import image_layer
from ...layers.open_runs import OpenRun
from ...layers.points import LayerData, atoms_to_points
from ...layers.showing import colored
from ...patches.patches import extract_patches
from ...workflow.records import BEGUN, read_record
from ..common.jobs import Step, spare_core

if TYPE_CHECKING:
    from ...runs.run import Run

LOOK_EVERY = 0.05  # seconds
PATIENCE = 0.25  # seconds that a file at work has to end in when it is stopped


@dataclass(frozen=True)
class Listed:
    """The files of a batch, before the first is begun."""

    paths: list[Path]
    message: str = "Starting …"
    fraction: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class Finished:
    """What became of a batch, and the thread that may still be leaving its last file.

    Of one model of all files: whether it is one (`together`), and whether its training was cut short.
    """

    outcomes: tuple[Outcome, ...]
    total: int
    folder: Path
    work: Work
    together: bool = False
    cut_short: bool = False


@dataclass(frozen=True)
class Opened:
    """Layers of a finished file, and the run that its points came from, if there is one."""

    layers: list[LayerData]
    run: OpenRun | None = None


class Work(threading.Thread):
    """A batch at work; ``latest`` is where it is."""

    def __init__(self, task: Task, paths: list[Path], out: Path, overwrite: bool) -> None:
        super().__init__(name="napari-vae batch")
        self._asked = (task, paths, out, overwrite)
        self.halt = threading.Event()
        self.latest: BatchProgress | Step | None = None
        self.outcomes: tuple[Outcome, ...] | None = None
        self.error: Exception | None = None
        self.training = False  # one model of all: when stopped, it is written as it is

    def run(self) -> None:
        """Do it; an error is kept."""
        task, paths, out, overwrite = self._asked
        careful: AbstractContextManager[None] = nullcontext() if isinstance(task, batch.Detect) else spare_core()
        try:
            with careful:
                if isinstance(task, batch.Train):  # one model of all
                    options: dict[str, Any] = {"overwrite": overwrite, "progress": self._note_stage}
                    self.outcomes = tuple(batch.train_on_all(task, paths, out, stop=self.halt.is_set, **options))
                    return
                options = {"overwrite": overwrite, "summary": True, "progress": self._note}
                self.outcomes = tuple(batch.run(task, paths, out, stop=self.halt.is_set, **options))
        except Exception as error:
            self.error = error

    def _note(self, event: BatchProgress) -> None:
        self.latest = event

    def _note_stage(self, stage: Stage) -> None:
        self.training = stage.name != batch.Train.stages[0]
        self.latest = Step(f"{stage.name} {stage.message}".strip(), stage.fraction)


def list_steps(stop: Callable[[], bool], patterns: list[str]) -> Generator[Step, None, Listed]:
    """The files that are named and there are."""
    yield Step("Looking for the files …")
    return Listed([path for path in find_files(patterns) if path.exists()])


def batch_steps(
    stop: Callable[[], bool], task: Task, patterns: list[str], out: Path, overwrite: bool, before: Work | None
) -> Generator[Any, None, Finished]:
    """Do a task on every file; `before` is the work that was stopped last, which must have ended."""
    paths = find_files(patterns)
    yield Listed(paths)  # the first event of a job always arrives
    while before is not None and before.is_alive() and not stop():
        yield Step("The file that was stopped comes to an end …")
        time.sleep(LOOK_EVERY)
    if before is not None and before.is_alive():
        return Finished((), len(paths), out, before)
    work = Work(task, paths, out, overwrite)
    work.start()
    try:
        while work.is_alive() and not stop():
            time.sleep(LOOK_EVERY)
            yield work.latest or Step("Starting …")
    finally:
        work.halt.set()
    while work.training and work.is_alive():
        time.sleep(LOOK_EVERY)
        yield Step("The model is written as it is now …")
    work.join(PATIENCE)
    if work.error is not None:
        raise work.error
    latest = work.latest.outcomes if isinstance(work.latest, BatchProgress) else ()
    outcomes, together = latest if work.outcomes is None else work.outcomes, isinstance(task, batch.Train)
    record = read_record(out) if together else None
    return Finished(outcomes, len(paths), out, work, together, record is not None and record.state == BEGUN)


def open_steps(stop: Callable[[], bool], outcome: Outcome, task: Any) -> Generator[Step, None, Opened]:
    """Read what was made of a file, as layers."""
    yield Step(f"Opening {outcome.path.name} …")
    if isinstance(task, batch.Detect):
        return Opened(_layers(outcome, *_read(outcome)))
    with spare_core():
        if isinstance(task, batch.Train):
            return _opened_windows(outcome)
        if outcome.target.is_dir():
            return _opened_analysis(outcome)
        return _with_model(outcome, *_read(outcome), task.model)


def _opened_windows(outcome: Outcome) -> Opened:
    """Of a model of all files: the windows of one of them."""
    from ...batch.together import WINDOWS
    from ...runs.run import load_run

    windows = read_table(outcome.target / WINDOWS)
    mine = windows[windows["file"] == str(outcome.path)].drop(columns="file")
    return _with_model(outcome, read(outcome.path), mine, load_run(outcome.target))


def _with_model(outcome: Outcome, image: Micrograph, atoms: pd.DataFrame, model: Run) -> Opened:
    on, points = _layers(outcome, image, atoms)
    layers = [on, colored(points, "z1")]
    patches = extract_patches(image, atoms, levels=model.levels, **model.cutting, partial=True)
    return Opened(layers, OpenRun(model, patches, Placement.of_micrograph(image)))


def _layers(outcome: Outcome, image: Micrograph, atoms: pd.DataFrame) -> list[LayerData]:
    placement, spacing = Placement.of_micrograph(image), outcome.facts.get("spacing_px")
    points = atoms_to_points(atoms, placement, name=f"atoms of {image.name}", spacing=spacing)
    return linked([image_layer(image), points])


def _read(outcome: Outcome) -> tuple[Micrograph, pd.DataFrame]:
    """The image and the table that was written for it."""
    return read(outcome.path), read_table(outcome.target)


def _opened_analysis(outcome: Outcome) -> Opened:
    from ...layers.analysis import analysis_layers, open_analysis
    from ...workflow.archive import load_analysis

    analysis = load_analysis(outcome.target)
    return Opened(analysis_layers(analysis), open_analysis(analysis))
