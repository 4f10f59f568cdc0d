"""A field without atoms on a grid: two domains of stripes, whose direction is known at every place."""

import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer

import napari_vae as nv
from napari_vae.layers.analysis import analysis_layers

SIZE, PERIOD, WINDOW, STEP = 96, 8, 16, 8


def stripes(size=SIZE):
    """Stripes across the left half and along the right one."""
    y, x = np.mgrid[:size, :size]
    along = np.where(x < size // 2, x, y)
    return np.sin(2 * np.pi * along / PERIOD) + np.random.default_rng(0).normal(0, 0.1, along.shape)


@pytest.fixture(scope="module")
def field():
    return nv.Micrograph(stripes().astype(np.float32), 0.05, "nm", name="stripes")


@pytest.fixture(scope="module")
def analysis(field):
    return nv.analyze(field, grid="0.4nm", window=WINDOW, n_classes=2, train=nv.TrainConfig(epochs=12, device="cpu"))


def side_of(x):
    """0 and 1 where a whole window lies in the left and the right domain, −1 between."""
    return np.select([x <= SIZE / 2 - WINDOW / 2, x >= SIZE / 2 + WINDOW / 2], [0, 1], -1)


def turned(angles, side):
    """Degrees between the stripes of both domains, and how alike those of each are."""
    means = [np.exp(2j * np.deg2rad(angles[side == one])).mean() for one in (0, 1)]
    return abs(np.rad2deg(np.angle(means[0] / means[1])) / 2), min(abs(mean) for mean in means)


def test_the_angle_tells_domains_apart(analysis):
    latents = analysis.latents
    assert len(latents) == ((SIZE - WINDOW) // STEP + 1) ** 2 and analysis.settings["grid"] == "0.4nm"
    assert turned(latents["angle"], side_of(latents["x"])) == pytest.approx((90, 1), abs=2)


def test_it_is_shown_as_pictures_that_lie_on_the_image(analysis, tmp_path):
    """Of a saved analysis they are the same; the points carry the table, and are hidden."""
    again = nv.load_analysis(analysis.save(tmp_path / "a"))
    for one in (analysis, again):
        image, *pictures, points = (Layer.create(*made) for made in analysis_layers(one))
        assert points.visible is False and len(points.features) == len(analysis.latents)
        names = [layer.name.removesuffix(" of stripes") for layer in pictures]
        assert names == ["class", "map of angle", "map of z2", "map of z1"]
        assert [layer.visible for layer in pictures] == [False, False, False, True]
        for layer in pictures:
            places = np.stack(np.indices(layer.data.shape), -1).reshape(-1, 2)
            pixels = [image.world_to_data(layer.data_to_world(place)) for place in places]
            assert np.array(pixels) == pytest.approx(one.latents[["y", "x"]].to_numpy())
        angle = pictures[1].data
        assert angle == pytest.approx(analysis.latents["angle"].to_numpy().reshape(angle.shape), abs=1e-3)
        assert np.array_equal(pictures[0].data.ravel(), analysis.latents["class"] + 1)


def test_a_model_reads_another_field_on_a_finer_grid(analysis, field):
    applied = nv.apply_run(analysis.run, field, grid=4)
    assert len(applied.latents) == 21**2
    assert turned(applied.latents["angle"], side_of(applied.latents["x"])) == pytest.approx((90, 1), abs=3)


def test_what_is_said_names_windows(field, analysis):
    told = []
    with_gap = nv.Micrograph(np.where(np.eye(SIZE, k=60), np.nan, field.data), 0.05, "nm")
    applied = nv.apply_run(analysis.run, with_gap, grid=8, progress=told.append)
    assert told[-1].message == f"{len(applied.latents)} windows"
    assert "windows" in applied.patches.describe_dropped() and "atoms" not in applied.patches.describe_dropped()


def test_a_grid_and_a_table_are_not_taken_together(field, analysis):
    with pytest.raises(nv.InputError, match="leave out one"):
        nv.analyze(field, grid=8, atoms=analysis.atoms)
    with pytest.raises(nv.InputError, match="no length"):
        nv.apply_run(analysis.run, field, grid="8 foo")


def test_a_covariate_goes_with_the_windows_of_a_movie(tmp_path):
    movie = np.stack([stripes(48)] * 3)
    heat = pd.Series([300.0, 310.0, 320.0], name="temperature")
    options = {"grid": 16, "window": WINDOW, "n_classes": 1, "train": nv.TrainConfig(epochs=1, device="cpu")}
    analysis = nv.analyze(movie, covariate=heat, **options)
    assert (analysis.latents["temperature"] == 300 + 10 * analysis.latents["frame"]).all()
    again = nv.load_analysis(analysis.save(tmp_path / "a"))
    assert again.settings["covariate"] == "temperature" and again.latents["temperature"].nunique() == 3
    assert nv.analysis.FigureData.of(again).covariate == "temperature"


@pytest.mark.parametrize(
    ("covariate", "words"),
    [
        ([1, 2, 3], "Series with a name"),
        (pd.Series([1, 2, 3]), "Series with a name"),
        (pd.Series([1, 2, 3], name="y"), "Series with a name"),
        (pd.Series([1, 2], name="bias"), "2 values of bias, and the image has 3 frames"),
        (pd.Series([1, np.nan, 2], name="bias"), "text or gaps"),
    ],
)
def test_a_covariate_that_does_not_fit_is_refused_before_any_work(covariate, words):
    with pytest.raises(nv.InputError, match=words):
        nv.analyze(np.zeros((3, 48, 48)), grid=16, covariate=covariate)
