"""Tables of positions: which frame each row belongs to, how far apart they are, and regular grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .micrograph import Micrograph, as_micrograph

if TYPE_CHECKING:
    import pandas as pd


def table_spacing(atoms: pd.DataFrame) -> float:
    """Distance between neighbouring atoms in pixels: what detection found, else the median nearest distance.

    NaN when there are not two atoms in any frame.
    """
    found = atoms.attrs.get("napari_vae", {}).get("spacing")
    if found:
        return float(found)
    from scipy.spatial import cKDTree

    frames = frame_numbers(atoms)
    values, counts = np.unique(frames, return_counts=True)
    if not len(values) or counts.max() < 2:
        return float("nan")
    points = atoms[["y", "x"]].to_numpy(float)[frames == values[counts.argmax()]]
    return float(np.median(cKDTree(points).query(points, k=2)[0][:, 1]))


def frame_numbers(atoms: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Frame of every row: column ``frame``, or zeros where there is none."""
    if "frame" not in atoms:
        return np.zeros(len(atoms), dtype=np.int64)
    return np.rint(atoms["frame"].to_numpy(float)).astype(np.int64)


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
    import pandas as pd

    from .patches import check_window

    micrograph = as_micrograph(image)
    check_window(window, micrograph.shape[-2:])
    if step < 1:
        raise InputError(f"A grid step of {step} px is not possible; give at least 1.")
    half = (window - 1) / 2
    ys, xs = (np.arange(half, n - half, step) for n in micrograph.shape[-2:])
    grid = np.stack(np.meshgrid(np.arange(micrograph.n_frames), ys, xs, indexing="ij"), -1).reshape(-1, 3)
    atoms = pd.DataFrame({"frame": grid[:, 0].astype(np.int64), "y": grid[:, 1], "x": grid[:, 2]})
    atoms.attrs["napari_vae"] = {"spacing": float(step), "method": "grid"}
    return atoms
