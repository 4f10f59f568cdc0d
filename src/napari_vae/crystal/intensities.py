"""How bright the column of every atom is: the image summed over the atom's Voronoi cell."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..atoms.frames import open_frames, read_frame
from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.positions import check_table, frame_numbers, table_spacing
from ..core.settings import Positive
from ..core.square import on_pixels_of, square_points, table_sides

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PIXELS = 1 << 20  # looked up at once, so that memory stays small


@checks_arguments
def voronoi_intensities(
    image: Any, atoms: pd.DataFrame, *, radius: Positive | None = None, background: Literal["none", "fitted"] = "none"
) -> pd.DataFrame:
    """Sum the image over the Voronoi cell of every atom.

    A pixel belongs to the nearest atom, if that is within the radius. The radius closes the cells beside vacancies, on
    the rim of a particle and of single atoms on a support, so that they do not gather what lies beyond. Summed counts
    follow the number and kind of the atoms in a column better than its height, since they do not depend on how sharp
    the image is (E et al., Ultramicroscopy 133, 109, 2013).

    Parameters
    ----------
    image : Micrograph or array
        (rows, columns), or the movie that the frames of the table are of.
    atoms : pandas.DataFrame
        Table with ``y``, ``x`` in pixels, as of `detect_atoms`.
    radius : float, optional
        Farthest from the atom that counts, in pixels; by default the spacing of the atoms.
    background : {"none", "fitted"}
        ``"fitted"`` subtracts the column ``background`` of `detect_atoms` from every pixel of the cell.

    Returns
    -------
    pandas.DataFrame
        A copy of `atoms` with ``intensity`` (unit of the image × pixels) and ``cell_area`` (pixels). NaN where the
        cell is open, which is where it reaches beyond the image or over pixels that were not measured.

    Raises
    ------
    InputError
        For images that `detect_atoms` refuses, a table without positions or with frames that the movie has not, a
        radius that is not positive, or a background that the table does not have.

    Examples
    --------
    >>> from napari_vae import detect_atoms, samples
    >>> image, _ = samples.micrograph("graphene", size=256)
    >>> bright = voronoi_intensities(image, detect_atoms(image))
    >>> bool(180 < bright["cell_area"].median() < 210)
    True
    """
    check_table(atoms)
    micrograph = open_frames(image)
    frames = frame_numbers(atoms, micrograph.n_frames)
    radius = table_spacing(atoms) if radius is None else float(radius)
    if len(atoms) and not (np.isfinite(radius) and radius > 0):
        raise InputError("The radius of the cells is a positive number of pixels; give one, such as the spacing.")
    if background == "fitted" and "background" not in atoms:
        raise InputError(
            'The atoms have no column background; detect them with refine=True, or take background="none".'
        )
    radius = min(radius, float(sum(micrograph.shape[-2:])) * max(table_sides(atoms)))  # a larger one reaches no farther
    atoms = on_pixels_of(atoms, micrograph)
    points, sides = square_points(atoms), table_sides(atoms)
    intensity, area = np.full((2, len(atoms)), np.nan)
    for number in np.unique(frames):
        rows = np.flatnonzero(frames == number)
        frame = read_frame(micrograph, int(number))
        intensity[rows], area[rows] = _cells(frame, points[rows], radius, sides)
    if background == "fitted":
        intensity -= area * atoms["background"].to_numpy(dtype=float)
    result = atoms.assign(intensity=intensity, cell_area=area)
    result.attrs = dict(atoms.attrs)
    return result


def _cells(frame: Array, points: Array, radius: float, sides: tuple[float, float]) -> tuple[Array, Array]:
    """Sums and areas (N,) of the cells of a frame, NaN where they are open."""
    from scipy.spatial import cKDTree

    tree, n = cKDTree(points), len(points)
    total, area = np.zeros((2, n + 1))
    beyond = np.zeros(n + 1, dtype=bool)
    rows, columns = frame.shape
    margin = int(np.ceil(radius)) + 1
    across = np.arange(-margin, columns + margin)
    within = (across >= 0) & (across < columns)
    step = max(1, _PIXELS // len(across))
    for start in range(-margin, rows + margin, step):
        down = np.arange(start, min(start + step, rows + margin))
        pixels = np.stack(np.meshgrid(down, across, indexing="ij"), axis=-1)
        owner = tree.query(pixels * sides, distance_upper_bound=radius)[1]  # n where no atom is near
        inside = ((down >= 0) & (down < rows))[:, None] & within
        beyond[owner[~inside]] = True
        mine = owner[inside]
        total += np.bincount(mine, frame[down[(down >= 0) & (down < rows)]].ravel(), minlength=n + 1)
        area += np.bincount(mine, minlength=n + 1)
    closed = ~beyond[:n] & np.isfinite(total[:n])
    return np.where(closed, total[:n], np.nan), np.where(closed, area[:n], np.nan)
