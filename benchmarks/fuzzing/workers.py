"""A process that opens one damaged sample after the other, and another that watches its time and memory."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import logging
import multiprocessing
import os
import random
import resource
import shutil
import sys
import time
import traceback
import unicodedata
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from napari_vae import InputError, TrainingError

from .kinds import KINDS
from .mutations import mutate

CPU_SECONDS, WALL_SECONDS, IDLE_SECONDS = 10.0, 60.0, 15.0  # of a hang: working, in all, and doing nothing at all
LONGEST_LOOK = 1.0  # seconds between two looks that count: where it takes longer, the machine stood still
MOST_MEMORY = 2e9  # bytes more than before
LONGEST = 400  # characters of a sentence
OPENED, REFUSED, FOREIGN, HANG, MEMORY, DEATH = "opened", "refused", "foreign", "hang", "memory", "death"
CONTEXT = multiprocessing.get_context("fork")  # with everything imported, so that a new worker is there at once
FILTERING = ("anndata", "scipy.special", "zarr")  # packages that change the warning filters when they are imported
TICK = os.sysconf("SC_CLK_TCK")

for package in FILTERING:
    importlib.import_module(package)


@dataclass(frozen=True)
class Outcome:
    """What came of one damaged sample.

    Attributes
    ----------
    result : str
        One of the constants above.
    damage, words : str
        What was done to the sample, and what came of it.
    """

    result: str
    damage: str
    words: str


class Worker:
    """A process that opens damaged samples of one kind.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    targets : list of path
        Whole samples.
    folder : path
        Where copies are damaged.
    """

    def __init__(self, kind: str, targets: list[Path], folder: Path) -> None:
        self._given, self._process = (kind, targets, folder), None
        self._start()

    def _start(self) -> None:
        self._pipe, far = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_serve, args=(self._pipe, far, *self._given), daemon=True)
        self._process.start()
        far.close()

    def take(self, seed: int) -> Outcome:
        """Damage and open a sample by a seed."""
        damage = ""
        try:
            self._pipe.send(seed)
            began, damage = self._pipe.recv()
            if not began:
                raise RuntimeError(f"A sample could not be damaged:\n{damage}")
            outcome = self._watched(damage)
        except (EOFError, ConnectionError):
            self._process.join()
            output = _text(self._given[2] / "output")[:1000]
            if not damage:
                raise RuntimeError(f"Whole samples cannot be opened:\n{output}") from None
            outcome = Outcome(DEATH, damage, f"exit code {self._process.exitcode}: {output}")
        if outcome.result in (HANG, MEMORY, DEATH):
            self.end()
            self._start()
        return outcome

    def _watched(self, damage: str) -> Outcome:
        pid = self._process.pid
        looked, seen = time.monotonic(), _used(pid)
        first, memory, waited, idle = seen, _memory(pid), 0.0, 0.0
        while not self._pipe.poll(0.25):
            now, used = time.monotonic(), _used(pid)
            step, looked = min(now - looked, LONGEST_LOOK), now
            waited, idle = waited + step, 0.0 if used != seen or _busy(pid) else idle + step
            seen = used
            if used - first > CPU_SECONDS or waited > WALL_SECONDS or idle > IDLE_SECONDS:
                return Outcome(HANG, damage, f"{used - first:.0f} s of computing, {waited:.0f} s in all")
            if _memory(pid) - memory > MOST_MEMORY:
                return Outcome(MEMORY, damage, f"{(_memory(pid) - memory) / 1e9:.1f} GB and more")
        outcome = self._pipe.recv()
        used = _used(pid) - first
        return Outcome(HANG, damage, f"{used:.0f} s of computing") if used > CPU_SECONDS else outcome

    def end(self) -> None:
        """End the process, and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.kill()  # which may not lead a group yet
        self._process.join()
        self._pipe.close()


def apart(work, *arguments) -> None:
    """Call a function in a process of its own, so that this one never computes, and can be forked.

    Raises
    ------
    RuntimeError
        If it failed.
    """
    process = CONTEXT.Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"The samples could not be made (exit code {process.exitcode}).")


# ---- in the worker --------------------------------------------------------------------------------------------------


