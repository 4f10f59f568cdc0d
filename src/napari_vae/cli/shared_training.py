"""``napari-vae train`` in the processes that ``torchrun`` started, or in this one alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..training.torchrun import Rendezvous

if TYPE_CHECKING:
    from ..batch import Outcome, Train


def several_processes() -> bool:
    """Whether ``torchrun`` started this process with others."""
    return Rendezvous.from_environment().size > 1


def train_together_on_all(job: Train, files: list[Path], out: Path, overwrite: bool, wait: float) -> list[Outcome]:
    """Train one model on all files, by the processes that there are; only the first one reports.

    Raises
    ------
    InputError
        As `train_on_all`.
    """
    from ..batch import train_on_all
    from ..training.processes import joined
    from .terminal import progress_bars

    with joined(job.train.device, wait=wait) as group, progress_bars(quiet=not group.first) as bars:
        outcomes = train_on_all(job, files, out, overwrite=overwrite, progress=bars, group=group)
    return outcomes if group.first else []


def train_together(job: Train, files: list[Path], out: Path, wait: float) -> None:
    """Train one model on one file; the first process speaks and writes.

    Raises
    ------
    InputError
        If there are several files, or the folder exists; in every process, before any work.
    """
    from ..training.processes import joined
    from .terminal import progress_bars, say

    if len(files) != 1 or not files[0].is_file():
        raise InputError("Several processes train one model; give one file, or --together for one model of all.")
    if out.exists():
        raise InputError(f"{out} exists already; give a new folder for the model.")
    job.prepare(1)
    with joined(job.train.device, wait=wait) as group, progress_bars(quiet=not group.first) as bars:
        run, _, patches = job.learn(files[0], bars, group)
    if group.first:
        run.save(out)
        say(f"The model trained on {len(patches)} windows is in {out}; apply it with: napari-vae encode {out} FILES")
