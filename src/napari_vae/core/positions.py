"""Tables of positions: which frame each row belongs to, how far apart they are, and regular grids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .square import square_points

if TYPE_CHECKING:
    import pandas as pd

NO_TRACK = -1  # of a point that is added by hand
MOST_FRAMES = 10_000_000  # no movie has more, and no slider shows them
NO_ATOMS = "Detect them first, with a lower threshold or the other contrast (polarity)."
FARTHEST = 1e9  # pixels, beyond which no image reaches


def table_spacing(atoms: pd.DataFrame) -> float:
    """Distance between neighbouring atoms in pixels: what detection found, else the median nearest distance.

    Of oblong pixels it is in units of their shorter side. NaN when there are not two atoms in any frame.
    """
    found = atoms.attrs.get("napari_vae", {}).get("spacing")
    if found:
        return float(found)
    return nearest_distance(atoms)


def nearest_distance(atoms: pd.DataFrame) -> float:
    """Median distance in pixels from an atom to the nearest one, in the fullest frame of the fullest file.

    NaN when there are not two atoms in any frame, and for a grid, whose step says nothing of the image.
    """
    if on_grid(atoms):
        return float("nan")
    frames = frame_numbers(atoms)
    if "file" in atoms:  # frames of several files have the same numbers
        frames = np.where(atoms["file"] == atoms["file"].mode()[0], frames, -1)
        atoms, frames = atoms[frames >= 0], frames[frames >= 0]
    values, counts = np.unique(frames, return_counts=True)
    if not len(values) or counts.max() < 2:
        return float("nan")
    return median_nearest(square_points(atoms)[frames == values[counts.argmax()]])


def on_grid(atoms: pd.DataFrame) -> bool:
    """Whether the positions are those of a regular grid, and no atoms."""
    return bool(atoms.attrs.get("napari_vae", {}).get("method") == "grid")


def noun_of(atoms: pd.DataFrame) -> str:
    """What the rows of a table are: ``"atoms"``, or ``"windows"`` of a grid."""
    return "windows" if on_grid(atoms) else "atoms"


def median_nearest(points: npt.NDArray[np.float64]) -> float:
    """Median distance from each of the points (N, D) to the nearest other; infinite for a single one."""
    import pandas as pd
    from scipy.spatial import cKDTree

    table = pd.DataFrame(points)
    alone = ~table.duplicated(keep=False).to_numpy()
    places = cKDTree(points[~table.duplicated().to_numpy()])  # among many at one place a search takes for ever
    nearest = np.zeros(len(points))
    nearest[alone] = places.query(points[alone], 2)[0][:, 1]
    return float(np.median(nearest))


def check_some(atoms: pd.DataFrame) -> None:
    """Refuse an empty table, with what the detection made of the image.

    Raises
    ------
    InputError
        If there are no atoms.
    """
    if not len(atoms):
        doubt = atoms.attrs.get("napari_vae", {}).get("doubt")
        raise InputError(f"There are no atoms. {doubt or NO_ATOMS}")


def frame_numbers(atoms: pd.DataFrame, n_frames: int | None = None) -> npt.NDArray[np.int64]:
    """Frame of every row: column ``frame``; of an image that is no movie, zeros.

    Parameters
    ----------
    atoms : DataFrame
        The table.
    n_frames : int, optional
        Frames of the image that the rows lie in. All are in the only frame of an image, whatever the table says.

    Raises
    ------
    InputError
        If a frame is not a number, or not one of the image; of a movie also if there is no such column.
    """
    if "frame" not in atoms and n_frames is not None and n_frames > 1:
        raise InputError(
            f"The atoms have no column frame, so they belong to no frame of the movie of {n_frames} frames; add it, "
            "with numbers counted from 0."
        )
    if "frame" not in atoms:
        return np.zeros(len(atoms), dtype=np.int64)
    numbers = _numbers(atoms[["frame"]])
    if numbers is None:
        raise InputError("The column frame of the atoms holds text; give frame numbers counted from 0.")
    numbers = numbers[:, 0]
    if not np.isfinite(numbers).all():
        raise InputError("Some atoms have NaN or an infinite number as their frame; remove or number these rows first.")
    if n_frames == 1:
        return np.zeros(len(atoms), dtype=np.int64)
    if n_frames is None and len(numbers) and not 0 <= numbers.min() <= numbers.max() < MOST_FRAMES:
        raise InputError(
            f"The column frame of the atoms must hold whole numbers counted from 0, below {MOST_FRAMES}; correct it, "
            "or leave it out."
        )
    frames = np.rint(numbers).astype(np.int64)
    if n_frames is not None and len(frames) and not 0 <= frames.min() <= frames.max() < n_frames:
        raise InputError(
            f"The atoms lie in frames {frames.min()} to {frames.max()} but the movie has {n_frames} frames; "
            "choose the atoms of this movie."
        )
    return frames


def check_table(atoms: Any) -> None:
    """Ask for positions as a table of numbers before anything is done with them.

    Raises
    ------
    InputError
        If it is no DataFrame, has two columns of one name, lacks the columns y or x, or holds positions that are no
        numbers, infinite or missing.
    """
    import pandas as pd

    if not isinstance(atoms, pd.DataFrame):
        raise InputError(
            f"The atoms are a {type(atoms).__name__}; give a table of them, for example "
            'pandas.DataFrame(positions, columns=["y", "x"]).'
        )
    missing = {"y", "x"} - set(atoms.columns)
    if missing:
        raise InputError(f"The atoms table lacks the columns {sorted(missing)}; give positions as y and x in pixels.")
    if doubled := sorted({str(name) for name in atoms.columns[atoms.columns.duplicated()]}):
        raise InputError(f"The atoms table has the column {doubled[0]} twice; rename one of them, or leave it out.")
    places = _numbers(atoms[["y", "x"]])
    if places is None:
        raise InputError("The columns y and x of the atoms hold text; give positions in pixels.")
    if not np.isfinite(places).all():
        raise InputError("Some atoms have NaN or infinite positions; remove these rows first.")
    if (np.abs(places) > FARTHEST).any():
        raise InputError(f"Some atoms lie more than {FARTHEST:.0e} pixels away; give positions in pixels of the image.")


def _numbers(columns: pd.DataFrame) -> npt.NDArray[np.float64] | None:
    """The numbers in columns, NaN where one is missing; ``None`` if there is something else."""
    try:
        return columns.to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError):
        return None
