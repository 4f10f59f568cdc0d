"""What active learning shows on the canvas: tables, points and pictures where the image lies."""

import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Points

from napari_vae.core.placement import Placement
from napari_vae.layers.learning import Candidates, learned_points, next_points, pictures, results_table
from napari_vae.layers.points import KEY
from napari_vae.layers.showing import shown_column
from napari_vae.patches.grid import grid_positions
from training_widget import TURNED

SHAPE = (60, 90)
PLACEMENT = Placement.of_layer(Image(np.zeros(SHAPE), **TURNED))


@pytest.fixture
def atoms():
    places = np.stack(np.meshgrid(np.arange(8.0, 60, 11), np.arange(8.0, 90, 11), indexing="ij"), -1).reshape(-1, 2)
    return Candidates(pd.DataFrame({"frame": 0, "y": places[:, 0], "x": places[:, 1]}), SHAPE, PLACEMENT, "image")


def grid(shape=SHAPE, placement=PLACEMENT):
    return Candidates(grid_positions(np.zeros(shape), window=10, step=7), shape, placement, "image", step=7)


def table_of(n, classes=()):
    rng = np.random.default_rng(0)
    mean, sd = rng.random((n, len(classes)) if classes else n), rng.random((n, len(classes)) if classes else n)
    measured = np.array([3, 1, 4])
    return results_table(n, measured, np.array([0.0, 1, 1]), mean, sd, rng.random((n, 2)), classes), mean, sd


def test_a_table_says_what_is_known_of_every_candidate():
    table, mean, sd = table_of(6)
    assert np.allclose(table["predicted"], mean) and np.allclose(table["predicted_sd"], sd)
    assert np.array_equal(table["measured"], [np.nan, 1, np.nan, 0, 1, np.nan], equal_nan=True)
    assert np.array_equal(table["order"], [np.nan, 2, np.nan, 1, 3, np.nan], equal_nan=True)
    assert {"embedding_1", "embedding_2"} <= set(table)


def test_classes_are_named():
    table, mean, sd = table_of(6, ("bulk", "edge", "defect"))
    likeliest = mean.argmax(axis=1)
    assert list(table["predicted"]) == [("bulk", "edge", "defect")[i] for i in likeliest]
    assert np.allclose(table["predicted_sd"], sd[np.arange(6), likeliest])
    assert list(table["measured"]) == ["", "edge", "", "bulk", "edge", ""]


def test_without_a_model_nothing_is_predicted():
    table = results_table(4, np.array([2]), np.array([5.0]), None, None, None)
    assert table["predicted"].isna().all() and table["measured"][2] == 5 and "embedding_1" not in table


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_points_lie_where_the_image_lies(atoms, classes):
    table, *_ = table_of(len(atoms.atoms), classes)
    data, options, kind = learned_points(atoms, table)
    layer = Points(data, **options)
    assert kind == "points" and np.allclose(layer.scale, PLACEMENT.scale) and layer.units == ("nanometer",) * 2
    assert np.allclose(layer.data[7], atoms.place(7))
    colors = {"a": (230, 159, 0, 255), "b": (86, 180, 233, 255)}
    assert shown_column(layer) == "predicted" and len(np.unique(layer.face_color, axis=0)) > 1
    if classes:
        assert [colors[word] for word in table["predicted"]] == [tuple(c) for c in np.rint(255 * layer.face_color)]
    assert layer.metadata[KEY]["columns"] == tuple(table)


def test_pictures_of_atoms_hold_the_value_of_the_nearest(atoms):
    table, mean, sd = table_of(len(atoms.atoms))
    layers = {options["metadata"][KEY]["kind"]: Image(data, **options) for data, options, _ in pictures(atoms, table)}
    for kind, values in (("prediction", mean), ("uncertainty", sd)):
        layer = layers[kind]
        assert layer.data.shape == SHAPE and np.allclose(layer.rotate, PLACEMENT.rotate)
        rows = np.rint(atoms.atoms[["y", "x"]].to_numpy()).astype(int)
        assert np.allclose(layer.data[tuple(rows.T)], values)


def test_pictures_of_classes_hold_their_numbers_from_1_and_nothing_where_none_is_known(atoms):
    names = ["", "bulk", "edge"]
    predicted = pd.Categorical(["", "edge", *["bulk"] * (len(atoms.atoms) - 2)], categories=names)
    (_, unsure, _), (data, _, _) = pictures(atoms, pd.DataFrame({"predicted": predicted, "predicted_sd": 0.5}))
    assert unsure["contrast_limits"] == (0, 1)  # about the one value
    rows = np.rint(atoms.atoms[["y", "x"]].to_numpy()).astype(int)
    assert np.array_equal(data[tuple(rows.T)][:3], [np.nan, 2, 1], equal_nan=True)


@pytest.mark.parametrize("movie", [False, True])
def test_the_picture_of_a_grid_has_a_pixel_for_every_window_where_the_window_lies(movie):
    shape = (3, *SHAPE) if movie else SHAPE
    candidates = grid(shape, PLACEMENT.stacked("t") if movie else PLACEMENT)
    n = len(candidates.atoms)
    table, mean, _ = table_of(n)
    data, options, _ = pictures(candidates, table)[-1]
    layer = Image(data, **options)
    assert data.size == n and options["metadata"][KEY]["kind"] == "prediction"
    for row in (0, n // 2, n - 1):
        pixel = Placement.of_layer(layer).points_from([candidates.place(row)], candidates.placement)[0]
        assert np.allclose(pixel, np.rint(pixel), atol=1e-6)  # its middle
        assert data[tuple(np.rint(pixel).astype(int))] == pytest.approx(mean[row], rel=1e-6)
    there, origin = (np.array(layer.data_to_world(place)) for place in (np.eye(layer.ndim)[-1], np.zeros(layer.ndim)))
    assert np.linalg.norm(there - origin) == pytest.approx(7 * 0.02)


def test_next_points_tell_their_order(atoms):
    score = np.linspace(0, 1, len(atoms.atoms))
    data, options, _ = next_points(atoms, np.array([9, 2, 5]), score)
    layer = Points(data, **options)
    assert list(layer.text.values) == ["1", "2", "3"] and list(layer.features["candidate"]) == [9, 2, 5]
    assert np.allclose(layer.data[0], atoms.place(9))
    assert np.allclose(layer.features["score"], score[[9, 2, 5]])
    away = layer.text.translation  # the number stands to the upper right of its ring
    assert len(away) == layer.ndim and away[-2] < 0 < away[-1] and not away[:-2].any()


def test_nothing_next_is_an_empty_layer(atoms):
    data, options, _ = next_points(atoms, np.zeros(0, int))
    assert len(Points(data, **options).data) == 0


def test_of_a_long_movie_no_pictures_are_made():
    table, *_ = table_of(5)
    atoms = pd.DataFrame({"frame": 0, "y": np.arange(5.0), "x": 0.0})
    long = Candidates(atoms, (1000, 512, 512), PLACEMENT.stacked("t"), "movie")
    assert pictures(long, table) == []
