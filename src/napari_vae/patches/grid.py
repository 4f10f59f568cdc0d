"""Windows on a regular grid, for images without atoms to hold on to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..core.micrograph import Micrograph, as_micrograph
from ..core.square import pixel_sides, square_shape, with_sides
from .patches import check_window


def grid_positions(image: Micrograph | npt.ArrayLike, *, window: int, step: int) -> pd.DataFrame:
    """Centres of windows on a regular grid over every frame, for images without atoms to hold on to.

    Returns
    -------
    DataFrame
        Columns ``frame``, ``y``, ``x`` in pixels; every window lies inside the image.

    Raises
    ------
    InputError
        If the window does not fit the image or the step is not positive.
    """
    micrograph = as_micrograph(image)
    check_window(window, square_shape(micrograph.shape[-2:], pixel_sides(micrograph.pixel_size)))
    if step < 1:
        raise InputError(f"A grid step of {step} px is not possible; give at least 1.")
    half, sides = (window - 1) / 2, pixel_sides(micrograph.pixel_size)
    shape = square_shape(micrograph.shape[-2:], sides)
    ys, xs = (np.arange(half, n - half, step) / side for n, side in zip(shape, sides, strict=True))
    grid = np.stack(np.meshgrid(np.arange(micrograph.n_frames), ys, xs, indexing="ij"), -1).reshape(-1, 3)
    atoms = pd.DataFrame({"frame": grid[:, 0].astype(np.int64), "y": grid[:, 1], "x": grid[:, 2]})
    atoms.attrs["napari_vae"] = {"spacing": float(step), "method": "grid"}
    return with_sides(atoms, sides)
