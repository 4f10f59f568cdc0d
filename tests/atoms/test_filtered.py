"""A frame seen through the matched filter: spots, maxima, scores of both signs, the learned detector's places."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from napari_vae import detect_atoms
from napari_vae.atoms import weak
from napari_vae.atoms.blurs import blur
from napari_vae.atoms.candidates import Filtered
from napari_vae.atoms.centres import centres_of_mass
from napari_vae.atoms.damage import mend
from napari_vae.atoms.learned import SIGMA, learned_candidates, learned_threshold, normalized
from napari_vae.atoms.model_image import draw_spots
from napari_vae.atoms.recipe import Recipe
from napari_vae.atoms.spots import flatten, local_maxima, spot_maps, standing, sub_pixel

PLACES = np.array([[20.3, 21.6], [20.1, 60.2], [59.8, 24.4], [61.7, 58.9]])


def spots(height=1.0, width=3.0, shape=(84, 82), places=PLACES):
    values = np.column_stack([np.full(len(places), height), np.zeros(len(places)), places, np.full(len(places), width)])
    return draw_spots(shape, values).astype(float)


def filtered(image, sigma=3.0):
    return Filtered(mend(image), sigma)


@pytest.mark.parametrize("sign", [1, -1])
def test_spots_of_either_sign_have_positive_scores_where_they_are(sign):
    noise = np.random.default_rng(0).normal(0, 0.02, (84, 82))
    seen = filtered(sign * spots() + 5 + noise)
    for method, periodic in (("filter", False), ("filter", True), ("learned", False)):
        found = seen.found(method, sign, periodic)
        best = np.argsort(-found.score)[:4]
        assert cKDTree(PLACES).query(found.place[best])[0].max() < 0.2
        assert (found.score[best] > (0.5 if method == "learned" else 5)).all()
    scores = seen.candidates(sign)[1]
    assert scores.max() > 10 and (scores > 0).all()


def test_amplitude_and_background_are_those_of_the_spot():
    maps = spot_maps((2 * spots() + 0.5).astype(np.float32), 3.0)
    at = tuple(np.rint(PLACES).astype(int).T)
    assert maps.amplitude[at] == pytest.approx(2, rel=0.06) and maps.background[at] == pytest.approx(0.5, abs=0.1)
    dark = spot_maps((-2 * spots()).astype(np.float32), 3.0)
    assert (dark.score[at] < -10).all() and (maps.score[at] > 10).all()


def test_a_slope_is_background_and_units_do_not_matter():
    rows, columns = np.mgrid[:84, :82]
    slope = 3 + 0.05 * rows - 0.02 * columns
    rest, slow, unit = flatten(slope + spots(), 3.0)
    np.testing.assert_allclose(rest * unit + slow, slope + spots(), atol=1e-4)
    assert np.abs(slow - slope)[20:-20, 20:-20].mean() < 0.15
    small, _, tiny = flatten(1e-9 * (slope + spots()), 3.0)
    np.testing.assert_allclose(small, rest, atol=1e-4)
    assert tiny == pytest.approx(1e-9 * unit)
    bare, _, _ = flatten(slope, 3.0)
    assert not bare.any()


@pytest.mark.parametrize("width", [18.0, 30.0])
def test_a_wide_blur_keeps_a_slope_up_to_the_border_and_a_mean_of_what_is_there(width):
    rows, columns = np.mgrid[:90, :70].astype(np.float32)
    np.testing.assert_allclose(blur(rows + 2 * columns, width), rows + 2 * columns, atol=0.01)
    np.testing.assert_allclose(blur(np.ones((90, 70), np.float32), width, slopes=False), 1, atol=1e-6)
    assert (blur(rows, width, slopes=False) >= 0).all()


def test_a_narrow_blur_keeps_a_slope_within_the_border():
    plane = np.add.outer(np.arange(90.0), 2 * np.arange(70.0)).astype(np.float32)
    np.testing.assert_allclose(blur(plane, 2.0)[10:-10, 10:-10], plane[10:-10, 10:-10], atol=0.01)


def test_maxima_stand_apart_and_are_found_between_pixels():
    image = spots(width=2.0).astype(np.float32)
    peaks = local_maxima(image, 2.0)
    assert len(peaks) == 4 and not len(local_maxima(-image, 2.0))
    np.testing.assert_allclose(np.sort(sub_pixel(image, peaks), axis=0), np.sort(PLACES, axis=0), atol=0.05)
    slope = np.tile(np.arange(30, dtype=np.float32), (30, 1))
    slope[10, 10] += 1.5
    assert 10 not in local_maxima(slope, 3.0)[:, 1], "a bump on a slope is none"
    edge = np.zeros((9, 9), np.float32)
    edge[0, 4], edge[0, 3], edge[0, 5] = 2, 1, 0
    np.testing.assert_allclose(sub_pixel(edge, np.array([[0, 4]])), [[0, 4 - 1 / 6]])


def test_of_points_that_are_near_the_highest_stays_and_frees_those_beyond():
    points = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 4.0], [0.0, 9.0]])
    assert standing(points, np.array([3.0, 2.0, 1.0, 1.0]), 2.5).tolist() == [True, False, True, True]
    assert standing(points, np.array([1.0, 1.0, 1.0, 1.0]), 2.5).tolist() == [True, False, True, True]
    assert standing(points, np.array([1.0, 3.0, 2.0, 1.0]), 2.5).tolist() == [False, True, False, True]
    assert standing(points[:1], np.array([1.0]), 2.5).tolist() == [True]


@pytest.mark.parametrize("sigma", [SIGMA, 2.6, 4.1])
def test_the_learned_detector_sees_atoms_where_they_are_at_every_scale(sigma):
    places = PLACES * sigma / 2.6
    size = tuple(int(90 * sigma / 2.6) + extra for extra in (0, 7))
    image = spots(width=sigma, shape=size, places=places) + np.random.default_rng(1).normal(0, 0.02, size)
    place, probability = learned_candidates(image.astype(np.float32), sigma)
    sure = place[probability > 0.5]
    assert len(sure) == 4
    assert cKDTree(places).query(sure)[0].max() < 0.12 * sigma


def test_the_learned_detector_sees_no_atom_beyond_the_outermost_pixels():
    places = np.array([[79.4, 30], [20, 79.4], [-0.4, 50], [60, -0.4], [40, 40]])
    image = spots(width=0.7, shape=(80, 80), places=places) + np.random.default_rng(1).normal(0, 0.02, (80, 80))
    place, probability = learned_candidates(image.astype(np.float32), 0.7)
    assert place.min() == 0 and place.max() == 79
    assert cKDTree(place[probability > 0.5]).query(places)[0].max() < 0.9


def test_the_network_sees_the_same_of_any_unit():
    image = (spots() + np.random.default_rng(2).normal(0, 0.1, (84, 82))).astype(np.float32)
    channels = normalized(image)
    assert channels.shape == (3, 84, 82) and np.isfinite(channels).all()
    np.testing.assert_allclose(normalized(1000 * image - 7), channels, atol=2e-3)
    assert not normalized(np.full((30, 30), 3.0, np.float32)).any()


def test_the_network_sees_faint_columns_like_bright_ones():
    image = spots(shape=(84, 244), places=np.concatenate([PLACES, PLACES + np.array([0, 160])])).astype(np.float32)
    image[:, 160:] *= 10
    heights = np.ptp(normalized(image)[0][:, :82]), np.ptp(normalized(image)[0][:, 162:])
    assert heights[0] == pytest.approx(heights[1], rel=0.2)


def test_texture_that_deceives_the_network_raises_its_threshold():
    likely = np.array([0.99, 0.95, 0.9, 0.6, 0.55])
    assert learned_threshold(likely, np.zeros(0)) == 0.5
    assert learned_threshold(likely, np.array([0.01])) == 0.5
    odds = 7 * 0.8 / 0.2  # times those of the highest decoy
    assert 0.5 < learned_threshold(likely, np.array([0.8] * 5)) <= odds / (1 + odds)


def test_weak_columns_start_with_what_the_rest_says_of_them(monkeypatch):
    """Amplitude and background in the units of the image, before they are fitted again together."""
    grid = np.stack(np.mgrid[13:250:26, 13:250:26], -1).reshape(-1, 2) + 0.2
    light = (grid[(grid < 230).all(axis=1)] + 13).astype(float)
    image = 300 * (spots(shape=(260, 260), places=grid) + spots(0.1, shape=(260, 260), places=light)) + 60
    wave = 20 * np.cos(2 * np.pi * np.arange(260) / 78)  # too quick for the slow background
    image += wave + np.random.default_rng(0).normal(0, 1, image.shape)
    strong = detect_atoms(image).query("amplitude > 100").reset_index(drop=True)
    monkeypatch.setattr(weak, "place_atoms", lambda *_: None)
    recipe = Recipe("filter", sigma=3.0, width=3.0, spacing=26.0, sign=1, threshold=5.0, periodic=True)
    found = weak.add_weak(filtered(image), strong, recipe, "gaussian")
    second = found[found["found_in"] == 2]
    away, which = cKDTree(second[["y", "x"]]).query(light)
    assert away.max() < 0.5
    assert second.iloc[which]["amplitude"].median() == pytest.approx(30, rel=0.15)
    there = 60 + np.interp(light[:, 1], np.arange(260), wave)
    np.testing.assert_allclose(second.iloc[which]["background"], there, atol=7)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_centre_of_mass_of_a_round_spot_is_its_centre(sign):
    start = pd.DataFrame(np.rint(PLACES), columns=["y", "x"])
    found = centres_of_mass(sign * spots() + 7, start, 3.0, 38.0, sign)
    assert found["fitted"].all()
    np.testing.assert_allclose(found[["y", "x"]], PLACES, atol=0.02)
    wrong = centres_of_mass(-sign * spots() + 7, start, 3.0, 38.0, sign)
    assert not wrong["fitted"].any() and wrong[["y", "x"]].equals(start)


def test_the_centre_of_mass_at_an_edge_is_that_of_the_image_turned_round():
    y, x = np.mgrid[:40, :50]
    start = pd.DataFrame([[1.0, 1.0], [1, 25], [20, 1]], columns=["y", "x"])
    image = sum(np.exp(-((y - r - 0.3) ** 2 + (x - c + 0.2) ** 2) / 18) for r, c in start.to_numpy())
    found = centres_of_mass(image + 0.02 * np.cos(y * x), start, 3.0, 38.0)
    turned = centres_of_mass((image + 0.02 * np.cos(y * x))[::-1, ::-1], [39, 49] - start, 3.0, 38.0)
    assert found["fitted"].tolist() == turned["fitted"].tolist()
    np.testing.assert_allclose(found[["y", "x"]], [39, 49] - turned[["y", "x"]], atol=1e-4)


def test_a_centre_that_runs_away_or_has_no_mass_stays():
    image = spots()
    start = pd.DataFrame({"y": [24.5, 40.0, 20.0], "x": [21.6, 40.0, 22.0]})
    found = centres_of_mass(image, start, 3.0, 38.0)
    assert found["fitted"].tolist() == [False, False, True]
    assert found.loc[:1, ["y", "x"]].to_numpy().tolist() == start.loc[:1].to_numpy().tolist()
    aside = centres_of_mass(image, pd.DataFrame(PLACES + np.array([0, 1.5]), columns=["y", "x"]), 3.0, 38.0)
    np.testing.assert_allclose(aside[["y", "x"]], PLACES, atol=0.02)
    far = spots(shape=(40, 120), places=np.array([[20.3, 100.4]]))
    right = centres_of_mass(far, pd.DataFrame({"y": [20.0], "x": [100.0]}), 3.0, 38.0)
    np.testing.assert_allclose(right[["y", "x"]], [[20.3, 100.4]], atol=0.02)
    cut = spots(places=np.array([[1.2, 30.4]]))
    edge = centres_of_mass(cut, pd.DataFrame({"y": [1.0], "x": [30.0]}), 2.0, 38.0)
    assert edge["x"][0] == pytest.approx(30.4, abs=0.02) and edge["y"][0] > -0.5


def test_the_learned_detector_passes_over_wide_gaps_alone():
    image = spots() + np.random.default_rng(1).normal(0, 0.02, (84, 82))
    for lost, left in ((slice(19, 22), 4), (slice(14, 27), 2)):
        gap = image.copy()
        gap[lost] = 0  # which no other pixel is
        assert (filtered(gap).found("learned", 1, False).score > 0.5).sum() == left
