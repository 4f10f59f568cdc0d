"""Images on their way to the device: which are learnt from, which are held out, and in which batches they come."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..models.images import Images
from ..models.stored import Stored
from .schedule import automatic_batch

HELD_OUT, MOST_HELD_OUT = 0.1, 500  # share and number of images that the model never learns from
LOOK = 100  # images that are looked at at once, at least
LABELLED = 0.25  # share of a batch that is labelled, at least


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
