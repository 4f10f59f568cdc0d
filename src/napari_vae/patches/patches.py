"""Windows around atoms: cut out at sub-pixel positions, normalised, and pasted back on the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.arrays import as_array
from ..core.errors import InputError
from ..core.micrograph import Micrograph, as_micrograph
from ..core.normalization import Normalization
from ..core.positions import check_some, check_table, frame_numbers, noun_of, on_grid, table_spacing
from ..core.settings import AnyNumber, Level, Positive
from ..core.square import (
    SQUARE,
    on_pixels_of,
    resampled,
    square_points,
    square_shape,
    squared,
    table_sides,
    with_sides,
)
from .background import choose_level, levelled
from .partial import filled, joined, worth_cutting
from .windows import blend_windows, cut_windows

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float32]
SMALLEST_WINDOW = 8


@dataclass(frozen=True, repr=False)
class Patches:
    """Windows around atoms, ready for a model, and where they came from.

    Parameters
    ----------
    data : array (N, C, H, W) float32
        The normalised windows, in [0, 1].
    atoms : DataFrame
        The rows of the atoms table that have a window, in the order of `data`; the index is that of the table.
    window : (int, int)
        Rows and columns of a window, in pixels.
    normalization : Normalization
        What turned intensities into [0, 1], per channel.
    dropped : DataFrame
        The rows of the atoms table whose window would reach beyond the image, or touches a gap.
    in_gaps : int
        How many of these touch a gap: pixels that were not measured, which are NaN or infinite.
    level : {"none", "plane", "rows", "smooth"}
        What was taken from the image before, see `extract_patches`.
    brightness : array (N, C) float32
        Means of the windows in units of the image, before anything was taken from it.
    seen : array (N, H, W) bool, optional
        Which pixels of each window were measured, the others holding the mean of these; ``None`` where windows that
        were measured in part were not asked for.
    spacing : float
        Distance between neighbouring atoms in pixels that was assumed; NaN when it was not needed.
    pixel_size, units, name
        Calibration and name of the micrograph.
    """

    data: Floats
    atoms: pd.DataFrame
    window: tuple[int, int]
    normalization: Normalization
    dropped: pd.DataFrame
    spacing: float = float("nan")
    pixel_size: tuple[float, float] | None = None
    units: str = "px"
    name: str = "micrograph"
    in_gaps: int = 0
    level: Level = "none"
    brightness: Floats | None = None
    seen: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        _, channels, rows, columns = self.data.shape
        of = f" with {channels} channels" if channels > 1 else ""
        return (
            f"<Patches of “{self.name}”: {len(self)} windows of {rows} × {columns} px{of}, {len(self.dropped)} dropped>"
        )

    @property
    def whole(self) -> npt.NDArray[np.int64]:
        """Numbers of the windows of which every pixel was measured."""
        return np.arange(len(self)) if self.seen is None else np.flatnonzero(self.seen.all(axis=(1, 2)))

    def rows(self, rows: npt.NDArray[np.int64]) -> Patches:
        """Some of the windows."""
        parts = {"data": self.data, "brightness": self.brightness, "seen": self.seen}
        some: dict[str, Any] = {name: None if part is None else part[rows] for name, part in parts.items()}
        return replace(self, atoms=self.atoms.iloc[rows], **some)

    def describe_dropped(self) -> str:
        """What became of the atoms that were left out, in a sentence or two; empty when there are none."""
        total, noun = len(self.dropped) + len(self.atoms), noun_of(self.atoms)
        size = f"{self.window[0]} × {self.window[1]} px window"
        counts = {
            f"lie too near the border for a {size} and were left out": len(self.dropped) - self.in_gaps,
            f"were left out because their {size} touches pixels that were not measured (NaN or infinite)": self.in_gaps,
        }
        lost = " ".join(f"{n} of {total} {noun} {fate}." for fate, n in counts.items() if n)
        in_part = len(self) - len(self.whole)
        described = f"{in_part} of {total} {noun} at the border or a gap are described by what their windows show."
        return " ".join(filter(None, [lost, described * bool(in_part)]))

    def describe_level(self) -> str:
        """What was subtracted from the image before, in a sentence; empty when nothing was."""
        taken = {"plane": "a plane", "rows": "a plane and an offset of every row", "smooth": "all that varies slowly"}
        return f"Background was subtracted before: {taken[self.level]}." if self.level in taken else ""


@checks_arguments
def extract_patches(
    image: Micrograph | Sequence[Micrograph] | npt.ArrayLike,
    atoms: pd.DataFrame,
    *,
    window: Literal["auto"] | int | tuple[int, int] = "auto",
    normalization: Normalization | None = None,
    spacing: Positive | None = None,
    levels: Sequence[Sequence[float]] | None = None,
    level: Level = "auto",
    square: bool = True,
    partial: bool = False,
) -> Patches:
    """Cut a window around every atom, centred on its sub-pixel position.

    Intensities between pixels come from cubic convolution (Keys 1981), which returns the pixels themselves at whole
    positions. The centre of an even window lies between its two middle pixels.

    Parameters
    ----------
    image : Micrograph, sequence of Micrographs, or array
        ``(Y, X)``, ``(T, Y, X)`` with the frame of each atom in column ``frame``, or channels: a ``(C, Y, X)``
        Micrograph with ``axes="CYX"`` or a sequence of Micrographs of one shape.
    atoms : DataFrame
        Columns ``y`` and ``x`` (pixels; row, column) and, for a movie, ``frame``.
    window : "auto", int or (int, int)
        Rows and columns in pixels. ``"auto"``: two spacings, which shows each atom with its nearest neighbours; 24 of
        a grid.
    normalization : Normalization, optional
        Scale of another run; by default robust quantiles of these patches.
    spacing : float, optional
        Distance between neighbours in pixels; by default what detection found, else the median over the table.
    levels : sequence of (float, float), optional
        `Run.levels`: the scale is chosen so that intensities spread as those of the training did.
    level : {"auto", "none", "plane", "rows", "smooth"}
        Background to take from every frame before: a plane; that and an offset of every row; or all that varies over
        more than about four spacings, or two windows. ``"auto"``: the simplest of these after which the brightness of
        windows follows no background; nothing where it does not from the beginning, nor with the scale of another run,
        whose `Run.level` is to be given.
    square : bool
        Where pixels are longer than wide, interpolate the image to square ones, as small as their shorter side, which
        window and spacing are then in. ``False`` for runs that learnt from oblong pixels, as `Run.cutting` says.
    partial : bool
        Keep windows of which at least 60 % was measured, too, such as those of atoms at the border, unless they would
        fill more than a gigabyte. `fit` learns from whole windows only; `Run.encode` describes the others by what they
        show.

    Returns
    -------
    Patches
        Atoms whose window would reach beyond the image, or touches pixels that were not measured (NaN or infinite),
        are left out and listed in ``.dropped``, but for those that `partial` keeps.

    Raises
    ------
    InputError
        If there are no atoms, the window does not fit the image, no window lies inside and clear of gaps, channels
        differ in shape, or a channel is constant.

    References
    ----------
    R. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29 (1981) 1153.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> image = np.random.default_rng(0).random((64, 64))
    >>> patches = extract_patches(image, pd.DataFrame({"y": [20.0, 40.5], "x": [30.25, 32.0]}), window=16)
    >>> patches.data.shape
    (2, 1, 16, 16)
    """
    channels = _channels(image)
    frames = _check_atoms(atoms, channels[0])
    atoms = on_pixels_of(atoms, channels[0]) if square else with_sides(atoms, SQUARE)
    channels = [squared(channel) for channel in channels] if square else channels
    first, centres = channels[0], square_points(atoms)
    if isinstance(window, str) and window == "auto":  # an array is no str, and would be compared number by number
        spacing = table_spacing(atoms) if spacing is None else spacing
        window = suggest_window(None if on_grid(atoms) else spacing)
    size = check_window(window, first.shape[-2:])
    inside = fits(centres, size, first.shape[-2:])
    on_image = fits(centres, (1, 1), first.shape[-2:])
    if not on_image.any():
        raise InputError(
            f"None of the atoms lies on the image of {first.shape[-2]} × {first.shape[-1]} px: they lie at rows "
            f"{centres[:, 0].min():.4g} to {centres[:, 0].max():.4g}, columns {centres[:, 1].min():.4g} to "
            f"{centres[:, 1].max():.4g}. Give positions in pixels of this image."
        )
    if not inside.any():
        raise InputError(
            f"No atom is far enough from the border for a {size[0]} × {size[1]} px window; make the window smaller."
        )
    _check_limits(normalization, sum(m.n_channels for m in channels))
    width = np.fmax(min(size) / 2, table_spacing(atoms) if spacing is None else spacing).clip(max=max(first.shape[-2:]))
    if level == "auto":
        own = normalization is None and not levels
        level = choose_level(channels, centres[on_image], frames[on_image], width) if own else "none"
    raw, brightness = _cut(channels, centres[inside], frames[inside], size, level, width)
    measured = np.isfinite(raw).all(axis=(1, 2, 3))
    if not measured.any():
        raise InputError(
            f"Every {size[0]} × {size[1]} px window touches pixels of “{first.name}” that were not measured (NaN or "
            "infinite); make the window smaller."
        )
    kept = inside.copy()
    kept[inside] = measured
    if not measured.all():
        raw, brightness = raw[measured], brightness[measured]
    if normalization is None:
        normalization = Normalization.matching(raw, levels) if levels else Normalization.fit(raw)
    seen = np.ones((len(raw), *size), dtype=bool) if partial else None
    rest = np.flatnonzero(on_image & ~kept)
    rest = rest[worth_cutting(centres[rest], size, first.shape[-2:], raw.shape[1])]
    if partial and len(rest):
        more, bright = _cut(channels, centres[rest], frames[rest], size, level, width, beyond=max(size))
        rows, source, raw, seen = joined(np.flatnonzero(kept), raw, rest, more)
        kept[rows], brightness = True, np.concatenate([brightness, bright])[source]
    return Patches(
        data=normalization.apply(raw),
        atoms=atoms[kept],
        window=size,
        normalization=normalization,
        dropped=atoms[~kept],
        spacing=float("nan") if spacing is None else float(spacing),
        pixel_size=first.pixel_size,
        units=first.units,
        name=first.name,
        in_gaps=int((inside & ~kept).sum()),
        level=level,
        brightness=brightness,
        seen=seen,
    )


def _cut(
    channels: list[Micrograph],
    centres: npt.NDArray[np.float64],
    frames: npt.NDArray[np.int64],
    size: tuple[int, int],
    way: Level,
    width: float,
    beyond: int = 0,
) -> tuple[Floats, Floats]:
    """Levelled windows (N, C, H, W) and mean intensities (N, C) before, reading one frame of the channels at a time.

    They may reach some pixels `beyond` the frame, which are NaN.
    """
    raw = np.empty((len(centres), sum(m.n_channels for m in channels), *size), dtype=np.float32)
    taken = np.zeros(raw.shape[:2], dtype=np.float32)
    for frame in np.unique(frames):
        rows = frames == frame
        pixels = np.concatenate([m.frame(int(frame)) for m in channels])
        if way != "none":
            pixels, field = levelled(pixels, way, width)
            at = np.rint(centres[rows]).astype(np.int64)
            taken[rows] = field[:, at[:, 0], at[:, 1]].T
        if beyond:
            pixels = np.pad(pixels, ((0, 0), (beyond,) * 2, (beyond,) * 2), constant_values=np.nan)
        raw[rows] = cut_windows(pixels, centres[rows] + beyond, size)
    return raw, taken + (filled(raw) if beyond else raw).mean(axis=(2, 3))


@checks_arguments
def paste_patches(
    data: npt.NDArray[Any], atoms: pd.DataFrame, shape: tuple[int, ...], *, fill: AnyNumber = float("nan")
) -> Floats:
    """Put windows back on the frame; where they overlap, the nearer to its centre counts more.

    Parameters
    ----------
    data : array (N, H, W) or (N, C, H, W)
        One window per row of `atoms`.
    atoms : DataFrame
        Columns ``y``, ``x`` and, for a movie, ``frame``: the window centres in pixels.
    shape : (Y, X) or (T, Y, X)
        Shape of the result but for the channels.
    fill : float
        Value where no window lies.

    Returns
    -------
    array (Y, X) or (T, Y, X) float32, with channels (C, Y, X) or (T, C, Y, X)

    Raises
    ------
    InputError
        If the number of windows and of atoms differ, or an atom lies in no frame of the result.
    """
    check_table(atoms)
    windows = as_array(data, "windows")
    if windows.dtype.kind not in "biuf" or windows.ndim not in (3, 4) or len(windows) != len(atoms):
        what = f"{windows.dtype} values of shape {windows.shape}"
        raise InputError(f"Windows are numbers (N, H, W) or (N, C, H, W), one window per atom, not {what}.")
    windows = windows.astype(np.float32, copy=False)
    single = windows.ndim == 3
    windows = windows[:, None] if single else windows
    n_frames = shape[0] if len(shape) == 3 else 1
    frames = frame_numbers(atoms, n_frames)
    centres, sides = square_points(atoms), table_sides(atoms)
    on = square_shape(shape[-2:], sides)
    result = np.full((n_frames, windows.shape[1], *shape[-2:]), fill, dtype=np.float32)
    for frame in np.unique(frames):
        rows = frames == frame
        blended = blend_windows(windows[rows], centres[rows], on, fill)
        result[frame] = blended if sides == SQUARE else resampled(blended, sides, (shape[-2], shape[-1]))
    result = result[:, 0] if single else result
    return result if len(shape) == 3 else result[0]


def suggest_window(spacing: float | None) -> int:
    """Window size in pixels for a lattice spacing in pixels: two spacings, even, at least 8.

    >>> suggest_window(11.7)
    24
    """
    if spacing is None or not np.isfinite(spacing):
        return 24
    return max(SMALLEST_WINDOW, 2 * round(spacing))


def check_window(window: int | tuple[int, int], shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the window as (rows, columns).

    Raises
    ------
    InputError
        If it is smaller than 3 pixels or larger than the image of `shape`.
    """
    try:
        rows, columns = (int(n) for n in np.broadcast_to(np.asarray(window), (2,)))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"A window is a number of pixels, or (rows, columns), not {window!r}.") from None
    if min(rows, columns) < 3:
        raise InputError(f"A window of {rows} × {columns} px is too small; give at least 3 × 3.")
    if rows > shape[-2] or columns > shape[-1]:
        raise InputError(
            f"The window of {rows} × {columns} px is larger than the image of {shape[-2]} × {shape[-1]} px; "
            "make it smaller."
        )
    return rows, columns


