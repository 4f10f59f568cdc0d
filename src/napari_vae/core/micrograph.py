"""The micrograph: an array of intensities together with its calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_array
from .errors import InputError


@dataclass(frozen=True, repr=False)
class Micrograph:
    """An image, a movie or a stack of channels with its pixel size.

    Parameters
    ----------
    data : numpy or dask array
        ``(Y, X)``, ``(T, Y, X)`` or ``(C, Y, X)`` intensities, any real dtype. A dask array stays lazy.
    pixel_size : float or (float, float), optional
        Size of a pixel along rows and columns, in `units`. ``None``: not known (stays in pixels).
    units : str
        Unit of `pixel_size`, for example ``"nm"``.
    axes : str, optional
        One letter per dimension, of ``T``, ``C``, ``Y``, ``X``. By default ``"YX"`` or ``"TYX"``.
    name : str
        What to call it in lists, layers and files.
    metadata : dict
        Anything else that came with the file, in plain Python types.

    Raises
    ------
    InputError
        If the axes do not fit the array, the array is complex or not numeric, or the pixel size is
        not positive.

    Examples
    --------
    >>> import numpy as np
    >>> image = Micrograph(np.zeros((512, 512)), pixel_size=0.02, units="nm")
    >>> image.shape, image.pixel_size
    ((512, 512), (0.02, 0.02))
    """

    data: Any
    pixel_size: Any = None
    units: str = "px"
    axes: str = ""
    name: str = "micrograph"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = self.data if hasattr(self.data, "dask") else as_array(self.data, "pixels")
        given = self.axes if isinstance(self.axes, str) else "no text"
        if not given and colours_last(data.shape):
            raise InputError(
                f"The image is a colour picture or movie of shape {tuple(data.shape)}; convert it to grey values "
                "first, for example with skimage.color.rgb2gray."
            )
        axes = given or {2: "YX", 3: "TYX"}.get(data.ndim, "")
        if len(axes) != data.ndim or axes not in ("YX", "TYX", "CYX"):
            raise InputError(
                f"The image has shape {tuple(data.shape)}; give a (rows, columns) image, a (frames, rows, columns) "
                'movie, or a stack of channels with axes="CYX".'
            )
        if np.issubdtype(data.dtype, np.complexfloating):
            raise InputError("The image is complex; take its magnitude, np.abs(image), first.")
        if not (np.issubdtype(data.dtype, np.number) or data.dtype == bool):
            raise InputError(
                f"The image holds {data.dtype} values, not numbers; convert it to an array of intensities."
            )
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "pixel_size", size_of_pixels(self.pixel_size))
        object.__setattr__(self, "units", self.units if self.pixel_size is not None else "px")

    def __repr__(self) -> str:
        size = " × ".join(f"{n} {axis}" for n, axis in zip(self.shape, self.axes.lower(), strict=True))
        step = "not calibrated"
        if self.pixel_size is not None:
            step = " × ".join(f"{n:.4g}" for n in dict.fromkeys(self.pixel_size)) + f" {self.units}/px"
        return f"<Micrograph “{self.name}”: {size}, {self.data.dtype}, {step}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `data`."""
        return tuple(self.data.shape)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixel size along rows and columns; ``(1, 1)`` when it is not known."""
        return self.pixel_size or (1.0, 1.0)

    @property
    def n_frames(self) -> int:
        """Number of frames: 1 for an image and for a stack of channels."""
        return self.shape[0] if self.axes == "TYX" else 1

    @property
    def n_channels(self) -> int:
        """Number of channels: 1 but for a ``"CYX"`` stack."""
        return self.shape[0] if self.axes == "CYX" else 1

    def frame(self, index: int = 0) -> npt.NDArray[np.float32]:
        """One frame as ``(C, Y, X)`` float32 in memory; only that frame of a lazy array is read.

        Pixels that were not measured, which are NaN or infinite, are NaN.
        """
        data = self.data[index] if self.axes == "TYX" else self.data
        with np.errstate(over="ignore"):  # of numbers beyond float32, which are infinite then
            array = np.asarray(data, dtype=np.float32)
        infinite = np.isinf(array)
        array = np.where(infinite, np.float32(np.nan), array) if infinite.any() else array
        return np.ascontiguousarray(array.reshape(-1, *array.shape[-2:]))


def as_micrograph(image: Any) -> Micrograph:
    """Return `image` as a `Micrograph`; bare arrays become uncalibrated ones.

    Raises
    ------
    InputError
        If `image` is neither a `Micrograph` nor an array of two or three dimensions.
    """
    return image if isinstance(image, Micrograph) else Micrograph(image)


def first_channel(image: Micrograph) -> Micrograph:
    """The first channel of a stack of channels, which is where atoms are looked for; anything else as it is."""
    if image.axes != "CYX":
        return image
    return Micrograph(image.data[0], image.pixel_size, image.units, name=image.name)


def colours_last(shape: tuple[int, ...]) -> bool:
    """Whether an image or movie of this shape has red, green and blue in its last axis, for nothing is so narrow."""
    return len(shape) in (3, 4) and shape[-1] in (3, 4) and min(shape[-3:-1]) > 8


def size_of_pixels(value: Any) -> tuple[float, float] | None:
    """The size of a pixel along rows and columns of what a user gives: both, or one for both.

    Raises
    ------
    InputError
        If it is not above 0.
    """
    if value is None:
        return None
    try:
        rows, columns = np.broadcast_to(np.asarray(value, dtype=float), (2,)).tolist()
    except (TypeError, ValueError):
        rows = columns = np.nan
    if not (0 < rows < np.inf and 0 < columns < np.inf):
        raise InputError(f"The pixel size {value} is not a positive number; give it per row and column, or None.")
    return rows, columns
