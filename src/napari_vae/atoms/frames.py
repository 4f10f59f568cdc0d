"""Frames of an image for detection, refused with a sentence when they cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.micrograph import Micrograph, as_micrograph

_SMALLEST = 16


def open_frames(image: Any) -> Micrograph:
    """The image as a `Micrograph` with one channel and frames large enough to hold atoms.

    Raises
    ------
    InputError
        For colour pictures, complex data, several channels, or frames smaller than 16 × 16 pixels.
    """
    micrograph = as_micrograph(image)
    if micrograph.n_channels > 1:
        raise InputError(
            f"The image has {micrograph.n_channels} channels; atoms are detected in one of them, so pass for example "
            "image.data[0]."
        )
    rows, columns = micrograph.shape[-2:]
    if columns in (3, 4) and rows > _SMALLEST and len(micrograph.shape) == 3:
        raise InputError(
            f"The image of shape {micrograph.shape} looks like a colour picture; convert it to grey values first, "
            "for example with skimage.color.rgb2gray."
        )
    if min(rows, columns) < _SMALLEST:
        raise InputError(
            f"A frame of {rows} × {columns} pixels is too small to find atoms in; it takes at least "
            f"{_SMALLEST} × {_SMALLEST}."
        )
    return micrograph


def frame_list(micrograph: Micrograph, frames: int | slice | Iterable[int] | None) -> list[int]:
    """Numbers of the frames asked for: all (None), one, a slice or several.

    Raises
    ------
    InputError
        If a frame does not exist.
    """
    everything = range(micrograph.n_frames)
    if frames is None:
        return list(everything)
    if isinstance(frames, slice):
        return list(everything[frames])
    try:
        wanted = [index(number) for number in (frames if isinstance(frames, Iterable) else [frames])]
    except TypeError:
        raise InputError(f"Frames are whole numbers, counted from 0, or a slice; not {frames!r:.80}.") from None
    for number in wanted:
        if not -len(everything) <= number < len(everything):
            raise InputError(f"There is no frame {number}; the image has {len(everything)}, counted from 0.")
    return [everything[number] for number in wanted]


def checked_frame(
    micrograph: Micrograph, number: int, blank_ok: bool = False, window: tuple[slice, slice] | None = None
) -> npt.NDArray[np.float64]:
    """One frame, or a window of it, as (rows, columns) float64 in memory; `blank_ok` lets pass one without contrast.

    Raises
    ------
    InputError
        If it has NaN or infinite pixels, or no contrast at all.
    """
    rows, columns = micrograph.shape[-2:]
    data = micrograph.data[number] if micrograph.axes == "TYX" else micrograph.data
    frame = np.asarray(data.reshape(rows, columns)[window or ...]).astype(np.float64)
    which = f"Frame {number}" if micrograph.axes == "TYX" else "The image"
    bad = frame.size - int(np.isfinite(frame).sum())
    if bad:
        where = "" if window is None else " around row {}, column {}".format(*(side.start for side in window))
        raise InputError(
            f"{which} has {bad} NaN or infinite pixels{where}; replace them first, for example with "
            "np.nan_to_num(image, nan=np.nanmedian(image))."
        )
    if not blank_ok and np.ptp(frame) == 0:
        raise InputError(f"{which} is constant; choose an image with contrast.")
    return frame
