"""How often atoms change from class to class, when and where, though labels are sometimes wrong or missing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.fields import about
from ..core.positions import NO_TRACK, check_table, frame_numbers
from ..core.progress import Stage, drain
from ..core.settings import Seed
from .classes import Classes
from .markov import MISSING, SMALLEST, Ints, Series, count_changes, draw_chains, fit_chain, likeliest_states

Array = npt.NDArray[np.float64]
Names = npt.NDArray[np.object_]

LARGEST_TRACK = 2**62
FEWEST_LABELS = 3  # of a track, from which a change can be told from a wrong label
MOST_STEPS = 10_000  # of a track, from its first label to its last; each is one step of every draw
MOST_AT_ONCE = 4_000_000  # numbers that a block of tracks takes
DRAWS, WARM_UP = 400, 50
MOST_SAID = 4  # rates in a sentence
LEVEL = 0.95  # probability that a value lies in its interval

FrameTime = Annotated[float, about(gt=0, le=1e12)]


@dataclass(frozen=True)
class Transitions:
    """Changes of class of atoms that were followed through a movie.

    Parameters
    ----------
    table : DataFrame
        One row for each pair of classes, and for staying in each: ``from``, ``to`` (names, as text); ``count``, the
        changes that the likeliest history of every atom has; ``probability`` from one frame to the next; ``rate`` per
        unit of time of atoms that change at most once between two frames, NaN for staying; and their 95 % intervals
        ``probability_low`` … ``rate_high``.
    dwell : DataFrame
        By class, the mean time until an atom leaves it: ``class``, ``mean``, ``low``, ``high``.
    errors : DataFrame
        The share of atoms of a class (row) that are labelled as another (column).
    events : DataFrame
        Every change of the likeliest histories: ``track``, ``frame`` (the first in the new class), ``from``, ``to``,
        ``y``, ``x``.
    frame_time : float
        Time from one frame to the next.
    unit : str
        Of time.
    """

    table: pd.DataFrame
    dwell: pd.DataFrame
    errors: pd.DataFrame
    events: pd.DataFrame
    frame_time: float
    unit: str

    @property
    def matrix(self) -> pd.DataFrame:
        """Probability of each class in the next frame (column), by that in this one (row)."""
        names = self.table["from"].unique()  # in their order, which `pivot` does not keep
        return self.table.pivot(index="from", columns="to", values="probability").reindex(index=names, columns=names)

    def sentence(self) -> str:
        """The changes in a sentence, the most frequent ones with their rates."""
        changes = self.table[self.table["from"] != self.table["to"]].sort_values("count", ascending=False)
        rates = [
            f"{row['from']} → {row['to']} {row['rate']:.2g} ({row['rate_low']:.2g} to {row['rate_high']:.2g})"
            for row in changes.head(MOST_SAID).to_dict("records")
        ]
        per = f", per atom and {self.unit}: " if rates else "."
        return f"{len(self.events)} changes of class{per}{'; '.join(rates)}{'.' * bool(rates)}"


@checks_arguments
def transitions(
    latents: pd.DataFrame,
    column: str = "class",
    *,
    frame_time: FrameTime = 1.0,
    unit: str = "frame",
    seed: Seed = 0,
    callback: Callable[[Stage], object] | None = None,
) -> Transitions:
    """Rates at which atoms change from class to class in a movie, with 95 % intervals.

    Labels are taken for what is seen of hidden states that change at random with probabilities of their own (a hidden
    Markov chain). So an atom whose label is wrong for one frame has not changed twice, and a frame in which it is not
    seen is a step that nothing is known of. The chain is fitted to all tracks together, and the intervals come from
    draws of its posterior. To count labels as they are overestimates all rates.

    Parameters
    ----------
    latents : DataFrame
        Atoms of a movie with the columns ``y``, ``x``, ``frame``, ``track`` (of `link_atoms`) and `column`. Rows
        without a label (blank, NaN, below 0) count as frames in which the atom was not seen, and those without a track
        (below 0) are left out.
    column : str
        The classes.
    frame_time : float
        Time from one frame to the next, for the rates.
    unit : str
        Of `frame_time`.
    seed : int
        Of the draws.
    callback : function, optional
        Called with a `Stage` as the work goes on: 300 000 labels take seconds.

    Returns
    -------
    Transitions
        Probabilities from frame to frame, rates, mean dwell times, how often labels are wrong, and all changes.

    Raises
    ------
    InputError
        If a column is missing, an atom is twice in a frame, classes are too many, no track has three labels, or one is
        too long.

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989), https://doi.org/10.1109/5.18626; S. L. Scott, J. Am. Stat. Assoc. 97, 337
    (2002), https://doi.org/10.1198/016214502753479464.

    Examples
    --------
    >>> rows = {"track": np.repeat([0, 1], 6), "frame": [0, 1, 2, 3, 4, 5] * 2, "y": 5.0, "x": np.repeat([1.0, 9.0], 6)}
    >>> found = transitions(pd.DataFrame(rows | {"class": [0, 0, 0, 1, 1, 1] + [0] * 6}))
    >>> found.events.iloc[0].to_dict()
    {'track': 0, 'frame': 3, 'from': '0', 'to': '1', 'y': 5.0, 'x': 1.0}
    """
    return drain(iter_transitions(latents, column, frame_time=frame_time, unit=unit, seed=seed), callback)


@checks_arguments
def iter_transitions(
    latents: pd.DataFrame, column: str = "class", *, frame_time: FrameTime = 1.0, unit: str = "frame", seed: Seed = 0
) -> Generator[Stage, None, Transitions]:
    """`transitions` as a generator that yields how far it is, and returns the result."""
    rows, names = _labelled_rows(latents, column)
    blocks = list(_blocks(rows))
    series = [block for block, _ in blocks]
    chain = yield from fit_chain(series, len(names))
    drawn = []
    for one in draw_chains(series, chain, DRAWS, WARM_UP, np.random.default_rng(seed)):
        drawn.append(one.change)
        yield Stage("count changes", len(drawn) / DRAWS)
    histories = [(tracks, likeliest_states(block, chain), block) for block, tracks in blocks]
    count = sum(
        (count_changes(states, block, len(names)) for _, states, block in histories), np.zeros((len(names),) * 2, int)
    )
    events = pd.concat([_events(rows, tracks, states, block, names) for tracks, states, block in histories])
    return Transitions(
        table=_table(names, count, np.array(drawn), frame_time),
        dwell=_dwell(names, np.array(drawn), frame_time),
        errors=pd.DataFrame(chain.label, pd.Index(names, name="class"), pd.Index(names, name="labelled")),
        events=events.sort_values(["frame", "track"], ignore_index=True),
        frame_time=frame_time,
        unit=unit,
    )


def _labelled_rows(latents: pd.DataFrame, column: str) -> tuple[pd.DataFrame, Names]:
    """The rows that have a track and a label, by track and frame; and the name of each label."""
    check_table(latents)
    if lack := lacks_tracks(latents, column):
        raise InputError(lack)
    latents = latents.reset_index(drop=True)
    classes = Classes.of(latents[column])
    numbers = pd.to_numeric(latents["track"], errors="coerce")
    if latents["track"].notna().any() and not numbers.notna().any():
        raise InputError("The column track holds text; give the number of each atom, as link_atoms does.")
    numbers = numbers.where(numbers.between(0, LARGEST_TRACK), NO_TRACK).astype(np.int64)
    rows = latents[["y", "x"]].assign(frame=frame_numbers(latents), track=numbers, label=classes.codes)
    rows = rows[(rows["label"] >= 0) & (rows["track"] >= 0)].sort_values(["track", "frame"], ignore_index=True)
    if lack := lacks_labels(rows["track"], rows["frame"]):
        raise InputError(lack)
    longest = int(np.ptp(rows["frame"].groupby(rows["track"]).agg(["first", "last"]), axis=1).max()) + 1
    if longest > MOST_STEPS:
        raise InputError(
            f"A track reaches over {longest} frames, and at most {MOST_STEPS} are followed; give a part of them."
        )
    seen, labels = np.unique(rows["label"], return_inverse=True)
    return rows.assign(label=labels), np.array(classes.names, dtype=object)[seen]


def lacks_labels(track: pd.Series, frame: pd.Series | None) -> str:
    """What is wrong with the tracks of labelled atoms, and what to do; empty if nothing."""
    followed = track[track != NO_TRACK]
    at = pd.DataFrame({"track": followed, "frame": 0 if frame is None else frame[followed.index]})
    if at.duplicated().any():
        return "A track has two atoms in one frame; follow the atoms of each file by themselves."
    if not len(followed) or followed.value_counts().max() < FEWEST_LABELS:
        return (
            f"No track has {FEWEST_LABELS} labels, so that a change cannot be told from a wrong label; follow the "
            "atoms through more frames."
        )
    return ""


def lacks_tracks(table: pd.DataFrame, column: str) -> str:
    """What a table lacks for changes to be counted, and what to do; empty if nothing."""
    if "track" not in table:
        return "The table has no column track; follow the atoms of a movie first."
    if not column:
        return "There are no classes; group the atoms first."
    return "" if column in table else f"The table has no column {column}; choose one that holds classes."


def _blocks(rows: pd.DataFrame) -> Iterator[tuple[Series, Ints]]:
    """Series of like length together, each from its first label to its last, and the track of each."""
    n_states = rows["label"].max() + 1
    by_track = rows.groupby("track")["frame"]
    first = by_track.transform("first").to_numpy()
    steps = rows["frame"].to_numpy() - first
    by_length = (by_track.last() - by_track.first() + 1).sort_values()
    tracks, lengths = by_length.index.to_numpy(), by_length.to_numpy()
    place = by_length.index.get_indexer(pd.Index(rows["track"]))
    begin = 0
    while begin < len(tracks):
        end = begin + 1
        while end < len(tracks) and (end + 1 - begin) * lengths[end] * n_states <= MOST_AT_ONCE:
            end += 1
        labels = np.full((lengths[end - 1], end - begin), MISSING, np.int64)
        inside = (place >= begin) & (place < end)
        labels[steps[inside], place[inside] - begin] = rows["label"].to_numpy()[inside]
        yield Series(labels, lengths[begin:end]), tracks[begin:end]
        begin = end


def _changes(states: Ints, block: Series) -> npt.NDArray[np.bool_]:
    """Where (T, n) an atom is in another state than one step before."""
    changed = np.diff(states, axis=0, prepend=states[:1]) != 0
    return changed & (np.arange(len(states))[:, None] < block.lengths)


def _events(rows: pd.DataFrame, tracks: Ints, states: Ints, block: Series, names: Names) -> pd.DataFrame:
    """The changes of a block, where the atom is then; between two frames if it is not seen."""
    step, series = np.nonzero(_changes(states, block))
    first = rows.groupby("track")["frame"].first()
    track = tracks[series]
    frame = first.reindex(track).to_numpy() + step
    one_more = rows["frame"].max() + 1
    keys = first.index.get_indexer(pd.Index(rows["track"])) * one_more + rows["frame"]
    asked = first.index.get_indexer(pd.Index(track)) * one_more + frame
    place = {axis: np.interp(asked, keys, rows[axis]) for axis in ("y", "x")}
    before, after = names[states[step - 1, series]], names[states[step, series]]
    return pd.DataFrame({"track": track, "frame": frame, "from": before, "to": after} | place)


def _table(names: Names, count: Ints, draws: Array, frame_time: float) -> pd.DataFrame:
    n, mean = len(names), draws.mean(0)
    columns: dict[str, Any] = {"from": np.repeat(names, n), "to": np.tile(names, n), "count": count.ravel()}
    for name, value, drawn in (
        ("probability", mean, draws),
        ("rate", _rates(mean, frame_time), _rates(draws, frame_time)),
    ):
        low, high = shortest_interval(drawn)
        columns |= {name: value.ravel(), f"{name}_low": low.ravel(), f"{name}_high": high.ravel()}
    table = pd.DataFrame(columns)
    table.loc[table["from"] == table["to"], ["rate", "rate_low", "rate_high"]] = np.nan
    return table


def _dwell(names: Names, draws: Array, frame_time: float) -> pd.DataFrame:
    low, high = shortest_interval(_leaving(draws, frame_time))
    with np.errstate(divide="ignore"):  # a class that no atom leaves
        mean, low, high = (1 / rate for rate in (_leaving(draws.mean(0), frame_time), high, low))
    return pd.DataFrame({"class": names, "mean": mean, "low": low, "high": high})


def _leaving(change: Array, frame_time: float) -> Array:
    """Rate (…, K) at which each state is left, if it is left at most once between two frames."""
    stays = np.diagonal(change, axis1=-2, axis2=-1)
    return -np.log(np.maximum(stays, SMALLEST)) / frame_time


def _rates(change: Array, frame_time: float) -> Array:
    """Rate (…, K, K) at which each state becomes each other one."""
    moves = change * (1 - np.eye(change.shape[-1]))
    total = moves.sum(-1, keepdims=True)
    return _leaving(change, frame_time)[..., None] * moves / np.where(total > 0, total, 1)


def shortest_interval(draws: Array) -> tuple[Array, Array]:
    """The shortest interval that holds 95 % of draws (D, …).

    It begins at 0 where the smallest draw is in it: the value may be 0 then.
    """
    ordered = np.sort(draws, axis=0)
    held = int(np.ceil(LEVEL * len(ordered)))
    width = ordered[held - 1 :] - ordered[: len(ordered) - held + 1]
    begin = width.argmin(0)[None]
    low, high = (np.take_along_axis(ordered, begin + more, 0)[0] for more in (0, held - 1))
    return np.where((begin[0] == 0) & (ordered[0] < ordered[-1]), 0, low), high
