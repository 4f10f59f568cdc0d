"""Images on a device: integers travel and are kept as they came, and become float32 in [0, 1] where they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.device import free_memory, is_out_of_memory
from ..core.normalization import Normalization
from .images import CHUNK, Images, Like, images_like, parts

ROOM = 0.5  # share of a card's free memory that images may take; the rest is for steps, and for other programs


class Scaling:
    """How values become float32 in [0, 1] on a device.

    Parameters
    ----------
    dtype : dtype
        Of the values as they came.
    limits : Normalization, optional
        What 0 and 1 stand for; not given for values that are so already.
    device : torch.device
    """

    def __init__(self, dtype: np.dtype[Any], limits: Normalization | None, device: torch.device) -> None:
        # Wide unsigned integers, of which torch knows little, lie half their range lower.
        wide = dtype.kind == "u" and dtype.itemsize > 1
        self._offset = 2 ** (8 * dtype.itemsize - 1) if wide else 0
        self._kind = np.dtype(f"i{dtype.itemsize}" if wide else "u1" if dtype.kind == "b" else dtype.newbyteorder("="))
        self.dtype: torch.dtype = getattr(torch, self._kind.name)
        self._scale: tuple[Tensor, Tensor] | None = None
        if limits is not None:
            exact = torch.float32 if device.type == "mps" else torch.float64
            low, high = (np.array(values)[:, None, None] for values in (limits.low, limits.high))
            self._scale = (
                torch.tensor(low - self._offset, dtype=exact, device=device),
                torch.tensor(high - low, dtype=exact, device=device),
            )

    def as_tensor(self, values: npt.NDArray[Any]) -> Tensor:
        """Values as torch keeps them, on the CPU."""
        lower = values - values.dtype.type(self._offset) if self._offset else values
        return torch.from_numpy(np.array(lower).astype(self._kind, copy=False))

    def __call__(self, values: Tensor) -> Tensor:
        """Such values (N, C, H, W), on the device, in [0, 1]."""
        if self._scale is None:
            return values
        low, span = self._scale
        return values.to(low.dtype).sub_(low).div_(span).clamp_(0, 1).float()


class Stored:
    """Images on a device, float32 in [0, 1] where they are indexed.

    Parameters
    ----------
    images : Images
    device : torch.device
    """

    def __init__(self, images: Images, device: torch.device) -> None:
        array, limits = images.compact
        self._scaling = Scaling(array.dtype, limits, device)
        self._values = torch.empty(array.shape, dtype=self._scaling.dtype, device=device)
        for number, part in enumerate(parts(array)):
            self._values[number * CHUNK :][: len(part)] = self._scaling.as_tensor(part)

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self._scaling(self._values[rows])

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


def batches_on(device: torch.device, data: Any, like: Like, batch: int) -> Iterator[Tensor]:
    """`model_batches` on a device; a graphics card is given integers as they came.

    Raises
    ------
    InputError
        As `model_batches`.
    """
    images = images_like(data, like)
    array, limits = (images, None) if device.type == "cpu" else images.compact
    scaling = Scaling(array.dtype, limits, device)
    starts = range(0, len(images), batch)
    return (scaling(scaling.as_tensor(array[start : start + batch]).to(device)) for start in starts)
