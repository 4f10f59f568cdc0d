"""What to say of a disk or folder that does not take what is written."""

from __future__ import annotations

import errno
import os
import re

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
CLOSED = (errno.EACCES, errno.EPERM)
OTHERWISE = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
#: Characters of a path from which on Windows calls it one that is not there.
MOST_ON_WINDOWS = 248
SHORT = re.compile(r"\d+ requested and \d+ written")
BOUNDED = os.name == "nt"


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
