"""From what a caller hands over to (N, C, H, W) float32 images in [0, 1], with every fault named before work begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..normalization import Normalization
from .config import Likelihood
from .streaming import CHUNK, Lazy, Streamed, float32_bytes, is_lazy, parts, streamed_limits

if TYPE_CHECKING:
    pass

Images = npt.NDArray[np.float32] | Streamed

SMALLEST = 20
RESIDENT = 2**31  # images up to this many bytes are kept in memory, and on the device


def raw_images(data: Any) -> Any:
    """Array (N, C, H, W) of `Patches`, ``(N, H, W)`` or ``(N, C, H, W)`` data, dtype untouched, `Lazy` where data are.

    Raises
    ------
    InputError
        If the array has another number of dimensions, holds no numbers, is complex or not finite.
    """
    array: Any = Lazy(data) if is_lazy(data) else np.asarray(getattr(data, "data", data) if _is_patches(data) else data)
    if array.ndim == 2:  # signals
        array = array[:, None, None]
    elif array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or min(array.shape[1:], default=0) == 0:
        raise InputError(
            f"Images must come as (N, height, width) or (N, channels, height, width), signals as (N, length); "
            f"this array is {array.shape}."
        )
    if np.issubdtype(array.dtype, np.complexfloating):
        raise InputError("The images are complex; take their magnitude, np.abs(images), first.")
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise InputError(f"The images hold {array.dtype} values, not numbers; convert them to intensities.")
    if array.dtype.kind == "f" and not all(np.isfinite(part).all() for part in parts(array)):
        raise InputError("The images hold NaN or infinite values; replace them first, for example with np.nan_to_num.")
    return array


def choose_likelihood(data: Any, limits: Normalization) -> Likelihood:
    """The likelihood that ``"auto"`` stands for: arrays that span exactly 0 … 1 are taken as probabilities."""
    given = not _is_patches(data) and set(limits.low) == {0.0} and set(limits.high) == {1.0}
    return "bernoulli" if given else "gaussian"


def training_images(data: Any) -> tuple[Images, Normalization]:
    """Images to learn from, and the limits that 0 and 1 stand for; those of a large array stay where they are.

    Raises
    ------
    InputError
        As `raw_images`, or if there are fewer than 20 images or a channel is constant.
    """
    array = raw_images(data)
    if len(array) < SMALLEST:
        raise InputError(f"{len(array)} patches are too few to learn from; give at least {SMALLEST}.")
    signals = array.shape[-2] == 1
    if min(array.shape[-1:] if signals else array.shape[-2:]) < 4:
        raise InputError(f"Images of {array.shape[-2]} × {array.shape[-1]} px are too small; give at least 4 × 4.")
    if _is_patches(data):
        return array, data.normalization
    if float32_bytes(array) >= RESIDENT:
        limits = streamed_limits(array)
        return Streamed(array, limits), limits
    array = np.asarray(array)
    limits = Normalization.fit(array)
    return limits.apply(array), limits


def model_batches(
    data: Any, channels: int, size: tuple[int, int], limits: Normalization, batch: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Images as a trained model wants them, `batch` by batch, so that an array on disk never lies in memory as a whole.

    `Patches` are in the limits of their own micrograph already.

    Raises
    ------
    InputError
        If channels or size are not those the model was trained on; before the first batch.
    """
    array = raw_images(data)
    if array.shape[1:] != (channels, *size):
        raise InputError(
            f"The model takes images of {channels} × {size[0]} × {size[1]} (channels × height × width), not "
            f"{' × '.join(map(str, array.shape[1:]))}; extract patches with window={size}."
        )
    parts = (array[start : start + batch] for start in range(0, len(array), batch))
    if _is_patches(data):
        return (part.astype(np.float32, copy=False) for part in parts)
    return (limits.apply(part) for part in parts)


def model_images(data: Any, channels: int, size: tuple[int, int], limits: Normalization) -> Images:
    """All of `model_batches` at once; those of a large array stay where they are."""
    if not _is_patches(data) and float32_bytes(raw_images(data)) >= RESIDENT:
        return Streamed(raw_images(data), limits)
    return np.concatenate(list(model_batches(data, channels, size, limits, CHUNK)))


def as_given(images: npt.NDArray[np.float32], data: Any) -> npt.NDArray[np.float32]:
    """Images (N, C, H, W) in the shape that `data` came in: without the channel axis if it had none."""
    ndim = 4 if _is_patches(data) else len(np.shape(data))
    return images if ndim == 4 else images[:, 0] if ndim == 3 else images[:, 0, 0]


def _is_patches(data: Any) -> bool:
    return hasattr(data, "normalization") and hasattr(data, "atoms")
