"""Arrays of an HDF5 file: how much it claims to hold, found out in a process of its own, and one of them in memory."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import ReadError
from . import hdf5_probe
from .dataset import damaged, is_large, lazy_frames

SECONDS = 20.0  # long enough for thousands of arrays on a slow disk


def claimed_bytes(path: Path) -> int:
    """Bytes of all arrays that an HDF5 file claims to hold, having looked at all but the numbers in them.

    Raises
    ------
    ReadError
        If the file is damaged, or refers to other files.
    """
    command = [sys.executable, "-P", hdf5_probe.__file__, str(path)]
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # no console on Windows
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, creationflags=hidden, check=False
        )
    except subprocess.TimeoutExpired:
        raise damaged(path) from None
    if done.stdout.strip() == hdf5_probe.ELSEWHERE:
        raise ReadError(f"{path.name} refers to other files, which are not opened; export its image as TIFF.")
    if done.returncode or not done.stdout.strip().isdigit():
        raise damaged(path)
    return int(done.stdout)


def as_text(value: Any) -> str:
    """An attribute in words, which some programs write as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def load_dataset(path: Path, name: str) -> Any:
    """One dataset in memory, or lazily frame by frame where it is large."""
    import h5py

    with h5py.File(path, "r") as file:
        data = file[name]
        if data.ndim > 2 and is_large(data.nbytes):
            return lazy_frames(partial(_read_frame, path, name), data.shape, data.dtype, path)
        return data[()]


def _read_frame(path: Path, name: str, frame: int) -> Any:
    import h5py

    with h5py.File(path, "r") as file:
        return file[name][frame]
