"""A frame too large for memory, its atoms found and fitted in overlapping tiles.

    python benchmarks/big_frame.py [--sizes 4096 16384]

A simulated micrograph of graphene, 2048² in 16 bit, side by side in a file that is mapped into memory. Each size is
detected in a process of its own; memory is its peak (with what it has mapped of the file) above that before the call.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import napari_vae as nv

BAR = 2.0  # GB
PIECE = 2048


def peak() -> float:
    """Largest memory of this process so far, in GB (kilobytes on Linux, bytes on macOS)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)


def detect(path: str) -> None:
    """Detect the frame of a file and print what it took."""
    nv.detect_atoms(nv.samples.micrograph("graphene", size=128)[0])  # so that everything is imported
    before, begun, spent = peak(), time.perf_counter(), time.process_time()
    atoms = nv.detect_atoms(np.load(path, mmap_mode="r"))
    took = time.perf_counter() - begun, time.process_time() - spent
    print(json.dumps([len(atoms), int(atoms["fitted"].sum()), *took, peak() - before]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 16384])
    parser.add_argument("--detect", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.detect:
        detect(given.detect)
        return
    piece = nv.samples.micrograph("graphene", size=PIECE)[0].data.astype(np.uint16)
    print(
        "| size | atoms | fitted | seconds | of processor | memory, GB | bar | met |\n|---|---|---|---|---|---|---|---|"
    )
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "frame.npy")
            frame = np.lib.format.open_memmap(path, "w+", np.uint16, (size, size))
            for row in range(0, size, PIECE):
                for column in range(0, size, PIECE):
                    part = frame[row : row + PIECE, column : column + PIECE]
                    part[:] = piece[: part.shape[0], : part.shape[1]]
            frame.flush()
            del frame
            job = [sys.executable, __file__, "--detect", str(path)]
            output = subprocess.run(job, capture_output=True, text=True, check=True).stdout
        atoms, fitted, wall, spent, memory = json.loads(output)
        met = "yes" if memory <= BAR else "**no**"
        print(
            f"| {size}² | {atoms} | {fitted} | {wall:.1f} | {spent:.1f} | {memory:.2f} | ≤ {BAR} | {met} |", flush=True
        )


if __name__ == "__main__":
    main()
