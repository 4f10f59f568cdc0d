"""``napari-vae train`` in several processes that ``torchrun`` started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..batch import Train


def several_processes() -> bool:
    """Whether ``torchrun`` started this process with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def train_together(job: Train, files: list[Path], out: Path) -> None:
    """Train one model on one file; the first process speaks and writes.

    Raises
    ------
    InputError
        If there are several files, or the folder exists; in every process, before any work.
    """
    from ..processes import joined
    from ..terminal import progress_bars, say

    if len(files) != 1 or not files[0].is_file():
        raise InputError("Several processes train one model together; give one file.")
    if out.exists():
        raise InputError(f"{out} exists already; give a new folder for the model.")
    job.prepare(1)
    with joined(job.train.device) as group, progress_bars(quiet=not group.first) as bars:
        run, _, patches = job.learn(files[0], bars, group)
    if group.first:
        run.save(out)
        say(f"The model trained on {len(patches)} windows is in {out}; apply it with: napari-vae encode {out} FILES")
