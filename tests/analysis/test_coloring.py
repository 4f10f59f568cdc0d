"""Colours of columns: the same in plots and layers; tables of layers."""

import numpy as np
import pandas as pd
import pytest

from napari_vae.analysis.coloring import NOTHING, color_by
from napari_vae.core.class_colors import class_colors, class_cycle, class_names
from napari_vae.core.errors import InputError
from napari_vae.layers.table import color_columns, numeric_columns


def hex_of(rgba):
    return "#{:02x}{:02x}{:02x}".format(*rgba[:3])


def test_classes_have_the_colours_of_the_points_layer():
    column = class_names(pd.Series([0, 2, 1, -1, 2])).rename("class")
    coloring = color_by(column)
    cycle = class_cycle(3)
    assert [hex_of(c) for c in coloring.rgba[[0, 1, 2]]] == [cycle["0"], cycle["2"], cycle["1"]]
    assert tuple(coloring.rgba[3]) == NOTHING
    assert [(name, n) for name, _, n in coloring.classes] == [("0", 1), ("1", 1), ("2", 2)]


def test_words_in_the_order_of_the_alphabet():
    coloring = color_by(pd.Series(["vacancy", "bulk", "vacancy"], name="kind"))
    assert coloring.classes == (("bulk", class_colors(2)[0], 1), ("vacancy", class_colors(2)[1], 2))


def test_extremes_do_not_set_the_limits_of_numbers():
    values = np.r_[np.random.default_rng(0).normal(size=500), 1e6]
    coloring = color_by(pd.Series(values, name="z1"))
    assert -3.5 < coloring.limits[0] < -1.5 and 1.5 < coloring.limits[1] < 3.5
    order = np.argsort(values)
    assert coloring.rgba[order[-1], 0] > 240 and coloring.rgba[order[0], 2] > 60  # yellow at the top, violet below


def test_what_has_no_value_is_faint_and_constants_have_limits():
    coloring = color_by(pd.Series([1.0, np.nan, 1.0], name="z1"))
    assert tuple(coloring.rgba[1]) == NOTHING
    assert coloring.limits == (0.5, 1.5)
    assert color_by(pd.Series([np.nan, np.nan], name="z1")).limits == (0.0, 1.0)


def test_angles_go_round_in_a_circle():
    coloring = color_by(pd.Series(np.linspace(-180, 180, 101), name="angle"))
    assert np.abs(coloring.rgba[0].astype(int) - coloring.rgba[-1]).max() < 12


@pytest.mark.parametrize("name", ["strain_xx", "vae_strain_xy", "displacement_y", "local_rotation", "mirror"])
def test_zero_is_the_middle_of_signed_values_and_grey(name):
    coloring = color_by(pd.Series([-0.01, 0.0, 0.04], name=name))
    assert coloring.limits[0] == -coloring.limits[1]
    low, middle, high = coloring.rgba[:, :3].astype(int)
    assert np.ptp(middle) < 20 and low[2] > low[0] and high[0] > high[2]  # blue below, red above


def test_the_title_has_the_unit():
    titles = {name: color_by(pd.Series([0.0, 1.0], name=name)).title for name in ("angle", "shift_y_sd", "z1", "dose")}
    assert titles == {"angle": "angle (°)", "shift_y_sd": "shift_y_sd (px)", "z1": "z1", "dose": "dose"}


def test_certainty_becomes_opacity():
    coloring = color_by(pd.Series([1.0, 2.0, 3.0], name="z1"), certainty=np.array([0.0, 0.5, 1.0]))
    assert coloring.rgba[0, 3] < coloring.rgba[1, 3] < coloring.rgba[2, 3] == 255


def test_a_million_classes_are_one_sentence():
    with pytest.raises(InputError, match=r"“id” has 1000000 different values.*at most 255"):
        color_by(pd.Series(np.arange(1_000_000).astype(str), name="id"))


def test_columns_to_choose_from():
    table = pd.DataFrame({"score": [1.0], "kind": ["a"], "z2": [0.0], "y": [3.0], "z1": [0.0], "seen": [True]})
    assert numeric_columns(table) == ["z1", "z2", "score", "y"]
    assert color_columns(table) == ["kind", "seen", "z1", "z2", "score", "y"]
    assert color_columns(table.assign(class_name=["b"]))[:3] == ["class_name", "kind", "seen"]


def test_a_title_has_the_unit_of_numbers_only():
    numbers, words = color_by(pd.Series([1.0, 90.0], name="angle")), color_by(pd.Series(["a", "b"], name="angle"))
    assert (numbers.title, words.title) == ("angle (°)", "angle")
    assert color_by(pd.Series([1.0, 2.0], name="odd")).title == "odd"
