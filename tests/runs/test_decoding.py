"""What a run can be asked to draw, how sure it is, and which windows belong to which points."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_vae import InputError, ModelConfig, TrainConfig, extract_patches, fit
from napari_vae.analysis.quality import active_latents, certainty_of, most_unusual
from napari_vae.runs.decoding import FRAMES, class_names_of, draw, freedoms, grid, traverse, walk


@pytest.fixture(scope="module")
def patches(lattice):
    image, positions, _ = lattice
    return extract_patches(image, pd.DataFrame(positions, columns=["y", "x"]), window=12)


@pytest.fixture(scope="module")
def run(patches):
    return fit(patches, ModelConfig.preset("trvae", hidden=(32, 32)), TrainConfig(epochs=2))


def neutral(run):
    return {one.name: one.neutral for one in freedoms(run)}


def test_everything_that_the_model_can_vary_has_a_range(run):
    names = [one.name for one in freedoms(run)]
    assert names[:2] == ["z1", "z2"] and set(names[2:]) == {"angle", "shift y", "shift x"}
    assert all(one.low < one.neutral < one.high for one in freedoms(run))
    assert class_names_of(run) == ()


def test_ranges_are_symmetric_about_what_changes_nothing():
    run = SimpleNamespace(
        latent_range=[[-1.0, 3.0]],
        window=(10, 20),
        model_config=ModelConfig(invariances=("rotation", "translation", "scale", "strain")),
        scale=SimpleNamespace(centre=[5.0, 7.0], spread=[2.0, 0.5]),
    )
    found = {one.name: (one.low, one.neutral, one.high) for one in freedoms(run)}
    assert found == {
        "z1": (-2.0, 1.0, 4.0),
        "angle": (-180.0, 0.0, 180.0),
        "shift y": (-2.5, 0.0, 2.5),
        "shift x": (-5.0, 0.0, 5.0),
        "scale": (0.6, 1.0, 1.6),
        "strain xx": (-0.4, 0.0, 0.4),
        "strain xy": (-0.4, 0.0, 0.4),
        "given 1": (0.0, 5.0, 10.0),
        "given 2": (5.75, 7.0, 8.25),
    }


def test_a_picture_is_that_of_decode(run):
    values = neutral(run) | {"z1": 0.3, "angle": 90.0, "shift x": 1.5}
    expected = run.decode([values["z1"], values["z2"]], angle=90, shift=(values["shift y"], 1.5))[0]
    np.testing.assert_allclose(draw(run, values), expected, atol=1e-6)


def test_a_traverse_runs_over_the_range_of_one_value(run):
    along = next(one for one in freedoms(run) if one.name == "angle")
    frames = traverse(run, neutral(run), along)
    assert frames.shape == (FRAMES, 12, 12)
    np.testing.assert_allclose(frames[0], draw(run, neutral(run) | {"angle": along.low}), atol=1e-5)
    np.testing.assert_allclose(frames[FRAMES // 2], draw(run, neutral(run)), atol=1e-5)


def test_a_walk_goes_along_a_line_in_equal_steps_upright(run):
    corners = [[0, 0], [0.3, 0], [0.3, 0.9]]
    images, places = walk(run, "z2", "z1", corners, neutral(run) | {"angle": 50.0})
    np.testing.assert_allclose(np.hypot(*np.diff(places, axis=0).T)[[0, 1, -1]], 1.2 / (FRAMES - 1))
    np.testing.assert_allclose(places[[0, (FRAMES - 1) // 4, -1]], corners, atol=1e-9)
    for one in (0, FRAMES // 2, FRAMES - 1):
        z2, z1 = places[one]
        np.testing.assert_allclose(images[one], draw(run, neutral(run) | {"z1": z1, "z2": z2}), atol=1e-5)
    with pytest.raises(InputError, match="choose two as axes"):
        walk(run, "z1", "angle", corners, neutral(run))


def test_the_grid_lies_where_its_latents_are(run):
    picture, (x0, y0, x1, y1) = grid(run, "z1", "z2", 5, neutral(run))
    assert picture.shape == (60, 60)
    (left, right), (bottom, top) = run.latent_range
    tile = (x1 - x0) / 5, (y1 - y0) / 5
    assert x0 + tile[0] / 2 == pytest.approx(left) and x1 - tile[0] / 2 == pytest.approx(right)
    assert y0 + tile[1] / 2 == pytest.approx(bottom) and y1 - tile[1] / 2 == pytest.approx(top)
    np.testing.assert_allclose(picture[:12, :12], run.decode([left, top])[0], atol=1e-5)
    assert grid(run, "z1", "angle", 5, neutral(run)) is None


def test_classes_and_numbers_that_a_model_is_told(patches):
    bright = (patches.data[:, 0].mean((1, 2)) > np.median(patches.data[:, 0].mean((1, 2)))).astype(int)
    quick = TrainConfig(epochs=1)
    told = fit(patches, ModelConfig.preset("cvae", hidden=(16, 16)), quick, condition=np.where(bright, "Sr", "Ti"))
    assert class_names_of(told) == ("Sr", "Ti")
    for beyond in (-1, 2):
        with pytest.raises(InputError, match="0 … 1"):
            told.decode([0.0, 0.0], condition=beyond)
    assert np.abs(draw(told, neutral(told), 0) - draw(told, neutral(told), 1)).max() > 0
    numbers = fit(patches, ModelConfig.preset("cvae", hidden=(16, 16)), quick, condition=10.0 + 2.0 * bright)
    given = freedoms(numbers)[-1]
    assert given.name == "given" and given.low < 10 < 12 < given.high
    low, high = (draw(numbers, neutral(numbers) | {"given": value}) for value in (given.low, given.high))
    assert np.abs(low - high).max() > 0


def test_the_worst_come_first():
    table = pd.DataFrame({"elbo": [3.0, -9.0, np.nan, 1.0], "reconstruction_error": [1.0, 2.0, 3.0, 4.0]})
    assert most_unusual(table)[0] == "elbo" and most_unusual(table)[1].tolist() == [1, 3, 0]
    assert most_unusual(table.drop(columns="elbo"), 2)[1].tolist() == [3, 2]
    assert most_unusual(table[[]])[0] == ""


def test_certainty_falls_with_the_standard_deviation():
    table = pd.DataFrame({"z1": [0.0, 1.0, 2.0], "z1_sd": [0.0, 0.4, 9.0], "class_probability": [0.5, 1.0, 0.9]})
    sure = certainty_of(table, "z1")
    assert sure[1] == pytest.approx(1 / (1 + (0.4 / (np.std([0, 1, 2]) / 2)) ** 2))
    assert sure[0] == 1 and 0 < sure[2] < 0.05 < sure[1] < 1
    assert certainty_of(table, "class").tolist() == [0.5, 1.0, 0.9]
    assert certainty_of(table, "class_probability") is not None and certainty_of(table, "z1_sd") is None


def test_information_of_the_latents(run):
    nats = active_latents(run.history)
    assert list(nats.index) == ["z1", "z2"] and nats["z1"] >= nats["z2"]
    assert not len(active_latents(pd.DataFrame()))
