"""Frames of an image for detection, refused with a sentence when they cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import index
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..core.micrograph import Micrograph, as_micrograph
from ..core.settings import Level

_SMALLEST = 16


@dataclass(frozen=True, repr=False)
class Searched(Micrograph):
    """An image in which atoms are looked for, and what is subtracted from its frames before."""

    level: Level = "none"


def open_frames(image: Any, level: Level = "none") -> Searched:
    """The image with one channel and frames large enough to hold atoms.

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
    return Searched(**vars(micrograph), level=level)


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


class BadFrameError(InputError):
    """A frame shows nothing: no pixel was measured, or all have one value. In a movie it is skipped."""


def read_frame(
    micrograph: Micrograph, number: int, window: tuple[slice, slice] | None = None
) -> npt.NDArray[np.float64]:
    """One frame, or a window of it, as (rows, columns) float64 in memory; NaN where it was not measured."""
    rows, columns = micrograph.shape[-2:]
    data = micrograph.data[number] if micrograph.axes == "TYX" else micrograph.data
    frame = np.asarray(data.reshape(rows, columns)[window or ...]).astype(np.float64)
    frame[np.isinf(frame)] = np.nan
    return frame


def refuse_frame(micrograph: Micrograph, number: int, why: str) -> NoReturn:
    """Raise a `BadFrameError` that says what the frame, or the image, shows instead."""
    which = f"Frame {number}" if micrograph.axes == "TYX" else "The image"
    raise BadFrameError(f"{which} {why}; choose one with contrast.")


def note_skipped(atoms: pd.DataFrame, frames: list[int]) -> pd.DataFrame:
    """Note in a table of atoms which frames of the movie were skipped, if any."""
    if frames:
        atoms.attrs["napari_vae"] = atoms.attrs.get("napari_vae", {}) | {"skipped_frames": frames}
    return atoms


def describe_skipped(atoms: pd.DataFrame) -> str:
    """One sentence on the frames that show nothing and were skipped; empty when there are none.

    >>> describe_skipped(note_skipped(pd.DataFrame(), [0, 4, 5, 6]))
    'Frames 0, 4–6 show nothing (not measured, or all of one value) and were left out.'
    """
    numbers = atoms.attrs.get("napari_vae", {}).get("skipped_frames", [])
    if not numbers:
        return ""
    runs = np.split(np.asarray(numbers), np.flatnonzero(np.diff(numbers) != 1) + 1)
    names = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
    words = ("Frame", "shows", "was") if len(numbers) == 1 else ("Frames", "show", "were")
    return f"{words[0]} {names} {words[1]} nothing (not measured, or all of one value) and {words[2]} left out."
