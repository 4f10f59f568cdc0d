"""What a graphics card does for training, detection and deep kernels, in one run of at most four minutes.

    python benchmarks/gpu.py [--device cuda] [--rows …] [--json gpu.json]
    python benchmarks/gpu.py --device cpu --small   # a minute or two, to see that it runs

Every row is a process of its own with its own time limit, the cheapest and most telling first; what a row measured
before its time was over counts. Where pyroVED can be imported, or ``python benchmarks/peers/setup.py --only pyroved``
was run, it trains on the same cards in the same run. Prints a table with the card, torch and date, and writes the same
as JSON. Needs a system that forks processes, for then torch is imported once.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

import napari_vae as nv
from cards import SUITS, angle_error
from napari_vae.core.device import describe_device
from napari_vae.samples import Ferroelectric
from napari_vae.training import session
from napari_vae.training.step import TrainStep
from peers.setup import PYROVED
from speed import BATCH, KINDS, PEER, WIDTHS, ours

LIMIT = 240  # seconds of all rows
RVAE = nv.ModelConfig.preset("rvae")
Measured = tuple[str, float, str]  # what, how much, unit


@dataclass(frozen=True)
class Sizes:
    """How large the data are."""

    cards: int = 3000  # of each suit
    steps: int = 300
    batches: tuple[int, ...] = (50, 100, 1000, 4000)
    automatic: tuple[int, ...] = (100, 250, 500, 1000, 2000)
    floats: int = 500_000
    windows: int = 1_000_000
    frame: int = 4096
    candidates: int = 8000
    trajectories: int = 7500
    peer_seconds: float = 4.0


SMALL = Sizes(40, 4, (20, 50), (20,), 400, 1000, 192, 160, 8, 0.2)


class Unrecorded(TrainStep):
    """Takes every step, where others are recorded once and replayed."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.record = None


def cards(n: int) -> Any:
    """Cards iii: ±120°, shear ±1°."""
    return nv.samples.cards(n, 120, 1)


def trained(images: np.ndarray, device: str, batch: int, steps: int) -> nv.Run:
    """A training of about so many steps."""
    epochs = max(1, round(steps * batch / len(images)))
    return nv.fit(images, RVAE, nv.TrainConfig(epochs=epochs, batch_size=batch, device=device))


def rate_of(run: nv.Run, batch: int) -> float:
    """Images a second, with evaluations and reports, of the loop."""
    end = run.history.iloc[-1]
    return float(end["step"] * batch / end["seconds"])


