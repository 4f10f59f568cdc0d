"""What napari opens through us: the files that we take, and their calibration and channels as layers."""

import numpy as np
import pytest
import tifffile
from pint import Unit

from napari_vae.io.writing import write_image
from napari_vae.layers.reader import get_reader


@pytest.fixture
def ramp():
    return np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)


@pytest.mark.parametrize("path", ["a.dm3", "a.TIF", ["a.npy", "b.png"], "missing.emd", "a.zarr"])
def test_reader_takes_what_it_knows_without_opening_it(path):
    assert callable(get_reader(path))


@pytest.mark.parametrize("path", ["a.txt", "folder", [], ["a.tif", "b.txt"], ""])
def test_reader_leaves_the_rest(path):
    assert get_reader(path) is None


@pytest.mark.parametrize(("marker", "ours"), [("run.json", True), ("analysis.json", True), ("other.json", False)])
def test_folders_of_ours_are_known_by_their_record(tmp_path, marker, ours):
    (tmp_path / marker).touch()
    assert (get_reader(str(tmp_path)) is not None) == ours
    (tmp_path / "run.json").unlink(missing_ok=True)
    (tmp_path / "analysis.json").unlink(missing_ok=True)
    assert get_reader(str(tmp_path)) is None


def test_layers_carry_the_calibration(tmp_path, ramp):
    write_image(np.stack([ramp, ramp]), tmp_path / "movie.tif", pixel_size=(0.02, 0.03), units="nm")
    np.save(tmp_path / "plain.npy", ramp)
    paths = [str(tmp_path / "movie.tif"), str(tmp_path / "plain.npy")]
    (movie, movie_options, kind), (_, plain_options, _) = get_reader(paths)(paths)
    assert kind == "image"
    assert movie.shape == (2, 24, 32)
    assert movie_options["scale"] == pytest.approx((1, 0.02, 0.03))
    assert [Unit(unit) for unit in movie_options["units"]] == [Unit("pixel"), Unit("nm"), Unit("nm")]
    assert movie_options["axis_labels"] == ("t", "y", "x")
    assert movie_options["metadata"]["napari_vae"]["path"] == paths[0]
    assert plain_options["units"] == ("pixel", "pixel")


def test_channels_become_layers(tmp_path, ramp):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([ramp] * 3), imagej=True, metadata={"axes": "CYX"})
    ((_, options, _),) = get_reader("a.tif")(str(tmp_path / "a.tif"))
    assert options["channel_axis"] == 0
    assert options["name"] == ["a 0", "a 1", "a 2"]
    assert len(options["scale"]) == 2


def test_the_manifest_offers_every_format(tmp_path):
    from npe2 import PluginManifest

    from napari_vae.io.reading import FORMATS
    from napari_vae.io.writing import TABLE_ENDINGS

    (reader,) = PluginManifest.from_distribution("napari-vae").contributions.readers
    assert set(reader.filename_patterns) == {f"*{ending}" for ending in {*FORMATS, *TABLE_ENDINGS}}


def test_the_first_channel_lies_on_top_and_one_of_a_single_value_below(tmp_path, ramp):
    np.savez(tmp_path / "a.npz", z=np.zeros(ramp.shape), current=ramp, phase=ramp + 1)
    layers = get_reader("a.npz")(str(tmp_path / "a.npz"))
    assert [options["name"] for _, options, _ in layers] == ["a z", "a phase", "a current"]
