"""A million images on disk, encoded in bounded memory.

    python benchmarks/million.py [--images 1000000]

Cards of 48², 8 bit, in a file that is mapped into memory: 2.3 GB, where float32 images would take 9.2 GB. Memory is the
peak of what is not backed by the file, above that before the call, of which the table of the results is a part. Needs
Linux, for how it reads the memory.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    n = parser.parse_args().images
    cards = samples.cards(CHUNK // 4, 180, 1)
    run = fit(cards.images, ModelConfig.preset("rvae"), TrainConfig(epochs=1))
    some = (255 * cards.images).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npy")
        images = np.lib.format.open_memmap(path, "w+", np.uint8, (n, 48, 48))
        for start in range(0, n, CHUNK):
            images[start : start + CHUNK] = some[: n - start]
        images.flush()
        before, peak, began = private_memory(), Peak(), time.perf_counter()
        peak.start()
        table = run.encode(np.load(path, mmap_mode="r"))
        seconds, memory = time.perf_counter() - began, peak.end() - before
    assert len(table) == n and np.isfinite(table["z1"]).all()
    print("| images | seconds | images/s | memory, GB | the table of it | bar | met |\n|---|---|---|---|---|---|---|")
    size = table.memory_usage().sum() / 1e9
    met = "yes" if memory <= BAR else "**no**"
    print(f"| {n} | {seconds:.0f} | {n / seconds:.0f} | {memory:.2f} | {size:.2f} | ≤ {BAR} | {met} |")


if __name__ == "__main__":
    main()
