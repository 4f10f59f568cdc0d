"""Where tables and analyses lie when they are opened again: in the calibration, origin and rotation of their image."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer, Points

import napari_vae as nv
from napari_vae import batch
from napari_vae.core.micrograph import Micrograph
from napari_vae.core.placement import KEPT, Placement
from napari_vae.layers.images import micrograph_from_layer
from napari_vae.layers.reader import read_layers
from napari_vae.layers.results import points_name
from napari_vae.layers.table_layers import place_table
from napari_vae.layers.view import View
from napari_vae.layers.writer import write_points

TURNED = {
    "scale": (0.02, 0.03),
    "translate": (5.0, -3.0),
    "rotate": 30,
    "affine": np.array([[2, 0, 1], [0, 2, 4], [0, 0, 1]]),
    "units": ("Å", "Å"),
}


@pytest.fixture(scope="module")
def analysis(lattice):
    atoms = pd.DataFrame({"frame": 0, "y": lattice[1][:, 0], "x": lattice[1][:, 1]})
    train = nv.TrainConfig(epochs=1, device="cpu")
    return nv.analyze(
        nv.Micrograph(lattice[0], name="lattice"), model="vae", train=train, atoms=atoms, window=12, n_classes=1
    )


def lies_like(layer_data, layer):
    return Placement.of_layer(Layer.create(*layer_data)).lies_like(Placement.of_layer(layer))


def test_an_analysis_opens_where_its_image_lay(analysis, tmp_path):
    layer = Image(analysis.micrograph.data, name="lattice", **TURNED)
    moved = replace(analysis, micrograph=micrograph_from_layer(layer))
    folder = moved.save(tmp_path / "results")
    image, *results = read_layers(str(folder))
    assert lies_like(image, layer)
    assert all(lies_like(made, layer) for made in results if made[1]["metadata"]["napari_vae"]["kind"] != "manifold")
    for name in ("atoms.csv", "latents.csv"):
        assert lies_like(read_layers(str(folder / name))[0], layer)
    record = json.loads((folder / "analysis.json").read_text())
    record["micrograph"]["metadata"]["placement"]["scale"] = [0, 1]
    (folder / "analysis.json").write_text(json.dumps(record))
    with pytest.raises(nv.ReadError, match="damaged"):
        read_layers(str(folder / "atoms.csv"))


def test_a_layer_in_another_unit_follows_the_pixels_of_its_image():
    image = Placement.of_micrograph(Micrograph(np.zeros((4, 4)), 0.2, "nm"))
    movie = replace(Placement.of_micrograph(Micrograph(np.zeros((4, 4)), 2, "Å")), translate=np.array([6.0, 8.0]))
    now = movie.stacked("t").resized(image, 0.1, "nm")
    np.testing.assert_allclose(now.scale, [1, 0.1, 0.1])
    np.testing.assert_allclose(now.translate, [0, 0.3, 0.4])
    assert now.units[1:] == ("nm", "nm")


def at(placement, pixel):
    """Where the canvas shows a pixel, by napari's own account."""
    return np.array(Image(np.zeros((4, 4)), **placement.kwargs()).data_to_world(pixel))


@pytest.mark.parametrize("offset", [(3, -2), (0, 0.5)])
def test_what_lies_beside_is_moved_by_so_many_pixels(offset):
    here = Placement.of_layer(Image(np.zeros((4, 4)), **TURNED))
    moved = here.beside(offset)
    for pixel in ((0, 0), (2, 1)):
        np.testing.assert_allclose(at(moved, pixel), at(here, np.add(pixel, offset)))
    assert np.array_equal(moved.scale, here.scale) and np.array_equal(moved.translate, here.translate)
    assert moved.units == here.units


@pytest.mark.parametrize(("unit", "factors"), [("nm", (1000, 1)), ("Å", (10_000, 10))])
def test_other_pixels_stretch_all_lengths_alike_be_the_units_of_rows_and_columns_two(unit, factors):
    image = Placement.of_layer(Image(np.zeros((4, 4)), **(TURNED | {"units": (unit, unit)})))
    points = Placement.of_layer(Image(np.zeros((4, 4)), **(TURNED | {"units": ("µm", "nm")})))
    now = points.resized(image, 3 * image.pixel_size()[0][1], "pm")
    assert now.units == ("pm", "pm")
    for pixel in ((0, 0), (2, 1)):
        np.testing.assert_allclose(at(now, pixel), 3 * at(points, pixel) * factors)


