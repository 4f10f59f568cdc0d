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


def test_same_seed_same_labels(islands):
    table, _ = islands
    pd.testing.assert_series_equal(cluster(table, n=5, seed=3), cluster(table, n=5, seed=3))


def test_identical_rows_are_one_class():
    assert cluster(np.ones((50, 2))).nunique() == 1


@pytest.mark.parametrize(
    ("latents", "options", "sentence"),
    [
        (np.array([[np.nan, 1.0]] * 30), {}, "NaN"),
        (np.empty((0, 2)), {}, "no latents"),
        (np.zeros((5, 2)), {"n": 9}, "9 classes of 5"),
        (np.zeros((5, 2)), {"method": "magic"}, "no clustering 'magic'"),
    ],
)
def test_bad_input_names_the_remedy(latents, options, sentence):
    with pytest.raises(InputError, match=sentence):
        cluster(latents, **options)
