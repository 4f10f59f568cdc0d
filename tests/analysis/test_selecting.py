"""Points inside outlines, and points as pictures."""

import numpy as np
import pytest

from napari_vae.analysis.rasterizing import Raster, _blended, point_radius, rasterize, rows_within


def crossing_number(outline, x, y):
    """Even–odd rule, edge by edge."""
    inside = np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / np.where(y1 == y0, 1, y1 - y0) + x0)
    return np.flatnonzero(inside)


@pytest.mark.parametrize("waves", [0, 3, 7])
def test_rows_within_are_those_of_the_even_odd_rule(waves):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20_000))
    turn = np.linspace(0, 2 * np.pi, 97, endpoint=False)
    outline = np.column_stack([np.cos(turn), np.sin(turn)]) * (1 + 0.4 * np.sin(waves * turn))[:, None]
    assert np.array_equal(rows_within(outline, x, y), crossing_number(outline, x, y))


def test_an_outline_that_crosses_itself():
    bow = [(0, 0), (2, 2), (2, 0), (0, 2)]
    assert rows_within(bow, [0.2, 1.8, 1.0, 1.0], [1.0, 1.0, 0.2, 1.8]).tolist() == [0, 1]


def test_points_without_a_place_and_outlines_without_area_select_nothing():
    assert rows_within([(0, 0), (1, 0), (1, 1), (0, 1)], [0.5, np.nan], [0.5, 0.5]).tolist() == [0]
    for nothing in ([(0, 0), (1, 1)], [(0, 0), (1, 0), (0.5, 0)], np.zeros((0, 2))):
        assert len(rows_within(nothing, [0.5], [0.0])) == 0


RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


def test_a_point_is_drawn_where_it_lies_and_found_there():
    x, y = np.array([2.5, 7.5, np.nan], dtype=np.float32), np.array([1.5, 8.5, 0], dtype=np.float32)
    raster = rasterize(x, y, np.array([RED, BLUE, BLUE], dtype=np.uint8), (0, 0, 10, 10), (100, 100), radius=2)
    assert tuple(raster.picture[15, 25, :3]) == RED[:3] and tuple(raster.picture[85, 75, :3]) == BLUE[:3]
    assert raster.picture[50, 50, 3] == 0 and raster.picture[15, 25, 3] > 200
    assert raster.nearest(2.6, 1.4, reach=4) == 0 and raster.nearest(7.4, 8.6, reach=4) == 1
    assert raster.nearest(5, 5, reach=4) == -1 and raster.nearest(np.nan, 5, reach=4) == -1


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.6, 2.3, 4.9])
def test_a_point_is_a_disc_of_any_radius_with_a_soft_rim(radius):
    x, y = np.array([4.55], np.float32), np.array([6.45], np.float32)
    picture = rasterize(x, y, np.array([RED], dtype=np.uint8), (0, 0, 10, 10), (100, 100), radius=radius).picture
    distance = np.hypot(*(np.indices((100, 100)) - np.array([64, 45])[:, None, None]))
    assert np.array_equal(picture[..., 3] > 0, distance < radius + 0.5)
    assert np.ptp(picture[..., 3][distance <= radius - 0.5]) == 0 < picture[64, 45, 3]


def test_a_pixel_has_the_mean_colour_and_is_more_opaque_the_more_there_are():
    x = y = np.full(4, 0.5, dtype=np.float32)
    both = rasterize(x, y, np.array([RED, RED, BLUE, BLUE], dtype=np.uint8), (0, 0, 1, 1), (1, 1), radius=0.5)
    one = rasterize(x[:1], y[:1], np.array([RED], dtype=np.uint8), (0, 0, 1, 1), (1, 1), radius=0.5)
    assert both.picture[0, 0, :3].tolist() == [127, 0, 127]
    assert both.picture[0, 0, 3] > one.picture[0, 0, 3]


def test_some_rows_only():
    x, y = np.array([2.5, 7.5], dtype=np.float32), np.array([5, 5], dtype=np.float32)
    raster = rasterize(x, y, np.array([RED, BLUE], dtype=np.uint8), (0, 0, 10, 10), (20, 20), rows=np.array([1]))
    for shape in ((20, 40), (40, 20)):
        assert rasterize(x, y, np.array([RED, BLUE], dtype=np.uint8), (0, 0, 10, 10), shape).picture.shape[:2] == shape
    assert raster.picture[10, 5, 3] == 0 and raster.nearest(7.5, 5, 3) == 1


def test_in_a_crowd_the_opacity_goes_with_the_logarithm_and_a_rim_stays_soft():
    mass = np.array([0, 0.5, 1, 9, 99, *[9] * 995])
    picture = _blended(mass, np.outer(mass, [200, 100, 0]), crowded=True)
    share = 0.35 + 0.65 * np.log1p(mass[:4]) / np.log(10)
    np.testing.assert_allclose(picture[:4, 3], 255 * share * [0, 0.5, 1, 1], atol=1)
    assert picture[4, 3] == 255
    assert (picture[1:, :3] == [200, 100, 0]).all()


def test_points_are_smaller_the_more_there_are():
    radii = [point_radius(n) for n in (1, 100, 3000, 100_000, 10**7)]
    assert radii == sorted(radii, reverse=True) and radii[0] > 3 and radii[-1] == 0.5


@pytest.mark.parametrize("at", [(1, 1), (18, 2), (3, 19), (10, 10)])
def test_the_nearest_point_is_found_up_to_every_edge(at):
    owner = np.full((20, 20), -1, np.int32)
    owner[at] = 5
    raster = Raster(np.zeros((20, 20, 4), np.uint8), owner, (0.0, 0.0, 20.0, 20.0))
    row, column = at[0] + 0.5, at[1] + 0.5
    for down, right in ((0, 0), (2, 0), (0, -2), (-2, 1)):
        assert raster.nearest(column + right, row + down, reach=4) == 5
    assert raster.nearest(column + 7, row, reach=4) == raster.nearest(column, row - 7, reach=4) == -1
