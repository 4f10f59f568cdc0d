"""Processes that train one model together: what each of them does of it, and what they agree on.

Every process holds the same images and the same weights, and takes its share of every batch; gradients are added up
before the step. Started by ``torchrun``; exchange is by gloo between CPUs and by nccl between GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed.nn.functional  # before any group: its defaults hold the one of the moment, whose threads then
from torch import Tensor, distributed, nn  # outlive it and abort the process when Python ends

from ..core.device import choose_device, is_out_of_memory
from ..core.errors import InputError, TrainingError
from ..models.evidence import Evidence
from .torchrun import Rendezvous


class Share(NamedTuple):
    """Rows of a batch that a process takes, how many lie before and after them, and whether they count.

    Where a batch has fewer rows than there are processes, some of them look at one that does not count, so that all
    have drawn the same random numbers and have gradients to add.
    """

    rows: Tensor
    before: int
    after: int
    counts: bool


@dataclass(frozen=True)
class Group:
    """The processes of a training; by default there is one.

    Parameters
    ----------
    rank, size : int
        Number of this process, from 0, and how many there are.
    device : str
        Where this process computes; empty to leave it to the training.
    """

    rank: int = 0
    size: int = 1
    device: str = ""

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Share:
        """What this process takes of some rows."""
        low, high = (len(rows) * rank // self.size for rank in (self.rank, self.rank + 1))
        counts = high > low or not len(rows)
        if not counts:
            high = low + 1
        return Share(rows[low:high], low, len(rows) - high, counts)

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Put into every tensor the sum over all processes."""
        if self.size > 1 and tensors:
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            with _exchange():
                distributed.all_reduce(flat)
            for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(total.view_as(tensor))

    def follow(self, tensors: Sequence[Tensor]) -> None:
        """Put into every tensor what it is in the first process."""
        if self.size > 1:
            for tensor in tensors:
                with _exchange():
                    distributed.broadcast(tensor, 0)

    def align(self, model: nn.Module) -> None:
        """Give every process the weights of the first one."""
        self.follow([value for value in model.state_dict().values() if value.numel()])

    def agree(self, values: Sequence[float]) -> list[float]:
        """The numbers of the first process."""
        if self.size == 1:
            return list(values)
        values_of_first = torch.tensor(values, dtype=torch.float64, device=self.device or None)
        self.follow([values_of_first])
        return [float(value) for value in values_of_first]

    def collect(self, parts: Sequence[bytes]) -> list[bytes]:
        """Bytes of which each is in one process, in all of them; the others give empty ones in their place."""
        if self.size == 1:
            return list(parts)
        device = self.device or None
        sizes = torch.tensor([len(part) for part in parts], device=device)
        self.add([sizes])
        ends = sizes.cumsum(0).tolist()
        whole = torch.zeros(int(sizes.sum()), dtype=torch.uint8, device=device)
        for part, end in zip(parts, ends, strict=True):
            if part:
                whole[end - len(part) : end] = torch.frombuffer(bytearray(part), dtype=torch.uint8)
        self.add([whole])
        content = whole.cpu().numpy().tobytes()
        return [content[end - size : end] for size, end in zip(sizes.tolist(), ends, strict=True)]

    def mean(self, evidence: Evidence) -> Evidence:
        """Mean over the images of all processes, as a batch of one."""
        if self.size == 1:
            return evidence.mean()
        totals = [getattr(evidence, f.name).sum(0, keepdim=True) for f in fields(evidence)]
        count = torch.full_like(totals[0], len(evidence.posed))
        self.add([*totals, count])
        return Evidence(*(total / count for total in totals))

    def any(self, wish: bool) -> bool:
        """Whether any process wishes it."""
        if self.size == 1:
            return wish
        wishes = torch.tensor([float(wish)], device=self.device or None)
        with _exchange():
            distributed.all_reduce(wishes)
        return bool(wishes > 0)

    def check_same(self, digest: str) -> None:
        """Refuse a training for which the processes were given different images.

        Raises
        ------
        InputError
            In all of them.
        """
        number = [float(int(digest[i : i + 8], 16)) for i in range(0, 64, 8)]
        if self.any(self.agree(number) != number):
            raise InputError("The processes were given different images; give all of them the same file and options.")


ALONE = Group()
PATIENCE = timedelta(days=1)  # for a process that still detects the atoms of a long movie; one that has gone is noticed


@contextmanager
def _exchange() -> Iterator[None]:
    """Say in a sentence that another process has gone, which the libraries report as a fault of a connection."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise TrainingError(
            "Another process of this training has ended or cannot be reached; see what it says, and start all again."
        ) from error


@contextmanager
def joined(device: str = "auto", *, wait: float = 60.0) -> Iterator[Group]:
    """The processes that ``torchrun`` started, or this one alone if it did not.

    Parameters
    ----------
    device : str
        As in `TrainConfig`; of several GPUs each process takes its own.
    wait : float
        Seconds in which the processes must find each other.

    Raises
    ------
    InputError
        If there are more processes on this machine than GPUs, the device cannot be shared, what the environment says of
        the processes makes no sense, or they do not find each other.

    Examples
    --------
    >>> with joined("cpu") as group:
    ...     group.first, group.size
    (True, 1)
    """
    place = Rendezvous.from_environment()
    if place.size == 1:
        yield Group()
        return
    chosen = choose_device(device)
    if chosen.type not in ("cpu", "cuda"):
        raise InputError(f"Several processes cannot share {chosen.type}; give --device cpu, or train in one process.")
    if chosen.type == "cuda":
        if place.local >= torch.cuda.device_count():
            raise InputError(
                f"This machine has {torch.cuda.device_count()} GPUs; start one process for each, or give --device cpu."
            )
        chosen = torch.device("cuda", place.local)
    store, backend = place.connect(wait), "nccl" if chosen.type == "cuda" else "gloo"
    with _exchange():
        distributed.init_process_group(backend, store=store, rank=place.rank, world_size=place.size, timeout=PATIENCE)
    try:
        yield Group(place.rank, place.size, str(chosen))
    finally:
        distributed.destroy_process_group()
