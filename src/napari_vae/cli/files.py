"""The work of a command on many files: its progress, the processes that train, and what is said at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from .. import batch
from ..batch.outcomes import Outcome, Task
from ..core.errors import InputError
from .terminal import progress_bars, say, warn


def run_on_files(task: Task, files: list[Path], out: Path, overwrite: bool, scheduler: str | None = None) -> None:
    """Do it on every file and say what became of each."""
    with _going_on_later(), progress_bars() as bars:
        show = bars.show_batch if scheduler is None else bars.show_frames
        outcomes = batch.run(task, files, out, overwrite=overwrite, scheduler=scheduler, progress=show)
    finish(outcomes)


def train_on_files(
    job: batch.Train, files: list[Path], out: Path, overwrite: bool, together: bool, wait: float
) -> None:
    """Train a model on every file, or one on all; in the processes that ``torchrun`` started, or in this one alone.

    Raises
    ------
    InputError
        If there are several processes and several files, or the folder exists; in every process, before any work.
    """
    from ..training.torchrun import Rendezvous

    if not together and Rendezvous.from_environment().size == 1:
        run_on_files(job, files, out, overwrite)
        return
    from ..training.processes import joined

    if not together:
        if len(files) != 1 or not files[0].is_file():
            raise InputError("Several processes train one model; give one file, or --together for one model of all.")
        if out.exists():
            raise InputError(f"{out} exists already; give a new folder for the model.")
        job.prepare(1)
    outcomes: list[Outcome] = []
    with joined(job.train.device, wait=wait) as group, progress_bars(quiet=not group.first) as bars:
        if together:
            outcomes = batch.train_on_all(job, files, out, overwrite=overwrite, progress=bars, group=group)
            windows = sum(outcome.facts["windows"] for outcome in outcomes)
        else:
            run, _, patches = job.learn(files[0], bars, group)
            windows = len(patches)
    if not group.first:
        return
    if not together:
        run.save(out)
    say(f"The model trained on {windows} windows is in {out}; apply it with: napari-vae encode {out} FILES")
    finish(outcomes, "failed and are not in the model")


@contextlib.contextmanager
def _going_on_later() -> Iterator[None]:
    """Tell who presses Ctrl+C what that means."""
    try:
        yield
    except KeyboardInterrupt:
        warn("What is done is kept; the same command goes on with the rest.")
        raise


def finish(outcomes: Sequence[Outcome], consequence: str = "failed; the same command tries these again") -> None:
    """Say what became of every file; exit code 2 when some failed, or 1 if one of them by a fault of ours."""
    for outcome in outcomes:
        (warn if outcome.failed else say)(str(outcome))
    if failed := [outcome for outcome in outcomes if outcome.failed]:
        if len(outcomes) > 1:
            warn(f"{len(failed)} of {len(outcomes)} files {consequence}.")
        raise typer.Exit(min(outcome.code for outcome in failed))
