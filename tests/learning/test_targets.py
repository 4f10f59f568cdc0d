"""Targets of active learning: columns, layers that lie elsewhere or are scaled, labels; and what cannot be learned."""

import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Labels

from napari_vae import InputError
from napari_vae.core.placement import Placement
from napari_vae.layers.targets import Target, column_target, image_target, labels_target

OURS = {"scale": (0.1, 0.1), "translate": (3.0, -2.0), "units": ("nm", "nm")}
POSITIONS = np.random.default_rng(0).uniform(20, 80, (50, 2))


def placed(kind, data, **where):
    return Placement.of_layer(kind(data, **where))


@pytest.fixture(scope="module")
def ours():
    return placed(Image, np.zeros((100, 100)), **OURS)


def world_ramp(shape, placement):
    """3 row + 2 column of the world at every pixel of an image that lies at `placement`."""
    pixels = np.indices(shape).reshape(2, -1).T
    world = pixels @ placement.to_world()[:2, :2].T + placement.to_world()[:2, 2]
    return (world @ [3.0, 2.0]).reshape(shape)


@pytest.mark.parametrize("scale", [0.03, 0.1, 0.25])
@pytest.mark.parametrize("radius", [0, 5])
def test_the_mean_in_a_disc_is_found_wherever_the_layer_lies(ours, scale, radius):
    shape = (round(14 / scale), round(14 / scale))
    theirs = placed(Image, np.zeros(shape), scale=(scale, scale), translate=(1.0, -3.0), rotate=10, units=("nm", "nm"))
    target = image_target("strain", world_ramp(shape, theirs), theirs, POSITIONS, ours, radius)
    truth = (POSITIONS * 0.1 + (3.0, -2.0)) @ [3.0, 2.0]  # a disc about the atom has the mean of its centre
    tolerance = 4 * scale if radius == 0 else 1.2 * scale  # the pixel under it; a rim of pixels is in or out
    assert np.abs(target.values - truth).max() < tolerance


def test_a_disc_takes_in_what_lies_within_its_radius_only(ours):
    image = np.zeros((100, 100))
    yy, xx = np.mgrid[:100, :100]
    image[np.hypot(yy - 50, xx - 50) <= 6] = 1
    inner, outer = (image_target("m", image, ours, np.array([[50.0, 50.0]]), ours, r).values[0] for r in (5, 12))
    assert inner == 1 and outer == pytest.approx(0.25, abs=0.03)
    for spot in ((50, 56), (44, 50)):
        image = np.zeros((100, 100))
        image[spot] = 1
        ends = [image_target("m", image, ours, np.array([[50.0, 50.0]]), ours, r).values[0] for r in (5.4, 5.6)]
        assert ends[0] == 0 < ends[1], "what lies on the rim is within"


def test_what_lies_beyond_the_layer_or_on_nan_has_no_value(ours):
    image = np.ones((100, 100))
    image[40:] = np.nan
    values = image_target("m", image, ours, np.array([[10.0, 10], [60, 10], [-30, 10], [41, 10]]), ours, 3).values
    assert np.array_equal(values, [1, np.nan, np.nan, 1], equal_nan=True)


def test_frames_of_the_candidates_are_met(ours):
    movie = np.stack([np.full((50, 50), 1.0), np.full((50, 50), 2.0)])
    place = ours.stacked("t")
    positions = np.array([[0.0, 20, 20], [1, 20, 20]])
    assert image_target("m", movie, place, positions, place, 2).values.tolist() == [1, 2]
    assert image_target("m", movie[1], ours, positions, place, 2).values.tolist() == [2, 2]
    with pytest.raises(InputError, match="more axes"):
        image_target("m", movie, place, positions[:, 1:], ours, 2)


def test_labels_are_classes(ours):
    labels = np.zeros((50, 50), int)
    labels[:20], labels[30:] = 3, 7
    theirs = placed(Labels, labels, scale=(0.2, 0.2), translate=OURS["translate"], units=("nm", "nm"))
    labels[0, 49] = 5  # under no candidate
    target = labels_target("grains", labels, theirs, np.array([[10.0, 10], [50, 10], [80, 10]]), ours)
    assert target.classes == ("3", "5", "7") and np.array_equal(target.values, [0, np.nan, 2], equal_nan=True)


def test_labels_and_maps_in_another_unit_are_read_where_they_lie(ours):
    painted = np.zeros((50, 50), int)
    painted[:20], painted[30:] = 3, 7
    place = {"scale": (2.0, 2.0), "translate": (30.0, -20.0), "units": ("Å", "angstrom")}
    positions = np.array([[10.0, 10], [50, 10], [80, 10]])
    target = labels_target("grains", painted, placed(Labels, painted, **place), positions, ours)
    assert np.array_equal(target.values, [0, np.nan, 1], equal_nan=True)
    values = image_target("map", painted, placed(Image, painted, **place), positions, ours, 5).values
    assert values.tolist() == [3, 0, 7]


def test_columns_are_numbers_or_classes():
    numbers = column_target(pd.Series([1.5, np.inf, np.nan, 2], name="strain"))
    assert numbers.classes == () and numbers.known.tolist() == [True, False, False, True]
    words = column_target(pd.Series(["b", "", None, "a"], name="kind"))
    assert words.classes == ("a", "b") and np.array_equal(words.values, [1, np.nan, np.nan, 0], equal_nan=True)
    assert column_target(pd.Series([True, False], name="defect")).classes == ("False", "True")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [([1, 1, 1, 1], "1 everywhere"), ([np.nan] * 4, "no values"), ([1, 2, np.nan, np.nan], "2 values")],
)
def test_what_teaches_nothing_is_refused(values, sentence):
    with pytest.raises(InputError, match=sentence):
        Target("strain", np.array(values, float)).check()


def test_more_classes_than_colours_are_refused():
    with pytest.raises(InputError, match="300 classes, and at most 255"):
        Target("grains", np.arange(4.0), tuple(map(str, range(300)))).check()


def test_angles_and_classes_are_off_in_their_own_way():
    angle = column_target(pd.Series([179.0, -90.0, np.nan], name="angle"))
    assert angle.kind == "angle" and angle.off([0, 1], np.array([-179.0, -80.0])).tolist() == [2, 10]
    kind = column_target(pd.Series(["a", "b", "b"], name="kind"))
    assert kind.off([0, 2], np.array([[0.9, 0.1], [0.6, 0.4]])).tolist() == [0, 1]
    assert kind.at([2, 0]).values.tolist() == [1, 0] and kind.at([2, 0]).kind == "class"
