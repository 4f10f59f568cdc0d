"""Rates of change between classes: the truth is in the intervals, and wrong labels are no changes."""

import numpy as np
import pandas as pd
import pytest

from napari_vae import InputError
from napari_vae.analysis import iter_transitions, transitions
from napari_vae.analysis.figures import FigureData, changes_figure
from napari_vae.analysis.rates import shortest_interval

TRUE = np.array([[0.96, 0.04], [0.10, 0.90]])


def chain(change, tracks=80, frames=30, wrong=0.02, seed=0):
    """A table of labelled tracks, and the true states."""
    rng = np.random.default_rng(seed)
    states = np.zeros((tracks, frames), int)
    for frame in range(1, frames):
        states[:, frame] = rng.random(tracks) > change[states[:, frame - 1], 0]
    labels = np.where(rng.random(states.shape) < wrong, 1 - states, states)
    track, frame = (grid.ravel() for grid in np.indices(states.shape))
    return pd.DataFrame({"track": track, "frame": frame, "y": 1.0 * track, "x": 2.0, "class": labels.ravel()}), states


@pytest.fixture(scope="module")
def found():
    return transitions(chain(TRUE)[0], frame_time=0.5, unit="s")


def test_the_truth_lies_in_the_intervals(found):
    table = found.table
    assert table["probability"].to_numpy() == pytest.approx(TRUE.ravel(), abs=0.02)
    assert ((table["probability_low"] <= TRUE.ravel()) & (TRUE.ravel() <= table["probability_high"])).all()
    rates = -np.log(np.diag(TRUE)) / 0.5  # with two classes all that leaves one becomes the other
    moves = table[table["from"] != table["to"]]
    assert ((moves["rate_low"] <= rates) & (rates <= moves["rate_high"])).all()
    assert ((found.dwell["low"] <= 1 / rates) & (1 / rates <= found.dwell["high"])).all()
    assert np.diag(found.errors) == pytest.approx([0.98, 0.98], abs=0.012)
    assert table["rate"].isna().equals(table["from"] == table["to"])


def test_changes_are_where_they_are_and_wrong_labels_are_none(found):
    _, states = chain(TRUE)
    there = {(track, step + 1) for track, step in zip(*np.nonzero(np.diff(states, axis=1)), strict=True)}
    near = [any((row.track, row.frame + k) in there for k in (-1, 0, 1)) for row in found.events.itertuples()]
    assert np.mean(near) > 0.93 and sum(near) > 0.85 * len(there)
    assert list(found.events) == ["track", "frame", "from", "to", "y", "x"]
    assert (found.events["y"] == found.events["track"]).all()
    moves = found.table[found.table["from"] != found.table["to"]]
    assert moves["count"].sum() == len(found.events)


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_changes_no_change_is_found(seed):
    table, _ = chain(np.eye(2), tracks=40, seed=seed)
    table.loc[table["track"] % 2 == 0, "class"] = 1 - table["class"]
    still = transitions(table)
    assert not len(still.events) and still.matrix.to_numpy() == pytest.approx(np.eye(2), abs=2e-3)
    assert (still.table.loc[still.table["from"] != still.table["to"], "probability_low"] == 0).all()


def test_frames_without_an_atom_or_a_label_are_steps_that_nothing_is_known_of(found):
    table, _ = chain(TRUE)
    rng = np.random.default_rng(1)
    gone = table[rng.random(len(table)) >= 0.2]
    blank = table.assign(**{"class": table["class"].where(table.index.isin(gone.index), -1)})
    thinner, blanked = transitions(gone), transitions(blank)
    pd.testing.assert_frame_equal(thinner.table, blanked.table)
    assert thinner.matrix.to_numpy() == pytest.approx(found.matrix.to_numpy(), abs=0.02)


def test_an_atom_that_was_not_seen_changed_between_its_places():
    rows = {"track": 5, "frame": [3, 4, 5, 8, 9, 10], "y": [0.0, 0, 0, 6, 6, 6], "x": 1.0}
    (event,) = transitions(pd.DataFrame(rows | {"class": list("aaabbb")})).events.to_dict("records")
    assert (event["track"], event["from"], event["to"]) == (5, "a", "b") and 6 <= event["frame"] <= 8
    assert event["y"] == pytest.approx(2 * (event["frame"] - 5))


def test_order_and_index_of_rows_and_how_tracks_are_numbered_do_not_matter(found):
    table, _ = chain(TRUE)
    other = (
        table.assign(track=1000 - 3 * table["track"]).sample(frac=1, random_state=0).set_axis(range(7, 7 + len(table)))
    )
    again = transitions(other, frame_time=0.5, unit="s")
    assert again.table["probability"].to_numpy() == pytest.approx(found.table["probability"].to_numpy(), abs=0.005)
    assert len(again.events) == len(found.events)


def test_tracks_that_begin_late_and_points_added_by_hand():
    table, _ = chain(TRUE, tracks=30)
    late = table[table["frame"] >= table["track"] % 20]
    by_hand = pd.DataFrame({"track": -1, "frame": [0, 0, 1], "y": 1.0, "x": [1.0, 2.0, 1.0], "class": 1})
    alone, with_more = transitions(late), transitions(pd.concat([late, by_hand]))
    pd.testing.assert_frame_equal(alone.table, with_more.table)
    assert alone.table["count"].sum() == (late.groupby("track").size() - 1).sum()


