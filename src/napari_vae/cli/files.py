"""The work of a command on many files: its progress, and what is said of each file at the end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import typer

from .terminal import progress_bars, say, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..batch.loop import Outcome, Task
    from ..batch.under_way import FileResult


def run_on_files(task: Task, files: list[Path], out: Path, overwrite: bool) -> None:
    """Do it on every file and say what became of each."""
    from ..batch import run

    with _going_on_later(), progress_bars() as bars:
        outcomes = run(task, files, out, overwrite=overwrite, progress=bars.show_batch)
    finish(outcomes)


def frame_by_frame(call: Callable[..., list[FileResult]], *arguments: Any, **options: Any) -> list[FileResult]:
    """Call one of `dispatch.files`, with a bar for every file."""
    from ..workflow.analyze import Stage

    with _going_on_later(), progress_bars() as bars:
        return call(
            *arguments, **options, progress=lambda p: bars(Stage(p.path.name, p.done / p.total, f"{p.total} frames"))
        )


@contextlib.contextmanager
def _going_on_later() -> Iterator[None]:
    """Tell who presses Ctrl+C what that means."""
    try:
        yield
    except KeyboardInterrupt:
        warn("What is done is kept; the same command goes on with the rest.")
        raise


def finish(
    outcomes: Sequence[Outcome | FileResult], consequence: str = "failed; the same command tries these again"
) -> None:
    """Say what became of every file; exit code 2 when some failed, or 1 if one of them by a fault of ours."""
    for outcome in outcomes:
        (warn if outcome.failed else say)(str(outcome))
    if failed := [outcome for outcome in outcomes if outcome.failed]:
        if len(outcomes) > 1:
            warn(f"{len(failed)} of {len(outcomes)} files {consequence}.")
        raise typer.Exit(min(outcome.code for outcome in failed))
