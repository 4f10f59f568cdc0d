"""A million images, learnt from and encoded in bounded memory.

    python benchmarks/million.py [train] [encode] [--images 1000000]

Cards of 48², 8 bit: 2.3 GB, where float32 images would take 9.2 GB. An epoch on images in memory, and the table of
those in a file that is mapped into memory, each in a process of its own. Memory is the peak of what is not backed by a
file, above that before the call, of which the table is a part. Needs Linux, for how it reads the memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_vae import ModelConfig, TrainConfig, fit, samples

BAR = 2.0  # GB
CHUNK = 10_000


def private_memory() -> float:
    """GB of this process that belong to no file."""
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("RssAnon:") + 1]) / 1e6


class Peak(threading.Thread):
    """The largest private memory while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.largest, self._over = 0.0, threading.Event()

    def run(self) -> None:
        """Look ten times a second."""
        while not self._over.wait(0.1):
            self.largest = max(self.largest, private_memory())

    def end(self) -> float:
        """Stop looking, and tell."""
        self._over.set()
        self.join()
        return self.largest


def train(path: Path) -> Callable[[], float]:
    """An epoch on images in memory; GB of the images alone."""
    images = np.load(path)
    fit(images[:2000], RVAE, TrainConfig(epochs=1))  # what the first training imports is not counted

    def epoch() -> float:
        fit(images, RVAE, TrainConfig(epochs=1))
        return images.nbytes / 1e9

    return epoch


def encode(path: Path) -> Callable[[], float]:
    """The table of images in a file; GB of the table alone."""
    images = np.load(path, mmap_mode="r")
    run = fit(images[:10_000], RVAE, TrainConfig(epochs=1))

    def table() -> float:
        found = run.encode(images)
        assert len(found) == len(images) and np.isfinite(found["z1"]).all()
        return found.memory_usage().sum() / 1e9

    return table


def measure(work: Callable[[], float]) -> tuple[float, float, float, float]:
    """Seconds, and of the processor; GB of memory above that before; and what the work returns."""
    before, peak, began, processor = private_memory(), Peak(), time.perf_counter(), time.process_time()
    peak.start()
    size = work()
    return time.perf_counter() - began, time.process_time() - processor, peak.end() - before, size


RVAE = ModelConfig.preset("rvae")
ROWS = {"train": train, "encode": encode}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)  # of a process that measures one row
    chosen = parser.parse_args()
    if chosen.file is not None:
        print(json.dumps(measure(ROWS[chosen.rows[0]](chosen.file))))
        return
    print("| what | images | seconds | of the processor | images/s | memory, GB | of images, or table | bar | met |")
    print("|---|---|---|---|---|---|---|---|---|")
    n, some = chosen.images, (255 * samples.cards(CHUNK // 4, 180, 1).images).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npy")
        images = np.lib.format.open_memmap(path, "w+", np.uint8, (n, 48, 48))
        for start in range(0, n, CHUNK):
            images[start : start + CHUNK] = some[: n - start]
        images.flush()
        for name in chosen.rows or ROWS:
            command = [sys.executable, __file__, name, "--file", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, processor, memory, size = json.loads(done.stdout)
            met = "yes" if memory <= BAR else "**no**"
            numbers = f"{seconds:.0f} | {processor:.0f} | {n / seconds:.0f} | {memory:.2f} | {size:.2f}"
            print(f"| {name} | {n} | {numbers} | ≤ {BAR} | {met} |", flush=True)


if __name__ == "__main__":
    main()
