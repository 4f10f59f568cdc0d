"""From what a caller hands over to (N, C, H, W) float32 images in [0, 1], with every fault named before work begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..core.arrays import as_array
from ..core.device import free_memory
from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.normalization import SAMPLE, Normalization
from ..core.provenance import begin_hash, data_hash
from .config import Likelihood

CHUNK = 1000  # images that are looked at at once
SMALLEST = 20
LARGE = 2**31  # bytes in 32 bit beyond which limits are sampled, and intensities scaled batch by batch
ROOM = 0.25  # share of the memory that is free into which a file may be loaded


class Lazy:
    """A dask, zarr or HDF5 array, or anything else with `shape`, `dtype` and rows by number, as (N, C, H, W).

    Parameters
    ----------
    source : array-like (N, W), (N, H, W) or (N, C, H, W)
        Any real dtype.
    """

    def __init__(self, source: Any) -> None:
        n, *inner = source.shape
        if n != n:
            raise InputError("The array does not know how many images it holds; call its compute_chunk_sizes() first.")
        self.source, self.dtype = source, np.dtype(source.dtype)
        self.shape = (n, *([1] * (3 - len(inner))), *inner)
        self.ndim, self.nbytes = len(self.shape), math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """The images of some rows, in memory; each is read once, in the order of the file."""
        if isinstance(rows, slice):
            return np.asarray(self.source[rows]).reshape(-1, *self.shape[1:])
        once, place = np.unique(rows, return_inverse=True)
        return np.asarray(self.source[once]).reshape(-1, *self.shape[1:])[place]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:], dtype)


class Images:
    """Images (N, C, H, W) to learn from: as they came, and float32 in [0, 1] where they are indexed.

    Parameters
    ----------
    array : Lazy or array (N, C, H, W)
        Intensities, or float32 in [0, 1].
    limits : Normalization, optional
        What 0 and 1 stand for; not given where that is 0 and 1.
    digest : str
        That of the images, if it is known.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, array: Any, limits: Normalization | None = None, digest: str = "") -> None:
        self._array, self._limits, self._digest = array, limits, digest
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.is_lazy = isinstance(array, Lazy)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        images: npt.NDArray[np.float32] = self._array[rows]
        return images if self._limits is None else self._limits.apply(images)

    @property
    def compact(self) -> tuple[Any, Normalization | None]:
        """What takes least memory to keep: integers and their limits, or float32 in [0, 1] without."""
        return (self._array, self._limits) if are_integers(self._array) else (self, None)

    def digest(self) -> str:
        """SHA-256 of integers as they came, or of float32 in [0, 1]; from one look at all of them."""
        self._digest = self._digest or data_hash(self.compact[0])
        return self._digest

    def in_memory(self) -> Images:
        """The same in float32."""
        whole = np.empty(self.shape, self.dtype)
        for start in range(0, len(self), CHUNK):
            whole[start : start + CHUNK] = self[start : start + CHUNK]
        return Images(whole, digest=self._digest)


def are_integers(array: Any) -> bool:
    """Whether every value is a whole number of at most 64 bit with its sign."""
    return bool(np.can_cast(array.dtype, np.int64))


def is_lazy(data: Any) -> bool:
    """Whether an array is read only where it is indexed."""
    return hasattr(data, "chunks") and not isinstance(data, np.ndarray)


def parts(array: Any) -> Iterator[npt.NDArray[Any]]:
    """The array in pieces of `CHUNK` rows."""
    for start in range(0, len(array), CHUNK):
        yield array[start : start + CHUNK]


