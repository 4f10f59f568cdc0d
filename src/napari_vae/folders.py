"""Folders that appear whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


def check_replaceable(target: str | Path, marker: str) -> None:
    """Ask whether `replace_folder` may write there.

    Raises
    ------
    InputError
        If `target` holds something else.
    """
    target = Path(target)
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / marker).is_file())):
        raise InputError(f"{target} holds other files; choose a new or empty folder.")


def sweep(target: Path) -> None:
    """Remove what a program that was killed within `replace_folder` left beside `target`; the only copy is put back."""
    left = re.compile(re.escape(f".{target.name}-") + r"[a-z0-9_]{8}(-old)?")  # as tempfile names them
    for path in sorted(path for path in target.parent.iterdir() if left.fullmatch(path.name)):
        if path.name.endswith("-old") and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def replace_folder(target: str | Path, marker: str) -> Iterator[Path]:
    """Write into a new folder that takes the place of `target` when the block ends without an error.

    Parameters
    ----------
    target : path
        The folder; a former one of the same kind is replaced, only once the new one is complete.
    marker : str
        Name of a file that says a folder is of this kind. Other folders that hold anything are not touched.

    Raises
    ------
    InputError
        If `target` holds something else.
    """
    target = Path(target)
    check_replaceable(target, marker)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield new
        new.chmod(0o755)
        old = new.with_name(new.name + "-old")
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)  # what was there stays there
            raise
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
