"""What a user did to detected atoms by hand, and how a second detection keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.class_colors import NO_CLASS
from ..core.region import inside
from .points import KEY

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

PLACE = ["frame", "y", "x"]
REACH = 1 / 3  # of the spacing: as near as this, a detection is the atom that was there before
SAME = 0.01  # pixels; an atom found again as near as this has not changed


@dataclass(frozen=True)
class Edits:
    """What was done since the detection: which rows the user `placed` (N,), and the places (D, 3) now `deleted`.

    An atom that was moved is placed where it is and deleted where it was.
    """

    placed: Mask
    deleted: Floats


@dataclass(frozen=True)
class Scope:
    """Where a detection looked: in some frames or (``None``) all, on the pixels of a mask or (``None``) all."""

    frames: frozenset[int] | None = None
    region: Mask | None = None

    def covers(self, places: Floats) -> Mask:
        """Whether it looked at each of the places (N, 3; frame, row, column)."""
        covered = np.ones(len(places), dtype=bool)
        if self.frames is not None:
            covered &= np.isin(places[:, 0], list(self.frames))
        if self.region is not None:
            covered &= inside(self.region, places[:, 1:])
        return covered


@dataclass(frozen=True)
class Earlier:
    """The atoms as they are now: the table, and what is known of how it came about.

    Parameters
    ----------
    atoms : DataFrame
        ``frame``, ``y``, ``x`` and every other column, index 0…N−1.
    detected : array (M, 3)
        Places as detected, also those at which the user deleted the atom.
    made, latents : tuple of str
        Columns that the detection and a trained model wrote; all others are the user's.
    """

    atoms: pd.DataFrame
    detected: Floats
    made: tuple[str, ...] = ()
    latents: tuple[str, ...] = ()

    @property
    def own(self) -> list[str]:
        """Columns of the user."""
        return [str(name) for name in self.atoms if name not in {*PLACE, *self.made, *self.latents}]

    @property
    def results(self) -> list[str]:
        """Columns of a trained model."""
        return [str(name) for name in self.atoms if name in self.latents]


@dataclass(frozen=True)
class Merged:
    """Atoms of a second detection with the user's hand in them.

    Parameters
    ----------
    atoms : DataFrame
        The table.
    source : array (N,)
        Row of the earlier table that each row continues, or −1.
    detected : array (M, 3)
        Places as detected, for the next time.
    complete : bool
        Whether every value of the user's and of a trained model has found its place in the table.
    """

    atoms: pd.DataFrame
    source: Rows
    detected: Floats
    complete: bool


def places_of(atoms: pd.DataFrame) -> Floats:
    """Frame, row and column (N, 3) of every atom."""
    return np.asarray(atoms[PLACE].to_numpy(float))


def edits_of(detected: Floats, now: Floats) -> Edits:
    """Compare places (M, 3) as detected with those (N, 3) that there are now.

    Examples
    --------
    >>> before = np.array([[0, 1.0, 2.0], [0, 5.0, 6.0]])
    >>> edits_of(before, before + [[0, 0, 0], [0, 0, 1]]).placed.tolist()
    [False, True]
    """
    ours, theirs = _keys(detected), _keys(now)
    return Edits(placed=~np.isin(theirs, ours), deleted=detected[~np.isin(ours, theirs)])


def merge(earlier: Earlier, new: pd.DataFrame, scope: Scope) -> Merged:
    """Detected atoms in place of earlier ones, but for what the user did to those by hand.

    Every detection belongs to the nearest earlier place within a third of the spacing. Where an atom was deleted, or
    one placed by hand is, the detection is dropped; where one was detected before, it takes the columns of the user
    over, and those of a trained model if it has not moved. What lies outside of the scope stays as it is.

    Parameters
    ----------
    earlier : Earlier
        Before.
    new : DataFrame
        As `detect_atoms` returns it, with the spacing in its attributes.
    scope : Scope
        Where that was looked for.
    """
    clash = tuple(name for name in earlier.own if name in new)
    earlier = replace(earlier, made=(*earlier.made, *clash))
    now, found = places_of(earlier.atoms), places_of(new)
    edits, covered = edits_of(earlier.detected, now), scope.covers(now)
    outside, placed = np.flatnonzero(~covered), np.flatnonzero(covered & edits.placed)
    candidates = np.flatnonzero(covered & ~edits.placed)
    reach = REACH * float(new.attrs[KEY]["spacing"])
    former = np.concatenate([now[candidates], now[outside], now[placed], edits.deleted])
    nearest, distance = _nearest(found, former, reach)
    taken = np.flatnonzero((nearest < len(candidates)) | (nearest == len(former)))
    follows = _first(np.append(candidates, -1)[np.minimum(nearest[taken], len(candidates))], distance[taken])
    same = (follows >= 0) & (distance[taken] <= SAME)
    source = np.concatenate([outside, follows, placed])
    begin, end = len(outside), len(outside) + len(taken)
    unchanged = np.concatenate([outside, np.where(same, follows, -1), np.full(len(placed), -1)])
    atoms = _joined(earlier, new.iloc[taken], source, unchanged, slice(begin, end))
    gone = scope.covers(edits.deleted) & (_nearest(edits.deleted, found, reach)[0] == len(found))
    detected = [earlier.detected[~scope.covers(earlier.detected)], found, edits.deleted[gone]]
    complete = not clash and _keeps(earlier, candidates, follows, follows[same])
    return Merged(atoms, source, np.concatenate(detected), complete)


def _joined(earlier: Earlier, new: pd.DataFrame, source: Rows, unchanged: Rows, fresh: slice) -> pd.DataFrame:
    """Columns of the detection, of the user and of the model; rows `fresh` are those of `new`."""
    before = earlier.atoms
    made = [name for name in new if name not in PLACE]
    rows = np.arange(len(source))
    left = _taken(before.reindex(columns=[*PLACE, *made]), np.where(rows < fresh.start, source, -1))
    left.loc[rows >= fresh.stop, PLACE] = places_of(before)[source[fresh.stop :]]
    parts = [left.iloc[: fresh.start], new.set_axis(rows[fresh], axis=0), left.iloc[fresh.stop :]]
    joined = pd.concat([part for part in parts if len(part)] or [left]).astype({"frame": np.int64})
    for name in made:
        joined[name] = _without_gaps(joined[name], new[name])
    columns = [joined, _taken(before[earlier.own], source), _taken(before[earlier.results], unchanged)]
    atoms = pd.concat(columns, axis=1)
    atoms.attrs = dict(new.attrs)
    return atoms


def _taken(table: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """Rows of a table by number, blank ones for −1."""
    taken = table.reindex(rows).reset_index(drop=True)
    for name in table:
        taken[name] = _without_gaps(taken[name], table[name])
    return taken


def _without_gaps(column: pd.Series, like: pd.Series) -> pd.Series:
    """A column with what is blank in its kind: no number, no word, not true."""
    if isinstance(like.dtype, pd.CategoricalDtype):
        words = column.astype(object).where(column.notna(), NO_CLASS)
        others = sorted(set(words) - set(like.cat.categories), key=str)
        return words.astype(pd.CategoricalDtype([*others, *like.cat.categories]))
    if pd.api.types.is_bool_dtype(like.dtype):
        return column.eq(True)
    if pd.api.types.is_numeric_dtype(like.dtype):
        return column
    return column.astype(object).where(column.notna(), NO_CLASS).astype(like.dtype)


def _keeps(earlier: Earlier, candidates: Rows, followed: Rows, unchanged: Rows) -> bool:
    """Whether no row of `candidates` had a value that it loses, being followed by none or changed."""
    vanished, changed = np.setdiff1d(candidates, followed), np.setdiff1d(candidates, unchanged)
    lost = earlier.atoms[earlier.own].iloc[vanished], earlier.atoms[earlier.results].iloc[changed]
    return not any(map(_written, lost))


def _written(table: pd.DataFrame) -> bool:
    """Whether any field holds a value."""
    values = table.to_numpy(object)
    return bool((table.notna().to_numpy(bool) & (values != NO_CLASS).astype(bool)).any())


def _nearest(places: Floats, former: Floats, reach: float) -> tuple[Rows, Floats]:
    """Nearest of the former places in the same frame, and the distance; their number, and infinity, where none is."""
    from scipy.spatial import cKDTree

    apart = np.array([2 * reach, 1, 1])  # frames are farther from each other than the reach
    if not len(former):
        return np.zeros(len(places), dtype=np.int64), np.full(len(places), np.inf)
    distance, index = cKDTree(former * apart).query(places * apart, distance_upper_bound=reach)
    return np.asarray(index, dtype=np.int64), np.asarray(distance)


def _first(rows: Rows, distance: Floats) -> Rows:
    """Where several follow the same row only the nearest does; the others get −1."""
    order = np.argsort(distance, kind="stable")
    first = order[np.unique(rows[order], return_index=True)[1]]
    result = np.full(len(rows), -1, dtype=np.int64)
    result[first] = rows[first]
    return result


def _keys(places: Floats) -> npt.NDArray[np.void]:
    """Places as values that can be compared as a whole."""
    whole = np.ascontiguousarray(places, dtype=np.float64) + 0.0  # −0 is 0
    return whole.view([("", np.float64)] * 3).ravel()
