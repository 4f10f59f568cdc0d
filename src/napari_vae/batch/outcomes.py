"""What is done with every file of a batch, what became of it, and where the batch is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..core.progress import Stage
from ..workflow.records import FAILED

EARLIER = "finished before"
NO_FIT, NO_ATOMS = "does not fit", "no atoms"

Say = Callable[[Stage], None]
Job = Callable[[], Any]


@dataclass(frozen=True)
class Found:
    """What a task found in a file: a sentence, and plain values for the summary table."""

    message: str
    facts: dict[str, Any] = field(default_factory=dict)


#: Work in parts: yields jobs, gets the result of one of them each time, and yields what it found when all is written.
Parted = Generator[list[Job] | Found, Any, None]


class Task(Protocol):
    """What is done with every file."""

    @property
    def name(self) -> str:
        """In a word."""

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages of the work on one file, in order."""

    def prepare(self, n_files: int) -> None:
        """Check the options and read what all files need; raises `InputError`."""

    def settings(self) -> dict[str, Any]:
        """Everything but the image that the result depends on, as values that JSON knows."""

    def targets(self, places: Sequence[Path], out: Path) -> list[Path]:
        """The file or folder that is written for each place; `out` is the place where one file is to have it."""

    def check(self, target: Path) -> None:
        """Raise `InputError` if something that is not ours would be replaced."""

    def by_frame(self, overwrite: bool) -> Task:
        """The task that does the same frame by frame; raises `InputError` if there is none."""

    def work(self, path: Path, target: Path, say: Say) -> Found | Parted:
        """Do it, and write the target, whole or not at all; or do it in parts, which other machines may take."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    path, target : Path
        The image, and what is written for it.
    state : {"done", "finished before", "failed"}
    message : str
        What was found, or why it failed.
    code : int
        Exit code of a failure: 2 for bad input, 1 for a fault of the program; else 0.
    facts : dict
        Columns of the summary table.
    """

    path: Path
    target: Path
    state: str
    message: str
    code: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether nothing was written."""
        return self.state == FAILED

    @property
    def doubt(self) -> str:
        """What to look at before the result is used, in a word or two; empty where there is nothing."""
        if self.failed:
            return ""
        if self.facts.get("unlike") is not None and self.facts.get("warning"):
            return NO_FIT
        return NO_ATOMS if self.facts.get("atoms") == 0 else ""

    def __str__(self) -> str:
        if self.failed and self.path.name in self.message:
            return self.message
        return f"{self.path.name}: {f'{EARLIER}; ' if self.state == EARLIER else ''}{self.message}"


@dataclass(frozen=True)
class BatchProgress:
    """Where a batch is.

    Attributes
    ----------
    path : Path
        The file at work; on a cluster, one of them.
    total : int
        How many files there are.
    outcomes : tuple of Outcome
        What became of those that are done.
    stage : Stage or None
        Of the file at work; ``None`` when it is begun.
    fraction : float
        Share of the whole that is done.
    seconds_left : float or None
        Estimate from the files that were worked on; ``None`` until there is one.
    """

    path: Path
    total: int
    outcomes: tuple[Outcome, ...]
    stage: Stage | None = None
    fraction: float = 0.0
    seconds_left: float | None = None

    @property
    def message(self) -> str:
        """What is being done, in words."""
        what = "" if self.stage is None else f": {' '.join(filter(None, [self.stage.name, self.stage.message]))}"
        return f"File {len(self.outcomes) + 1} of {self.total}, {self.path.name}{what}"


def count_outcomes(outcomes: Sequence[Outcome]) -> str:
    """How many files failed, hold no atoms, or do not fit the model, each after a comma; empty where none does."""
    doubts = [outcome.doubt for outcome in outcomes]
    counts = {
        "failed": sum(outcome.failed for outcome in outcomes),
        "without atoms": doubts.count(NO_ATOMS),
        "that the model does not fit": doubts.count(NO_FIT),
    }
    return "".join(f", {n} {what}" for what, n in counts.items() if n)


class StoppedError(Exception):
    """Ends the work on a file when the user wants no more of it."""
