"""Atoms followed through movies whose every atom is known."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer

import napari_vae as nv
from measuring import right_and_false_links
from napari_vae.atoms import iter_link_atoms
from napari_vae.atoms.linking import assign
from napari_vae.core.placement import Placement
from napari_vae.layers.points import atoms_to_points
from napari_vae.layers.tracks import tracks_to_layer

BOND = 0.142 / 0.0115
CALM = {"hops": 0, "vanish": 0, "appear": 0, "flicker": 0}


def drift_of(table):
    return np.array(table.attrs["napari_vae"]["drift"])


@pytest.fixture(scope="module")
def graphene():
    """20 frames that drift by 0.4 spacings each, seven in all, with everything that can happen to an atom."""
    return nv.samples.movie("graphene", frames=20, size=192, drift=0.4 * BOND, seed=2)


@pytest.fixture
def squares():
    """Three frames of 5 × 5 atoms 10 px apart, at rest."""
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5), indexing="ij"), -1).reshape(-1, 2) * 10.0
    frames = [pd.DataFrame({"frame": f, "y": grid[:, 0], "x": grid[:, 1]}) for f in range(3)]
    return pd.concat(frames, ignore_index=True)


def test_links_and_drift_from_positions(graphene):
    truth = graphene[1]
    tracks = nv.link_atoms(truth.drop(columns="track"))
    right, false = right_and_false_links(truth, tracks)
    assert right >= 0.99 and false <= 0.005
    assert np.abs(drift_of(tracks) - truth.attrs["drift"]).max() < 0.25


def test_links_of_detected_atoms(graphene):
    images, truth = graphene
    atoms = nv.detect_atoms(images, frames=slice(0, 8), refine=False)
    tracks = nv.link_atoms(atoms)
    same = tracks.merge(truth, on="frame", suffixes=("", "_true"))
    same = same[np.hypot(same.y - same.y_true, same.x - same.x_true) < 3].drop_duplicates(["frame", "track"])
    named = same.rename(columns={"track": "found"}).rename(columns={"track_true": "track"})
    right, false = right_and_false_links(named, named.assign(track=named["found"]))
    assert right >= 0.99 and false <= 0.005


@pytest.mark.parametrize(("kind", "step"), [("graphene", 1.3), ("perovskite", 0.7)])
def test_images_tell_a_drift_of_more_than_half_a_period(kind, step):
    spacing = BOND if kind == "graphene" else 0.39 / 0.024 / np.sqrt(2)
    images, truth = nv.samples.movie(
        kind, frames=6, size=256, drift=step * spacing, pixel_size=None if kind == "graphene" else 0.024, seed=3
    )
    blind, seeing = (nv.link_atoms(truth, image=image) for image in (None, images))
    assert np.abs(drift_of(blind) - truth.attrs["drift"]).max() > spacing
    assert np.abs(drift_of(seeing) - truth.attrs["drift"]).max() < 0.3
    right, false = right_and_false_links(truth, seeing)
    assert right >= 0.99 and false <= 0.005


def test_images_of_a_perfect_lattice_say_no_more_than_the_positions():
    images, truth = nv.samples.movie(
        "graphene", frames=5, size=128, drift=0.4 * BOND, displacement=0, vacancies=0, dopants=0, **CALM
    )
    assert right_and_false_links(truth, nv.link_atoms(truth, image=images)) == (1, 0)


def test_drift_of_few_single_atoms():
    rng = np.random.default_rng(0)
    start, path = rng.uniform(0, 200, (12, 2)), np.array([[0, 0], [9, -4], [20, -6]])
    atoms = pd.concat([pd.DataFrame(start + p, columns=["y", "x"]).assign(frame=f) for f, p in enumerate(path)])
    tracks = nv.link_atoms(atoms)
    assert np.allclose(drift_of(tracks), path, atol=0.01) and tracks["track"].tolist() == [*range(12)] * 3


def test_memory_bridges_what_flickers():
    _, truth = nv.samples.movie("graphene", frames=20, size=128, drift=2, **(CALM | {"flicker": 0.05}))
    kept, forgotten, patient = (nv.link_atoms(truth, memory=m) for m in (1, 0, 3))
    assert right_and_false_links(truth, kept)[0] >= 0.99 > right_and_false_links(truth, forgotten)[0]
    assert patient["track"].nunique() <= kept["track"].nunique() < forgotten["track"].nunique()


def test_a_hop_ends_a_track_unless_it_is_within_reach():
    options = CALM | {"vacancies": 0.02, "hops": 0.2, "dopants": 0.0}
    _, truth = nv.samples.movie("graphene", frames=15, size=160, drift=3, seed=4, **options)
    moves = truth[["y", "x"]].to_numpy() - np.array(truth.attrs["drift"])[truth.frame]
    here = truth.assign(row=truth.index, y=moves[:, 0], x=moves[:, 1])
    steps = here.merge(here.assign(frame=here["frame"] + 1), on=["frame", "track"], suffixes=("", "_before"))
    hops = steps[np.hypot(steps.y - steps.y_before, steps.x - steps.x_before) > 0.5 * BOND]
    assert len(hops) > 10
    near, far = (nv.link_atoms(truth, reach=reach)["track"].to_numpy() for reach in ("auto", 1.25 * BOND))
    assert (near[hops.row] != near[hops.row_before]).all()
    assert (far[hops.row] == far[hops.row_before]).mean() > 0.9  # others come into view where one has just left
    assert right_and_false_links(truth, truth.assign(track=far))[1] <= 0.005


def test_order_and_index_of_the_rows_do_not_matter(graphene):
    truth = graphene[1]
    shuffled = truth.sample(frac=1, random_state=0).set_axis(np.arange(len(truth)) * 3 + 7)
    before = shuffled.copy()
    tracks = nv.link_atoms(shuffled)
    pd.testing.assert_frame_equal(shuffled, before)
    assert tracks.index.equals(shuffled.index) and tracks["track"].dtype == np.int64
    assert right_and_false_links(shuffled, tracks)[0] >= 0.99
    first = tracks.sort_values("frame", kind="stable").drop_duplicates("track")["track"]
    assert first.tolist() == list(range(len(first)))


def test_frames_without_atoms_and_atoms_added_or_taken_away(squares):
    later = squares.assign(frame=squares["frame"] + (squares["frame"] > 0))  # frame 1 is empty
    assert nv.link_atoms(later)["track"].tolist() == [*range(25)] * 3
    assert nv.link_atoms(later, memory=0)["track"].nunique() == 50
    assert len(drift_of(nv.link_atoms(later))) == 4
    edited = pd.concat([squares.drop(index=[30]), pd.DataFrame({"frame": [2], "y": [5.0], "x": [5.0]})])
    tracks = nv.link_atoms(edited)
    assert tracks["track"].nunique() == 26 and tracks["track"].iloc[-1] == 25
    assert tracks["track"][55] == tracks["track"][5] == 5


def test_one_frame_and_no_atoms(squares):
    one = squares[squares["frame"] == 0].drop(columns="frame")
    assert nv.link_atoms(one)["track"].tolist() == [*range(25)]
    none = nv.link_atoms(squares.iloc[:0])
    assert len(none) == 0 and none["track"].dtype == np.int64 and drift_of(none).shape == (0,)
    assert nv.link_atoms(pd.DataFrame({"y": [1.0], "x": [2.0]}))["track"].tolist() == [0]


def test_drift_that_is_known(squares):
    path = np.array([[0, 0], [30, -20], [70, 5]])
    moved = squares.assign(y=squares.y + path[squares.frame, 0], x=squares.x + path[squares.frame, 1])
    assert nv.link_atoms(moved, drift=path)["track"].tolist() == [*range(25)] * 3
    assert nv.link_atoms(squares, drift=None)["track"].nunique() == 25


def test_a_blank_frame_of_the_movie_is_passed_over_and_frames_are_read_one_by_one():
    images, truth = nv.samples.movie("graphene", frames=4, size=96, drift=3)
    data = images.data.copy()
    data[1] = 7
    read = []

    def load(block):
        read.append(block.shape[0])
        return block

    lazy = da.from_array(data, chunks=(1, 96, 96)).map_blocks(load, dtype=data.dtype, meta=np.empty((0, 0, 0)))
    rest = truth[truth["frame"] != 1]
    tracks = nv.link_atoms(rest, image=lazy)
    assert right_and_false_links(rest, tracks)[0] > 0.99 and read == [1] * 3


def test_stop_gives_the_table_back_as_it_was(squares):
    done = 0
    events = iter_link_atoms(squares, stop=lambda: done > 3)
    with pytest.raises(StopIteration) as end:
        while True:
            done, total = next(events)
    assert total == 6 and done == 4
    pd.testing.assert_frame_equal(end.value.value, squares)


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        ({"y": np.nan}, {}, "remove these rows"),
        ({"x": "left"}, {}, "hold text"),
        ({"frame": -1}, {}, "counted from 0"),
        ({"frame": "first"}, {}, "frame numbers"),
        ({}, {"reach": 0}, "above 0"),
        ({}, {"reach": np.inf}, "above 0"),
        ({}, {"reach": -2.0}, "above 0"),
        ({}, {"reach": "far"}, "above 0"),
        ({}, {"memory": -1}, "whole number"),
        ({}, {"memory": 1.5}, "whole number"),
        ({}, {"drift": [1, 2]}, "one finite"),
        ({}, {"drift": "none"}, "one finite"),
        ({}, {"image": np.zeros((2, 64, 64))}, "the movie has 2"),
        ({}, {"image": np.zeros((64, 64))}, "the movie has 1"),
        ({"y": 1.0, "x": 1.0}, {}, "give the reach"),
    ],
)
def test_bad_input_is_one_sentence(squares, change, options, sentence):
    with pytest.raises(nv.InputError, match=sentence):
        nv.link_atoms(squares.assign(**change), **options)
    with pytest.raises(nv.InputError, match="table"):
        nv.link_atoms([[1, 2]])


def test_tracks_as_a_layer(squares):
    placement = Placement.of_micrograph(nv.Micrograph(np.zeros((3, 64, 64)), 0.02, "nm"))
    path = np.array([[0, 0], [3, -2], [6, 1]])
    moved = squares.assign(y=squares.y + path[squares.frame, 0], x=squares.x + path[squares.frame, 1])
    tracks = nv.link_atoms(moved)
    tracks.loc[len(tracks) - 1, "y"] += 4
    tracks.loc[0, "track"] = 99  # seen once
    layer = Layer.create(*tracks_to_layer(tracks.sample(frac=1, random_state=1), placement))
    assert layer.data.shape == (74, 4) and 99 not in layer.data[:, 0]
    assert np.allclose(layer.scale, placement.scale) and layer.axis_labels == ("t", "y", "x")
    assert tuple(map(str, layer.units)) == placement.units == ("pixel", "nanometer", "nanometer")
    moved_by = layer.features.assign(track=layer.data[:, 0]).groupby("track")["moved"].max()
    assert moved_by[24] == pytest.approx(4, abs=0.1) and moved_by.drop(24).max() < 0.1
    assert layer.color_by == "moved" and set(layer.features["length"]) == {2, 3}


def test_tracks_that_make_no_layer(squares):
    placement = Placement.of_micrograph(nv.Micrograph(np.zeros((3, 64, 64))))
    assert tracks_to_layer(squares.assign(track=np.arange(75)), placement) is None
    with pytest.raises(nv.InputError, match="link_atoms"):
        tracks_to_layer(squares, placement)
    with pytest.raises(nv.InputError, match="single image"):
        tracks_to_layer(squares.assign(track=0), placement.last(2))


def test_a_point_added_by_hand_has_no_track(squares):
    placement = Placement.of_micrograph(nv.Micrograph(np.zeros((3, 64, 64))))
    points = Layer.create(*atoms_to_points(nv.link_atoms(squares), placement))
    points.add([[0, 1, 1], [1, 1, 1]])
    tracks = points.features.assign(frame=points.data[:, 0], y=points.data[:, 1], x=points.data[:, 2])
    assert tracks["track"].tolist()[-2:] == [-1, -1]
    assert len(tracks_to_layer(tracks, placement)[0]) == 75


def test_of_two_that_may_have_moved_to_one_place_the_one_that_was_lost_longer_gives_way():
    near, later = np.array([[0.0, 0.0], [0.0, 3.0]]), np.array([[0.0, 1.5]])
    assert [part.tolist() for part in assign(near, later, 2.0, np.array([4.0, 5.0]))] == [[1], [0]]
    assert [part.tolist() for part in assign(near, later, 2.0, np.array([5.0, 4.0]))] == [[0], [0]]
    assert [part.tolist() for part in assign(near, later, 1.4, np.array([2.0, 2.0]))] == [[], []]
    both = assign(near, np.array([[0.0, 3.2], [0.0, 1.2]]), 2.0, np.array([4.0, 4.0]))
    assert sorted(zip(*(part.tolist() for part in both), strict=True)) == [(0, 1), (1, 0)]
    assert [len(part) for part in assign(near, np.zeros((0, 2)), 2.0, np.ones(2))] == [0, 0]


def test_an_atom_comes_back_only_within_the_memory():
    table = pd.DataFrame({"frame": [0, 0, 1, 2, 2, 3], "y": [0.0, 9.0, 9.0, 9.0, 0.1, 9.0], "x": 0.0})
    back, gone = (nv.link_atoms(table, reach=2.0, memory=memory, drift=None)["track"].tolist() for memory in (1, 0))
    assert back == [0, 1, 1, 1, 0, 1] and gone == [0, 1, 1, 1, 2, 1]
    moved = table.assign(y=table["y"] + 3 * table["frame"])
    path = [[3 * frame, 0] for frame in range(4)]
    assert nv.link_atoms(moved, reach=2.0, drift=path)["track"].tolist() == back
