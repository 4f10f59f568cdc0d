"""Movies larger than memory and more than one process: peak memory, throughput on a local cluster, first frame.

    python benchmarks/scale_cluster.py [--frames 200] [--cluster-frames 24] [--only memory cluster opening]

memory
    A movie of simulated graphene, 2048² in 16 bit, in a TIFF that is read frame by frame, is detected in a process of
    its own. Memory is the peak of that process with all that it imported.
cluster
    The same movie, shorter, detected on a local Dask cluster of one worker process and of two. The clock starts when
    the workers have detected a frame each.
opening
    A stack of 4 GB, sparse on disk, as the plugin's reader opens it: until the pixels of the first frame are in memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import napari_vae as nv

SIDE = 2048
MEMORY_BAR, SPEED_BAR, OPENING_BAR = 1.5, 1.7, 2.0  # GiB, times one worker, seconds


def drifting(n: int) -> Iterator[np.ndarray]:
    """Frames of one crystal that moves."""
    frame = nv.samples.micrograph("graphene", size=SIDE)[0].data.astype(np.uint16)
    for number in range(n):
        yield np.roll(frame, (number, 2 * number), (0, 1))


def write_movie(path: Path, n: int) -> None:
    """A TIFF of `n` frames, written one by one."""
    import tifffile

    tifffile.imwrite(path, drifting(n), shape=(n, SIDE, SIDE), dtype=np.uint16, metadata={"axes": "TYX"})


def own_process(job: str, *arguments: str) -> dict[str, float]:
    """What another process of this script printed."""
    command = [sys.executable, __file__, "--job", job, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def detect_alone(path: str) -> dict[str, float]:
    """Detect the movie of a file in this process; atoms, seconds and peak memory in GiB."""
    begun = time.perf_counter()
    atoms = nv.detect_atoms(nv.read(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    return {"atoms": len(atoms), "seconds": time.perf_counter() - begun, "peak": peak}


def row(what: str, value: str, bar: str, met: bool) -> None:
    print(f"| {what} | {value} | {bar} | {'yes' if met else '**no**'} |", flush=True)


def memory(folder: Path, n: int) -> None:
    path = folder / "movie.tif"
    write_movie(path, n)
    told = own_process("memory", str(path))
    path.unlink()
    what = f"memory of detecting {n} frames of {SIDE}² ({told['atoms']} atoms, {told['seconds']:.0f} s), GiB"
    row(what, f"{told['peak']:.2f}", f"≤ {MEMORY_BAR}", told["peak"] <= MEMORY_BAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--cluster-frames", type=int, default=24)
    parser.add_argument("--only", nargs="+", default=["memory", "cluster", "opening"])
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(json.dumps({"memory": detect_alone}[given.job[0]](given.job[1])))
        return
    print("| what | measured | bar | met |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "memory" in given.only:
            memory(folder, given.frames)


if __name__ == "__main__":
    main()
