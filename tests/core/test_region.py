"""Looking for atoms in part of an image: masks and polygons, and the same atoms as in the whole of it."""

import numpy as np
import pandas as pd
import pytest

from napari_vae import detect_atoms
from napari_vae.core.errors import InputError
from napari_vae.core.region import inside, polygon_mask, region_mask

SHAPE = (40, 50)


def test_a_polygon_holds_what_lies_inside_its_sides():
    triangle = np.array([(5.3, 8.1), (33.7, 21.2), (10.2, 44.9)])
    rows, columns = np.indices(SHAPE)
    sides = []
    for (y0, x0), (y1, x1) in zip(triangle, np.roll(triangle, -1, axis=0), strict=True):
        sides.append((y1 - y0) * (columns - x0) - (x1 - x0) * (rows - y0) > 0)
    truth = np.all(sides, axis=0) | ~np.any(sides, axis=0)
    assert truth.sum() > 300
    for corners in (triangle, triangle[::-1], np.roll(triangle, 1, axis=0)):
        assert np.array_equal(polygon_mask(corners, SHAPE), truth)


def test_polygons_overlap_and_reach_beyond_the_image():
    square = np.array([(-10, -10), (-10, 19.5), (19.5, 19.5), (19.5, -10)])
    mask = region_mask([square, square + 20], SHAPE)
    assert mask.sum() == 20 * 20 + 30 * 30 - 10 * 10
    assert mask[0, 0] and mask[35, 35] and not mask[5, 25]


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_a_polygon_on_an_image_that_is_higher_or_wider(shape):
    square, whole = np.array([(-5, -5), (-5, 99), (99, 99), (99, -5)]), np.ones(shape, bool)
    assert np.array_equal(polygon_mask(square, shape), whole)
    whole[: shape[0] // 2] = whole[:, : shape[1] // 2] = False
    assert np.array_equal(polygon_mask(square + 5 + np.array(shape) // 2, shape), whole)


def test_the_inside_of_an_outline_that_crosses_itself_is_left_out_where_it_is_wound_twice():
    corners = np.array(
        [(2, 2), (2, 30), (30, 30), (30, 2), (2, 2), (10.5, 10.5), (10.5, 20.5), (20.5, 20.5), (20.5, 10.5)]
    )
    assert not polygon_mask(corners, SHAPE)[15, 15] and polygon_mask(corners, SHAPE)[25, 25]


def test_places_outside_of_the_frame_are_outside_of_the_region():
    everything = np.ones(SHAPE, dtype=bool)
    assert inside(everything, [(-3, 4), (39.4, 49.4), (39.6, 3), (0, -0.4)]).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    "region, words",
    [
        (np.ones((3, 3), bool), "shape"),
        (np.zeros(SHAPE, bool), "no pixel"),
        ([[(100, 100), (100, 120), (120, 120)]], "no pixel"),
        ([(1, 2), (3, 4)], "polygons"),
        (7, "polygons"),
        ([], "polygons"),
        ([[(0, 0), (np.nan, 1), (1, 1)]], "polygons"),
    ],
)
def test_a_region_that_is_none_is_one_sentence(region, words):
    with pytest.raises(InputError, match=words):
        region_mask(region, SHAPE)


@pytest.mark.parametrize("method", ["filter", "learned"])
def test_the_atoms_of_a_region_are_those_of_the_whole_image(lattice, method):
    image, _, _ = lattice
    corners = np.array([(20.0, 30.0), (35.0, 120.0), (110.0, 90.0)])
    whole, part = detect_atoms(image, method=method), detect_atoms(image, method=method, region=[corners])
    mask = polygon_mask(corners, image.shape)
    assert len(part) == inside(mask, whole[["y", "x"]]).sum() > 10
    pd.testing.assert_frame_equal(part, whole[inside(mask, whole[["y", "x"]])].reset_index(drop=True), check_exact=True)
    assert part.attrs == whole.attrs


def test_a_region_without_atoms_gives_an_empty_table(lattice):
    gap = np.zeros(lattice[0].shape, dtype=bool)
    gap[12, 12] = True
    assert len(detect_atoms(lattice[0], region=gap)) == 0
    with pytest.raises(InputError, match="shape"):
        detect_atoms(lattice[0], region=gap[:50])


def test_places_are_inside_where_their_pixel_is():
    mask = np.zeros((4, 6), bool)
    mask[3, 5] = mask[0, 0] = True
    places = [(3, 5), (3.4, 5.4), (2.4, 5), (4, 5), (3, 6), (0, 0), (-0.4, 0.4), (-1, 0), (0, -1)]
    assert inside(mask, places).tolist() == [True, True, False, False, False, True, True, False, False]
