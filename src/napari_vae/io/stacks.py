"""Stacks of images that are too many for memory: zarr, parquet and ``.npy``, written and read in parts."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.errors import InputError, ReadError
from ..core.folders import check_replaceable, recover, replace_folder, replacing, stamp, user_path
from ..core.micrograph import colours_last
from ..core.settings import Count
from .dataset import fits
from .regular import regular_file
from .zarr_files import checked_arrays

PACKAGES = {".zarr": "zarr", ".parquet": "pyarrow"}
COLUMN, KEY = "image", b"napari_vae"
CHUNK = 64  # images that are read together: a batch of random ones reads many times more, so not too many


@checks_arguments
def open_stack(path: str | PathLike[str]) -> Any:
    """Open images that `fit` and `Run.encode` then read batch by batch.

    Parameters
    ----------
    path : path
        ``.zarr``, a folder with one array; ``.parquet`` as `write_stack` makes it; or ``.npy``, which is mapped.

    Returns
    -------
    array-like (N, H, W) or (N, C, H, W)
        With ``shape``, ``dtype`` and rows by number. Nothing in the file is executed or unpickled.

    Raises
    ------
    ReadError
        If the file is missing, damaged, or holds something else.
    InputError
        If the name ends otherwise, or a package is missing.

    Examples
    --------
    >>> run = fit(open_stack("patches.zarr"))  # doctest: +SKIP
    """
    path = user_path(path)
    ending = _ending(path)
    recover(path)
    with _one_sentence(path):
        stack = {".zarr": ZarrStack, ".parquet": ParquetStack, ".npy": _open_npy}[ending](path)
    if np.dtype(stack.dtype).kind not in "biuf" or len(stack.shape) not in (3, 4) or colours_last(stack.shape):
        raise ReadError(f"{path} holds {stack.dtype} of shape {stack.shape}; give (N, H, W) or (N, C, H, W) numbers.")
    return stack


@checks_arguments
def write_stack(parts: Iterable[npt.ArrayLike], path: str | PathLike[str], *, length: Count) -> Path:
    """Write images part by part, so that they never lie in memory together.

    Parameters
    ----------
    parts : iterable of array (n, H, W) or (n, C, H, W)
        For example ``patches.data`` of one movie after the other; all of one size, written as float32.
    path : path
        ``.zarr`` or ``.parquet``; it appears when all is written.
    length : int
        How many images there will be.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the name ends otherwise, a package is missing, the parts differ in size, or are not `length` images, one or
        more.

    Examples
    --------
    >>> write_stack((p.data for p in movies), "patches.zarr", length=200_000)  # doctest: +SKIP
    """
    path = user_path(path)
    ending = _ending(path)
    if ending == ".npy":
        raise InputError("Stacks are written as .zarr or .parquet; let the name end in one of these.")
    images = _of_one_size(parts, length)
    if ending == ".zarr":
        check_replaceable(path, "zarr.json")
        with replace_folder(path, "zarr.json") as new:
            _write_zarr(images, new, length)
    else:
        with replacing(path) as temporary:
            _write_parquet(images, temporary)
    return path


@contextlib.contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """Say which file is damaged; parsers fail on broken ones in every way there is."""
    try:
        yield
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(f"{path} is missing or no stack of images ({type(error).__name__}); write it again.") from error


class ZarrStack:
    """Images in a zarr array, read by chunks; see `open_stack`."""

    def __init__(self, path: Path) -> None:
        self._path, self._array = path, checked_arrays(path)[""]
        self.dtype, self.shape, self.chunks = self._array.dtype, self._array.shape, self._array.chunks
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> Any:
        with _one_sentence(self._path):
            return self._array[rows]


class ParquetStack:
    """Images in the column ``image`` of a parquet file, read by row groups; see `open_stack`."""

    dtype = np.dtype(np.float32)

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetFile

        self._path, self._stamp = regular_file(path), stamp(path)
        with ParquetFile(path) as file:  # opened anew for every group: nothing can replace an open file on Windows
            self._metadata = file.metadata
        inner = json.loads(self._metadata.metadata[KEY])["shape"]
        groups = [self._metadata.row_group(i).num_rows for i in range(self._metadata.num_row_groups)]
        self._starts = np.cumsum([0, *groups])
        self.shape: tuple[int, ...] = (int(self._starts[-1]), *(int(n) for n in inner))
        fits(4 * math.prod(self.shape), path)
        if min(self.shape) < 0:
            raise ValueError("a size below 0")
        self.ndim, self.chunks = len(self.shape), (max(groups, default=1), *self.shape[1:])
        self._group = lru_cache(maxsize=2)(self._read)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        numbers = np.arange(len(self))[rows]
        images = np.empty((len(numbers), *self.shape[1:]), np.float32)
        groups = np.searchsorted(self._starts, numbers, "right") - 1
        for group in np.unique(groups):
            here = groups == group
            images[here] = self._group(int(group))[numbers[here] - self._starts[group]]
        return images

    def _read(self, group: int) -> npt.NDArray[np.float32]:
        from pyarrow.parquet import ParquetFile

        if stamp(self._path) != self._stamp:
            raise ReadError(f"{self._path} was written anew while it was read; open it again.")
        with _one_sentence(self._path), ParquetFile(self._path, metadata=self._metadata) as file:
            column = file.read_row_group(group, columns=[COLUMN]).column(0).combine_chunks()
            return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), *self.shape[1:])


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in (".npy", *PACKAGES):
        raise InputError(f"{path.name}: stacks of images end in .zarr, .parquet or .npy; convert it.")
    package = PACKAGES.get(ending)
    if package and find_spec(package) is None:
        raise InputError(f'{ending} needs the package {package}; type pip install "napari-vae[cluster]".')
    return ending


def _open_npy(path: Path) -> Any:
    return np.load(regular_file(path), mmap_mode="r", allow_pickle=False)


def _of_one_size(parts: Iterable[npt.ArrayLike], length: int) -> Iterator[npt.NDArray[np.float32]]:
    size, n = None, 0
    for part in parts:
        images = np.asarray(part, np.float32)
        if images.ndim not in (3, 4) or (size is not None and images.shape[1:] != size):
            raise InputError(f"A part of shape {images.shape} does not fit the others; give images of one size.")
        size, n = images.shape[1:], n + len(images)
        yield images[: max(0, length - n + len(images))]
    if n != length:
        raise InputError(f"There are {n} images, not {length}; give their number as `length`.")


def _write_zarr(parts: Iterable[npt.NDArray[np.float32]], folder: Path, length: int) -> None:
    import zarr

    array, n = None, 0
    for images in parts:
        if array is None:
            shape = (length, *images.shape[1:])
            array = zarr.create_array(
                folder, shape=shape, chunks=(min(CHUNK, length), *shape[1:]), dtype="float32", overwrite=True
            )
        array[n : n + len(images)] = images
        n += len(images)


def _write_parquet(parts: Iterator[npt.NDArray[np.float32]], path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    first = next(parts)
    kind = pa.list_(pa.float32(), int(np.prod(first.shape[1:])))
    about = {KEY: json.dumps({"shape": first.shape[1:]}).encode()}
    schema = pa.schema([(COLUMN, kind)], metadata=about)
    with ParquetWriter(path, schema) as writer:
        for images in chain([first], parts):
            column = pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), type=kind)
            writer.write_table(pa.table([column], schema=schema), row_group_size=CHUNK)
