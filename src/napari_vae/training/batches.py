"""Images on their way to the device: which are learnt from, which are held out, and in which batches they come."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.device import free_memory, is_out_of_memory
from ..models.images import CHUNK, Images, parts
from .schedule import automatic_batch

HELD_OUT, MOST_HELD_OUT = 0.1, 500  # share and number of images that the model never learns from
LOOK = 100  # images that are looked at at once, at least
LABELLED = 0.25  # share of a batch that is labelled, at least
ROOM = 0.5  # share of a card's free memory that images may take; the rest is for steps, and for other programs


class Stored:
    """Images on a device, integers as integers, which become float32 in [0, 1] where they are indexed.

    Parameters
    ----------
    images : Images
    device : torch.device
    """

    def __init__(self, images: Images, device: torch.device) -> None:
        array, limits = images.compact
        kind, offset = _stored_as(array.dtype)
        self._values = torch.empty(array.shape, dtype=getattr(torch, kind.name), device=device)
        for number, part in enumerate(parts(array)):
            # Wide unsigned integers, of which torch knows little, lie half their range lower.
            lower = part - part.dtype.type(offset) if offset else part
            self._values[number * CHUNK :][: len(part)] = torch.from_numpy(np.array(lower).astype(kind, copy=False))
        self._scale: tuple[Tensor, Tensor] | None = None
        if limits is not None:
            exact = torch.float32 if device.type == "mps" else torch.float64
            low, high = (np.array(values)[:, None, None] for values in (limits.low, limits.high))
            self._scale = (
                torch.tensor(low - offset, dtype=exact, device=device),
                torch.tensor(high - low, dtype=exact, device=device),
            )

    def __getitem__(self, rows: Tensor) -> Tensor:
        values = self._values[rows]
        if self._scale is None:
            return values
        low, span = self._scale
        return values.to(low.dtype).sub_(low).div_(span).clamp_(0, 1).float()

    @classmethod
    def where_there_is_room(cls, images: Images, device: torch.device) -> Stored | None:
        """The images on a graphics card, if its memory takes them."""
        array, _ = images.compact
        needed = math.prod(array.shape) * array.dtype.itemsize
        if device.type == "cpu" or needed > ROOM * free_memory(device):
            return None
        try:
            return cls(images, device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None  # another program was quicker


def _stored_as(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """The type in which torch keeps such values, and what is taken from them first."""
    if dtype.kind == "u" and dtype.itemsize > 1:
        return np.dtype(f"i{dtype.itemsize}"), 2 ** (8 * dtype.itemsize - 1)
    return np.dtype("u1") if dtype.kind == "b" else dtype.newbyteorder("="), 0


class Batches:
    """Batches of images and of what is given with them.

    Where labels are given for some images, part of each batch are labelled images, in which all classes are equally
    frequent: a quarter, or as large a share as there are of them. The other images come without labels.

    Parameters
    ----------
    images : Images
    given : array (N, n) float32, optional
        See `models.given`; rows of NaN are not known.
    partly : bool
        Whether `given` are labels of some of the images.
    batch_size : "auto" or int
    seed : int
    device : torch.device
    """

    def __init__(
        self,
        images: Images,
        given: npt.NDArray[np.float32] | None,
        *,
        partly: bool,
        batch_size: int | str,
        seed: int,
        device: torch.device,
    ) -> None:
        self.device, self.seed = device, seed
        self._images, self._stored = images, Stored.where_there_is_room(images, device)
        self.resident = self._stored is not None
        self._home = device if self.resident else torch.device("cpu")  # of the images and of what is known of them
        self.given = None if given is None else torch.from_numpy(given).to(self._home)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed), device="cpu")
        self.labelled = order[:0]
        if partly and given is not None:
            known = torch.from_numpy(~np.isnan(given).any(1))[order]
            if (~known).sum() > 1:
                self.labelled, order = order[known], order[~known]
            else:  # a single one cannot be both learnt from and held out, and is left out
                order = order[known]
        n_held_out = min(MOST_HELD_OUT, max(min(2, len(order) - 1), round(HELD_OUT * len(order))))
        # Rows lie where the images are: a GPU that had to be sent them would make every step wait.
        self.held_out, self.rows = order.to(self._home).tensor_split([n_held_out])
        learnt = len(self.rows) + len(self.labelled)
        automatic = automatic_batch(learnt, on_gpu=device.type == "cuda")
        self.batch_size = min(automatic if batch_size == "auto" else int(batch_size), learnt)
        self.look_size = max(LOOK, self.batch_size)  # images at once where nothing is learnt, which takes less memory
        share = max(LABELLED, len(self.labelled) / learnt)
        part = max(1, min(math.ceil(share * self.batch_size), self.batch_size - 1))
        self.n_labelled = part if len(self.labelled) else 0
        self.steps_per_epoch = math.ceil(len(self.rows) / max(1, self.batch_size - self.n_labelled))

    @property
    def n_images(self) -> int:
        """How many images there are, of all sorts."""
        return len(self._images)

    @property
    def pixels(self) -> int:
        """Of an image, in all channels."""
        return math.prod(self._images.shape[1:])

    def of_epoch(self, epoch: int, position: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of each batch of an epoch, from a position on, and of the labelled images that join it.

        They depend on nothing but the seed and the epoch.
        """
        shuffle = torch.Generator().manual_seed(1_000_003 * (self.seed + 1) + epoch)
        order = torch.randperm(len(self.rows), generator=shuffle, device="cpu").to(self.rows.device)
        batches = self.rows[order].split(max(1, self.batch_size - self.n_labelled))
        labelled = self._labelled(len(batches), shuffle)
        yield from itertools.islice(zip(batches, labelled, strict=True), position, None)

    def _labelled(self, n: int, generator: torch.Generator) -> Tensor:
        """Rows (n, n_labelled) of labelled images, every class as often as the others."""
        if not self.n_labelled or self.given is None:
            return self.rows.new_empty(n, 0)
        classes = self.given.cpu()[self.labelled].argmax(1)
        shares = 1.0 / torch.bincount(classes).float()[classes]
        chosen = torch.multinomial(shares, n * self.n_labelled, replacement=True, generator=generator)
        return self.labelled[chosen].view(n, self.n_labelled).to(self.rows.device)

    def load(self, rows: Tensor) -> Tensor:
        """Images of some rows, on the device."""
        if self._stored is None:
            return torch.from_numpy(self._images[rows.cpu().numpy()]).to(self.device)
        return self._stored[rows.to(self._home)]

    def load_given(self, rows: Tensor) -> Tensor | None:
        """What is given with some rows, on the device."""
        return None if self.given is None else self.given[rows.to(self.given.device)].to(self.device)
