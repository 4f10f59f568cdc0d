"""Figures: true to the numbers they show, whole as files, and refused in a sentence where something is missing."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.analysis.circular import counted, direction_of
from napari_vae.analysis.coloring import color_by
from napari_vae.analysis.figures import (
    CATALOGUE,
    FigureData,
    angle_figure,
    class_means_figure,
    loss_figure,
    manifold_figure,
    overlay_figure,
    save_figures,
    scatter_figure,
)
from napari_vae.analysis.figures.micrographs import LARGEST_SYMBOL, SYMBOL
from napari_vae.analysis.figures.style import MARGIN
from napari_vae.analysis.figures.windows import WORDS, class_means, examples_figure, upright
from napari_vae.layers.results import run_layer
from napari_vae.patches.patches import symbol_spacing
from napari_vae.runs.decoding import class_manifolds, side_by_side, tile
from napari_vae.workflow.archive import Analysis

WIDTH = 85 / 25.4


@pytest.fixture
def data():
    """Atoms of two kinds on a micrograph whose pixels are twice as high as wide, as a layer gives them."""
    rng = np.random.default_rng(0)
    rows, columns = (grid.ravel() for grid in np.mgrid[10:90:10, 10:190:10])
    y, x = np.mgrid[:100, :200]
    kind = np.arange(len(rows)) % 2
    image = sum(
        (1 + k) * np.exp(-((y - r) ** 2 + (x - c) ** 2) / 8) for r, c, k in zip(rows, columns, kind, strict=True)
    )
    table = pd.DataFrame({"y": rows * 1.0, "x": columns * 1.0, "size": rng.normal(5, 1, len(rows))})
    table["angle"] = np.where(kind == 0, 10.0, 50.0)
    table["species"] = np.where(kind == 0, "Sr", "Ti")
    return FigureData(table, nv.Micrograph(image, (0.04, 0.02), "nm"))


@pytest.fixture(scope="module")
def joint():
    """An analysis with a model that has two classes of its own."""
    image, truth = nv.samples.micrograph("perovskite", size=128, seed=1)
    atoms = truth[["y", "x"]].reset_index(drop=True)
    patches = nv.extract_patches(image, atoms, window=16)
    run = nv.fit(patches, nv.ModelConfig.preset("j-rvae", n_classes=2), nv.TrainConfig(epochs=1, device="cpu"))
    return Analysis(image, atoms, patches, run, patches.atoms.join(run.encode(patches)))


@pytest.fixture(scope="module")
def all_there(joint):
    """What every figure can be drawn from: its rows as if they were atoms in five frames each."""
    data, row = FigureData.of(joint, color="z1"), np.arange(len(joint.latents))
    return replace(data, table=data.table.assign(track=row // 5, frame=row % 5))


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_symbols_are_as_large_as_the_spacing_or_half_a_window(joint):
    for spacing, shown in ((0.8, 0.8), (12.0, 12.0), (0.0, 8.0)):
        assert symbol_spacing(replace(joint.patches, spacing=spacing)) == shown


def test_atoms_lie_where_they_are_in_the_colours_of_the_plot(data):
    figure = overlay_figure(data.colored("size"))
    axes, bar = figure.axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), data.table[["x", "y"]])
    coloring = color_by(data.table["size"])
    np.testing.assert_allclose(axes.collections[0].get_facecolors() * 255, coloring.rgba)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    np.testing.assert_allclose(bar.get_xlim(), np.percentile(data.table["size"], [1, 99]))
    assert figure.get_size_inches()[0] == pytest.approx(WIDTH)


def test_the_picture_has_the_shape_of_the_sample_and_discs_are_round(data):
    figure = overlay_figure(data)
    axes = figure.axes[0]
    wide, high = axes.get_position().size * figure.get_size_inches()
    assert high / wide == pytest.approx(100 * 0.04 / (200 * 0.02))
    assert np.mean(axes.get_position().intervalx) == pytest.approx(0.5), "in the middle"
    corners = axes.transData.transform([[0, 0], [1, 1]])
    across, down = np.abs(corners[1] - corners[0])
    discs = axes.collections[0]
    assert discs.get_widths()[0] * across == pytest.approx(discs.get_heights()[0] * down)
    assert discs.get_widths()[0] == pytest.approx(SYMBOL * data.spacing)
    corners = data.table[data.table["y"].isin([10, 80]) & data.table["x"].isin([10, 180])]
    assert overlay_figure(replace(data, table=corners)).axes[0].collections[0].get_widths()[0] == LARGEST_SYMBOL * 200


def test_scale_bar_is_as_long_as_it_says(data):
    axes = overlay_figure(data).axes[0]
    text = next(text for text in axes.texts if "nm" in text.get_text())
    x = axes.lines[0].get_xdata()
    assert text.get_text() == "0.5 nm" and text.get_ha() == "center"
    assert text.xy[0] == pytest.approx(np.mean(x))
    assert (x[1] - x[0]) * 0.02 == pytest.approx(0.5)


def test_classes_have_a_legend_with_their_numbers(data):
    words = texts(overlay_figure(data.colored("species")))
    assert {"Sr (72)", "Ti (72)"} <= set(words)
    boxes = [axes.get_position() for axes in overlay_figure(data.colored("species")).axes]
    assert 0 < boxes[-1].y0 < boxes[-1].y1 <= boxes[0].y0, "the legend is below the picture"


def test_angles_are_coloured_once_around_their_period():
    colors = color_by(pd.Series([-45.0, 45.0, 0.0, 135.0], name="angle"), period=90)
    assert colors.limits == (-45, 45)
    np.testing.assert_allclose(colors.rgba[0].astype(int), colors.rgba[1], atol=3)
    np.testing.assert_array_equal(colors.rgba[1], colors.rgba[3])
    assert np.abs(colors.rgba[2].astype(int) - colors.rgba[0]).max() > 60


def test_movies_show_the_frame_asked_for():
    table = pd.DataFrame({"frame": [0, 1, 1], "y": [2.0, 3, 4], "x": [5.0, 6, 7], "v": [1.0, 2, 3]})
    movie = nv.Micrograph(np.random.default_rng(0).random((2, 16, 16)))
    for frame, n in ((None, 1), (1, 2)):
        axes = overlay_figure(FigureData(table, movie, frame=frame)).axes[0]
        assert len(axes.collections[0].get_offsets()) == n


def test_bars_are_as_high_as_there_are_angles():
    assert counted([0, 1, -1, 89, 91, 179, -179, np.nan], 4).tolist() == [3, 2, 2, 0]
    assert counted([59, -59, 0], 12, 120.0).tolist() == [1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0]


def test_the_circle_goes_counter_clockwise_from_the_right(data):
    axes = angle_figure(data).axes[0]
    assert axes.get_theta_offset() == 0 and axes.get_theta_direction() == 1
    bars = {round(float(np.rad2deg(bar.get_x() + bar.get_width() / 2))): bar.get_height() for bar in axes.patches}
    assert bars[10] == 72 and bars[50] == 72
    assert sum(bars.values()) == 144
    line, arc = (np.rad2deg(drawn.get_xdata()) for drawn in axes.lines[-2:])
    told = direction_of(data.table["angle"], 360.0)
    np.testing.assert_allclose(line, told.mean)
    np.testing.assert_allclose(arc[[0, -1]], [told.mean - told.spread, told.mean + told.spread])
    assert not axes.lines[-1].get_clip_on(), "an arc on the rim is drawn with its whole width"
    width, height = axes.get_position().size * axes.figure.get_size_inches() * 25.4
    assert width == pytest.approx(60) and height == pytest.approx(60)


def test_bars_repeat_with_the_symmetry_and_stack_by_class(data):
    class Threefold:
        symmetry = 3

    three = replace(data, run=Threefold(), color="species")
    figure = angle_figure(three)
    bars = [bar for bar in figure.axes[0].patches if bar.get_height() > 0]
    centres = np.sort([round(float(np.rad2deg(bar.get_x() + bar.get_width() / 2))) for bar in bars])
    assert centres.tolist() == [10, 50, 130, 170, 250, 290]
    assert sorted({bar.get_facecolor()[:3] for bar in bars}) == sorted(
        {tuple(np.array(color[:3]) / 255) for color in three.coloring().rgba}
    )
    assert sum(bar.get_alpha() == 1 for bar in bars) == 2
    whole = [bar.get_x() + bar.get_width() / 2 for bar in figure.axes[0].patches if bar.get_alpha() == 1]
    assert len(set(whole)) == 24 and np.cos(whole).min() > 0.49, "those within half a period of the right"
    assert any("modulo 120°" in text for text in texts(figure))


def test_windows_are_turned_back_as_the_model_would_draw_them(joint):
    poses = pd.DataFrame({"angle": [35.0, -120.0], "shift_y": [1.0, 0.0], "shift_x": [-0.5, 1.5], "scale": [1.1, 0.9]})
    drawn = joint.run.decode(
        np.zeros((2, 2)), angle=poses["angle"], shift=poses[["shift_y", "shift_x"]], scale=poses["scale"]
    )
    back = upright(drawn[:, None], poses)[:, 0]
    truth = joint.run.decode(np.zeros((1, 2)))[0]
    middle = np.hypot(*(np.indices((16, 16)) - 7.5)) < 5.5
    assert np.isfinite(back[:, middle]).all()
    assert np.abs(back[:, middle] - truth[middle]).max() < 0.15 * np.ptp(truth)
    assert np.abs(drawn[:, middle] - truth[middle]).max() > 2 * np.abs(back[:, middle] - truth[middle]).max()


def test_strain_is_taken_back_too(joint):
    table = pd.DataFrame({"angle": [20.0], "strain_xx": [0.15], "strain_xy": [-0.1]})
    drawn = joint.run.decode(np.zeros((1, 2)), angle=20.0, strain=(0.15, -0.1))
    truth = joint.run.decode(np.zeros((1, 2)))[0]
    middle = np.hypot(*(np.indices((16, 16)) - 7.5)) < 5.5
    error = np.abs(upright(drawn[:, None], table)[0, 0] - truth)[middle].max()
    assert error < 0.1 * np.ptp(truth)


def test_mean_windows_are_those_of_their_class(data):
    seen = FigureData(data.table.drop(columns="angle"), data.micrograph, color="species")
    means = class_means(seen)
    assert [(name, n) for name, _, n, _ in means] == [("Sr", 72), ("Ti", 72)]
    centre = [mean[mean.shape[0] // 2, mean.shape[1] // 2] for *_, mean in means]
    assert centre[1] > 1.6 * centre[0]
    assert "Mean windows as they were seen." in texts(class_means_figure(seen))


def test_mean_windows_have_room_for_the_words_above_and_below_them(joint):
    figure = class_means_figure(FigureData.of(joint, color="class"))
    (words,) = figure.texts
    bottom = min(axes.get_window_extent().y0 for axes in figure.axes)
    height = figure.get_size_inches()[1] * 25.4
    assert height * (1 - figure.axes[0].get_position().y1) == pytest.approx(WORDS)
    assert words.get_window_extent().y0 > 0 and words.get_window_extent().y1 < bottom


def test_the_manifold_has_a_plane_for_every_class(joint):
    planes = class_manifolds(joint.run, 3)
    assert list(planes) == ["class 0", "class 1"]
    for number, tiles in enumerate(planes.values()):
        np.testing.assert_allclose(tiles, joint.run.manifold(3, label=number), atol=1e-6)
    whole = side_by_side(planes)
    np.testing.assert_array_equal(whole[:, :48], tile(planes["class 0"]))
    np.testing.assert_array_equal(whole[:, -48:], tile(planes["class 1"]))
    assert np.isnan(whole[:, 48:-48]).all() and whole.shape[1] > 96
    figure = manifold_figure(FigureData.of(joint))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["class 0", "class 1"]
    np.testing.assert_allclose(figure.axes[0].get_xlim(), joint.run.latent_range[0], rtol=1e-6)
    for axes in figure.axes:  # a line between all tiles, wherever they are higher than wide
        assert len(axes.lines) == 2 * (len(axes.images[0].get_array()) // joint.run.window[0] - 1)
    first, second = (axes.get_position() for axes in figure.axes)
    assert (first.x0, second.x1) == pytest.approx((10 / 85, 84 / 85)) and second.x0 - first.x1 == pytest.approx(2 / 85)


def test_a_model_of_one_number_has_three_planes(joint):
    dose = np.linspace(1, 3, len(joint.patches))
    train = nv.TrainConfig(epochs=1, device="cpu")
    run = nv.fit(joint.patches, nv.ModelConfig(kind="conditional"), train, condition=dose)
    planes = class_manifolds(run, 2)
    assert list(planes) == [f"condition {2 + step * dose.std():.3g}" for step in (-1, 0, 1)]
    np.testing.assert_allclose(planes["condition 2"], run.manifold(2), atol=1e-6)


def test_the_layer_of_the_manifold_shows_every_class(joint, tmp_path):
    data, options, _ = run_layer(joint.run, tmp_path)
    assert options["metadata"]["napari_vae"]["classes"] == ("class 0", "class 1")
    assert np.isfinite(options["contrast_limits"]).all()
    np.testing.assert_array_equal(data, side_by_side(class_manifolds(joint.run)))


def test_the_curve_is_the_history(joint):
    history = joint.run.history
    curve = loss_figure(history).axes[0].lines[0]
    np.testing.assert_allclose(curve.get_ydata(), history["loss"])
    np.testing.assert_allclose(curve.get_xdata(), history["epoch"])
    assert curve.get_marker() == "."  # a few epochs are points, many a line
    many = pd.DataFrame({"epoch": np.arange(50), "loss": 1.0})
    assert loss_figure(many).axes[0].lines[0].get_marker() in ("", "None")
    for losses, scale in (([900.0, 30, 9], "log"), ([9.5, 9.2, 9], "linear"), ([900.0, 30, -1], "linear")):
        axes = loss_figure(pd.DataFrame({"epoch": [1, 2, 3], "loss": losses})).axes[0]
        assert axes.get_yscale() == scale


def test_many_points_are_a_density_that_keeps_every_place():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(30_000, 2)), columns=["a", "b"]).assign(y=0.0, x=0.0)
    axes = scatter_figure(FigureData(table, color="a")).axes[0]
    picture, (x0, x1, y0, y1) = axes.images[0].get_array(), axes.images[0].get_extent()
    inked = np.asarray(picture)[..., 3] > 0
    rows, columns = picture.shape[:2]
    row = ((table["b"] - y0) / (y1 - y0) * rows).astype(int)
    column = ((table["a"] - x0) / (x1 - x0) * columns).astype(int)
    assert inked[row, column].mean() > 0.999


def test_files_are_whole_and_svg_holds_words(data, tmp_path):
    written = save_figures(data.colored("species"), tmp_path / "new")
    assert {path.name for path in written} == {path.name for path in (tmp_path / "new").iterdir()}
    assert {path.name.split("-")[0].split(".")[0] for path in written} == {"overlay", "scatter", "angles", "classes"}
    for path in written:
        if path.suffix == ".png":
            assert imageio.imread(path).shape[1] == 1003  # 85 mm at 300 dpi
            continue
        tree = ElementTree.parse(path)
        words = {"".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")}
        assert {"overlay": "Sr (72)", "scatter": "size", "angles": "144 atoms", "classes": "Ti"}[
            path.stem.split("-")[0]
        ] in words


def test_saving_leaves_no_global_state(data, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    save_figures(data, tmp_path, which=["overlay"])
    assert dict(matplotlib.rcParams) == before


def test_an_analysis_has_all_figures(all_there, tmp_path):
    written = save_figures(all_there, tmp_path, ["png"])
    assert len(written) == len(CATALOGUE)


def test_examples_go_from_the_worst_reconstructed_to_the_best(joint):
    error = np.random.default_rng(0).permutation(len(joint.patches)).astype(float)
    axes = examples_figure(joint.patches, joint.patches.data, error).axes
    shown = [np.asarray(one.images[0].get_array()) for one in axes[: len(axes) // 3]]
    np.testing.assert_array_equal(shown[0], joint.patches.data[error.argmax(), 0])
    np.testing.assert_array_equal(shown[-1], joint.patches.data[error.argmin(), 0])
    oblong = replace(joint.patches, data=joint.patches.data[:, :, :12], window=(12, 16))
    axes = examples_figure(oblong, oblong.data - 0.25, error).axes
    box = axes[0].get_position(original=True).size * axes[0].figure.get_size_inches()
    assert box[1] / box[0] == pytest.approx(12 / 16)
    assert {one.images[0].get_clim() for one in axes[: 2 * len(axes) // 3]} == {(0, 1)}
    for row in axes[-1 : -len(axes) // 3 : -1]:
        assert row.images[0].get_clim() == pytest.approx((-0.25, 0.25))
        np.testing.assert_allclose(row.images[0].get_array(), 0.25, atol=1e-6)


@pytest.mark.parametrize("name", CATALOGUE)
def test_nothing_of_a_figure_is_cut_off(all_there, name):
    figure = CATALOGUE[name].draw(all_there)
    ink = figure.get_tightbbox()
    assert (ink.min >= -0.01).all() and (ink.max <= figure.get_size_inches() + 0.01).all(), ink


def test_what_is_missing_is_said(data, tmp_path):
    with pytest.raises(nv.InputError, match="trained model"):
        save_figures(data, tmp_path, which=["loss"])
    with pytest.raises(nv.InputError, match="micrograph"):
        save_figures(replace(data, micrograph=None), tmp_path, which=["overlay"])
    with pytest.raises(nv.InputError, match="choose of overlay, scatter"):
        save_figures(data, tmp_path, which=["map"])
    with pytest.raises(nv.InputError, match="png or svg, not bmp"):
        save_figures(data, tmp_path, ["bmp"])
    with pytest.raises(nv.InputError, match="no column z9"):
        data.colored("z9")
    with pytest.raises(nv.InputError, match="no rows"):
        replace(data, table=data.table[:0])
    with pytest.raises(nv.InputError, match="holds no numbers"):
        replace(data, plane=("species", "size"))
    with pytest.raises(nv.InputError, match="columns y and x"):
        save_figures(replace(data, table=data.table.drop(columns="x")), tmp_path, which=["overlay"])
    many = data.table.assign(name=[f"n{i % 300}" for i in range(len(data.table))])
    many = pd.concat([many, many.assign(name=[f"m{i}" for i in range(len(many))])], ignore_index=True)
    with pytest.raises(nv.InputError, match="more than colours can tell apart"):
        save_figures(FigureData(many, data.micrograph, color="name"), tmp_path, which=["overlay"])
    assert not any(tmp_path.iterdir())


def test_columns_of_nothing_and_of_one_value_are_drawn(data, tmp_path):
    odd = data.table.assign(nothing=np.nan, same=1.0)
    for color in ("nothing", "same"):
        assert save_figures(
            FigureData(odd, data.micrograph, color=color, plane=("same", "size")),
            tmp_path,
            ["png"],
            ["overlay", "scatter"],
        )
    with pytest.raises(nv.InputError, match="No atom has both"):
        scatter_figure(FigureData(odd, plane=("nothing", "size")))


def test_the_panels_of_the_losses_lie_one_below_the_other():
    from napari_vae.analysis.figures.models import loss_figure

    history = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "reconstruction": [1.0, 0.5], "kl": [1.0, 0.5]})
    boxes = [axes.get_position() for axes in loss_figure(history).axes]
    assert len(boxes) == 3 and all(0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))


def test_a_colour_bar_lies_in_the_middle_below_and_is_seven_tenths_as_wide(data):
    figure = overlay_figure(replace(data, color="size"))
    bar = figure.axes[-1].get_position()
    assert bar.width == pytest.approx(0.7 * (85 - 2 * MARGIN) / 85) and (bar.x0 + bar.x1) / 2 == pytest.approx(0.5)
    assert 0 < bar.y0 < bar.y1 <= figure.axes[0].get_position().y0