@pytest.mark.parametrize("ending", [".parquet", ".h5ad"])
def test_points_open_where_they_lay(tmp_path, ending):
    layer = Points([[1.5, 2.5], [30.0, 4.0]], **TURNED)
    (path,) = write_points(str(tmp_path / f"atoms{ending}"), layer.data, layer.as_layer_data_tuple()[1])
    assert nv.read_table(path).attrs["origin"]["pixel_size"] == pytest.approx([0.04, 0.06])
    (back,) = read_layers(path)
    assert np.allclose(back[0], layer.data) and lies_like(back, layer)


def test_a_table_lies_on_the_image_that_is_shown(viewer, tmp_path, notifications):
    """A CSV file does not say how large the pixels of its image are."""
    path = nv.write_table(pd.DataFrame({"y": [1.5, 30.0], "x": [2.5, 4.0]}), tmp_path / "atoms.csv")
    image = viewer.add_image(np.zeros((32, 40)), **TURNED)
    assert lies_like(read_layers(str(path))[0], image) and not notifications
    other = viewer.add_image(np.zeros((32, 40)), name="other", units=("nm", "nm"))
    (points,) = read_layers(str(path))
    assert not lies_like(points, image) and "no other image is shown" in notifications[0]
    other.visible = False
    viewer.add_image(np.zeros((2, 32, 40)), channel_axis=0, **TURNED)
    assert lies_like(read_layers(str(path))[0], image)
    image.data = np.zeros((30, 40))
    viewer.layers.remove(viewer.layers[-1]), viewer.layers.remove(viewer.layers[-1])
    assert not lies_like(read_layers(str(path))[0], image) and len(notifications) == 2


def test_tables_of_a_batch_have_the_calibration_of_their_images(tmp_path, lattice):
    image = nv.write_image(lattice[0], tmp_path / "a.tif", pixel_size=(0.02, 0.03), units="nm")
    (outcome,) = batch.run(batch.Detect({"spacing": 12.0, "refine": False}), [image], tmp_path / "out")
    assert outcome.facts["pixel_width"] == pytest.approx(0.03)
    (points,) = read_layers(str(tmp_path / "out" / "a-atoms.csv"))
    assert lies_like(points, Image(lattice[0], scale=(0.02, 0.03), units=("nm", "nm")))


def test_atoms_without_frames_lie_on_a_plane():
    table = pd.DataFrame({"y": [1.0], "x": [2.0]})
    assert place_table(table, Path("atoms.csv")).ndim == 2
    assert place_table(table.assign(frame=3), Path("atoms.csv")).ndim == 3
    movie = Placement.of_micrograph(Micrograph(np.zeros((4, 8, 8)), 0.1, "nm", "TYX"))
    table.attrs["origin"] = {"provenance": {KEPT: movie.to_dict()}}
    assert place_table(table, Path("atoms.csv")).lies_like(movie.last(2))
    assert place_table(table.assign(frame=0), Path("atoms.csv")).lies_like(movie)


def test_points_are_named_by_what_they_mark():
    patches = SimpleNamespace(atoms=pd.DataFrame(), name="scan")
    assert points_name(patches) == "atoms of scan"
    patches.atoms.attrs["napari_vae"] = {"method": "grid"}
    assert points_name(patches) == "windows of scan"


def test_the_view_of_an_image_has_its_middle_in_the_middle_wherever_it_lies():
    viewer = ViewerModel()
    viewer.canvas.size = (600, 800)
    view = View(viewer, None)
    for translate in ((0, 0), (300, -70)):
        image = viewer.add_image(np.zeros((40, 90)), scale=(3, 2), translate=translate)
        view.frame(image)
        camera = viewer.scene.camera
        np.testing.assert_allclose(camera.center[-2:], np.add(translate, (3 * 19.5, 2 * 44.5)))
        assert camera.zoom == pytest.approx(0.95 * min(600 / 120, 800 / 180))
