"""Many files, large files, several processes: what is kept, how long it takes, how much memory.

    python benchmarks/scale.py [killed grid …]

``killed``: batches on the command line, killed with SIGKILL at a random moment of the work and started again, must end
with the very same tables as one that was left alone. Needs a system with SIGKILL.

``grid``: an image of 1024² without atoms, encoded by an rVAE on a grid of step 4, which has 65 000 windows; the bar is
10 s on two cores, or 20 s of processor time. “Cutting” is the part of it that cuts and normalises the windows.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import napari_vae as nv

FILES, ROUNDS, SIZE = 20, 10, 128
GRID_SIZE, GRID_BAR = 1024, 20
COMMAND = [sys.executable, "-m", "napari_vae"]


def killed_batches(seed: int = 0) -> None:
    """Ten rounds each of `detect` and `encode` on twenty small images."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _images(folder / "images")
        _model(folder / "images", folder / "run")
        print("task     round  tables then  tables  summary")
        for task in (["detect"], ["encode", str(folder / "run")]):
            command = [*COMMAND, *task, str(folder / "images" / "*.tif"), "--out", "tables"]
            whole, duration = _uninterrupted(command, folder / f"{task[0]}-whole")
            same = 0
            for number in range(1, ROUNDS + 1):
                place = folder / f"{task[0]}-{number}"
                done, wait = rng.randrange(FILES), rng.uniform(0, duration / FILES)
                done = _kill(command, place, done, wait)
                subprocess.run(command, cwd=place, check=True, capture_output=True)
                tables, summary = _compare(whole, _contents(place))
                same += tables and summary
                words = ["same" if equal else "OTHER" for equal in (tables, summary)]
                print(f"{task[0]:8} {number:5}  {done:5} of {FILES}   {words[0]:6}  {words[1]}", flush=True)
            print(f"{task[0]:8} ends with the same tables {same} times out of {ROUNDS}", flush=True)


def _images(folder: Path) -> None:
    for seed in range(FILES):
        image, _ = nv.samples.micrograph("graphene", size=SIZE, seed=seed)
        nv.write_image(image.data, folder / f"{seed:02}.tif", pixel_size=image.pixel_size, units=image.units)


def _model(images: Path, folder: Path) -> None:
    image = nv.read(images / "00.tif")
    patches = nv.extract_patches(image, nv.detect_atoms(image))
    nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=2, device="cpu")).save(folder)


def _uninterrupted(command: list[str], place: Path) -> tuple[dict[str, bytes], float]:
    """What a batch writes that is left alone, and how long it works once the first file is begun."""
    process, begun = _begin(command, place)
    if process.wait():
        raise RuntimeError("The batch that was left alone failed.")
    return _contents(place), time.monotonic() - begun


def _begin(command: list[str], place: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start a batch in a folder of its own, and wait until it begins with the first file."""
    place.mkdir()
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (place / "tables" / ".napari-vae").is_dir():
        time.sleep(0.002)
    return process, time.monotonic()


def _kill(command: list[str], place: Path, done: int, wait: float) -> int:
    """Kill a batch so many seconds after so many tables are there; how many there are then."""
    process, _ = _begin(command, place)
    while process.poll() is None and _tables(place) < done:
        time.sleep(0.002)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return _tables(place)


def _tables(place: Path) -> int:
    return len(list((place / "tables").glob("[0-9]*.csv")))


def _contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (place / "tables").iterdir() if path.is_file()}


def _compare(whole: dict[str, bytes], again: dict[str, bytes]) -> tuple[bool, bool]:
    """Whether every table is the same to the byte and nothing else lies about; whether the summary is."""
    names = [name for name in whole if name[0].isdigit()]
    tables = whole.keys() == again.keys() and all(whole[name] == again[name] for name in names)
    return tables, whole["summary.csv"] == again.get("summary.csv")


def encoded_grid() -> None:
    """Processor seconds of encoding a dense grid, in all and of its windows."""
    y, x = np.mgrid[:GRID_SIZE, :GRID_SIZE]
    stripes = np.sin(2 * np.pi * np.where(x < GRID_SIZE // 2, x, y) / 8)
    image = (stripes + 0.3 * np.random.default_rng(0).normal(size=stripes.shape)).astype(np.float32)
    print("| window | windows | processor | cutting | wall | bar | met |\n|---|---|---|---|---|---|---|")
    for window in (24, 32):
        places = nv.patches.grid_positions(image, 32, window=window)
        patches = nv.extract_patches(image, places, window=window)
        run = nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=1, device="cpu"))
        used, passed = time.process_time(), time.monotonic()
        applied = nv.apply_run(run, image, grid=4)
        used, passed = time.process_time() - used, time.monotonic() - passed
        cutting = time.process_time()
        nv.extract_patches(image, applied.atoms, levels=run.levels, **run.cutting, partial=True)
        cutting = time.process_time() - cutting
        met = "yes" if used <= GRID_BAR else "**no**"
        numbers = f"{len(applied.latents)} | {used:.1f} s | {cutting:.1f} s | {passed:.1f} s"
        print(f"| {window} px | {numbers} | ≤ {GRID_BAR} s | {met} |", flush=True)


SECTIONS = {"killed": killed_batches, "grid": encoded_grid}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    for name in parser.parse_args().sections or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main()
