import numpy as np
import pytest

from napari_vae import InputError
from napari_vae.analysis import knn_r2, participation_ratio, roughness


@pytest.fixture
def plane():
    return np.random.default_rng(0).uniform(-1, 1, (2000, 2))


def smooth(plane):
    return np.sin(plane[:, 0]) + plane[:, 1] ** 2


def shuffled(y):
    return np.random.default_rng(1).permutation(y)


def test_neighbours_explain_a_smooth_function_and_nothing_of_a_shuffled_one(plane):
    y = smooth(plane)
    assert knn_r2(plane, y) > 0.99
    assert knn_r2(plane, shuffled(y), k=5) == pytest.approx(-1 / 5, abs=0.05)  # the variance of a mean of five


def test_each_point_is_left_out():
    pairs = np.repeat(np.arange(10.0), 2)  # both of a pair at one place, with opposite values
    assert knn_r2(pairs, np.tile([-1.0, 1.0], 10), k=1) == pytest.approx(-3)  # 1 - (±2)² / (±1)²


def test_neighbours_explain_by_the_analytic_share():
    noise = np.random.default_rng(2).normal(size=(20000, 2))
    x = np.linspace(-1, 1, 20000) * np.sqrt(3)  # of variance 1, like the noise
    assert knn_r2(x, x + noise[:, 0], k=20) == pytest.approx(1 - (1 + 1 / 20) / 2, abs=0.02)


def test_angles_are_on_a_circle():
    angle = np.random.default_rng(3).uniform(-180, 180, 3000)
    turn = np.deg2rad(angle)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    assert knn_r2(ring, angle, target="angle") > 0.999
    assert knn_r2(ring, angle) < 0.999  # the cut at 180°
    halves = np.column_stack([np.cos(2 * turn), np.sin(2 * turn)])  # φ and φ + 180° at the same place
    assert knn_r2(halves, angle, target="angle", period=180) > 0.999
    assert knn_r2(halves, angle, target="angle") < 0.1


def test_of_classes_the_accuracy_of_the_vote(plane):
    suits = np.where(plane[:, 0] > 0, "spades", "hearts")
    assert knn_r2(plane, suits, target="class") > 0.98
    assert knn_r2(plane, shuffled(suits), target="class") == pytest.approx(0.5, abs=0.05)
    assert roughness(plane, suits, target="class") < 0.1
    assert roughness(plane, shuffled(suits), target="class") == pytest.approx(1, abs=0.05)


def test_roughness_of_a_line_has_its_closed_form():
    n = 400
    x = np.arange(n)
    permuted_gap = (n + 1) / 3  # mean |i - j| of two different numbers out of n
    expected = 1 / permuted_gap  # every edge has |Δy| = 1 and the same length
    ends = 2 * x / n  # neighbours at both sides, but for the two ends: the second next, of twice both
    assert roughness(x, ends, k=1, permutations=50) == pytest.approx(expected, rel=0.05)


def test_roughness_of_a_ring_has_its_closed_form():
    n = 500
    angle = np.arange(n) * 360 / n
    ring = np.column_stack([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    chord, mean_chord = 2 * np.sin(np.pi / n), 4 / np.pi * n / (n - 1)
    found = roughness(ring, angle - 180, k=2, target="angle", permutations=50)
    assert found == pytest.approx(chord / mean_chord, rel=0.02)


def test_roughness_falls_with_the_density_of_points():
    rng = np.random.default_rng(6)
    few, many = (roughness(z, z[:, 0]) for z in (rng.uniform(size=(500, 2)), rng.uniform(size=(8000, 2))))
    assert few / many == pytest.approx(4, rel=0.15)  # the root of 16, in two dimensions


def test_roughness_is_one_for_noise_grows_with_frequency_and_knows_no_scale(plane):
    y = smooth(plane)
    assert roughness(plane, shuffled(y)) == pytest.approx(1, abs=0.05)
    waves = [roughness(plane, np.sin(f * plane[:, 0])) for f in (1, 4, 16)]
    assert waves[0] < 0.5 * waves[1] < 0.25 * waves[2] < 0.25
    skewed = plane @ np.array([[100.0, 3.0], [0.0, 0.01]]) + 7
    assert roughness(skewed, 5 * y - 2) == pytest.approx(roughness(plane, y))


def test_roughness_leaves_out_flat_directions_and_points_at_one_place(plane):
    y = smooth(plane)
    flat = np.column_stack([plane, np.full(len(plane), 3.0), plane.sum(1)])
    assert roughness(flat, y) == pytest.approx(roughness(plane, y))
    twice = np.vstack([plane, plane])
    assert roughness(twice, np.tile(y, 2), k=9) == pytest.approx(roughness(plane, y, k=4), rel=0.05)


def test_roughness_repeats_with_its_seed(plane):
    y = smooth(plane)
    assert roughness(plane, y, seed=1) == roughness(plane, y, seed=1) != roughness(plane, y, seed=2)


def test_participation_ratio_of_a_line_a_ball_and_unequal_axes():
    rng = np.random.default_rng(4)
    line = rng.normal(size=(500, 1)) * [1.0, -2.0, 0.5]
    assert participation_ratio(line) == pytest.approx(1)
    assert participation_ratio(line[:, 0]) == pytest.approx(1)
    ball = rng.normal(size=(100_000, 3))
    assert participation_ratio(ball) == pytest.approx(3, abs=0.01)
    assert participation_ratio(ball * np.sqrt([2.0, 1.0, 1.0])) == pytest.approx(16 / 6, abs=0.02)
    assert participation_ratio(np.column_stack([ball, np.ones(len(ball))])) == pytest.approx(3, abs=0.01)


def test_a_hundred_thousand_points_need_no_table_of_their_pairs():
    z = np.random.default_rng(5).normal(size=(100_000, 2))
    assert knn_r2(z, z[:, 0]) > 0.99
    assert roughness(z, z[:, 0]) < 0.1


GOOD = np.arange(20.0)


@pytest.mark.parametrize("measure", [knn_r2, roughness])
@pytest.mark.parametrize(
    ("z", "y", "options", "sentence"),
    [
        (np.where(GOOD == 3, np.nan, GOOD), GOOD, {}, "embedding holds NaN"),
        (GOOD, np.where(GOOD == 3, np.inf, GOOD), {}, "target holds NaN or inf"),
        (GOOD, ["a", None] * 10, {"target": "class"}, "missing classes"),
        (np.ones((20, 3)), GOOD, {}, "points of the embedding are the same"),
        (GOOD, np.ones(20), {}, "values of the target are the same"),
        (GOOD, GOOD[:7], {}, "each of the 20 points"),
        (GOOD, GOOD, {"k": 20}, "choose 1 … 19"),
        (GOOD, GOOD, {"k": 0}, "k is a whole number of 1"),
        (GOOD, GOOD, {"target": "colour"}, "target is one of real, angle, class, not 'colour'"),
        (np.ones((2, 2, 2)), GOOD, {}, r"\(N, d\) array"),
    ],
)
def test_bad_input_names_the_remedy(measure, z, y, options, sentence):
    with pytest.raises(InputError, match=sentence):
        measure(z, y, **options)


def test_what_only_some_measures_can_refuse():
    with pytest.raises(InputError, match="drop duplicates"):
        roughness(np.repeat([0.0, 1.0], 10), GOOD, k=5)
    with pytest.raises(InputError, match="permutations is a whole number of 1"):
        roughness(GOOD, GOOD, permutations=0)
    with pytest.raises(InputError, match="are the same"):
        participation_ratio([[1.0, 2.0]])
