"""How many threads a detection may use, and a table of atoms worked on in parts by them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_CHUNK = 512  # atoms worked on together; their windows stay in the processor's cache
_MOST = 4  # more would wait for the memory


def n_threads(most: int) -> int:
    """The number of threads to start: the processor's cores, unless OMP_NUM_THREADS allows this process fewer.

    Dask sets that variable for its workers, and schedulers of clusters for their jobs: with one process for every core,
    threads of each process for all cores would only wait for each other.

    Examples
    --------
    >>> n_threads(most=1)
    1
    """
    allowed = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(most, int(allowed) if allowed.isdecimal() and int(allowed) else os.cpu_count() or 1)


def in_threads(call: Callable[[slice], object], n: int) -> list:
    """The call for each chunk of n atoms; numpy lets other threads run meanwhile."""
    with ThreadPoolExecutor(n_threads(_MOST)) as pool:
        return list(pool.map(call, (slice(begin, begin + _CHUNK) for begin in range(0, n, _CHUNK))))
