"""Which atom is which through the frames of a movie."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.fields import about
from ..core.micrograph import Micrograph
from ..core.positions import check_table, frame_numbers, table_spacing
from ..core.progress import drain, never
from .constants import FIXED
from .drift import iter_drift
from .frames import open_frames

Array = npt.NDArray[np.float64]
Result = TypeVar("Result")
Ints = npt.NDArray[np.int64]

Reach = Annotated[float, about(gt=0, le=10**9)]
Memory = Annotated[int, about(ge=0, le=10**9)]


@checks_arguments
def link_atoms(
    atoms: pd.DataFrame,
    *,
    image: Any = None,
    reach: Reach | Literal["auto"] = "auto",
    memory: Memory = 1,
    drift: npt.ArrayLike | Literal["auto"] | None = "auto",
) -> pd.DataFrame:
    """Follow every atom through the frames of a movie.

    The drift of the whole sample is measured and taken out first. Then the atoms of each frame are linked to those
    before by the one-to-one assignment with the least sum of squared distances, where an atom that is not linked counts
    as much as one linked at the farthest distance allowed (Crocker and Grier 1996,
    https://doi.org/10.1006/jcis.1996.0217).

    Parameters
    ----------
    atoms : DataFrame
        Columns ``y``, ``x`` in pixels and ``frame``; in any order and with any index. Without ``frame`` all are in one.
    image : Micrograph or array, optional
        The movie (frames, rows, columns), numpy or dask, read one frame at a time. From positions alone the drift of a
        lattice from frame to frame is known up to half its period; with the images larger steps are, where defects or
        edges tell one cell from the next.
    reach : float or "auto"
        Farthest distance in pixels, without the drift, between an atom in one frame and the same atom in the next.
        ``"auto"`` is 0.45 of the spacing: an atom that hops to a neighbouring site ends its track and starts a new one.
        With a reach above the length of the hop it stays one track.
    memory : int
        Frames in a row in which an atom may be missing and still be the same when it is back.
    drift : "auto", array (frames, 2) or None
        Where the sample is in each frame, relative to the first, in pixels (row, column), if it is known; ``None``
        takes it that nothing drifts.

    Returns
    -------
    DataFrame
        A copy with the int column ``track``: the same number for the same atom, from 0 in order of first appearance. An
        atom that is seen once has a track, too. ``attrs["napari_vae"]["drift"]`` is the drift as a list of one [y, x]
        per frame, ``attrs["napari_vae"]["reach"]`` the reach in pixels.

    Raises
    ------
    InputError
        If positions or frames are missing or no numbers, a frame is not in the movie, or an option is out of range.

    Examples
    --------
    >>> from napari_vae import samples
    >>> images, truth = samples.movie("graphene", frames=5, size=128, drift=3.0)
    >>> tracks = link_atoms(truth)
    >>> tracks["track"].nunique() < 1.2 * truth["track"].nunique()
    True
    """
    return drain(iter_link_atoms(atoms, image=image, reach=reach, memory=memory, drift=drift))


@checks_arguments
def iter_link_atoms(
    atoms: pd.DataFrame,
    *,
    stop: Callable[[], bool] = never,
    image: Any = None,
    reach: Reach | Literal["auto"] = "auto",
    memory: Memory = 1,
    drift: npt.ArrayLike | Literal["auto"] | None = "auto",
) -> Generator[tuple[int, int], None, pd.DataFrame]:
    """Follow atoms like `link_atoms`: yields (steps done, steps in all) and returns the table.

    Parameters
    ----------
    stop : callable
        Asked after every frame; when it returns True, the table comes back as it was.
    atoms, image, reach, memory, drift
        As in `link_atoms`.

    Raises
    ------
    InputError
        As `link_atoms`, when the first event is asked for.
    """
    movie = None if image is None else open_frames(image)
    frames, points = _checked(atoms, movie)
    spacing = table_spacing(atoms)
    distance = _reach(reach, spacing, several=len(np.unique(frames)) > 1)
    order = np.argsort(frames, kind="stable")
    n_frames = int(frames.max(initial=-1)) + 1 if movie is None else movie.n_frames
    edges = np.searchsorted(frames[order], np.arange(n_frames + 1))
    by_frame = [points[order[start:end]] for start, end in pairwise(edges)]
    path = _given_path(drift, n_frames)
    if path is None:
        measuring = iter_drift(by_frame, spacing, movie)
        path = yield from _counted(measuring, 0, 2 * n_frames, stop)
    if path is not None:
        following = _follow([p - d for p, d in zip(by_frame, path, strict=True)], distance, memory)
        numbers = yield from _counted(following, n_frames, 2 * n_frames, stop)
    result = atoms.copy()
    if path is None or numbers is None:  # stopped
        return result
    tracks = np.empty(len(atoms), dtype=np.int64)
    tracks[order] = numbers
    result["track"] = tracks
    known = dict(atoms.attrs.get("napari_vae", {}))
    result.attrs = {**atoms.attrs, "napari_vae": known | {"drift": path.tolist(), "reach": distance}}
    return result


def _counted(
    work: Generator[int, None, Result], before: int, total: int, stop: Callable[[], bool]
) -> Generator[tuple[int, int], None, Result | None]:
    """Hand on what a generator of frame numbers returns, or None when it is to stop."""
    while not stop():
        try:
            frame = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield before + frame + 1, total
    return None


def _follow(frames: list[Array], reach: float, memory: int) -> Generator[int, None, Ints]:
    """Track (N,) of every atom of all frames, one frame after the other; positions without drift."""
    place, track, seen = np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0, np.int64)  # atoms that may come back
    found, total = [np.zeros(0, np.int64)], 0
    for frame, points in enumerate(frames):
        if not len(points):
            continue
        alive = frame - seen <= memory + 1
        place, track, seen = place[alive], track[alive], seen[alive]
        alone = reach**2 * np.where(seen == seen.max(initial=0), FIXED.link_lost, 1.0)
        earlier, later = assign(place, points, reach, alone)
        numbers = np.full(len(points), -1, dtype=np.int64)
        numbers[later] = track[earlier]
        new = numbers < 0
        numbers[new] = total + np.arange(new.sum())
        total += int(new.sum())
        missing = np.ones(len(place), dtype=bool)
        missing[earlier] = False
        place = np.concatenate([place[missing], points])
        track = np.concatenate([track[missing], numbers])
        seen = np.concatenate([seen[missing], np.full(len(points), frame)])
        found.append(numbers)
        yield frame
    return np.concatenate(found)


def assign(first: Array, second: Array, reach: float, alone: Array) -> tuple[Ints, Ints]:
    """Pairs of points (N, 2) and (M, 2) no farther apart than `reach`, each point in one at most.

    The least sum of squared distances, where points of the first without a partner count as much as `alone` (N,) says.

    Returns
    -------
    first, second : array (P,)
        Row of either point of every pair.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching
    from scipy.spatial import cKDTree

    if not len(first) or not len(second):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    pairs = cKDTree(first).sparse_distance_matrix(cKDTree(second), reach, output_type="ndarray")
    rows, columns, cost = pairs["i"], pairs["j"], pairs["v"] ** 2
    only = (np.bincount(rows, minlength=len(first))[rows] == 1) & (
        np.bincount(columns, minlength=len(second))[columns] == 1
    )
    sure, rows, columns, cost = (rows[only], columns[only]), rows[~only], columns[~only], cost[~only]
    if len(rows):
        # Every contested point of the first gets a partner of its own that stands for none, so that all have one.
        names, row = np.unique(rows, return_inverse=True)
        nobody = len(second) + np.arange(len(names))
        weight = np.append(cost, alone[names]) + reach**2  # a weight of 0 would be no edge
        table = (weight, (np.append(row, np.arange(len(names))), np.append(columns, nobody)))
        chosen, partner = min_weight_full_bipartite_matching(
            csr_array(table, shape=(len(names), len(second) + len(names)))
        )
        real = partner < len(second)
        sure = np.append(sure[0], names[chosen[real]]), np.append(sure[1], partner[real])
    return sure[0].astype(np.int64), sure[1].astype(np.int64)


def _given_path(drift: Any, n_frames: int) -> Array | None:
    """The drift (frames, 2) as given; None when it is to be measured."""
    if isinstance(drift, str) and drift == "auto":
        return None
    if drift is None:
        return np.zeros((n_frames, 2))
    try:
        given = np.asarray(drift, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.zeros(0)
    if given.shape != (n_frames, 2) or not np.isfinite(given).all():
        raise InputError(
            f'The drift must be "auto", None or one finite (row, column) per frame, an array ({n_frames}, 2) here.'
        )
    return given


def _checked(atoms: Any, movie: Micrograph | None) -> tuple[Ints, Array]:
    """Frames (N,) and positions (N, 2) of a table that can be followed."""
    check_table(atoms)
    frames = frame_numbers(atoms)
    if movie is not None and len(frames) and frames.max() >= movie.n_frames:
        there = f"the movie has {movie.n_frames}, counted from 0"
        raise InputError(f"The atoms lie in frames {frames.min()} to {frames.max()}; {there}.")
    return frames, atoms[["y", "x"]].to_numpy(float)


def _reach(reach: Any, spacing: float, several: bool) -> float:
    """The reach in pixels; of a single frame any will do."""
    if reach == "auto":
        if several and not spacing > 0:
            raise InputError("No frame has two atoms apart, so there is no spacing to go by; give the reach in pixels.")
        return FIXED.link_reach * spacing if spacing > 0 else 0.0
    return float(reach)
