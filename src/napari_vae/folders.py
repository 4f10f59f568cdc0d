"""Files and folders that appear whole or not at all: written under another name beside their place, and moved there.

That name is hidden and at most 14 characters longer than that of the place, for systems that bound paths. What is read
of such files must not be kept open, nor mapped into memory: Windows moves nothing onto a file that is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

LONGEST = 24  # characters of a name that are kept in the one beside it
PAUSES = (0.02, 0.1, 0.3, 0.6)  # seconds between attempts to move what another program looks at


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside the file, which takes its place when all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{_short(path.name)}.part")
    try:
        yield temporary
        move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def move(path: Path, target: Path) -> None:
    """Put a file or folder in its place; a virus scanner, which opens all that is new on Windows, is waited for.

    Raises
    ------
    PermissionError
        If another program has the target open for longer, or the folder may not be written to.
    """
    for pause in PAUSES:
        try:
            path.replace(target)
            return
        except PermissionError:
            time.sleep(pause)
    path.replace(target)


def _short(name: str) -> str:
    """A name of bounded length that no other name shares."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


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
    left = re.compile(re.escape(f".{_short(target.name)}-") + r"[a-z0-9_]{8}(-old)?")
    beside = target.parent.iterdir() if target.parent.is_dir() else []
    for path in sorted(path for path in beside if left.fullmatch(path.name)):
        if path.name.endswith("-old") and not target.exists():
            move(path, target)
            continue
        if path.name.endswith("-old"):
            _bring_over(path, target, ())
        shutil.rmtree(path, ignore_errors=True)


def _bring_over(old: Path, target: Path, ours: Collection[str]) -> None:
    """Move what somebody put into the old folder into the new one."""
    for path in old.iterdir():
        if path.name not in ours and not (target / path.name).exists():
            move(path, target / path.name)


@contextmanager
def replace_folder(target: str | Path, marker: str, ours: Collection[str] = ()) -> Iterator[Path]:
    """Write into a new folder that takes the place of `target` when the block ends without an error.

    Parameters
    ----------
    target : path
        The folder; a former one of the same kind is replaced, only once the new one is complete. What it holds under
        other names than the new one, such as notes or figures, is kept.
    marker : str
        Name of a file that says a folder is of this kind. Other folders that hold anything are not touched.
    ours : collection of str
        Names that a former one may have and the new one has not, which are not kept.

    Raises
    ------
    InputError
        If `target` holds something else.
    """
    target = Path(target)
    check_replaceable(target, marker)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{_short(target.name)}-{secrets.token_hex(4)}")
    new.mkdir()
    try:
        yield new
        old = new.with_name(new.name + "-old")
        if target.exists():
            move(target, old)
        try:
            move(new, target)
        except OSError:
            if old.exists():
                move(old, target)  # what was there stays there
            raise
        if old.exists():
            _bring_over(old, target, ours)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
