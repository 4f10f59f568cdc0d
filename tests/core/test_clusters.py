import numpy as np
import pandas as pd
import pytest

from napari_vae import InputError, cluster


@pytest.fixture
def islands():
    """Three groups of 200, 100 and 50 with known membership, shuffled."""
    rng = np.random.default_rng(0)
    truth = rng.permutation(np.repeat([0, 1, 2], [200, 100, 50]))
    centres = np.array([[0, 0], [4, 0], [0, 5]])
    z = centres[truth] + rng.normal(0, 0.4, (350, 2))
    return pd.DataFrame(
        {"z1": z[:, 0], "z2": z[:, 1], "angle": rng.uniform(-180, 180, 350)}, index=range(7, 357)
    ), truth


@pytest.mark.parametrize("method", ["gmm", "kmeans", "hdbscan"])
def test_finds_number_and_members_itself_and_numbers_by_size(islands, method):
    table, truth = islands
    labels = cluster(table, method)
    assert labels.index.equals(table.index)
    assert (labels.to_numpy() == truth).mean() > 0.95


def test_one_cloud_is_one_class():
    assert cluster(np.random.default_rng(1).normal(size=(400, 2))).nunique() == 1


def test_clouds_that_are_not_gaussian_are_one_class_each():
    rng = np.random.default_rng(0)
    turn = rng.uniform(0, np.pi, 1500)
    crescent = np.column_stack([np.cos(turn), np.sin(turn)]) * 2 + rng.normal(0, 0.12, (1500, 2))
    square = rng.uniform((4, -1), (5, 0), (1000, 2))
    tight = rng.normal((0, 0.2), 0.05, (40, 2))  # few, where the crescent is hollow
    found = cluster(pd.DataFrame(np.concatenate([crescent, square, tight]), columns=["z1", "z2"]))
    assert len(found.attrs["bic"]) > 4, "it takes several Gaussian components"
    assert found.tolist() == [0] * 1500 + [1] * 1000 + [2] * 40


def test_scattered_outliers_make_no_bridge_between_clouds():
    rng = np.random.default_rng(0)
    clouds = [rng.normal(at, 0.1, (600, 2)) for at in ((0, 0), (2, 0))]
    table = pd.DataFrame(np.concatenate([*clouds, rng.uniform(-3, 5, (60, 2))]), columns=["z1", "z2"])
    found = cluster(table)[:1200]
    assert (found[:600] == found[0]).mean() > 0.98 and (found[600:] == found[600]).mean() > 0.98
    assert found[0] != found[600]


def test_few_that_scatter_beside_many_are_a_class_without_a_valley():
    rng = np.random.default_rng(0)
    many, few = rng.normal(0, 0.05, (1000, 2)), rng.normal((0.4, 0.2), 0.3, (60, 2))
    found = cluster(pd.DataFrame(np.concatenate([many, few]), columns=["z1", "z2"]))
    assert (found[:1000] == 0).mean() > 0.99 and (found[1000:] == 1).mean() > 0.8


def test_same_seed_same_labels(islands):
    table, _ = islands
    pd.testing.assert_series_equal(cluster(table, n=5, seed=3), cluster(table, n=5, seed=3))


@pytest.mark.parametrize(("rows", "most"), [(9, 1), (20, 2), (35, 3)])
def test_of_few_rows_there_are_at_least_ten_to_a_component(rows, most):
    centres = 100 * np.array([(0, 0), (0, 1), (1, 0), (1, 1), (5, 5)])
    points = centres[np.arange(rows) % 5] + np.random.default_rng(0).normal(size=(rows, 2))
    labels = cluster(points)
    assert sorted(labels.attrs["bic"]) == list(range(1, most + 1)) and labels.nunique() <= most


def test_identical_rows_are_one_class():
    assert cluster(np.ones((50, 2))).nunique() == 1


@pytest.mark.parametrize(("method", "classes"), [("gmm", [0]), ("kmeans", [0]), ("hdbscan", [-1])])
def test_one_row_is_one_class_but_no_peak_of_density(method, classes):
    assert cluster(np.ones((1, 2)), method).tolist() == classes


@pytest.mark.parametrize(
    ("latents", "options", "sentence"),
    [
        (np.array([[np.nan, 1.0]] * 30), {}, "NaN"),
        (np.full((30, 2), 1e300), {}, "huge"),
        (pd.DataFrame({"z1": ["a"] * 30}), {}, "z1 holds no numbers"),
        (pd.DataFrame({"angle": ["a"] * 30}), {"columns": ["angle"]}, "angle holds no numbers"),
        (np.empty((0, 2)), {}, "no latents"),
        (None, {}, "no latents"),
        (np.array([["a", "b"]] * 30), {}, "no numbers"),
        ([[1.0], [1.0, 2.0]] * 30, {}, "same size"),
        (np.zeros((5, 2)), {"seed": "one"}, "seed is a whole number"),
        (np.zeros((5, 2)), {"symmetry": 0}, "symmetry is a whole number"),
        (np.zeros((5, 2)), {"n": 2.5}, 'n is "auto" or a whole number .* not 2.5'),
        (np.zeros((5, 2)), {"n": "two"}, "not 'two'"),
        (np.zeros((5, 2)), {"n": 9}, "whole number of 1 … 5, not 9"),
        (np.zeros((5, 2)), {"method": "magic"}, "method is one of gmm, kmeans, hdbscan, not 'magic'"),
    ],
)
def test_bad_input_names_the_remedy(latents, options, sentence):
    with pytest.raises(InputError, match=sentence):
        cluster(latents, **options)


def test_a_latent_that_says_nothing_stays_small_beside_other_columns(islands):
    _, truth = islands
    rng = np.random.default_rng(1)
    mixed = pd.DataFrame({"vae_z1": 0.01 * np.where(truth == 0, -1.0, 1.0), "score": rng.normal(0, 300, 350)})
    mixed["score"] += np.where(truth == 1, 3000, 0)
    found = cluster(mixed, n=2, columns=["vae_z1", "score"])
    assert ((found == 1) == (truth == 1)).mean() > 0.98, "the score decides, not a latent without spread"


def test_density_of_many_rows_is_that_of_a_sample(monkeypatch, islands):
    table, truth = islands
    monkeypatch.setattr("napari_vae.core.clusters.MOST_DENSE", 200)
    found = cluster(table, "hdbscan", columns=["z1", "z2"]).to_numpy()
    assert (found[found >= 0] == truth[found >= 0]).mean() > 0.98 and (found < 0).mean() < 0.2
