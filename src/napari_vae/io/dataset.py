"""One image, movie or channel stack in a file, and how its pixels become real intensities."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ReadError
from ..core.micrograph import Micrograph, colours_last
from .calibration import Calibration

#: A stack of more bytes than this is not loaded but read frame by frame.
LAZY_BYTES = 1 << 30
#: Bytes that any machine has to spare, and how tightly an image of more may be packed: a file that claims to hold more
#: than that is damaged, or made to fill the memory.
SMALL, MOST_PACKED = 1 << 29, 200
#: Axes with which a file may number its images; all of them become frames.
FRAME_AXES = "TZIQR"
#: Weights of red, green and blue in the luminance (Rec. 601, as ImageJ and Pillow use them).
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def array_axes(shape: tuple[int, ...]) -> str | None:
    """Letters for the axes of an array whose file has no names for them; ``None`` if it is no image or movie.

    Axes of length one are left out, wherever they are, and red, green and blue may be last.

    Examples
    --------
    >>> array_axes((64, 64)), array_axes((5, 1, 64, 64)), array_axes((5, 64, 64, 3)), array_axes((9, 9, 64, 64))
    ('YX', 'TZYX', 'TYXS', None)
    """
    long = [n for n in shape if n != 1] if len(shape) > 2 else list(shape)
    letters = "YXS" if colours_last(tuple(long)) else "YX"
    if len(long) not in (len(letters), len(letters) + 1):
        return None
    named = iter(letters if len(long) == len(letters) else f"T{letters}")
    return "".join(next(named) if n != 1 or len(shape) == 2 else "Z" for n in shape)


@dataclass(frozen=True)
class Dataset:
    """What a file holds under one name; `load` reads the pixels when they are wanted."""

    name: str
    axes: str  # one letter per dimension of what `load` gives; S = colour samples
    shape: tuple[int, ...]
    load: Callable[[], Any]
    calibration: Calibration = field(default_factory=Calibration)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def rows_and_columns(self) -> tuple[int, int] | None:
        """Of each picture; ``None`` of what is none."""
        if not {*"YX"} <= {*self.axes}:
            return None
        return self.shape[self.axes.index("Y")], self.shape[self.axes.index("X")]

    @property
    def is_image(self) -> bool:
        """Whether it is a single image rather than a movie or a stack."""
        return sum(size > 1 for size, axis in zip(self.shape, self.axes, strict=True) if axis not in "YXS") == 0

    def micrograph(self, name: str, notes: list[str], metadata: dict[str, Any]) -> Micrograph:
        """Read the pixels as a `Micrograph` called `name`, adding to `notes` what was done to them."""
        data, axes = arrange(self.load(), self.axes)
        if isinstance(data, np.memmap):
            data = _unmapped(data, axes)
        if axes.endswith("S"):
            data, axes = luminance(data), axes[:-1]
            notes.append("A colour picture; its luminance was read.")
        if np.issubdtype(data.dtype, np.complexfloating):
            data = abs(data)
            notes.append("The pixels are complex; their magnitude was read.")
        if data.dtype == np.dtype(object) or 0 in data.shape:
            raise ReadError(f"{name} holds no pixels; check that the file was saved completely.")
        if self.calibration.note:
            notes.append(self.calibration.note)
        return Micrograph(
            native(data),
            pixel_size=self.calibration.pixel_size,
            units=self.calibration.units,
            axes=axes,
            name=name,
            metadata={**metadata, **self.metadata, "notes": notes},
        )


def is_large(nbytes: int) -> bool:
    """Whether so many bytes stay on disk and are read when they are looked at."""
    return nbytes > LAZY_BYTES


def fits(nbytes: int, path: Path, small: int = SMALL, stored: int | None = None) -> None:
    """Refuse to unpack so many bytes from a file (a folder of `stored` bytes) that is much too small for them.

    Raises
    ------
    ReadError
        If it would be more than `small`, by default half a GiB, and more than 200 times the file.
    """
    if nbytes > max(small, MOST_PACKED * (path.stat().st_size if stored is None else stored)):
        raise ReadError(
            f"{path.name} claims to unpack to {nbytes / 2**30:.1f} GiB, which so small a file does not hold; copy it "
            "again from its source."
        )


def damaged(path: Path) -> ReadError:
    """What to say of a file that is shorter than it claims, or contradicts itself."""
    return ReadError(f"{path.name} is cut short or damaged; copy or export it again from its source.")


def no_image(path: Path) -> ReadError:
    """What to say of a file of a known format without an image."""
    return ReadError(f"{path.name} holds no image, only other data such as spectra; choose another file.")


def pixels_at(
    path: Path, offset: int, dtype: Any, shape: tuple[int, ...], *, upwards: bool = False, backward: bool = False
) -> Callable[[], Any]:
    """What reads the pixels that begin at a byte of a file, and gives the image upright.

    `upwards` if the lowest row comes first in the file, `backward` if the last pixel of each row does.

    Raises
    ------
    ReadError
        If they are none, or more than the file holds.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if min(shape) < 1 or offset < 0 or offset + size > path.stat().st_size:
        raise damaged(path)
    return partial(_read_pixels, path, offset, dtype, shape, -1 if upwards else 1, -1 if backward else 1)


