"""Commands that open a window, and what they do where there is no display."""

import shutil
import sys

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.cli import window as showing


@pytest.mark.slow
def test_demo_without_a_display_writes_results_and_a_picture(command, monkeypatch, results, tmp_path):
    monkeypatch.setattr("napari_vae.cli.window.analyze_sample", lambda *a, **k: nv.load_analysis(results))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    asked = []
    monkeypatch.setattr(showing, "save_screenshot", lambda *paths: asked.append(paths) or "")
    out = tmp_path / "demo-output"
    for _ in range(2):  # again, over the first
        assert command("demo", "--out", out)[0] == 0
    assert asked == [(out, out / "napari-window.png")] * 2
    assert (out / "report.html").exists()


def test_demo_with_a_display_opens_the_window(command, monkeypatch, results, tmp_path):
    monkeypatch.setattr("napari_vae.cli.window.analyze_sample", lambda *a, **k: nv.load_analysis(results))
    monkeypatch.setenv("DISPLAY", ":0")
    opened = []
    monkeypatch.setattr(showing, "show", opened.append)
    assert command("demo", "--out", tmp_path / "out")[0] == 0
    assert len(opened) == 1


def test_what_to_install_is_said_where_there_is_no_virtual_screen(monkeypatch, results, tmp_path):
    monkeypatch.setattr(showing, "has_display", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "apt install xvfb" in showing.save_screenshot(results, tmp_path / "window.png")


def test_without_a_display_open_says_so(command, monkeypatch, results):
    monkeypatch.setattr(showing, "has_display", lambda: False)
    code, _, errors = command("open", results)
    assert code == 2
    assert "no display" in errors


@pytest.mark.slow
@pytest.mark.skipif(not (showing.has_display() or shutil.which("xvfb-run")), reason="needs a display or xvfb-run")
def test_the_window_of_an_analysis_has_a_picture(results, tmp_path):
    import imageio.v3 as imageio

    picture = tmp_path / "window.png"
    assert showing.save_screenshot(results, picture) == ""
    pixels = imageio.imread(picture)
    assert min(pixels.shape[:2]) > 500
    assert len(np.unique(pixels[..., :3].reshape(-1, 3), axis=0)) > 200  # coloured atoms, not an empty canvas


def test_open_takes_its_picture_on_a_virtual_screen_where_there_is_no_display(command, monkeypatch, results, tmp_path):
    monkeypatch.setattr(showing, "has_display", lambda: False)
    monkeypatch.setattr(showing, "save_screenshot", lambda *paths: "No virtual screen.")
    code, _, errors = command("open", results, "--screenshot", tmp_path / "window.png")
    assert code == 2
    assert "No virtual screen." in errors
