"""Simulated movies: what is drawn is what the truth says, frame by frame and atom by atom."""

import numpy as np
import pandas as pd
import pytest

from napari_vae.core.errors import InputError
from napari_vae.samples import movie

CALM = {"hops": 0, "vanish": 0, "appear": 0, "flicker": 0, "thermal": 0, "vacancies": 0, "dopants": 0}
BOND = 0.142 / 0.0115


def test_the_truth_lies_where_the_spots_are():
    images, truth = movie("graphene", frames=3, size=96, dose=1e4, drift=2.3)
    assert images.axes == "TYX" and images.units == "nm" and images.data.dtype == np.float32
    inner = truth[truth.y.between(6, 89) & truth.x.between(6, 89)]
    for frame, y, x, peak in inner[["frame", "y", "x", "peak"]].itertuples(index=False):
        assert images.data[int(frame), round(y), round(x)] > 0.8 * peak


def test_atoms_that_nothing_disturbs_follow_the_path():
    _, truth = movie("perovskite", frames=12, size=128, drift=1.7, pixel_size=0.024, **CALM)
    path = np.array(truth.attrs["drift"])
    assert np.allclose(np.linalg.norm(np.diff(path, axis=0), axis=1), 1.7)
    still = truth[["y", "x"]].to_numpy() - path[truth.frame]
    assert truth.assign(y=still[:, 0], x=still[:, 1]).groupby("track")[["y", "x"]].std().max(axis=None) < 1e-9


def test_tracks_are_numbered_in_order_of_first_appearance():
    _, truth = movie("graphene", frames=6, size=96, drift=3)
    first = truth.drop_duplicates("track")["track"]
    assert first.tolist() == list(range(len(first)))
    assert not truth.duplicated(["frame", "track"]).any()


def test_atoms_hop_by_one_bond_into_empty_sites():
    _, truth = movie("graphene", frames=20, size=256, drift=0, seed=1, **(CALM | {"vacancies": 0.02, "hops": 0.3}))
    steps = truth.groupby("track")[["y", "x"]].diff().dropna()
    length = np.hypot(steps.y, steps.x)
    hopped = length[length > 2]
    assert 5 < len(hopped) < 0.02 * len(steps) and np.allclose(hopped, BOND, rtol=0.2)
    assert truth.groupby("frame").size().std() < 3  # nobody is lost


def test_atoms_vanish_for_good_appear_anew_and_flicker():
    options = {"frames": 20, "size": 192, "drift": 0, "displacement": 0}
    _, lost = movie("graphene", **options, **(CALM | {"vanish": 0.02}))
    seen = lost.groupby("track")["frame"].agg(["min", "max", "size"])
    assert (seen["size"] == seen["max"] - seen["min"] + 1).all() and 0.2 < (seen["max"] < 19).mean() < 0.5
    _, new = movie("graphene", **options, **(CALM | {"vacancies": 0.1, "appear": 0.2}))
    assert (new.groupby("track")["frame"].min() > 0).sum() > 5
    _, blinking = movie("graphene", **options, **(CALM | {"flicker": 0.1}))
    assert len(blinking) / (20 * blinking.track.nunique()) == pytest.approx(0.9, abs=0.02)


def test_atoms_are_exchanged_as_often_as_asked_for():
    _, truth = movie(
        "graphene", frames=30, size=128, dopants=0.0, vacancies=0.0, hops=0.0, vanish=0.0, exchange=(0.02, 0.1)
    )
    truth = truth.sort_values(["track", "frame"])
    pairs = truth.groupby("track")[["frame", "species"]].shift(-1)
    following = pairs["frame"] == truth["frame"] + 1
    share = pd.crosstab(truth["species"][following], pairs["species"][following], normalize="index")
    n = truth["species"][following].value_counts()
    for start, end, rate in (("C", "Si", 0.02), ("Si", "C", 0.1)):
        assert share.loc[start, end] == pytest.approx(rate, abs=4 * np.sqrt(rate / n[start]))


def test_same_seed_same_movie():
    first, second, other = (movie("graphene", frames=2, size=32, seed=s)[0].data for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_seed_gives_the_same_movie_as_ever():
    images, truth = movie("graphene", frames=3, size=48, seed=3)
    assert np.array(truth.attrs["drift"]) == pytest.approx(
        np.array([[0, 0], [0.319168, 0.947698], [0.569636, 1.915823]]), abs=1e-5
    )
    assert truth[["y", "x"]].iloc[-1].to_numpy() == pytest.approx([25.104758, 43.346176], abs=1e-5)
    assert images.data.sum() == pytest.approx(271948, abs=30)


def test_the_heading_of_the_path_sways_once():
    _, truth = movie("graphene", frames=41, size=32, drift=1.0, seed=1)
    steps = np.diff(truth.attrs["drift"], axis=0)
    heading = np.unwrap(np.arctan2(*steps.T))
    turns = np.diff(np.sign(np.diff(heading)))
    assert np.count_nonzero(turns) == 2 and np.ptp(heading) > 0.5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "diamond"}, "kind is one of graphene, perovskite"),
        ({"frames": 0}, "frames is a whole number of 1"),
        ({"hops": 2}, "hops is a number of 0 … 1"),
        ({"size": 8}, "size is a whole number of 16"),
    ],
)
def test_bad_options_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        movie(**({"size": 32, "frames": 2} | options))
