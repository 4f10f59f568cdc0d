"""Files and folders that appear whole or not at all: written under another name beside their place, and moved there.

That name is hidden and at most 14 characters longer than that of the place, for systems that bound paths. What is read
of such files must not be kept open, nor mapped into memory: Windows moves nothing onto a file that is.

A folder takes the place of another in four steps, each of which whoever comes next can finish after a kill:
``.NAME-x`` is written; ``NAME`` becomes ``.NAME-x-old``; ``.NAME-x`` becomes ``NAME``; what users put into the old one
goes over. Nobody removes what is not complete before it is a day old, for it may be of a program that lives.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from os import PathLike
from pathlib import Path

from .errors import InputError, ReadError

LONGEST = 24  # characters of a name that are kept in the one beside it
PAUSES = (0.02, 0.1, 0.3, 0.6)  # seconds between attempts to move what another program looks at
ATTEMPTS = 50  # to take the place of a folder while others do
NO_STAMP = (0, 0, 0)
LOOKS, BETWEEN = 20, 0.01  # times, and seconds between them, that a folder is looked for which others may be moving
ABANDONED = 86400.0  # seconds after which nobody writes on what is not complete
OLD = "-old"
RUN = "run.json"  # the file by which the folder of a run is known
PART = re.compile(r"\..+-[0-9a-f]{6}\.part")
#: What a folder with this marker may have of ours and its follower has not; anything else in it is the user's.
NOT_ALWAYS = {
    RUN: ("windows.csv", "files.csv"),
    "analysis.json": ("micrograph.tif", "classes.tif", "napari-window.png"),
    "deep_kernel.json": ("run",),
    "zarr.json": ("c",),
}


def user_path(path: str | PathLike[str]) -> Path:
    """A path as a user writes it, in which ``~`` is the home folder.

    Raises
    ------
    InputError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path} names a user that this machine does not know; write the folder itself.") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new empty file, of a name that nobody can foresee, which takes its place when all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path.parent)
    temporary = path.with_name(f".{_short(path.name)}-{secrets.token_hex(3)}.part")
    temporary.touch(exist_ok=False)  # neither a file nor a link that somebody put there is written to
    try:
        yield temporary
        move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@lru_cache(maxsize=64)  # looked for once, for a folder may hold a file for each of a million frames
def _tidy(folder: Path) -> None:
    """Remove files that programs have left which were killed while they wrote."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if PART.fullmatch(path.name) and _abandoned(path):
                path.unlink(missing_ok=True)


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


def holds(folder: str | PathLike[str], marker: str) -> bool:
    """Whether a folder is of the kind with this marker, after a kill that left it under another name too."""
    recover(Path(folder))
    return os.path.isfile(Path(folder) / marker)  # noqa: PTH113 - which does not fail on a name too long


def check_replaceable(target: str | PathLike[str], marker: str) -> None:
    """Ask whether `replace_folder` may write there.

    Raises
    ------
    InputError
        If `target` holds something else.
    """
    for _ in range(LOOKS):  # others may replace it now
        if holds(target, marker) or not _is_used(Path(target)):
            return
        time.sleep(BETWEEN)
    raise InputError(f"{target} holds other files; choose a new or empty folder.")


def _is_used(target: Path) -> bool:
    """Whether there is a file, or a folder that is not empty."""
    try:
        return any(target.iterdir())
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True


@contextmanager
def open_folder(folder: str | PathLike[str], marker: str, otherwise: str) -> Iterator[Path]:
    """The folder with this marker, to be read within the block.

    Raises
    ------
    ReadError
        If the marker is missing, in the words of `otherwise`; or the folder was written anew while it was read.
    """
    path = user_path(folder)
    if not holds(path, marker):
        raise ReadError(f"{path} {otherwise}")
    anew = f"{path} was written anew while it was read; open it again."
    with _held(path / marker):
        before = stamp(path / marker)
        if before == NO_STAMP:
            raise ReadError(anew)
        try:
            yield path
        finally:
            if stamp(path / marker) != before:
                raise ReadError(anew)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep a file open, so that no new one gets its number; on Windows numbers are not used again so soon."""
    with contextlib.ExitStack() as stack:
        if os.name != "nt":
            with contextlib.suppress(OSError):
                stack.enter_context(path.open("rb"))
        yield


def stamp(path: Path) -> tuple[int, int, int]:
    """Number, size and date of a file; while they stay, the content does too. Zeros if there is none."""
    try:
        known = path.stat()
    except OSError:
        return NO_STAMP
    return known.st_ino, known.st_size, known.st_mtime_ns


