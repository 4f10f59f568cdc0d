"""A script that looks through the HDF5 file of its argument, for the library may hang or crash on a damaged one.

It imports nothing of this package, so that it starts quickly. It prints ``elsewhere`` if the file refers to other
files, else the bytes of all arrays that it claims to hold; a library that fails, or goes on about one object, ends it
in some other way.
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
from typing import Any

MOST_MEMORY = 1 << 30  # bytes for this look, where the system counts them: no text is as long as some claim to be
AT_ONE = 1.0  # seconds of the processor for one object, where the system counts them
AT_A_TIME = 10_000  # texts
ELSEWHERE = "elsewhere"


def _look_through(path: str) -> int | str:
    import h5py

    found: set[str] = set()
    sizes = [0]

    def see_link(name: str, link: Any) -> None:
        _set_alarm()
        if isinstance(link, h5py.ExternalLink):
            found.add(ELSEWHERE)

    def see_item(name: str, item: Any) -> None:
        _set_alarm()
        for key in item.attrs:
            _try(item.attrs, key)
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                found.add(ELSEWHERE)
            elif item.dtype.hasobject and item.ndim < 2:  # text, each of a length of its own
                for start in range(0, item.size or 0, AT_A_TIME):
                    _set_alarm()
                    _try(item, slice(start, start + AT_A_TIME) if item.ndim else ())
            sizes.append(max(item.nbytes or 0, math.prod(item.chunks or ()) * item.dtype.itemsize))

    _set_alarm()
    _bound_memory()
    with h5py.File(path, "r") as file:
        file.visititems_links(see_link)
        see_item("", file)
        file.visititems(see_item)
    return ELSEWHERE if found else sum(sizes)


def _set_alarm() -> None:
    """End this process, with the library in whatever loop, unless it comes here again in time."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_VIRTUAL, AT_ONE)


def _bound_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))


def _try(holder: Any, key: Any) -> None:
    """Read something; that h5py does not know its kind is no matter, only that it ends and takes little memory."""
    try:
        holder[key]
    except Exception as error:
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise


if __name__ == "__main__":
    print(_look_through(sys.argv[1]))  # noqa: T201
