"""Our own exceptions, each carrying one sentence that says what is wrong and what to do."""

from __future__ import annotations

import errno
import os
import re

CONTROL = r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"  # and what turns the direction of writing
BAD_INPUT, OUR_FAULT = 2, 1  # exit codes of the command line
BEGINNING, END = 270, 120  # characters that are shown of a longer message, the remedy among them
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
CLOSED = (errno.EACCES, errno.EPERM)
OTHERWISE = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
#: Characters of a path from which on Windows calls it one that is not there.
MOST_ON_WINDOWS = 248
SHORT = re.compile(r"\d+ requested and \d+ written")
BOUNDED = os.name == "nt"


def shown(text: str, kept: str = "") -> str:
    r"""Text of which nothing is an order to a terminal, such as names of files and what files hold may be.

    Examples
    --------
    >>> shown("a\x1b[2J.tif")
    'a\\x1b[2J.tif'
    """
    return re.sub(CONTROL, lambda found: found[0] if found[0] in kept else repr(found[0])[1:-1], text)


class _Sentence(Exception):
    """What it says is shown as it is, in windows and terminals, and bounded, whatever it quotes."""

    def __str__(self) -> str:
        text = shown(super().__str__())
        return text if len(text) <= BEGINNING + END else f"{text[:BEGINNING]} … {text[-END:]}"


class InputError(_Sentence, ValueError):
    """The input cannot be used; the message names the remedy.

    Raised before any long work starts. The window shows the message as a notification, the command
    line prints it and ends with exit code 2.
    """


class ReadError(InputError):
    """A file cannot be read: missing, cut short, of an unknown format, or without an image in it."""


class TrainingError(_Sentence):
    """Training broke off, for example because the device ran out of memory or the loss diverged.

    Deliberately not a ``RuntimeError``: generator workers of napari (superqt) swallow those.
    """


def sentence(error: Exception) -> str:
    """One line on an error: its own words if it is meant for the user, else what to report."""
    text = " ".join(str(error).split())
    if isinstance(error, InputError | TrainingError):
        return text
    if problem := storage_problem(error):
        return problem
    kind = f"{type(error).__name__}: {text[:300]}"
    return f"An error in napari-vae itself ({kind}); run again with NAPARI_VAE_DEBUG=1 and report what it shows."


def exit_code(error: Exception) -> int:
    """2 for bad input and a disk that takes no more, 1 for anything else."""
    return BAD_INPUT if isinstance(error, InputError) or storage_problem(error) else OUR_FAULT


def storage_problem(error: BaseException) -> str | None:
    """What is wrong with the place that was written to, in a sentence; ``None`` if the error is about something else.

    Examples
    --------
    >>> storage_problem(OSError(errno.ENOSPC, "No space left on device", "run"))
    'No space left on device (run); make room there, or choose another folder for the results.'
    """
    if not isinstance(error, OSError):
        return None
    place = error.filename2 or error.filename or ""  # of a move, where to
    where = f" ({place})" if place else ""
    if error.errno is None and SHORT.search(str(error)):  # as NumPy says it
        return f"No space is left on the disk ({error}); make room there, or choose another folder for the results."
    if error.errno in FULL:
        return f"{error.strerror}{where}; make room there, or choose another folder for the results."
    if error.errno == errno.EROFS:
        return f"{error.strerror}{where}; choose another folder for the results."
    if error.errno in CLOSED:
        return (
            f"{place or 'A folder'} may not be read or written, or is open in another program; change its permissions, "
            "close it there, or choose another folder."
        )
    if error.errno in OTHERWISE:
        return f"{place or 'A path'} is a folder in the place of a file, or a file in that of one; choose another name."
    missing = isinstance(error, FileNotFoundError) and BOUNDED
    if error.errno == errno.ENAMETOOLONG or (missing and len(os.path.abspath(place)) >= MOST_ON_WINDOWS):  # noqa: PTH100 - of text
        return f"The path {place} is too long; choose a folder for the results with a shorter one."
    return None