def recover(target: Path) -> None:
    """Finish what a program that was killed within `replace_folder` has begun; nothing that another one does is undone.

    A disk that lets nothing be moved is left as it is.
    """
    target = _linked(target)
    left = re.compile(re.escape(f".{_short(target.name)}-") + r"[a-z0-9_]{8}(-old)?")
    with contextlib.suppress(OSError):
        found = [path for path in target.parent.iterdir() if left.fullmatch(path.name) and path.is_dir()]
        olds = sorted((path for path in found if path.name.endswith(OLD)), key=_written, reverse=True)
        if olds and _stays_away(target):
            for path in [*(old.with_name(old.name.removesuffix(OLD)) for old in olds), *olds]:
                if not target.exists():  # the new one is complete when the old one has gone
                    with contextlib.suppress(OSError):
                        move(path, target)
        for old in olds:
            _bring_over(old, target)
        for path in found:
            if path not in olds and _abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def _stays_away(target: Path) -> bool:
    """Whether there is none, longer than a program that lives takes from moving the old one to moving the new one."""
    for _ in range(LOOKS):
        if target.exists():
            return False
        time.sleep(BETWEEN)
    return True


def _linked(target: Path) -> Path:
    """Where a folder lies of which users have made a link."""
    return Path(os.path.realpath(target)) if os.path.islink(target) else target  # noqa: PTH114 - which does not fail on a name too long


def _abandoned(path: Path) -> bool:
    """Whether nobody has written on a file, or on anything in a folder, for a day."""
    return time.time() - _written(path) > ABANDONED


def _written(path: Path) -> float:
    """When something was last written to a file or folder; now, if it is just being moved."""
    try:
        return max(item.lstat().st_mtime for item in (path, *path.rglob("*")))
    except OSError:
        return time.time()


def _bring_over(old: Path, target: Path) -> None:
    """Move what somebody put into the old folder into the new one, and remove the old one; others may do the same.

    Where one of the two is just being moved, the old one is left to whoever comes next.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        there = {path.name for path in target.iterdir()}
        ours = {name for marker, names in NOT_ALWAYS.items() if marker in there for name in names}
        for path in [path for path in old.iterdir() if path.name not in there | ours]:
            _add(path, target / path.name)
        shutil.rmtree(old, ignore_errors=True)


def _add(path: Path, target: Path) -> None:
    """Move a file or folder to where nothing is, also when others put something there in this moment."""
    try:
        os.link(path, target)  # which replaces nothing
        path.unlink()
    except FileNotFoundError:
        raise
    except FileExistsError:
        pass
    except OSError:  # a folder, which replaces none that holds anything, or a disk without links
        move(path, target)


@contextmanager
def replace_folder(target: str | PathLike[str], marker: str) -> Iterator[Path]:
    """Write into a new folder that takes the place of `target` when the block ends without an error.

    Parameters
    ----------
    target : path
        The folder; a former one of the same kind is replaced, only once the new one is complete. What users put into
        it, such as notes or figures, is kept.
    marker : str
        Name of a file that says a folder is of this kind. Other folders that hold anything are not touched.

    Raises
    ------
    InputError
        If `target` holds something else.
    """
    target = _linked(Path(target))
    check_replaceable(target, marker)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{_short(target.name)}-{secrets.token_hex(4)}")
    new.mkdir()
    try:
        yield new
        _take_place(new, target)
    except BaseException:
        for pause in PAUSES:  # threads of a library may still be writing
            shutil.rmtree(new, ignore_errors=True)
            time.sleep(pause)
            if not new.exists():
                break
        recover(target)  # what was there comes back
        raise


def _take_place(new: Path, target: Path) -> None:
    """Put a complete folder in its place, while others may do the same, or finish this."""
    old = new.with_name(new.name + OLD)
    for attempt in range(ATTEMPTS):
        try:
            _bring_over(old, target)  # of which another program has taken the place meanwhile
            if target.exists():
                with contextlib.suppress(FileNotFoundError):
                    move(target, old)
            move(new, target)
            break
        except OSError as error:
            if not new.exists() and target.parent.is_dir():
                break  # another program has finished this
            if attempt == ATTEMPTS - 1 or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    recover(target)  # which brings over what is in the old ones


def remove_folder(target: Path) -> None:
    """Remove a folder at once, as others see it."""
    away = target.with_name(f".{_short(target.name)}-{secrets.token_hex(4)}")
    move(target, away)
    shutil.rmtree(away)


def check_writable(folder: str | PathLike[str]) -> Path:
    """Return `folder` as a path if it is, or can be made, a folder that may be written to.

    Raises
    ------
    InputError
        If it is a file, or may not be written to.
    """
    path = user_path(folder)
    above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not above.is_dir():
        raise InputError(f"{above} is a file; give the name of a folder for the results.")
    if not os.access(above, os.W_OK):
        raise InputError(f"The folder {above} may not be written to; give another one for the results.")
    return path