def sampled_limits(array: Any, seen: Callable[[Any], object] | None = None) -> Normalization:
    """`Normalization.fit` of many images: extremes of all, from one look, and percentiles of some at random.

    Raises
    ------
    InputError
        If a channel is constant.
    """
    extremes = []
    for part in parts(array):
        extremes.append((part.min((0, 2, 3)), part.max((0, 2, 3))))
        if seen is not None:
            seen(np.ascontiguousarray(part).data)
    lowest, highest = np.min([low for low, _ in extremes], 0), np.max([high for _, high in extremes], 0)
    n = min(len(array), max(1, SAMPLE // int(np.prod(array.shape[2:]))))
    rows = np.sort(np.random.default_rng(0).choice(len(array), n, replace=False))
    kind = array.dtype if are_integers(array) else np.dtype(np.float32)
    sample = np.concatenate([array[some].astype(kind) for some in np.array_split(rows, -(-n // CHUNK))])
    sample[0, :, 0, 0], sample[0, :, -1, -1] = lowest, highest
    return Normalization.fit(sample)


class Like(NamedTuple):
    """Channels, rows and columns of the images that a model takes, and what 0 and 1 stand for."""

    shape: tuple[int, int, int]
    limits: Normalization


def raw_images(data: Any) -> Any:
    """Array (N, C, H, W) of `Patches`, ``(N, H, W)`` or ``(N, C, H, W)`` data, dtype untouched, `Lazy` where data are.

    Raises
    ------
    InputError
        If the array has another number of dimensions, holds no numbers, is complex or not finite.
    """
    if isinstance(data, Micrograph):
        raise InputError("This is a micrograph; cut windows out of it first: extract_patches(micrograph, atoms).")
    array: Any = Lazy(data) if is_lazy(data) else as_array(data.data if _is_patches(data) else data, "images")
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
        raise InputError(
            "The images hold NaN or infinite values, which were not measured; leave out the images that do."
        )
    return array


def choose_likelihood(data: Any, limits: Normalization) -> Likelihood:
    """The likelihood that ``"auto"`` stands for: arrays that span exactly 0 … 1 are taken as probabilities."""
    given = not _is_patches(data) and set(limits.low) == {0.0} and set(limits.high) == {1.0}
    return "bernoulli" if given else "gaussian"


def training_images(data: Any, like: Like | None = None) -> tuple[Images, Normalization]:
    """Images to learn from, and the limits that 0 and 1 stand for; of a file those that memory has room for are loaded.

    A training that goes on takes images `like` those of before, and keeps their limits.

    Raises
    ------
    InputError
        As `raw_images`, or if there are fewer than 20 images, a channel is constant, or they are not like those.
    """
    array = raw_images(data)
    if len(array) < SMALLEST:
        raise InputError(f"{len(array)} patches are too few to learn from; give at least {SMALLEST}.")
    signals = array.shape[-2] == 1
    if min(array.shape[-1:] if signals else array.shape[-2:]) < 4:
        raise InputError(f"Images of {array.shape[-2]} × {array.shape[-1]} px are too small; give at least 4 × 4.")
    if like is not None:
        _check_fits(array, like)
    if _is_patches(data):
        return Images(array.astype(np.float32, copy=False)), like.limits if like else data.normalization
    large = 4 * math.prod(array.shape) >= LARGE  # not what memory is free: the same limits on every machine
    if isinstance(array, Lazy) and (not large or array.nbytes <= ROOM * free_memory()):
        array = np.asarray(array)
    digest = begin_hash(array) if isinstance(array, Lazy) and like is None and are_integers(array) else None
    if like is not None:
        limits = like.limits
    else:
        limits = sampled_limits(array, digest.update if digest else None) if large else Normalization.fit(array)
    images = Images(array, limits, digest.hexdigest() if digest else "")
    return images if large or are_integers(array) else images.in_memory(), limits


def images_like(data: Any, like: Like) -> Images:
    """Images as a trained model wants them; `Patches` are in the limits of their own micrograph already.

    Raises
    ------
    InputError
        If channels or size are not those the model was trained on.
    """
    array = raw_images(data)
    _check_fits(array, like)
    return Images(array.astype(np.float32, copy=False)) if _is_patches(data) else Images(array, like.limits)


def model_batches(data: Any, like: Like, batch: int) -> Iterator[npt.NDArray[np.float32]]:
    """`images_like`, `batch` by batch, so that an array on disk never lies in memory as a whole.

    Raises
    ------
    InputError
        As `images_like`, before the first batch.
    """
    images = images_like(data, like)
    return (images[start : start + batch] for start in range(0, len(images), batch))


def as_given(images: npt.NDArray[np.float32], data: Any) -> npt.NDArray[np.float32]:
    """Images (N, C, H, W) in the shape that `data` came in: without the channel axis if it had none."""
    ndim = 4 if _is_patches(data) else len(data.shape if hasattr(data, "shape") else as_array(data, "images").shape)
    return images if ndim == 4 else images[:, 0] if ndim == 3 else images[:, 0, 0]


def _check_fits(array: Any, like: Like) -> None:
    """Refuse images (N, C, H, W) of other channels or another size."""
    if array.shape[1:] != like.shape:
        raise InputError(
            f"The model takes images of {' × '.join(map(str, like.shape))} (channels × height × width), not "
            f"{' × '.join(map(str, array.shape[1:]))}; extract patches with window={like.shape[1:]}."
        )


def _is_patches(data: Any) -> bool:
    return hasattr(data, "normalization") and hasattr(data, "atoms")
