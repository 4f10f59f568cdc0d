"""Films that are saved: every frame, in the look of the layer, and a sentence where a package is missing."""

import sys

import imageio.v3 as imageio
import numpy as np
import pytest

from napari_vae.layers.writer import write_film


def test_a_film_is_written_as_mp4_with_every_frame(tmp_path):
    pytest.importorskip("av")
    frames = np.linspace(0, 1, 5)[:, None, None] * np.ones((5, 35, 51))
    write_film(str(tmp_path / "film.mp4"), frames, {"contrast_limits": (0, 1)})
    seen = imageio.imread(tmp_path / "film.mp4", plugin="pyav")
    assert len(seen) == 5 and seen.shape[2] / seen.shape[1] == pytest.approx(51 / 35, rel=0.01)
    np.testing.assert_allclose(seen[..., 1].mean((1, 2)) / 255, np.linspace(0, 1, 5), atol=0.02)


def test_what_mp4_needs_is_said_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(OSError, match=r'the package av; type pip install "napari-vae\[film\]", or write \.gif'):
        write_film(str(tmp_path / "film.mp4"), np.zeros((2, 8, 8)), {})
    assert not list(tmp_path.iterdir())
