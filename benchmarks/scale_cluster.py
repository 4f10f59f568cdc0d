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


def detect_on_cluster(path: str, workers: int) -> dict[str, float]:
    """Detect the movie of a file on a local cluster; frames per second."""
    from distributed import Client, LocalCluster

    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as local, Client(local) as client, tempfile.TemporaryDirectory() as folder:
        client.run(nv.detect_atoms, nv.samples.micrograph("graphene", size=128)[0])  # so that all is imported
        begun = time.perf_counter()
        (result,) = nv.batch.detect_files([path], folder, scheduler=client)
        return {"rows": result.facts["atoms"], "rate": result.facts["frames"] / (time.perf_counter() - begun)}


def open_in_window(path: str) -> dict[str, float]:
    """Open a file in a napari window that stands already; seconds until the canvas is drawn."""
    import napari

    viewer = napari.Viewer()
    viewer.add_image(np.zeros((8, 8)))
    viewer.screenshot(canvas_only=True, flash=False)
    viewer.layers.clear()
    begun = time.perf_counter()
    viewer.open(path, plugin="napari-vae")
    viewer.screenshot(canvas_only=True, flash=False)
    took = time.perf_counter() - begun
    viewer.close()
    return {"seconds": took}


def row(what: str, value: str, bar: str, met: bool) -> None:
    print(f"| {what} | {value} | {bar} | {'yes' if met else '**no**'} |", flush=True)


def memory(folder: Path, n: int) -> None:
    path = folder / "movie.tif"
    write_movie(path, n)
    told = own_process("memory", str(path))
    path.unlink()
    what = f"memory of detecting {n} frames of {SIDE}² ({told['atoms']} atoms, {told['seconds']:.0f} s), GiB"
    row(what, f"{told['peak']:.2f}", f"≤ {MEMORY_BAR}", told["peak"] <= MEMORY_BAR)


def cluster(folder: Path, n: int) -> None:
    path = folder / "short.tif"
    write_movie(path, n)
    one, two, again = (own_process("cluster", str(path), str(workers))["rate"] for workers in (1, 2, 1))
    path.unlink()
    one = max(one, again)
    what = f"frames a second of two workers ({two:.2f}) to one ({one:.2f}), {n} frames of {SIDE}²"
    row(what, f"{two / one:.2f}", f"≥ {SPEED_BAR}", two >= SPEED_BAR * one)


def opening(folder: Path) -> None:
    """Files with holes: they take no room on the disk, and what is read of them is zeros."""
    import tifffile

    shape = (477, SIDE, SIDE)  # 4 GB in 16 bit
    for ending in ("tif", "npy"):
        path = folder / f"stack.{ending}"
        if ending == "tif":
            stack = tifffile.memmap(path, shape=shape, dtype=np.uint16, metadata={"axes": "TYX"})
        else:
            stack = np.lib.format.open_memmap(path, "w+", np.uint16, shape)
        stack[0] = next(drifting(1))
        stack.flush()
        del stack
        took = own_process("opening", str(path))["seconds"]
        what = f"first frame of a .{ending} of {path.stat().st_size / 1e9:.1f} GB in the window, s"
        row(what, f"{took:.2f}", f"< {OPENING_BAR:g}", took < OPENING_BAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--cluster-frames", type=int, default=24)
    parser.add_argument("--only", nargs="+", default=["memory", "cluster", "opening"])
    parser.add_argument("--job", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        job, path, *workers = given.job
        jobs = {"memory": detect_alone, "cluster": detect_on_cluster, "opening": open_in_window}
        print(json.dumps(jobs[job](path, *map(int, workers))))
        return
    print("| what | measured | bar | met |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "memory" in given.only:
            memory(folder, given.frames)
        if "cluster" in given.only:
            cluster(folder, given.cluster_frames)
        if "opening" in given.only:
            opening(folder)


if __name__ == "__main__":
    main()
