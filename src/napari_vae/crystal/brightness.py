"""How bright atoms are, and how bright beside those around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..atoms.damage import usable_frame
from ..atoms.frames import open_frames
from ..core.errors import InputError
from ..core.positions import frame_numbers, median_nearest
from ..core.square import table_sides
from .neighbours import apart_by_kind, spread

Array = npt.NDArray[np.float64]

_NEIGHBOURS = 24  # averaged over for the local brightness, which follows thickness and contamination


def brightness_of(atoms: pd.DataFrame, position: Array, image: Any, number: int) -> Array:
    """Magnitude (N,) of the amplitudes, or of what frame `number` of the image shows above the surroundings.

    Raises
    ------
    InputError
        Without amplitudes and without an image.
    """
    if has_amplitudes(atoms):
        return atoms["amplitude"].abs().to_numpy(dtype=float)
    if image is None:
        raise InputError("The atoms have no amplitudes; pass the image as well, assign_sublattices(atoms, image).")
    from scipy.ndimage import gaussian_filter, map_coordinates

    frame = usable_frame(open_frames(image), number).frame
    distance = median_nearest(position) if len(position) > 1 else 8.0
    fine, wide = (share * distance / np.array(table_sides(atoms)) for share in (0.15, 0.5))
    contrast = gaussian_filter(frame, fine) - gaussian_filter(frame, wide)
    values = map_coordinates(contrast, (position / table_sides(atoms)).T, order=1, mode="nearest")
    return np.asarray(np.abs(values), dtype=float)


def has_amplitudes(atoms: pd.DataFrame) -> bool:
    """Whether the amplitudes of all atoms are known."""
    return "amplitude" in atoms and bool(np.isfinite(atoms["amplitude"].to_numpy(dtype=float)).all())


def contrasts(atoms: pd.DataFrame, points: Array) -> Array | None:
    """`local_contrast` (N,) of the amplitudes, frame by frame; None without amplitudes."""
    if not has_amplitudes(atoms):
        return None
    return local_contrast(apart_by_kind(points, frame_numbers(atoms)), atoms["amplitude"].abs().to_numpy(dtype=float))


def local_contrast(points: Array, brightness: Array) -> Array:
    """Logarithm of the brightness relative to the mean over the neighbours; outliers (dopants) drawn in."""
    from scipy.spatial import cKDTree

    spread(points)  # which refuses atoms on top of each other
    lowest = np.quantile(brightness, 0.01) * 0.5
    logarithm = np.log(np.maximum(brightness, max(lowest, np.finfo(float).tiny)))
    near = cKDTree(points).query(points, min(_NEIGHBOURS + 1, len(points)))[1]
    contrast = logarithm - logarithm[near].mean(axis=1)
    return contrast.clip(*np.quantile(contrast, [0.02, 0.98]))
