"""The door to every file that others may have written: only files are opened, not what may never end."""

from __future__ import annotations

import stat
from pathlib import Path

from ..core.errors import ReadError


def regular_file(path: Path, most: int | None = None) -> Path:
    """The path, if a file lies there, of at most so many bytes.

    Raises
    ------
    ReadError
        If it is missing, too large, or a pipe or device, which may have no end.
    """
    try:
        known = path.stat()
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} is missing or may not be read; copy it again from its source.") from error
    if stat.S_ISDIR(known.st_mode):
        raise ReadError(f"{path} is a folder; give the files in it.")
    if not stat.S_ISREG(known.st_mode):
        raise ReadError(f"{path} is a pipe or a device, not a file; copy what it gives into a file.")
    if most is not None and known.st_size > most:
        raise ReadError(f"{path} holds more than {most >> 20} MiB, which no file of its kind does; use a copy.")
    return path