def _serve(near: Connection, pipe: Connection, kind: str, targets: list[Path], folder: Path) -> None:
    near.close()  # so that this process ends with the one that watches it
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, 8 << 30))  # so that the machine does not suffer
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 35, 1 << 35))
    output = os.open(folder / "output", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.enable(output)
    logging.disable()  # as the command line does
    for package in ("torch", "scipy.special", "anndata", "rsciio"):  # which set filters when they are imported
        importlib.import_module(package)
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", module=r"napari_vae\b")
    for target in targets:
        holds_none = contextlib.suppress(InputError) if "real" in target.parent.name else contextlib.nullcontext()
        with holds_none:  # some real files have no image
            KINDS[kind].open(_copied(target, folder), random.Random(0))
    while True:
        seed = pipe.recv()
        try:
            rng = random.Random(f"{kind} {seed}")
            target, damage = _damaged(targets, folder, rng)
        except Exception:
            pipe.send((False, traceback.format_exc()))
            continue
        os.ftruncate(output, 0)
        pipe.send((True, damage))
        pipe.send(_opened(kind, target, damage, rng, folder))


def _damaged(targets: list[Path], folder: Path, rng: random.Random) -> tuple[Path, str]:
    chosen = rng.choice(targets)
    target = _copied(chosen, folder)
    return target, f"{chosen.relative_to(folder / 'samples').parts[0]}, {mutate(target, rng)}"


def _copied(target: Path, folder: Path) -> Path:
    case, (name, *inner) = folder / "case", target.relative_to(folder / "samples").parts
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(folder / "samples" / name, case)
    return case.joinpath(*inner)


def _opened(kind: str, target: Path, damage: str, rng: random.Random, folder: Path) -> Outcome:
    filters, before = list(warnings.filters), _reset_peak()
    result, words = OPENED, ""
    try:
        KINDS[kind].open(target, rng)
    except (InputError, TrainingError) as error:
        result, words = REFUSED, str(error)
        if len(words) > LONGEST or any(unicodedata.category(letter) == "Cc" for letter in words):
            result, words = FOREIGN, f"no sentence: {type(error).__name__}({words[:300]!r}), {len(words)} characters"
    except BaseException as error:
        result, words = FOREIGN, _told(error)
    sys.stdout.flush()
    sys.stderr.flush()
    if (peak := _peak() - before) > MOST_MEMORY:
        return Outcome(MEMORY, damage, f"{peak / 1e9:.1f} GB; {words}")
    if result != FOREIGN and warnings.filters != filters:
        changed = [one for one in [*filters, *warnings.filters] if (one in filters) != (one in warnings.filters)]
        result, words = FOREIGN, f"the warning filters are others than before: {changed}"
    if result != FOREIGN and (output := _text(folder / "output")):
        result, words = FOREIGN, f"printed: {output[:400]}"
    return Outcome(result, damage, words)


def _told(error: BaseException) -> str:
    """The exception, and where of our files it passed."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "napari_vae/" in f.filename]
    place = " < ".join(f"{f.filename.rpartition('napari_vae/')[2]}:{f.lineno}" for f in reversed(ours[-3:]))
    return f"{type(error).__name__}: {str(error)[:300]!r} at {place}"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()


# ---- time and memory, as Linux tells them ---------------------------------------------------------------------------


def _reset_peak() -> float:
    """Bytes in use; the peak is counted from here."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory(os.getpid())


def _peak() -> float:
    words = Path("/proc/self/status").read_text().split()
    return max(
        1024.0 * int(words[words.index("VmHWM:") + 1]), 1024.0 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    )


def _family(pid: int) -> list[int]:
    """A process and those that it started."""
    family = [pid]
    for parent in family:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                family += map(int, children.read_text().split())
    return family


def _memory(pid: int) -> float:
    """Bytes in use by a process and those that it started."""
    total = 0.0
    for one in _family(pid):
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * resource.getpagesize()
    return total


def _used(pid: int) -> float:
    """Seconds computed by a process and those that it started, ended ones included."""
    total = 0
    for one in _family(pid):
        with contextlib.suppress(OSError):
            total += sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return total / TICK


def _busy(pid: int) -> bool:
    """Whether any thread of them could go on, or waits for a disk."""
    for one in _family(pid):
        for stat in Path(f"/proc/{one}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                if stat.read_text().rpartition(")")[2].split()[0] in "RD":
                    return True
    return False