def _read_pixels(path: Path, offset: int, dtype: Any, shape: tuple[int, ...], down: int, right: int) -> Any:
    return np.fromfile(path, dtype, math.prod(shape), offset=offset).reshape(shape)[..., ::down, ::right]


def lazy_frames(read: Callable[[int], Any], shape: tuple[int, ...], dtype: Any, path: Path) -> Any:
    """A dask array (frames, rows, columns) of which each frame is read from the file when it is wanted."""
    import dask.array
    from dask import delayed

    wanted = delayed(partial(_read_frame, read, path), pure=True)
    return dask.array.stack([dask.array.from_delayed(wanted(i), shape[1:], dtype) for i in range(shape[0])])


def _read_frame(read: Callable[[int], Any], path: Path, frame: int) -> Any:
    try:
        return read(frame)
    except ReadError:
        raise
    except Exception as error:  # parsers fail on broken files in every way there is
        raise ReadError(
            f"Frame {frame} of {path.name} is missing or damaged ({type(error).__name__}); copy the file again."
        ) from error


def _unmapped(data: Any, axes: str) -> Any:
    """A mapped array without its file: in memory, or of a large stack frame by frame when they are wanted.

    A mapped file cannot be replaced on Windows, and one that is cut short meanwhile ends the program elsewhere.
    """
    if not is_large(data.nbytes):
        return np.array(data)
    return _frames_of(data) if axes[0] in FRAME_AXES and data.flags.c_contiguous else data


def _frames_of(data: Any) -> Any:
    """A mapped stack as lazy frames, each of which maps the file again, so that nothing large lies in the graph."""
    read = partial(_mapped_frame, data.filename, data.dtype, data.offset, data.shape)
    return lazy_frames(read, data.shape, data.dtype, Path(data.filename))


def _mapped_frame(path: Any, dtype: Any, offset: int, shape: tuple[int, ...], frame: int) -> Any:
    return np.array(np.memmap(path, dtype, "r", offset, shape)[frame])


def arrange(data: Any, axes: str) -> tuple[Any, str]:
    """Bring `data` to ``YX``, ``TYX`` or ``CYX`` (each with a trailing ``S`` for colour).

    Dimensions of length one are dropped; frames counted in several ways (time, depth, position)
    become one sequence.
    """
    if data.dtype.names and {"R", "G", "B"} <= set(data.dtype.names):
        data, axes = np.stack([data[channel] for channel in "RGB"], axis=-1), axes + "S"
    keep = [i for i, axis in enumerate(axes) if axis in "YXS" or data.shape[i] > 1]
    data, axes = data.reshape([data.shape[i] for i in keep]), "".join(axes[i] for i in keep)
    if axes.startswith("SYX"):
        data, axes = np.moveaxis(np.asarray(data), 0, -1), axes[1:] + "S"
    leading = axes.removesuffix("S").removesuffix("YX")
    if "YX" not in axes or ("C" in leading and leading != "C"):
        raise ReadError(
            f"The dataset has axes {axes} of shape {tuple(data.shape)}; export the frames of one channel as a movie "
            "of (frames, rows, columns)."
        )
    if leading and leading != "C":
        data, leading = data.reshape((-1, *data.shape[len(leading) :])), "T"
    return data, leading + axes[axes.index("YX") :]


def luminance(data: Any) -> Any:
    """Grey values of colour samples in the last axis; a grey picture saved in colour keeps its values exactly."""
    colours = data[..., :3] if data.shape[-1] >= 3 else data[..., :1]
    if colours.shape[-1] == 1 or (not hasattr(data, "dask") and bool((colours == colours[..., :1]).all())):
        return colours[..., 0]
    return colours @ LUMINANCE


def native(data: Any) -> Any:
    """`data` in the byte order of this machine, which torch and OpenGL insist on."""
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))
