"""Images that stay on disk while a model learns from them, read and normalised as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.normalization import SAMPLE, Normalization

CHUNK = 1000  # images that are looked at at once


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
        self.ndim = len(self.shape)

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


class Streamed:
    """Images (N, C, H, W) float32 in [0, 1] made of intensities that are too many to be kept so.

    Parameters
    ----------
    array : Lazy or array (N, C, H, W)
        Intensities.
    limits : Normalization
        What 0 and 1 stand for.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, array: Any, limits: Normalization) -> None:
        self._array, self._limits = array, limits
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.nbytes = float32_bytes(array)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return self._limits.apply(self._array[rows])


def is_lazy(data: Any) -> bool:
    """Whether an array is read only where it is indexed."""
    return hasattr(data, "chunks") and not isinstance(data, np.ndarray)


def float32_bytes(array: Any) -> int:
    """Bytes of an array in 32 bit."""
    return 4 * int(np.prod([int(n) for n in array.shape]))


def parts(array: Any) -> Iterator[npt.NDArray[Any]]:
    """The array in pieces of `CHUNK` rows."""
    for start in range(0, len(array), CHUNK):
        yield array[start : start + CHUNK]


def streamed_limits(array: Any) -> Normalization:
    """`Normalization.fit` of images that are not in memory: extremes of all, percentiles of some at random.

    Raises
    ------
    InputError
        If a channel is constant.
    """
    extremes = [(part.min((0, 2, 3)), part.max((0, 2, 3))) for part in parts(array)]
    lowest, highest = np.min([low for low, _ in extremes], 0), np.max([high for _, high in extremes], 0)
    n = min(len(array), max(1, SAMPLE // int(np.prod(array.shape[2:]))))
    rows = np.sort(np.random.default_rng(0).choice(len(array), n, replace=False))
    sample = np.concatenate([array[some].astype(np.float32) for some in np.array_split(rows, -(-n // CHUNK))])
    sample[0, :, 0, 0], sample[0, :, -1, -1] = lowest, highest
    return Normalization.fit(sample)
