"""Jobs done one after the other here, or many at once by the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ..core.errors import InputError, ReadError
from ..io.json_files import read_json

Key = TypeVar("Key")
#: What is to be done now, under a key; `None` if nothing is, until a result has come.
NextJob = Callable[[], tuple[Key, Callable[[], Any]] | None]
Runner = Callable[[NextJob[Key]], Iterator[tuple[Key, Any]]]

GONE = "The scheduler has gone; start it again and give the same command: what is done is kept."
ADDRESS = re.compile(r"((tcp|tls)://)?(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}")
AHEAD = 2  # jobs per thread of the cluster that are handed out before results are wanted
PATIENCE = 20  # seconds to wait for the scheduler, and for its first worker


@contextmanager
def runner(scheduler: Any = None, after: Callable[[], None] | None = None) -> Iterator[Runner[Any]]:
    """A function that does jobs: it asks for the next one, whenever it can do one more, until there is none.

    The function is called with what it asks, and yields the key of each job with its result, or with the exception that
    it raised, as they are finished.

    Parameters
    ----------
    scheduler : str, path or distributed.Client, optional
        Address or scheduler file of a Dask cluster; by default the jobs are done here.
    after : callable, optional
        Called in every process that did jobs, when all are done or the block ends otherwise.

    Raises
    ------
    InputError
        If there is no such cluster, it has no workers, or the package is not installed.

    Examples
    --------
    >>> jobs = iter([("a", lambda: 1), ("b", lambda: 2)])
    >>> with runner() as do_all:
    ...     list(do_all(lambda: next(jobs, None)))
    [('a', 1), ('b', 2)]
    """
    if scheduler is None:
        try:
            yield _here
        finally:
            if after is not None:
                after()
        return
    with contextlib.ExitStack() as stack:
        client = scheduler if hasattr(scheduler, "submit") else stack.enter_context(_connect(str(scheduler)))
        _check_workers(client)
        try:
            yield lambda next_job: _there(client, next_job)
        finally:
            if after is not None and client.status == "running":
                with contextlib.suppress(OSError):  # of a scheduler that has gone just now
                    client.run(after, on_error="ignore")


def _here(next_job: NextJob[Key]) -> Iterator[tuple[Key, Any]]:
    while (job := next_job()) is not None:
        yield job[0], _attempt(job[1])


def _there(client: Any, next_job: NextJob[Key]) -> Iterator[tuple[Key, Any]]:
    """Jobs of workers that die go to others; a result counts when it has arrived here, so none counts twice."""
    from distributed import as_completed

    at_once = AHEAD * sum(client.nthreads().values())
    keys: dict[str, Key] = {}
    finished = as_completed(loop=client.loop)

    def hand_out() -> None:
        while len(keys) < at_once and (job := next_job()) is not None:
            try:
                future = client.submit(job[1], pure=False)
            except Exception as error:
                if client.status == "running":
                    raise
                raise InputError(GONE) from error
            keys[future.key] = job[0]
            finished.add(future)

    hand_out()
    while keys:
        future = next(finished)
        result = _attempt(future.result)
        fault = type(result).__name__  # of Dask, which need not be installed
        if fault == "FutureCancelledError":  # nobody would do what is handed out from now on
            raise InputError(GONE)
        if fault == "KilledWorker":
            result = InputError("One worker after the other died of the same frame; start them with more memory.")
        yield keys.pop(future.key), result
        future.release()
        hand_out()


def _attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return error


def _connect(address: str) -> Any:
    """A client of the scheduler at an address, or of one that wrote a file."""
    if find_spec("distributed") is None:
        raise InputError('A scheduler needs the package distributed; type pip install "napari-vae[cluster]".')
    from distributed import Client
    from distributed.security import Security

    there = _address_in(Path(address)) if Path(address).is_file() else address
    if not ADDRESS.fullmatch(there):  # with such a one the client would not end, not even with the program
        raise InputError(
            f"{address!r} leads to no Dask scheduler; give the address that “dask scheduler” prints, such as "
            "tcp://HOST:8786, or its scheduler file."
        )
    if there.startswith("tls:") and Security().get_connection_args("client")["ssl_context"] is None:
        raise InputError(
            "A scheduler with TLS wants certificates; name them in Dask's configuration (distributed.comm.tls)."
        )
    try:
        return Client(there, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"No Dask scheduler answers at {address}; start one with “dask scheduler”, and give the address it prints."
        ) from error


class _Scheduler(BaseModel):
    address: str


def _address_in(file: Path) -> str:
    """The address in the file that a scheduler wrote; empty if it is none."""
    try:
        return read_json(file, _Scheduler).address
    except ReadError:
        return ""


def _check_workers(client: Any) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise InputError(
            "The scheduler has no workers; start some with “dask worker ADDRESS”, in the same environment."
        ) from None
