"""One background job: its progress, its result, Stop, what it says when it fails; and slow imports in its thread."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QObject, Signal

from ...core.errors import InputError, TrainingError, storage_problem

REPORT_EVERY = 0.1  # seconds; the window is updated at most ten times a second
LEFT = "Stopped; nothing was kept."
OUT_OF_MEMORY = "The device ran out of memory; choose a smaller batch or window, or the CPU as device (Advanced)."
Stop = Callable[[], bool]
Steps = Callable[..., Generator[Any, None, Any]]
LIBRARIES = ("libc10.so", "libtorch_cpu.so", "libtorch_python.so", "libc10.dylib", "libtorch_cpu.dylib")


@dataclass(frozen=True)
class Step:
    """What a job is doing: a sentence, how far it is (0 to 1), and the seconds that it still needs, if known."""

    message: str
    fraction: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class _Outcome:
    result: Any = None
    failure: str = ""
    fault: Exception | None = None  # of ours; handed over, since workers swallow every RuntimeError


class Job(QObject):
    """Runs one generator at a time in a thread of napari's pool; every signal arrives on the main thread.

    The sentence of a failure is emitted by ``failed``.

    Parameters
    ----------
    parent : QObject
        The widget that owns the job. When it is destroyed the generator is asked to stop.
    notify : bool
        Show failures that users can act upon as notifications too; not wanted of what they did not start themselves.
    """

    progressed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(str)
    ended = Signal()

    def __init__(self, parent: QObject, *, notify: bool = True) -> None:
        super().__init__(parent)
        self.notify = notify
        self._worker: GeneratorWorker | None = None
        self._stop, self._leave = threading.Event(), threading.Event()
        parent.destroyed.connect(self._stop.set)

    @property
    def running(self) -> bool:
        """Whether a generator is at work."""
        return self._worker is not None

    @property
    def stopping(self) -> bool:
        """Whether Stop was asked for."""
        return self._stop.is_set()

    def start(self, steps: Steps, *args: Any) -> None:
        """Run ``steps(stop, *args)``; `stop` turns true when the generator should return what it has."""
        assert not self.running, "one job at a time"
        self._stop.clear()
        self._leave.clear()
        self._worker = create_worker(_guarded, self._stop.is_set, self._leave.is_set, steps, args)
        self._worker.yielded.connect(self._on_yielded)
        self._worker.returned.connect(self._on_returned)
        self._worker.finished.connect(self._on_finished)
        self._worker.start()

    def stop(self) -> None:
        """Ask the generator to return what it has."""
        self._stop.set()

    def leave(self) -> None:
        """End at the generator's next event, and keep nothing."""
        self._leave.set()

    def _on_yielded(self, event: Any) -> None:
        self.progressed.emit(event)

    def _on_returned(self, outcome: _Outcome) -> None:
        if self._leave.is_set():
            self.failed.emit(LEFT)
        elif outcome.fault is not None:
            fault = outcome.fault
            notification_manager.receive_error(type(fault), fault, fault.__traceback__)
            self.failed.emit(f"Broke off by a fault of the program: {fault}")
        elif outcome.failure:
            if self.notify:
                show_error(outcome.failure)
            self.failed.emit(outcome.failure)
        else:
            self.succeeded.emit(outcome.result)

    def _on_finished(self) -> None:
        self._worker = None  # the generator's memory goes with it
        self.ended.emit()


def _guarded(stop: Stop, leave: Stop, steps: Steps, args: tuple[Any, ...]) -> Generator[Any, None, _Outcome]:
    """Thin out the events of a job and turn what users can act upon into sentences."""
    try:
        return _Outcome((yield from _thinned(steps(stop, *args), leave)))
    except (InputError, TrainingError) as error:
        return _Outcome(failure=str(error))
    except MemoryError:
        return _Outcome(failure=OUT_OF_MEMORY)
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which need not be imported here
            return _Outcome(failure=OUT_OF_MEMORY)
        problem = storage_problem(error)
        return _Outcome(failure=problem) if problem else _Outcome(fault=error)


def _thinned(events: Generator[Any, None, Any], leave: Stop) -> Generator[Any, None, Any]:
    """Pass on at most ten events a second, and every one that carries a new picture, until it is to `leave`."""
    last = -REPORT_EVERY
    while not leave():
        try:
            event = next(events)
        except StopIteration as end:
            return end.value
        now = time.monotonic()
        if now - last >= REPORT_EVERY or getattr(event, "manifold", None) is not None:
            last = now
            yield event


def import_torch() -> None:
    """Import torch without stopping the window; call it from a thread of its own.

    Python keeps its global lock while it loads a compiled module, and torch's libraries take half a second: long enough
    for a window to look frozen. Foreign functions called through ctypes run without the lock, so the libraries are
    opened that way first; the import then finds them in place.
    """
    if "torch" in sys.modules:
        return
    with uncollected():
        if os.name == "posix":
            _open_libraries()
        import torch  # noqa: F401


def import_clustering() -> None:
    """Import what groups the latents: best just after a click."""
    if "sklearn.mixture" in sys.modules:
        return
    with uncollected():
        import sklearn.mixture  # noqa: F401


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep what is there from the garbage collector for a while.

    While much is imported it looks through everything that there is time and again, and holds the lock for a quarter
    of a second each time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _open_libraries() -> None:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return  # the import says what is missing
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    folder = Path(spec.origin).parent / "lib"
    for path in filter(Path.is_file, (folder / name for name in LIBRARIES)):
        dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_LOCAL)


@contextmanager
def spare_core() -> Iterator[None]:
    """Libraries at hand, and torch on all cores but one in this thread, so that the window breathes."""
    first = "torch" not in sys.modules
    import_torch()
    import_clustering()
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 2) - 1)))
    try:
        with uncollected() if first else nullcontext():  # more is imported in the work itself
            yield
    finally:
        torch.set_num_threads(before)
