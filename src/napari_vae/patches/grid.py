"""Windows on a regular grid, for images without atoms to hold on to, and pictures with a pixel for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import Micrograph, as_micrograph
from ..core.placement import Placement
from ..core.positions import frame_numbers
from ..core.square import pixel_sides, square_shape, table_sides, with_sides
from ..core.units import in_pixels
from .patches import check_window, suggest_window

if TYPE_CHECKING:  # images are read without it
    import pandas as pd


@checks_arguments
def grid_positions(
    image: Micrograph | npt.ArrayLike, step: float | str, *, window: Literal["auto"] | int | tuple[int, int] = "auto"
) -> pd.DataFrame:
    """Centres of windows on a regular grid over every frame, for images without atoms to hold on to.

    Parameters
    ----------
    image : Micrograph or array
        ``(Y, X)``, ``(T, Y, X)`` or, with ``axes="CYX"``, channels.
    step : float or str
        Between neighbouring windows: in pixels, or with a unit, such as ``"24px"`` or ``"2nm"``. It becomes a whole
        number of pixels; where these are longer than wide, of square ones as small as their shorter side.
    window : "auto", int or (int, int)
        Rows and columns of the windows that are to be cut there, in pixels; ``"auto"``, as for `extract_patches`: 24.

    Returns
    -------
    DataFrame
        Columns ``frame``, ``y``, ``x`` in pixels; every window lies inside the image.

    Raises
    ------
    InputError
        If the window does not fit the image, the step is below one pixel, or its unit is not that of the image.

    Examples
    --------
    >>> import numpy as np
    >>> grid_positions(np.zeros((40, 50)), 8, window=16)[["y", "x"]].max().tolist()
    [31.5, 39.5]
    """
    import pandas as pd

    micrograph = as_micrograph(image)
    sides = pixel_sides(micrograph.pixel_size)
    shape = square_shape(micrograph.shape[-2:], sides)
    size = check_window(suggest_window(None) if window == "auto" else window, shape)
    pixels = in_pixels(step, micrograph.pixel_size, micrograph.units)
    if not 1 <= round(pixels, 6) <= max(shape):
        raise InputError(f"A grid step of {step} is not possible; give one from 1 px up to the size of the image.")
    apart = round(pixels)
    ys, xs = (
        np.arange(0, n - wide + 1, apart) / side + (wide - 1) / 2 / side
        for n, wide, side in zip(shape, size, sides, strict=True)
    )
    grid = np.stack(np.meshgrid(np.arange(micrograph.n_frames), ys, xs, indexing="ij"), -1).reshape(-1, 3)
    atoms = pd.DataFrame({"frame": grid[:, 0].astype(np.int64), "y": grid[:, 1], "x": grid[:, 2]})
    atoms.attrs["napari_vae"] = {"spacing": float(apart), "method": "grid"}
    return with_sides(atoms, sides)


def grid_cells(atoms: pd.DataFrame, placement: Placement) -> tuple[npt.NDArray[np.int32], Placement]:
    """Row of the table at each place of a grid, −1 where none is, and where a picture lies that has a pixel for each.

    Parameters
    ----------
    atoms : DataFrame
        Of `grid_positions`, or some rows of it.
    placement : Placement
        Of the image.

    Returns
    -------
    cells : array (Y, X), or (T, Y, X) of a movie
    placement : Placement
    """
    pitch = atoms.attrs["napari_vae"]["spacing"] / np.array(table_sides(atoms))
    points = atoms[["y", "x"]].to_numpy(float)
    first = points.min(axis=0)
    places = np.column_stack([frame_numbers(atoms), np.rint((points - first) / pitch)]).astype(np.int64)
    places = places[:, -placement.ndim :]
    cells = np.full(places.max(axis=0) + 1, -1, dtype=np.int32)
    cells[tuple(places.T)] = np.arange(len(places), dtype=np.int32)
    return cells, placement.coarser(pitch, np.r_[np.zeros(placement.ndim - 2), first])
