"""A covariate, from a table, typed, or in the headers of files, and as a column of tables of windows."""

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.io.covariates import Covariate, read_covariate, with_covariate

WINDOWS = pd.DataFrame({"frame": [0, 0, 1, 2], "y": 1.0, "x": 2.0})


@pytest.mark.parametrize(
    ("text", "values"),
    [("bias=-1, 0 ,1.5", [-1, 0, 1.5]), ("bias=300:500", [300, 400, 500]), ("bias=1e2:1e2", [100, 100, 100])],
)
def test_it_is_typed(text, values):
    covariate = read_covariate(text)
    assert covariate.of_frames(3).tolist() == values and covariate.name == "bias"
    assert covariate.added_to(WINDOWS)["bias"].tolist() == [values[0], values[0], *values[1:]]


def test_it_is_a_column_of_a_table_in_the_order_of_frames(tmp_path):
    pd.DataFrame({"frame": [2, 0, 1], "T (K)": [320, 300.5, 310]}).to_csv(tmp_path / "heat.csv", index=False)
    pd.DataFrame({"dose": [1, 2, 4]}).to_csv(tmp_path / "dose.csv", index=False)
    assert read_covariate(f"{tmp_path / 'heat.csv'}:T (K)").of_frames(3).tolist() == [300.5, 310, 320]
    assert read_covariate(f"{tmp_path / 'dose.csv'}:dose").of_frames(3).tolist() == [1, 2, 4]
    with pytest.raises(nv.InputError, match="no column bias; it has dose"):
        read_covariate(f"{tmp_path / 'dose.csv'}:bias")


def test_files_are_known_by_their_names_or_their_order(tmp_path):
    pd.DataFrame({"file": ["b.tif", "a.tif"], "bias": [2.0, 1.0]}).to_csv(tmp_path / "t.csv", index=False)
    windows = WINDOWS.assign(file=["there/a.tif", "there/b.tif", "there/b.tif", "there/a.tif"])
    assert read_covariate(f"{tmp_path / 't.csv'}:bias").added_to(windows)["bias"].tolist() == [1, 2, 2, 1]
    assert Covariate("bias", (5.0, 6.0)).added_to(windows)["bias"].tolist() == [5, 6, 6, 5]
    with pytest.raises(nv.InputError, match=r"0 rows of the file c\.tif"):
        read_covariate(f"{tmp_path / 't.csv'}:bias").added_to(windows.replace({"file": {"there/b.tif": "c.tif"}}))


def test_it_is_a_field_of_the_header(tmp_path):
    metadata = {"acquisition": {"stage": {"temperature": 293.0}, "bias": "0.5", "name": "x"}}
    path = tmp_path / "a.dm3"
    assert read_covariate("temperature").of_file(path, 0, 2, metadata) == 293
    assert read_covariate("stage.temperature").of_file(path, 0, 2, metadata) == 293
    assert read_covariate("bias").of_file(path, 0, 2, metadata) == 0.5
    with pytest.raises(nv.InputError, match=r"no number dose; it has acquisition\.stage\.temperature"):
        read_covariate("dose").of_file(path, 0, 2, metadata)


@pytest.mark.parametrize("text", ["", "bias=", "=1,2", "bias=1,x", "bias=1:2:3", "bias=nan,1", "a:b"])
def test_what_is_no_covariate_is_refused_with_what_to_give(text):
    with pytest.raises(nv.InputError, match=r"FILE\.csv:COLUMN"):
        read_covariate(text)


def test_numbers_must_be_as_many_as_frames():
    with pytest.raises(nv.InputError, match="2 values of bias for 3 frames"):
        read_covariate("bias=1,2").of_frames(3)
    with pytest.raises(nv.InputError, match="2 values of bias"):
        read_covariate("bias=1,2").added_to(WINDOWS)
    with pytest.raises(nv.InputError, match="for all frames"):
        read_covariate("temperature").of_frames(3)
    with pytest.raises(nv.InputError, match="neither a column frame"):
        read_covariate("bias=1,2").added_to(WINDOWS[["y", "x"]])


def test_a_table_keeps_what_is_known_of_it():
    windows = nv.patches.grid_positions(np.zeros((3, 32, 32)), 16, window=16)
    with_bias = with_covariate(windows, pd.Series([1.0, 2.0, 3.0], name="bias"))
    assert with_bias.attrs == windows.attrs and with_bias["bias"].tolist() == (windows["frame"] + 1).tolist()