def test_many_tracks_are_taken_a_part_at_a_time(monkeypatch, found):
    monkeypatch.setattr("napari_vae.analysis.rates.MOST_AT_ONCE", 2000)
    parts = transitions(chain(TRUE)[0], frame_time=0.5, unit="s")
    assert parts.matrix.to_numpy() == pytest.approx(found.matrix.to_numpy(), abs=0.005), "other draws"
    assert parts.events.equals(found.events)


def test_the_shortest_interval():
    draws = np.linspace(0.1, 1, 100) ** 2  # crowded at their lower end
    low, high = shortest_interval(np.stack([draws, 2 - draws], axis=1))
    assert low == pytest.approx([0, 2 - draws[94]]) and high == pytest.approx([draws[94], 2 - draws[0]])


def test_tracks_may_be_numbered_in_any_way_and_rows_named_in_any_way(found):
    table, _ = chain(TRUE)
    named = table.set_index(["track", "frame"], drop=False).assign(track=table["track"].to_numpy(float))
    nobody = named.iloc[:2].assign(track=[np.inf, np.nan])
    again = transitions(pd.concat([named, nobody]), frame_time=0.5, unit="s")
    pd.testing.assert_frame_equal(again.table, found.table)


def test_classes_keep_their_order_in_every_table_and_in_the_figure():
    table, _ = chain(TRUE)
    table["class"] = pd.Categorical(np.where(table["class"], "Si", "C"), ["Si", "C"])
    found = transitions(table)
    assert found.matrix.loc["C", ["C", "Si"]].tolist() == pytest.approx(TRUE[0], abs=0.02) and list(found.matrix) == [
        "Si",
        "C",
    ]
    (axes,) = changes_figure(FigureData(table)).axes
    shown = {
        tuple(np.round(text.get_position(), 0)): text.get_text() for text in axes.texts if " to " not in text.get_text()
    }
    assert float(shown[1, 1]) == pytest.approx(TRUE[0, 0], abs=0.02), "C stays C"


def test_numbers_of_tracks_may_be_large(found):
    table, _ = chain(TRUE)
    large = transitions(table.assign(track=table["track"] + 2**60), frame_time=0.5, unit="s")
    pd.testing.assert_frame_equal(large.events.drop(columns="track"), found.events.drop(columns="track"))


def test_one_class_is_no_change():
    alone = transitions(chain(np.eye(2), wrong=0)[0])
    assert alone.matrix.to_numpy().tolist() == [[1.0]] and not len(alone.events)
    assert alone.sentence() == "0 changes of class."
    assert alone.table[["probability_low", "probability_high"]].to_numpy().tolist() == [[1.0, 1.0]]


def test_a_sentence_says_how_often(found):
    assert f"{len(found.events)} changes of class, per atom and s: 0 → 1 0.0" in found.sentence()


def test_the_figure_shows_every_probability(found):
    table, _ = chain(TRUE)
    figure = changes_figure(FigureData(table))
    words = [text.get_text() for text in figure.axes[0].texts]
    assert all(f"{value:.4f}" in words for value in found.table["probability"])
    long = np.where(table["class"], "adsorbed on titanium dioxide", "C")
    figure = changes_figure(FigureData(table.assign(**{"class": long})))
    ink, (width, _) = figure.get_tightbbox(), figure.get_size_inches()
    assert ink.x0 >= 0 and ink.x1 <= width, "long names are cut by letters, and nothing else is"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][1].startswith("adsorbed on titanium")
    with pytest.raises(InputError, match="follow the atoms"):
        changes_figure(FigureData(table.drop(columns="track")))
    with pytest.raises(InputError, match="3 labels"):
        changes_figure(FigureData(table[table["frame"] < 2]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="track"), "no column track; follow the atoms"),
        (lambda table: table.drop(columns="class"), "no column class; choose"),
        (lambda table: table.assign(track=[f"t{number}" for number in table["track"]]), "holds text"),
        (lambda table: table.assign(frame=0), "two atoms in one frame"),
        (lambda table: table[table["frame"] < 2], "No track has 3 labels"),
        (lambda table: table.assign(**{"class": -1}), "No track has 3 labels"),
        (lambda table: table.assign(**{"class": 0.5}), "holds numbers, not classes"),
        (lambda table: table.assign(frame=1000 * table["frame"]), "over 29001 frames"),
    ],
)
def test_what_is_missing_is_said(change, words):
    with pytest.raises(InputError, match=words):
        transitions(change(chain(TRUE, tracks=5)[0]))


def test_how_far_a_count_is_rises_to_the_end_and_it_can_be_left():
    table, seen = chain(TRUE, tracks=8, frames=10)[0], []
    counted = transitions(table, callback=seen.append)
    fractions = [stage.fraction for stage in seen]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    steps = iter_transitions(table)
    assert next(steps) == seen[0]
    steps.close()
    pd.testing.assert_frame_equal(counted.table, transitions(table).table)
