"""How large a window should be, on images whose structures have a known size."""

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.analysis.figures import window_sizes_figure
from napari_vae.workflow.window_scan import WindowScan, _apart, choose, scan_windows

TILE = 16


@pytest.fixture(scope="module")
def tiles():
    """Squares of any grey level under noise: a window shows more the larger it is, until it reaches over several."""
    rng = np.random.default_rng(0)
    level = np.kron(rng.normal(0, 1, (24, 24)), np.ones((TILE, TILE)))
    return (level + rng.normal(0, 1, level.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def scan(tiles):
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr("napari_vae.workflow.window_scan.STEPS", 60)
        model, train = nv.ModelConfig(hidden=32), nv.TrainConfig(device="cpu", learning_rate=1e-2)
        return scan_windows(tiles, windows=[48, 4, 8], model=model, train=train)


def test_a_window_is_as_large_as_what_it_shows(scan):
    assert scan.table["window"].tolist() == [4, 8, 48]
    small, right, large = scan.table.to_dict("records")
    assert right["bits"] > 5 * max(small["bits"], large["bits"]) and scan.window == 8
    assert right["explained"] > 0.3 and right["active"] >= 1
    assert "Windows of 8 px are the smallest" in scan.sentence()


def test_it_is_drawn(scan):
    figure = window_sizes_figure(scan.table, scan.units)
    assert [axes.get_ylabel() for axes in figure.axes] == ["active latents", "variance explained", "bits per pixel"]
    assert figure.axes[0].get_xlabel() == "window (px)"


def test_the_smallest_window_that_is_about_as_good_is_chosen():
    table = pd.DataFrame({"window": [8, 16, 24, 32], "bits": [0.1, 0.57, 0.6, 0.4], "bits_se": 0.01})
    assert choose(table, 24) == 16
    assert choose(table.assign(bits=[0.1, 0.2, 0.6, 0.4]), 16) == 24
    nothing = table.assign(bits=-0.1)
    assert choose(nothing, 22) == 24
    words = WindowScan(nothing.assign(size=1.0, suggested=[False, False, True, False]), 24, "px").sentence()
    assert "No window shows anything" in words


def test_windows_that_are_held_out_overlap_none_of_the_others(tiles):
    image = nv.Micrograph(tiles)
    learnt, held = _apart(image, 32, seed=0)
    assert held["y"].min() - learnt["y"].max() >= 32
    assert len(held) >= 40 and len(learnt) >= len(held)


@pytest.mark.parametrize(
    ("size", "windows", "words"),
    [(64, [8, 48], "too few places"), (64, [8], "two sizes"), (96, [8, 200], "larger than the image")],
)
def test_what_cannot_be_compared_is_refused(size, windows, words):
    image = np.random.default_rng(0).random((size, size))
    with pytest.raises(nv.InputError, match=words):
        scan_windows(image, windows=windows)