def _channels(image: Any) -> list[Micrograph]:
    if isinstance(image, (list, tuple)) and image and isinstance(image[0], Micrograph):
        shapes = {(*m.shape[-2:], m.n_frames) for m in image}
        if len(shapes) > 1:
            raise InputError("The channels differ in shape; choose images of one size and number of frames.")
        return list(image)
    return [as_micrograph(image)]


def _check_atoms(atoms: pd.DataFrame, image: Micrograph) -> npt.NDArray[np.int64]:
    check_table(atoms)
    check_some(atoms)
    return frame_numbers(atoms, image.n_frames)


def _check_limits(limits: Normalization | None, n_channels: int) -> None:
    if limits is not None and len(limits.low) != n_channels:
        raise InputError(
            f"The image has {n_channels} channels but the model was trained on {len(limits.low)}; choose as many."
        )


def fits(centres: npt.NDArray[np.float64], size: tuple[int, int], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Whether windows of a size around centres (N, 2) lie on an image of `shape`, all in square pixels."""
    half = (np.asarray(size) - 1) / 2
    limit = np.asarray(shape[-2:]) - 1 - half
    return np.asarray(((centres >= half) & (centres <= limit)).all(axis=1))


def symbol_spacing(patches: Patches) -> float:
    """Distance between neighbours in pixels for the size of symbols; half a window where it is not known."""
    spacing = patches.spacing if np.isfinite(patches.spacing) else table_spacing(patches.atoms)
    return spacing if spacing > 0 else min(patches.window) / 2