def speed(device: str, size: Sizes) -> Iterator[Measured]:
    """How many images a second a training takes, by the size of the batch."""
    images = cards(size.cards).images
    began = time.perf_counter()
    trained(images, device, size.batches[0], size.steps // 10)
    yield "first training of a process, in all", time.perf_counter() - began, "s"
    for batch in size.batches:
        trained(images, device, batch, size.steps // 10)
        yield f"rvae, batch {batch}", rate_of(trained(images, device, batch, size.steps), batch), "images/s"
    with patch.object(session, "TrainStep", Unrecorded):
        batch = size.batches[1]
        yield f"not recorded, batch {batch}", rate_of(trained(images, device, batch, size.steps), batch), "images/s"


def repeated(device: str, size: Sizes) -> Iterator[Measured]:
    """By how much two trainings with the same seed differ."""
    images = cards(size.cards).images
    one, other = (trained(images, device, 100, size.steps).encode(images[:1000]) for _ in range(2))
    yield "largest difference of latents", float((one[["z1", "z2"]] - other[["z1", "z2"]]).abs().max(axis=None)), ""


def kernels(device: str, size: Sizes) -> Iterator[Measured]:
    """How many kernels a step starts, how much of the time the card works, and at what."""
    images = cards(size.cards).images
    for batch in (size.batches[1], size.batches[-1]):
        trained(images, device, batch, size.steps // 10)
        began = time.perf_counter()
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            run = trained(images, device, batch, size.steps // 3)
        seconds, steps = time.perf_counter() - began, run.history["step"].iloc[-1]
        found = sorted(profiled.key_averages(), key=lambda kernel: -kernel.self_device_time_total)
        total = sum(kernel.self_device_time_total for kernel in found)
        yield f"kernels a step, batch {batch}", sum(kernel.count for kernel in found) / steps, ""
        yield f"time that the card works, batch {batch}", total / 1e4 / seconds, "%"
        for kernel in found[:4]:
            yield f"of that, {kernel.key:.60}", 100 * kernel.self_device_time_total / total, "%"


def automatic(device: str, size: Sizes) -> Iterator[Measured]:
    """Cards iii until they gain no more, by the size of the batch, and what batch is chosen."""
    train, held_out = cards(size.cards), nv.samples.cards(max(20, size.cards // 3), 120, 1, seed=10_000)
    epochs: Any = "auto" if size.cards > 100 else 1
    for batch in ("auto", *size.automatic):
        run = nv.fit(train.images, RVAE, nv.TrainConfig(epochs=epochs, batch_size=batch, device=device))
        angles = (run.encode(held_out.images)["angle"] - held_out.angle).to_numpy()
        folds = [2 if suit == "♦" else 1 for suit in SUITS]
        errors = [angle_error(angles[held_out.suit == k], fold) for k, fold in enumerate(folds)]
        yield f"loop, batch {batch}", float(run.history["seconds"].iloc[-1]), "s"
        yield f"largest of the median angle errors, batch {batch}", max(errors), "°"


def kept(device: str, size: Sizes) -> Iterator[Measured]:
    """Windows of 48² in float32, two epochs in batches of 2000."""
    images = np.resize(cards(size.cards).images, (size.floats, 48, 48))
    train = nv.TrainConfig(epochs=2, batch_size=min(2000, size.floats // 4), device=device)
    began = time.perf_counter()
    run = nv.fit(images, RVAE, train)
    yield f"{size.floats} windows in 32 bit, loop", float(run.history["seconds"].iloc[-1]), "s"
    yield f"{size.floats} windows in 32 bit, in all", time.perf_counter() - began, "s"


def million(device: str, size: Sizes) -> Iterator[Measured]:
    """Windows of 48² in 8 bit: an epoch with all defaults, and their table."""
    images = np.resize((255 * cards(size.cards).images).astype(np.uint8), (size.windows, 48, 48))
    began = time.perf_counter()
    run = nv.fit(images, RVAE, nv.TrainConfig(epochs=1, device=device))
    yield f"{size.windows} windows in 8 bit, in all", time.perf_counter() - began, "s"
    began = time.perf_counter()
    run.encode(images)
    yield "encoding", size.windows / (time.perf_counter() - began), "windows/s"


def detection(device: str, size: Sizes) -> Iterator[Measured]:
    """Atoms of graphene, on the card if `detect_atoms` takes one."""
    image, _ = nv.samples.micrograph("graphene", size=size.frame)
    where: dict[str, Any] = {"device": device} if "device" in inspect.signature(nv.detect_atoms).parameters else {}
    began = time.perf_counter()
    atoms = nv.detect_atoms(image, **where)
    yield f"{len(atoms)} atoms of {size.frame}²", time.perf_counter() - began, "s"


def deep_kernel(device: str, size: Sizes) -> Iterator[Measured]:
    """A deep kernel on 100 labels, and what it says of all candidates."""
    cards = nv.samples.cards(size.candidates // 4, 120, 20, size=30)
    model = nv.DeepKernelGP(device=device)
    for which in ("first", "second"):
        began = time.perf_counter()
        model.fit(cards.images[:100], cards.shear[:100])
        yield f"fit of 100, {which}", time.perf_counter() - began, "s"
    began = time.perf_counter()
    model.predict(cards.images)
    yield f"prediction of {len(cards)}", time.perf_counter() - began, "s"


def ferroelectric(device: str, size: Sizes) -> Iterator[Measured]:
    """Trajectories of a lattice of 20 × 20."""
    field = nv.samples.field_trajectories(size.trajectories).field
    Ferroelectric().drive(field[:4], device=device)
    began = time.perf_counter()
    Ferroelectric().drive(field, device=device)
    yield f"{size.trajectories} trajectories", time.perf_counter() - began, "s"


def peer(device: str, size: Sizes) -> Iterator[Measured]:
    """Images a second of pyroVED, and of ours with the same widths, in batches of 50."""
    cards = nv.samples.cards(size.cards, 120, 20)
    order = np.random.default_rng(0).permutation(len(cards))
    images, suits = cards.images[order], cards.suit[order]
    python = PYROVED.python if PYROVED.is_ready() else sys.executable if importlib.util.find_spec("pyroved") else None
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, name)) for name in ("images.npy", "labels.npy")]
        np.save(files[0], images)
        np.save(files[1], suits)
        for name in KINDS:
            yield f"ours, {name}", ours(name, images, suits, device, WIDTHS, warm=size.cards > 500), "images/s"
            if python is not None:
                options = ["--models", name, "--batch", str(BATCH), "--device", device]
                command = [python, PEER, *files, *options, "--seconds", str(size.peer_seconds)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                yield f"pyroVED, {name}", float(json.loads(done.stdout)[name]), "images/s"


ROWS = {  # with their time limits in seconds, on a GPU
    "speed": (speed, 40),
    "automatic": (automatic, 45),
    "million": (million, 45),
    "kernels": (kernels, 30),
    "repeated": (repeated, 20),
    "deep kernel": (deep_kernel, 25),
    "ferroelectric": (ferroelectric, 20),
    "kept": (kept, 40),
    "peer": (peer, 50),
    "detection": (detection, 45),
}


def measure(name: str, device: str, size: Sizes, answers: Connection) -> None:
    """In the process of a row: send what is measured, one after the other, and at last what went wrong."""
    try:
        for found in ROWS[name][0](device, size):
            answers.send(found)
    except Exception as error:
        answers.send((f"failed: {type(error).__name__}: {error!s:.150}", float("nan"), ""))


def row(name: str, device: str, size: Sizes, seconds: float) -> Iterator[Measured]:
    """What a row measures within so many seconds."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(name, device, size, there))
    process.start()
    there.close()
    ends = time.monotonic() + seconds
    try:
        while here.poll(max(0.0, ends - time.monotonic())):
            yield here.recv()
        yield "not within its time", seconds, "s"
    except EOFError:
        pass
    finally:
        process.kill()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="small data, for a machine without a GPU")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    chosen = parser.parse_args()
    size, began, found = SMALL if chosen.small else Sizes(), time.monotonic(), []
    for name in chosen.rows:
        if name == "kernels" and not chosen.device.startswith("cuda"):
            continue
        left = LIMIT - (time.monotonic() - began)
        for what, value, unit in row(name, chosen.device, size, min(left, ROWS[name][1])) if left > 0 else ():
            print(f"{name}: {what}: {value:.4g} {unit}", file=sys.stderr, flush=True)
            found.append({"row": name, "what": what, "value": value, "unit": unit})
    about = {
        "device": describe_device(torch.device(chosen.device)),
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "small": chosen.small,
    }
    print(f"{about['device']}, torch {about['torch']}, {about['date']}{', small data' * chosen.small}\n")
    print("| row | what | measured |\n|---|---|---|")
    for one in found:
        print(f"| {one['row']} | {one['what']} | {one['value']:.4g} {one['unit']} |")
    chosen.json.write_text(json.dumps(about | {"rows": found}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
