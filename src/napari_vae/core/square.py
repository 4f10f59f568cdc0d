"""Pixels that are longer than wide: distances in units of their shorter side, and images on square pixels.

Positions of atoms stay in the pixels of their image. What is measured between them is measured on square pixels, and
models see windows of square pixels, or a motif would look different when it is turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .micrograph import Micrograph

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]

SQUARE = (1.0, 1.0)
_OBLONG = 1.005  # times the shorter side, from which a side counts as longer
_KEY, _SIDES = "napari_vae", "pixel_sides"  # of the attributes of a table


def pixel_sides(pixel_size: Any) -> tuple[float, float]:
    """Sides of a pixel along rows and columns in units of the shorter one; both 1 for a square or unknown pixel.

    >>> pixel_sides((0.04, 0.02)), pixel_sides(None)
    ((2.0, 1.0), (1.0, 1.0))
    """
    if pixel_size is None or max(pixel_size) < _OBLONG * min(pixel_size):
        return SQUARE
    rows, columns = pixel_size
    return float(rows / min(pixel_size)), float(columns / min(pixel_size))


def table_sides(atoms: pd.DataFrame) -> tuple[float, float]:
    """Sides of the pixels that the positions of a table are in, as `pixel_sides`; squares where it does not say."""
    said = atoms.attrs.get(_KEY, {}).get(_SIDES)
    return pixel_sides(said or atoms.attrs.get("origin", {}).get("pixel_size"))


def with_sides(atoms: pd.DataFrame, sides: tuple[float, float]) -> pd.DataFrame:
    """The same table, which says that its positions are in pixels with these sides."""
    if table_sides(atoms) == sides:
        return atoms
    result = atoms.copy(deep=False)
    result.attrs = atoms.attrs | {_KEY: atoms.attrs.get(_KEY, {}) | {_SIDES: list(sides)}}
    return result


def on_pixels_of(atoms: pd.DataFrame, image: Any) -> pd.DataFrame:
    """The same table, whose positions are in pixels of an image, if the size of its pixels is known."""
    size = getattr(image, "pixel_size", None)
    return atoms if size is None else with_sides(atoms, pixel_sides(size))


def square_points(atoms: pd.DataFrame) -> Array:
    """Positions (N, 2) of a table as (y, x) in units of the shorter side of a pixel."""
    points: Array = atoms[["y", "x"]].to_numpy(dtype=float) * table_sides(atoms)
    return points


def squared(image: Micrograph) -> Micrograph:
    """The image on square pixels as small as the shorter side; the same object where they are square already.

    Frames of a movie are interpolated when they are read. The first pixel stays where it is.
    """
    sides = pixel_sides(image.pixel_size)
    if sides == SQUARE:
        return image
    shape = square_shape(image.shape[-2:], sides)
    step = tuple(1 / side for side in sides)
    if image.axes == "TYX":
        import dask.array as da

        lazy = image.data if hasattr(image.data, "dask") else da.from_array(image.data, name=False)
        movie = lazy.rechunk((1, *image.shape[1:]))
        data: Any = movie.map_blocks(resampled, step, shape, dtype=np.float64, chunks=(movie.chunks[0], *shape))
    else:
        data = resampled(image.data, step, shape)
    side = min(image.pixel_size)
    return replace(image, data=data, pixel_size=(side, side))


def on_image(found: pd.DataFrame, image: Micrograph) -> pd.DataFrame:
    """A table of what was found on the squared image, with its positions and their errors in pixels of the image.

    Interpolation repeats what was measured, so errors are larger than they look by the root of how often.
    """
    sides = pixel_sides(image.pixel_size)
    if sides == SQUARE:
        return found
    names = [name for name in ("y_err", "x_err") if name in found]
    made: dict[str, Any] = {axis: found[axis] / side for axis, side in zip("yx", sides, strict=True)}
    repeated = float(np.sqrt(np.prod(sides)))
    made |= {name: found[name] * repeated / side for name, side in zip(names, sides, strict=True)}
    return found.assign(**made)


def square_shape(shape: tuple[int, ...], sides: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns of a frame (rows, columns) on square pixels."""
    rows, columns = (int(np.floor((n - 1) * side + 1e-6)) + 1 for n, side in zip(shape, sides, strict=True))
    return rows, columns


def resampled(frames: Any, step: Sequence[float], shape: tuple[int, int]) -> Array:
    """Frames (…, rows, columns) read at every `step` pixels, by cubic convolution (Keys 1981).

    What was not measured (NaN) stays so, with the two pixels around it.
    """
    result: Array = np.asarray(frames, dtype=np.float64)
    result = np.where(np.isinf(result), np.nan, result)  # was not measured either
    for axis in (-2, -1):
        if step[axis] != 1:
            places: Array = step[axis] * np.arange(shape[axis], dtype=np.float64)
            result = np.moveaxis(_read_at(np.moveaxis(result, axis, 0), places), 0, axis)
    return np.ascontiguousarray(result)


def _read_at(values: Array, places: Array) -> Array:
    """Values (M, …) at places (M,) along the first axis of (N, …)."""
    first = np.floor(places + 1e-9).astype(np.int64)
    result = np.zeros((len(places), *values.shape[1:]))
    for tap, weight in enumerate(cubic_weights(np.maximum(places - first, 0)).T, start=-1):
        there = weight != 0
        near = values[np.clip(first[there] + tap, 0, len(values) - 1)]
        result[there] += weight[there].reshape(-1, *[1] * (values.ndim - 1)) * near
    return result


def cubic_weights(t: Array) -> Array:
    """Keys' four weights (N, 4) for positions a fraction `t` (N,) beyond the second tap; (0, 1, 0, 0) at t = 0."""
    return np.stack(
        [
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        ],
        axis=1,
    )
