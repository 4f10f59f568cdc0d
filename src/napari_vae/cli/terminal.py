"""How the command line shows progress and says what went wrong."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from ..core.errors import InputError, TrainingError, exit_code, sentence, shown
from ..core.progress import Stage

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from ..batch.outcomes import BatchProgress

STOPPED = 130  # the exit code


def console(*, error: bool = False) -> Console:
    """A console on standard output, or standard error, which keeps paths and numbers in one plain colour."""
    from rich.console import Console

    return Console(stderr=error, highlight=False)


def say(message: str) -> None:
    """Print one line for the user; nothing in it is taken as markup."""
    console().print(shown(message, kept="\n\t"), markup=False, soft_wrap=True)


def warn(message: str) -> None:
    """Print one line on standard error."""
    console(error=True).print(shown(message, kept="\n"), markup=False, style="red", soft_wrap=True)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line instead of a traceback: exit code 2 for bad input, 1 for anything else.

    ``NAPARI_VAE_DEBUG=1`` in the environment shows the traceback of errors that are not the user's.
    """
    try:
        yield
    except KeyboardInterrupt:
        _end("Stopped.", STOPPED)
    except SystemExit as end:
        if end.code == STOPPED:  # the parser of the command line ends so without a word
            warn("Stopped.")
        raise
    except Exception as error:
        ours = isinstance(error, InputError | TrainingError)
        if os.environ.get("NAPARI_VAE_DEBUG") and not ours:
            raise
        _end(sentence(error), exit_code(error))


@contextlib.contextmanager
def no_logs() -> Iterator[None]:
    """Nothing but what this program says itself: readers of files and schedulers log for developers.

    ``NAPARI_VAE_DEBUG=1`` in the environment leaves the logs as they are.
    """
    before = logging.root.manager.disable
    logging.disable(before if os.environ.get("NAPARI_VAE_DEBUG") else logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _end(message: str, code: int) -> NoReturn:
    warn(message)
    sys.exit(code)


@contextlib.contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[StageBars]:
    """A bar for every stage of an analysis, each kept on screen when it is done; none if `quiet`."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:20}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False),
    )
    with Progress(*columns, console=console(error=True), disable=quiet) as progress:
        yield StageBars(progress)


class StageBars:
    """Shows each `Stage` that it is called with."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def begin(self, title: str) -> None:
        """Start with new bars under a title, for example of the next file; those of the last one go."""
        self._progress.console.print(shown(title), markup=False, soft_wrap=True)
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()

    def show_batch(self, event: BatchProgress) -> None:
        """Show a file that is begun, or the stage of the work on it."""
        if event.stage is not None:
            self(event.stage)
            return
        left = "" if event.seconds_left is None else f", about {event.seconds_left:.0f} s left"
        number = f" ({len(event.outcomes) + 1} of {event.total}{left})" if event.total > 1 else ""
        self.begin(f"{event.path}{number}")

    def show_frames(self, event: BatchProgress) -> None:
        """Show how many frames of a file are done; a bar for every file, for several may be at work."""
        if event.stage is not None:
            self(Stage(event.path.name, event.stage.fraction, event.stage.message))

    def __call__(self, stage: Stage) -> None:
        """Show the stage, with a new bar when it is the first of its name."""
        if stage.name not in self._tasks:
            self._tasks[stage.name] = self._progress.add_task(shown(stage.name), total=1.0, message="")
        self._progress.update(self._tasks[stage.name], completed=stage.fraction, message=shown(stage.message))
