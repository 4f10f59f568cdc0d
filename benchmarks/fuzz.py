"""Files and folders that are damaged at random: each must be opened, or refused with one sentence of ours.

    python benchmarks/fuzz.py [--kind run --kind "table.*"] [--seed 0] [--mutants 260] [--minutes 0]

Of every format, table, folder and configuration that is read, copies of small samples (our own, and real ones of
NAPARI_VAE_DATA) are damaged: bytes, numbers in headers, nodes of JSON, cells and columns of tables, objects of HDF5,
files that are missing, devices or links. A case has a seed: ``--kind run --seed 17 --mutants 1`` repeats it, and with
``--folder`` its files stay. A fault is an exception that is not ours, a message of several lines or above 400
characters, anything printed, 10 s of computing (or 60 s in all, or 15 s of waiting for nothing), 2 GB of memory, or a
death of the process. Exit code 1 if there is any. Needs Linux.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before anything that reads it

import argparse
import fnmatch
import pickle
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fuzzing.kinds import KINDS
from fuzzing.workers import DEATH, FOREIGN, HANG, MEMORY, OPENED, REFUSED, Worker, apart

RESULTS = (OPENED, REFUSED, FOREIGN, HANG, MEMORY, DEATH)
FEW = 40  # cases of a kind that are all printed
FAULTS = (FOREIGN, HANG, MEMORY, DEATH)


def make(kind: str, folder: Path) -> list[Path]:
    """Whole samples of a kind, made in another process."""

    def write() -> None:
        targets = KINDS[kind].make(folder / "samples")
        (folder / "targets").write_bytes(pickle.dumps(targets))

    folder.mkdir(parents=True, exist_ok=True)
    apart(write)
    return pickle.loads((folder / "targets").read_bytes())


def fuzz(kind: str, targets: list[Path], seeds: range, folder: Path, deadline: float) -> Counter[str]:
    """Take the seeds one by one; faults are printed as they come."""
    counts: Counter[str] = Counter()
    worker = Worker(kind, targets, folder)
    for seed in seeds:
        outcome = worker.take(seed)
        counts[outcome.result] += 1
        if outcome.result in FAULTS or len(seeds) <= FEW:
            print(f'--kind "{kind}" --seed {seed}: {outcome.result}: {outcome.damage}: {outcome.words}', flush=True)
        if time.monotonic() > deadline:
            break
    worker.end()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", default=[], help="a kind, or a pattern; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the first case of each kind; then counted up")
    parser.add_argument("--mutants", type=int, default=260, help="cases of each kind")
    parser.add_argument("--minutes", type=float, default=0, help="repeat with other seeds as long as this")
    parser.add_argument("--folder", type=Path, help="where samples and cases lie; by default one that is removed")
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if any(fnmatch.fnmatch(kind, p) for p in given.kind or ["*"])]
    began = time.monotonic()
    deadline = began + 60 * given.minutes if given.minutes else float("inf")
    totals: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    seconds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        top = given.folder or Path(scratch)
        samples = {kind: targets for kind in kinds if (targets := make(kind, top / kind.replace(" ", "-")))}
        print(f"Kinds: {', '.join(samples)}; seeds from {given.seed}", flush=True)
        seed = given.seed
        while True:
            for kind, targets in samples.items():
                start = time.monotonic()
                totals[kind] += fuzz(
                    kind, targets, range(seed, seed + given.mutants), top / kind.replace(" ", "-"), deadline
                )
                seconds[kind] += time.monotonic() - start
                if time.monotonic() > deadline:
                    break
            seed += given.mutants
            if not given.minutes or time.monotonic() > deadline:
                break
    print(f"\n| kind | cases | {' | '.join(RESULTS)} | cases/s |\n|{'---|' * (len(RESULTS) + 3)}")
    for kind, counts in totals.items():
        if n := counts.total():
            print(f"| {kind} | {n} | {' | '.join(str(counts[name]) for name in RESULTS)} | {n / seconds[kind]:.0f} |")
    n, faults = (sum(counts[name] for counts in totals.values() for name in names) for names in (RESULTS, FAULTS))
    minutes = (time.monotonic() - began) / 60
    print(f"\n{n} cases in {minutes:.0f} minutes, seeds {given.seed} to {seed - 1}: {faults} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
